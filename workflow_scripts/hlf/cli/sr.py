"""Command `hlf sr`: a picture or a folder of pictures through one SR model."""

import argparse
from pathlib import Path

from hlf.cli.options import Commands, add_device, add_zoo
from hlf.sr.folder import FolderRun, upscale_folder
from hlf.sr.options import resolve
from hlf.sr.registry import load_upscaler, model_module, registered
from hlf.sr.tiling import AUTO
from hlf.zoo.registry import zoo_folder


def add(commands: Commands) -> None:
    """Arguments of `hlf sr`."""
    sr = commands.add_parser(
        "sr",
        help="super-resolve a picture or a folder of pictures by 4",
    )
    option = sr.add_argument
    option("-m", "--model", required=True, choices=registered(), help="SR model")
    option("-i", "--input", required=True, type=Path, help="picture, or folder that is searched recursively")
    option("-o", "--output", required=True, type=Path, help="folder of the PNG files, sr.parquet and failures.csv")
    add_zoo(sr)
    option(
        "--seed",
        type=int,
        default=42,
        help="base seed; every picture has its own, from this and its stem (default: %(default)s)",
    )
    option(
        "--tile",
        type=_tile,
        default=0,
        help="LR side of a tile in pixels; 0: whole picture; auto: by size (default: %(default)s)",
    )
    option(
        "--tile-overlap", type=int, default=16, help="LR pixels that neighbouring tiles share (default: %(default)s)"
    )
    option("--suffix", default="", help="appended to the stem of each output")
    option("--option", type=_option, action="append", default=[], metavar="KEY=VALUE", help="setting of one model")
    _add_running(sr)
    sr.set_defaults(function=run)


def _add_running(sr: argparse.ArgumentParser) -> None:
    """Arguments of `hlf sr` on where and how much to run."""
    option = sr.add_argument
    option(
        "--precision",
        default="fp32",
        choices=["fp32", "fp16", "bf16"],
        help="arithmetic of the network (default: %(default)s)",
    )
    add_device(sr)
    option(
        "--batch-size",
        type=int,
        default=1,
        help="pictures of equal size per forward; above 1 last bits may change (default: %(default)s)",
    )
    option("--resume", action=argparse.BooleanOptionalAction, default=True, help="keep outputs that are complete")
    option("--limit", type=int, help="only the first so many pictures")
    option("--shard", type=_shard, default=(1, 1), metavar="I/N", help="every N-th picture, starting with the I-th")


def run(args: argparse.Namespace) -> int:
    """Run `hlf sr`."""
    options = resolve(args.model, model_module(args.model).OPTIONS, dict(args.option))
    upscaler = load_upscaler(
        args.model, args.zoo, zoo_folder(args.zoo, args.zoo_folder), args.device, args.precision, options
    )
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
