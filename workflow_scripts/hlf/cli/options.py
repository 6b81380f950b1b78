"""Options that several commands share."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hlf.zoo.entries import ZOOS

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
else:
    Commands = object  # argparse's own name for what add_subparsers gives is private


def add_zoo(parser: argparse.ArgumentParser) -> None:
    """Options on where weights come from."""
    option = parser.add_argument
    option("--zoo", choices=ZOOS, default="mini", help="where the weights come from (default: %(default)s)")
    option("--zoo-folder", type=Path, help="folder of that zoo (default: $HLF_ZOO, else resources/zoo/<zoo>)")


def add_device(parser: argparse.ArgumentParser) -> None:
    """Option on where to compute."""
    parser.add_argument(
        "--device", default="auto", choices=["auto", "cpu", "cuda"], help="where to compute (default: %(default)s)"
    )
