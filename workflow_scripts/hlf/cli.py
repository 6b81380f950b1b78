"""Command line of the library: `hlf sr`, `hlf iqa`. Every error is one sentence on stderr.

Exit codes: 0 all done, 1 some images failed (listed in the results), 2 nothing could be done.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from hlf import __version__
from hlf.errors import HlfError
from hlf.files import write_table
from hlf.iqa.folder import measure_folders
from hlf.iqa.registry import METRICS, Source
from hlf.sr.folder import FolderRun, upscale_folder
from hlf.sr.options import resolve
from hlf.sr.registry import load_upscaler, model_module, registered
from hlf.sr.tiling import AUTO
from hlf.zoo.entries import ZOOS


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `hlf` with arguments `argv` (default: those of the process); returns the exit code."""
    parser = argparse.ArgumentParser(prog="hlf", description="High-level fidelity of super-resolution.")
    parser.add_argument("--version", action="version", version=f"hlf {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_sr, _add_iqa):
        add(commands)
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        return int(args.function(args))
    except HlfError as error:
        print(f"hlf: {error}", file=sys.stderr)
        return 2


def _add_sr(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Arguments of `hlf sr`."""
    sr = commands.add_parser(
        "sr",
        help="super-resolve a picture or a folder of pictures by 4",
    )
    add = sr.add_argument
    add("-m", "--model", required=True, choices=registered(), help="SR model")
    add("-i", "--input", required=True, type=Path, help="picture, or folder that is searched recursively")
    add("-o", "--output", required=True, type=Path, help="folder of the PNG files, sr.parquet and failures.csv")
    _add_zoo(sr)
    add(
        "--seed",
        type=int,
        default=42,
        help="base seed; every picture has its own, from this and its stem (default: %(default)s)",
    )
    add(
        "--tile",
        type=_tile,
        default=0,
        help="LR side of a tile in pixels; 0: whole picture; auto: by size (default: %(default)s)",
    )
    add("--tile-overlap", type=int, default=16, help="LR pixels that neighbouring tiles share (default: %(default)s)")
    add("--suffix", default="", help="appended to the stem of each output")
    add("--option", type=_option, action="append", default=[], metavar="KEY=VALUE", help="setting of one model")
    _add_running(sr)
    sr.set_defaults(function=_sr)


def _add_zoo(parser: argparse.ArgumentParser) -> None:
    """Arguments on where weights come from."""
    add = parser.add_argument
    add("--zoo", choices=ZOOS, default="mini", help="where the weights come from (default: %(default)s)")
    add("--zoo-folder", type=Path, help="folder of that zoo (default: $HLF_ZOO, else resources/zoo/<zoo>)")


def _zoo_folder(args: argparse.Namespace) -> Path:
    return args.zoo_folder or Path(os.environ.get("HLF_ZOO") or Path("resources/zoo") / args.zoo)


def _add_iqa(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Arguments of `hlf iqa`."""
    iqa = commands.add_parser("iqa", help="measure SR pictures against their GT with the measures of Table 2")
    add = iqa.add_argument
    add("-t", "--target", required=True, type=Path, help="SR picture, or folder that is searched recursively")
    add("-r", "--reference", required=True, type=Path, help="GT picture or folder; pairs are found by name")
    add("-m", "--metrics", required=True, nargs="+", choices=METRICS, metavar="METRIC", help=", ".join(METRICS))
    add("-o", "--output", required=True, type=Path, help="CSV file, one row per picture and measure")
    add("--suffix", default="", help="what SR names have behind GT names, such as _SwinIR")
    add("--seed", type=int, default=42, help="base seed of JOINT's patch shuffles (default: %(default)s)")
    _add_zoo(iqa)
    iqa.set_defaults(function=_iqa)


def _iqa(args: argparse.Namespace) -> int:
    """Run `hlf iqa`."""
    source = Source(args.zoo, _zoo_folder(args), seed=args.seed)
    table, lonely = measure_folders(args.target, args.reference, args.metrics, source, args.suffix)
    write_table(table, args.output)
    failed = table[table["status"] != "ok"]
    for sentence in [*lonely, *(f"{r.metric} of {r.image}: {r.status}" for r in failed.itertuples())]:
        print(f"hlf: {sentence}", file=sys.stderr)
    print(f"{len(table) - len(failed)} values in {args.output}, {len(failed)} failed, {len(lonely)} without a partner")
    return 1 if len(failed) or lonely else 0


def _add_running(sr: argparse.ArgumentParser) -> None:
    """Arguments of `hlf sr` on where and how much to run."""
    add = sr.add_argument
    add(
        "--precision",
        default="fp32",
        choices=["fp32", "fp16", "bf16"],
        help="arithmetic of the network (default: %(default)s)",
    )
    add("--device", default="auto", choices=["auto", "cpu", "cuda"], help="where to compute (default: %(default)s)")
    add(
        "--batch-size",
        type=int,
        default=1,
        help="pictures of equal size per forward; above 1 last bits may change (default: %(default)s)",
    )
    add("--resume", action=argparse.BooleanOptionalAction, default=True, help="keep outputs that are complete")
    add("--limit", type=int, help="only the first so many pictures")
    add("--shard", type=_shard, default=(1, 1), metavar="I/N", help="every N-th picture, starting with the I-th")


def _sr(args: argparse.Namespace) -> int:
    """Run `hlf sr`."""
    options = resolve(args.model, model_module(args.model).OPTIONS, dict(args.option))
    upscaler = load_upscaler(args.model, args.zoo, _zoo_folder(args), args.device, args.precision, options)
    how = FolderRun(
        seed=args.seed,
        batch_size=args.batch_size,
        tile=args.tile,
        tile_overlap=args.tile_overlap,
        resume=args.resume,
        limit=args.limit,
        shard=args.shard,
        suffix=args.suffix,
        options=options,
    )
    table, failures = upscale_folder(args.input, args.output, upscaler, how)
    print(f"{len(table)} pictures in {args.output}, {len(failures)} failed")
    return 1 if len(failures) else 0


def _tile(text: str) -> int:
    """Value of --tile; negative numbers are refused, so that -1 is no second word for auto."""
    if text != "auto" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected 0, a number of pixels or auto, got '{text}'")
    return AUTO if text == "auto" else int(text)


def _shard(text: str) -> tuple[int, int]:
    """Value of --shard."""
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected I/N such as 1/4, got '{text}'")
    return int(index), int(count)


def _option(text: str) -> tuple[str, str]:
    """Value of --option."""
    key, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got '{text}'")
    return key, value
