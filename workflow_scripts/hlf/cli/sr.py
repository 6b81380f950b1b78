"""Command `hlf sr`: a picture or a folder of pictures through one SR model."""

import argparse
from pathlib import Path

from hlf.cli.options import add_batch_size, add_device, add_seed, add_zoo, natural, setting
from hlf.cli.parser import DONE, FAILED, Commands, add_command
from hlf.sr.folder import FolderRun, upscale_folder
from hlf.sr.options import resolve
from hlf.sr.registry import load_upscaler, model_module, registered
from hlf.sr.tiling import AUTO
from hlf.zoo.registry import zoo_folder


def add(commands: Commands) -> None:
    """Arguments of `hlf sr`."""
    sr = add_command(
        commands, "sr", "super-resolve a picture or a folder of pictures by 4", run,
        "hlf sr -m swinir -i LR_DIR -o OUT_DIR", "a picture failed; failures.csv tells why",
    )  # fmt: skip
    option = sr.add_argument
    option(
        "-m", "--model", required=True, choices=registered(), metavar="MODEL", help=f"one of {', '.join(registered())}"
    )
    option(
        "-i", "--input", required=True, type=Path, metavar="PATH",
        help="LR picture, or folder that is searched recursively",
    )  # fmt: skip
    option(
        "-o", "--output", required=True, type=Path, metavar="DIR",
        help="folder of the PNG files, sr.parquet and failures.csv",
    )  # fmt: skip
    option(
        "--suffix", default="", metavar="TEXT",
        help="what names of SR pictures get behind those of their originals (default: none)",
    )  # fmt: skip
    option(
        "--option", type=setting, action="append", default=[], metavar="KEY=VALUE",
        help="what one model alone reads, such as steps=20 (group sr.<model> of config.yaml); may be repeated",
    )  # fmt: skip
    option(
        "--tile", type=_tile, default=0, metavar="N",
        help="LR side of a tile in pixels; 0: whole picture; auto: by size (default: %(default)s)",
    )  # fmt: skip
    option(
        "--tile-overlap", type=int, default=16, metavar="N",
        help="LR pixels that neighbouring tiles share (default: %(default)s)",
    )  # fmt: skip
    option("--resume", action=argparse.BooleanOptionalAction, default=True, help="keep outputs that are complete")
    option("--limit", type=natural, metavar="N", help="only the first so many pictures")
    option("--shard", type=_shard, default=(1, 1), metavar="I/N", help="every N-th picture, starting with the I-th")
    option(
        "--precision", default="fp32", choices=["fp32", "fp16", "bf16"],
        help="arithmetic of the network (default: %(default)s)",
    )  # fmt: skip
    add_batch_size(sr, 1, ", of one size; above 1 last bits may change")
    add_seed(sr, "all pictures; each has its own, from this and its stem")
    add_device(sr)
    add_zoo(sr)


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
    return FAILED if len(failures) else DONE


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
