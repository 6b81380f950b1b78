"""Command `hlf release`: check a released package, and write the pictures of a data set, made again where left out."""

import argparse
from collections import Counter
from pathlib import Path

from hlf.cli.options import Commands, add_device


def add(commands: Commands) -> None:
    """Arguments of `hlf release` and its commands."""
    release = commands.add_parser("release", help="check released packages, make left-out pictures (docs/release.md)")
    parts = release.add_subparsers(required=True, metavar="WHAT")
    check = parts.add_parser(
        "check", help="compare every file of a package with SHA256SUMS; exit code 1 if one differs"
    )
    check.add_argument("package", type=Path, help="folder of a data set or a model")
    check.set_defaults(function=run_check)
    images = parts.add_parser(
        "images", help="write the pictures of a data set as files; exit code 1 if one is not the released one"
    )
    option = images.add_argument
    option("package", type=Path, help="folder of a data set")
    option("-o", "--output", required=True, type=Path, help="folder of the pictures and of images.csv")
    option("--photographs", type=Path, metavar="DIR", help="folder of the photographs that GT pictures are crops of")
    option("--zoo-folder", type=Path, help="folder of the data set's zoo (default: $HLF_ZOO, else resources/zoo/<zoo>)")
    option("--kinds", nargs="+", choices=["gt", "lr", "sr"], default=["gt", "lr", "sr"], help="(default: all three)")
    option("-m", "--models", nargs="+", default=[], metavar="MODEL", help="SR models (default: all)")
    option("--anew", action="store_true", help="make pictures that lie in the package, too, to prove their recipes")
    option(
        "--option", type=_option, action="append", default=[], metavar="MODEL.KEY=VALUE",
        help="option of an SR model that recipes.json leaves to you, such as pasd.captions=FILE",
    )  # fmt: skip
    add_device(images)
    images.set_defaults(function=run_images)


def run_check(args: argparse.Namespace) -> int:
    """Run `hlf release check`."""
    from hlf.release.checksums import problems, read_checksums

    found = problems(args.package)
    for sentence in found:
        print(sentence)
    print(f"{args.package}: {len(read_checksums(args.package))} files listed, {len(found)} problems")
    return 1 if found else 0


def run_images(args: argparse.Namespace) -> int:
    """Run `hlf release images`."""
    from hlf.release.pictures import OTHER
    from hlf.release.rebuild import FAILED, Means, rebuild_images

    means = Means(args.photographs, args.zoo_folder, args.device, args.anew, dict(args.option))
    table = rebuild_images(args.package, args.output, means, args.kinds, args.models)
    counts = Counter(table["status"])
    told = ", ".join(f"{counts[status]} {status}" for status in sorted(counts)) or "none"
    print(f"{len(table)} pictures in {args.output}: {told}")
    return 1 if counts[OTHER] or counts[FAILED] else 0


def _option(text: str) -> tuple[str, str]:
    """Value of --option."""
    key, sign, value = text.partition("=")
    if not sign or "." not in key:
        raise argparse.ArgumentTypeError(f"expected MODEL.KEY=VALUE, got '{text}'")
    return key, value
