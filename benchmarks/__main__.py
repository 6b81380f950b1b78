"""One table of speeds: python benchmarks [--only NAME ...] [--docs], or make bench [ONLY="NAME ..."].

Every hot path against its baseline in the same run: ratio above 1, ours is faster. Prints the table, and writes it to
results/bench/bench.md and bench.csv; --docs writes docs/speed.md too. All paths take about six minutes on two cores.
"""

import argparse
import sys
import time
from pathlib import Path

import frame  # finds the library
import table

from hlf.errors import HlfError


def main() -> int:
    """Measure, print, write; exit code 1 with a sentence when something is wrong."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"of {', '.join(table.PLACES)}")
    parser.add_argument("--out", type=Path, default=frame.ROOT / "results/bench", help="folder for bench.md, bench.csv")
    parser.add_argument("--docs", action="store_true", help="write docs/speed.md too; needs all hot paths")
    args = parser.parse_args()
    try:
        names = table.chosen(args.only)
        if args.docs and args.only:
            raise HlfError("--docs writes the whole table, but --only names some of it; leave out one of the two")
        begun = time.monotonic()
        page = table.write(table.measured(names), args.out, args.docs)
    except HlfError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{page}{time.monotonic() - begun:.0f} s in all.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
