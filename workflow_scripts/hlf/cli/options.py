"""Options that several commands share, so that one name means one thing; PATH is a FILE or a DIR."""

import argparse
import os
from pathlib import Path

from hlf.errors import HlfError
from hlf.zoo.entries import ZOOS


def add_zoo(parser: argparse.ArgumentParser) -> None:
    """Options on where weights come from."""
    option = parser.add_argument
    option("--zoo", choices=ZOOS, default="mini", help="where the weights come from (default: %(default)s)")
    option(
        "--zoo-folder", type=Path, metavar="DIR",
        help="folder of the weights (default: $HLF_ZOO, else resources/zoo/<zoo>)",
    )  # fmt: skip


def add_device(parser: argparse.ArgumentParser) -> None:
    """Option on where to compute."""
    parser.add_argument(
        "--device", default="auto", choices=["auto", "cpu", "cuda"], help="where to compute (default: %(default)s)"
    )


def add_pictures(parser: argparse.ArgumentParser, target: str = "") -> None:
    """Options on which pictures are compared."""
    option = parser.add_argument
    option(
        "-t", "--target", required=True, type=Path, metavar="PATH",
        help=f"SR picture, or folder that is searched recursively{target}",
    )  # fmt: skip
    option(
        "-r", "--reference", required=not target, type=Path, metavar="PATH",
        help="GT picture or folder; pairs are found by name",
    )  # fmt: skip
    option(
        "--suffix", default="", metavar="TEXT",
        help="what names of SR pictures have behind those of their originals, such as _SwinIR (default: none)",
    )  # fmt: skip


def add_seed(parser: argparse.ArgumentParser, what: str) -> None:
    """Option on the base seed, and what is drawn from it."""
    parser.add_argument("--seed", type=int, default=42, metavar="N", help=f"base seed of {what} (default: %(default)s)")


def add_batch_size(parser: argparse.ArgumentParser, default: int, more: str = "") -> None:
    """Option on pictures per forward."""
    parser.add_argument(
        "--batch-size", type=natural, default=default, metavar="N",
        help=f"pictures per forward{more} (default: %(default)s)",
    )  # fmt: skip


def add_json(parser: argparse.ArgumentParser) -> None:
    """Option on the form of what is printed."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_configfile(parser: argparse.ArgumentParser, default: str) -> None:
    """Option on the configuration, as Snakemake has it."""
    parser.add_argument(
        "--configfile", nargs="+", action="extend", default=[], type=Path, metavar="FILE",
        help=f"YAML files over config.yaml (default: {default})",
    )  # fmt: skip


def natural(text: str) -> int:
    """A whole number from 1 on, as argument."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got '{text}'")
    return int(text)


def share(text: str) -> float:
    """A number from 0 to 1, as argument."""
    return number(text, 1.0, "a share from 0 to 1")


def number(text: str, most: float, what: str) -> float:
    """A number from 0 to `most`, as argument; `what` says what is expected."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise argparse.ArgumentTypeError(f"expected {what}, got '{text}'")
    return value


def setting(text: str) -> tuple[str, str]:
    """KEY=VALUE, as argument."""
    key, sign, value = text.partition("=")
    if not (key and sign):
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got '{text}'")
    return key, value


def csv_output(path: Path) -> Path:
    """The path, when a CSV file can be written there; asked before the work, so that none is done for nothing.

    Raises:
        HlfError: another ending, a folder, or a folder around it that cannot be written.
    """
    if path.suffix != ".csv":
        raise HlfError(f"output {path}: expected a name ending in .csv")
    around = next(one for one in path.absolute().parents if one.exists())
    if path.is_dir() or not around.is_dir() or not os.access(around, os.W_OK):
        raise HlfError(f"output {path} cannot be written; name a file in a folder that you may write to")
    return path


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
