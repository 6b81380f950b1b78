"""Command `hlf score`: SR pictures against their GT with the HLF metric, and with the measures of Table 2 beside it."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.cli.options import add_batch_size, add_device, add_json, add_pictures, add_seed, add_zoo, csv_output
from hlf.cli.parser import DONE, FAILED, Commands, add_command
from hlf.cli.told import mean_line, tell_some
from hlf.errors import HlfError
from hlf.files import write_table
from hlf.iqa.folder import PAIR_BY, find_pairs
from hlf.iqa.registry import METRICS, Source
from hlf.metric.folder import score_pairing, summarise
from hlf.metric.load import NAMES
from hlf.paper.maps import save_maps
from hlf.zoo.registry import zoo_folder

if TYPE_CHECKING:
    import pandas as pd

    from hlf.metric.fidelity import HighLevelFidelity


def add(commands: Commands) -> None:
    """Arguments of `hlf score`."""
    score = add_command(
        commands, "score", "tell for SR pictures how many viewers would say that the content changed", run,
        "hlf score -t SR_DIR -r GT_DIR --weights results/mini/metric/dinov2 -o scores.csv",
        "a value failed or a picture has no partner",
    )  # fmt: skip
    add_pictures(score, "; with --pair-by csv a table of pairs")
    option = score.add_argument
    known = [*NAMES, *METRICS]
    option(
        "-m", "--metrics", nargs="+", default=[next(iter(NAMES))], choices=known, metavar="METRIC",
        help=f"some of {', '.join(known)} (default: {next(iter(NAMES))})",
    )  # fmt: skip
    option(
        "-o", "--output", required=True, type=Path, metavar="FILE",
        help="CSV file, one row per picture and metric; a summary lies beside it: <name>_summary.csv",
    )  # fmt: skip
    option(
        "--weights", type=Path, nargs="+", default=[], metavar="DIR",
        help="folders of fine-tuned metrics (default: zero-shot)",
    )  # fmt: skip
    option(
        "--pair-by", choices=PAIR_BY, default=PAIR_BY[0],
        help="stem: path in the folder without ending; name: with it; csv: columns image, ref of -t "
        "(default: %(default)s)",
    )  # fmt: skip
    option("--fail-on-missing", action="store_true", help="score nothing when a picture has no partner")
    option("--resize-ref", action="store_true", help="HLF metrics resize a GT of another size to that of SR")
    option("--raw", action="store_true", help="raw distances of HLF metrics, not calibrated")
    option("--map", type=Path, metavar="DIR", help="show where each pair differs: DIR/<metric>/<picture>.png")
    add_batch_size(score, 8, " of HLF metrics")
    add_seed(score, "the summary's intervals and JOINT's patch shuffles")
    add_json(score)
    add_device(score)
    add_zoo(score)


def run(args: argparse.Namespace) -> int:
    """Run `hlf score`."""
    csv_output(args.output)
    pairing = find_pairs(args.target, args.reference, args.suffix, args.pair_by)
    lonely = [sentence for _, _, sentence in pairing.lonely()]
    if lonely and args.fail_on_missing:
        raise HlfError(
            f"{len(lonely)} pictures have no partner, so nothing was scored ({lonely[0]}); give each one, or leave out "
            "--fail-on-missing"
        )
    folder = zoo_folder(args.zoo, args.zoo_folder)
    metrics = _metrics(args, folder)
    if args.map and not metrics:
        raise HlfError(f"--map {args.map} needs an HLF metric, got -m {' '.join(args.metrics)}")
    source = Source(args.zoo, folder, seed=args.seed)
    table = score_pairing(pairing, args.metrics, metrics, source, args.batch_size)
    summary = summarise(table, args.seed)
    write_table(table, args.output)
    write_table(summary, args.output.with_name(f"{args.output.stem}_summary.csv"))
    if args.map:
        save_maps(pairing, table, metrics, args.map)
    _tell(table, summary, lonely, args)
    return FAILED if (table["status"] != "ok").any() else DONE


def _metrics(args: argparse.Namespace, folder: Path) -> "dict[str, HighLevelFidelity]":
    """The HLF metrics asked for, with the folder of --weights that belongs to each."""
    from hlf.metric.load import load_metric
    from hlf.metric.model import stored_backbone

    weights = {stored_backbone(path): path for path in args.weights}
    names = [name for name in args.metrics if name in NAMES]
    idle = set(weights) - {NAMES[name] for name in names}
    if idle or len(weights) < len(args.weights):
        what = f"of backbone {min(idle)} belong to no metric of -m" if idle else "name one backbone twice"
        raise HlfError(f"--weights {what}; expected one folder for each of {', '.join(names) or 'the HLF metrics'}")
    return {
        name: load_metric(
            name, weights.get(NAMES[name]), zoo=args.zoo, zoo_folder=folder, device=args.device,
            resize_ref=args.resize_ref, calibrated=False if args.raw else None,
        )
        for name in names
    }  # fmt: skip


def _tell(table: "pd.DataFrame", summary: "pd.DataFrame", lonely: list[str], args: argparse.Namespace) -> None:
    """Failures on stderr, the summary on stdout."""
    failed = table[table["status"].str.startswith("failed")]
    tell_some(lonely, "pictures have no partner")
    tell_some([f"{row.metric} of {row.image}: {row.status}" for row in failed.itertuples()], "values failed")
    if args.json:
        rows = json.loads(summary.to_json(orient="records", double_precision=15))
        print(json.dumps({"output": str(args.output), "summary": rows}, indent=1))
        return
    for row in summary.to_dict("records"):
        print(mean_line(row["metric"], row["mean"], row["n"], row["lower_better"], row["low"], row["high"]))
    values = int((table["status"] == "ok").sum())
    print(f"{values} values in {args.output}, {len(failed)} failed, {len(lonely)} without a partner")
