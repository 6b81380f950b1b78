"""Command line of the library: `hlf score`, `sr`, `iqa`, `study`, `zoo`, `plan`, `release`; errors are one sentence.

Exit codes: 0 all done, 1 some of it failed or is missing (and is listed), 2 nothing could be done.
"""

import argparse
import logging
import sys
from collections.abc import Sequence

from hlf import __version__
from hlf.cli import iqa, plan, release, score, sr, study, zoo
from hlf.errors import HlfError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `hlf` with arguments `argv` (default: those of the process); returns the exit code."""
    parser = argparse.ArgumentParser(prog="hlf", description="High-level fidelity of super-resolution.")
    parser.add_argument("--version", action="version", version=f"hlf {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (score, sr, iqa, study, plan, release, zoo):
        command.add(commands)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        return int(args.function(args))
    except HlfError as error:
        print(f"hlf: {error}", file=sys.stderr)
        return 2
