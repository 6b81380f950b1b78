"""Command `hlf iqa`: pictures against their GT with the measures of Table 2."""

import argparse
from pathlib import Path

from hlf.cli.options import add_pictures, add_seed, add_zoo, csv_output
from hlf.cli.parser import DONE, FAILED, Commands, add_command
from hlf.cli.told import mean_line, tell_some
from hlf.files import write_table
from hlf.iqa.folder import measure_folders
from hlf.iqa.registry import METRICS, Source
from hlf.zoo.registry import zoo_folder


def add(commands: Commands) -> None:
    """Arguments of `hlf iqa`."""
    iqa = add_command(
        commands, "iqa", "measure SR pictures against their GT with the measures of Table 2", run,
        "hlf iqa -t SR_DIR -r GT_DIR -m psnr lpips dists -o iqa.csv", "a value failed or a picture has no partner",
    )  # fmt: skip
    add_pictures(iqa)
    option = iqa.add_argument
    option(
        "-m",
        "--metrics",
        required=True,
        nargs="+",
        choices=METRICS,
        metavar="METRIC",
        help=f"some of {', '.join(METRICS)}",
    )
    option("-o", "--output", required=True, type=Path, metavar="FILE", help="CSV file, one row per picture and metric")
    add_seed(iqa, "JOINT's patch shuffles")
    add_zoo(iqa)


def run(args: argparse.Namespace) -> int:
    """Run `hlf iqa`."""
    output = csv_output(args.output)
    source = Source(args.zoo, zoo_folder(args.zoo, args.zoo_folder), seed=args.seed)
    table, lonely = measure_folders(args.target, args.reference, args.metrics, source, args.suffix)
    write_table(table, output)
    failed = table[table["status"] != "ok"]
    tell_some(lonely, "pictures have no partner")
    tell_some([f"{row.metric} of {row.image}: {row.status}" for row in failed.itertuples()], "values failed")
    for metric, rows in table[table["status"] == "ok"].groupby("metric", sort=False):
        print(mean_line(str(metric), rows["value"].mean(), len(rows), bool(rows["lower_better"].iloc[0])))
    print(f"{len(table) - len(failed)} values in {output}, {len(failed)} failed, {len(lonely)} without a partner")
    return FAILED if len(failed) or lonely else DONE
