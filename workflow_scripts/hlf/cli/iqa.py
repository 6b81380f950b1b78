"""Command `hlf iqa`: pictures against their GT with the measures of Table 2."""

import argparse
import sys
from pathlib import Path

from hlf.cli.options import Commands, add_zoo
from hlf.files import write_table
from hlf.iqa.folder import measure_folders
from hlf.iqa.registry import METRICS, Source
from hlf.zoo.registry import zoo_folder


def add(commands: Commands) -> None:
    """Arguments of `hlf iqa`."""
    iqa = commands.add_parser("iqa", help="measure SR pictures against their GT with the measures of Table 2")
    option = iqa.add_argument
    option("-t", "--target", required=True, type=Path, help="SR picture, or folder that is searched recursively")
    option("-r", "--reference", required=True, type=Path, help="GT picture or folder; pairs are found by name")
    option("-m", "--metrics", required=True, nargs="+", choices=METRICS, metavar="METRIC", help=", ".join(METRICS))
    option("-o", "--output", required=True, type=Path, help="CSV file, one row per picture and measure")
    option("--suffix", default="", help="what SR names have behind GT names, such as _SwinIR")
    option("--seed", type=int, default=42, help="base seed of JOINT's patch shuffles (default: %(default)s)")
    add_zoo(iqa)
    iqa.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Run `hlf iqa`."""
    source = Source(args.zoo, zoo_folder(args.zoo, args.zoo_folder), seed=args.seed)
    table, lonely = measure_folders(args.target, args.reference, args.metrics, source, args.suffix)
    write_table(table, args.output)
    failed = table[table["status"] != "ok"]
    for sentence in [*lonely, *(f"{r.metric} of {r.image}: {r.status}" for r in failed.itertuples())]:
        print(f"hlf: {sentence}", file=sys.stderr)
    print(f"{len(table) - len(failed)} values in {args.output}, {len(failed)} failed, {len(lonely)} without a partner")
    return 1 if len(failed) or lonely else 0
