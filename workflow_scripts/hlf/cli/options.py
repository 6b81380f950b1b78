"""Options that several commands share."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from hlf.errors import HlfError
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


def checkout() -> Path:
    """The folder of the Snakefile: this one where it has one, else the one that holds this package.

    Raises:
        HlfError: neither has one, as where hlf was installed without its workflow.
    """
    here, own = Path.cwd(), Path(__file__).resolve().parents[3]
    for folder in (here, own):
        if (folder / "Snakefile").is_file() and (folder / "config.yaml").is_file():
            return folder
    raise HlfError(f"{here} holds no Snakefile, and hlf was installed without one; go to the folder of the workflow")
