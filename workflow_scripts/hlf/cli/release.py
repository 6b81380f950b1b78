"""Command `hlf release`: check a released package, and write the pictures of a data set, made again where left out."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from hlf.cli.options import add_device, setting
from hlf.cli.parser import DONE, FAILED, Commands, add_command, add_group


def add(commands: Commands) -> None:
    """Arguments of `hlf release` and its commands."""
    parts = add_group(commands, "release", "check released packages, make left-out pictures (docs/release.md)")
    check = add_command(
        parts, "check", "compare every file of a package with SHA256SUMS", run_check,
        "hlf release check results/mini/release/dataset", "a file differs, is missing or too many",
    )  # fmt: skip
    check.add_argument("package", type=Path, metavar="DIR", help="folder of a data set or a model")
    images = add_command(
        parts, "images", "write the pictures of a data set as files, made again where it holds recipes", run_images,
        "hlf release images results/mini/release/dataset -o OUT_DIR", "a picture failed or is not the released one",
    )  # fmt: skip
    option = images.add_argument
    option("package", type=Path, metavar="DIR", help="folder of a data set")
    option("-o", "--output", required=True, type=Path, metavar="DIR", help="folder of the pictures and of images.csv")
    option("-m", "--models", nargs="+", default=[], metavar="MODEL", help="SR models (default: all)")
    option("--kinds", nargs="+", choices=["gt", "lr", "sr"], default=["gt", "lr", "sr"], help="(default: all three)")
    option("--photographs", type=Path, metavar="DIR", help="folder of the photographs that GT pictures are crops of")
    option("--anew", action="store_true", help="make pictures that lie in the package, too, to prove their recipes")
    option(
        "--option", type=_option, action="append", default=[], metavar="MODEL.KEY=VALUE",
        help="what recipes.json leaves to you, such as pasd.captions=FILE; may be repeated",
    )  # fmt: skip
    add_device(images)
    option(
        "--zoo-folder", type=Path, metavar="DIR",
        help="folder of the weights (default: $HLF_ZOO, else resources/zoo/<zoo>)",
    )  # fmt: skip


def run_check(args: argparse.Namespace) -> int:
    """Run `hlf release check`."""
    from hlf.release.checksums import problems, read_checksums

    found = problems(args.package)
    for sentence in found:
        print(f"hlf: {sentence}", file=sys.stderr)
    print(f"{args.package}: {len(read_checksums(args.package))} files listed, {len(found)} problems")
    return FAILED if found else DONE


def run_images(args: argparse.Namespace) -> int:
    """Run `hlf release images`."""
    from hlf.release.pictures import OTHER
    from hlf.release.rebuild import FAILED as BROKEN
    from hlf.release.rebuild import Means, rebuild_images

    means = Means(args.photographs, args.zoo_folder, args.device, args.anew, dict(args.option))
    table = rebuild_images(args.package, args.output, means, args.kinds, args.models)
    counts = Counter(table["status"])
    told = ", ".join(f"{counts[status]} {status}" for status in sorted(counts)) or "none"
    print(f"{len(table)} pictures in {args.output}: {told}")
    return FAILED if counts[OTHER] or counts[BROKEN] else DONE


def _option(text: str) -> tuple[str, str]:
    """Value of --option."""
    key, value = setting(text)
    if "." not in key:
        raise argparse.ArgumentTypeError(f"expected MODEL.KEY=VALUE, got '{text}'")
    return key, value
