"""Command `hlf zoo`: what a configuration needs from elsewhere, what is there and right, and bringing the rest."""

import argparse
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlf import config as hlf_config
from hlf.cli import zoo_text
from hlf.cli.options import add_configfile, add_json, checkout
from hlf.cli.parser import DONE, FAILED, Command, Commands, add_command, add_group
from hlf.errors import HlfError
from hlf.needs import by_table, images_of, place_of
from hlf.zoo.assets import Asset, assets
from hlf.zoo.check import PRESENT, Places, State, check

CONFIG = "config.paper.yaml"


@dataclass(frozen=True)
class Setting:
    """What the arguments of a command come to.

    Attributes:
        config: the configuration; None where a command that names assets is given no configuration.
        about: name of its file, for people.
        tables: assets that it needs -> tables that lack them.
        places: where their files are looked for.
    """

    config: dict[str, Any] | None
    about: str
    tables: dict[str, tuple[str, ...]]
    places: Places


def add(commands: Commands) -> None:
    """Arguments of `hlf zoo` and its commands."""
    parts = add_group(commands, "zoo", "data sets and published checkpoints: what is there, what is missing, fetch it")
    listed = _part(
        parts, "list", "print all assets that the configuration needs: state, size, licence", run_list,
        "hlf zoo list --configfile config.paper.yaml",
    )  # fmt: skip
    listed.add_argument("--known", action="store_true", help="all that hlf knows, needed or not")
    add_json(listed)
    checked = _part(
        parts, "check", "open every file and compare it with what it should be", run_check,
        "hlf zoo check bsrgan swinir --no-hash", "a file is missing or wrong", "*",
    )  # fmt: skip
    checked.add_argument("--no-hash", action="store_true", help="do not hash files, which reads all of them once")
    add_json(checked)
    fetched = _part(
        parts, "fetch", "bring missing files, or tell what to do by hand", run_fetch,
        "hlf zoo fetch bsrgan swinir", "a file failed or is left to be brought by hand", "*",
    )  # fmt: skip
    option = fetched.add_argument
    option("--all", action="store_true", help="all that the configuration needs")
    option("--from", dest="local", type=Path, metavar="DIR", help="take files from here instead of the network")
    option(
        "--mirror", type=_mirror, action="append", default=[], metavar="PREFIX=URL",
        help="ask URL for what would come from PREFIX, such as https://huggingface.co=https://mirror.lab",
    )  # fmt: skip
    option("--remove-archives", action="store_true", help="remove archives of images once they are unpacked")
    _part(
        parts, "path", "print where an asset's files are, for scripts", run_path,
        "hlf zoo path bsrgan", "a file is missing", 1,
    )  # fmt: skip


def _part(
    parts: Commands, name: str, text: str, function: Command, example: str, failed: str = "", names: str | int = ""
) -> argparse.ArgumentParser:
    part = add_command(parts, name, text, function, example, failed)
    option = part.add_argument
    if names:
        option("names", nargs=names, metavar="NAME", help="assets as `hlf zoo list --known` names them")
    add_configfile(part, f"{CONFIG} of the workflow")
    option("--zoo-folder", type=Path, metavar="DIR", help="folder of the weights (default: zoo.official)")
    option("--data-folder", type=Path, metavar="DIR", help="that data/ lies in (default: that of the workflow)")
    return part


def _setting(args: argparse.Namespace) -> Setting:
    """Configuration and folders; commands that name assets and folder need no checkout of the workflow."""
    try:
        root = checkout()
    except HlfError:
        if not getattr(args, "names", None) or args.zoo_folder is None or args.configfile:
            raise
        data = args.data_folder or Path()
        return Setting(None, "", {}, Places(args.zoo_folder, data, args.zoo_folder / ".hashes.json"))
    overlays = args.configfile or [root / CONFIG]
    config = hlf_config.load(root, overlays)
    tables = by_table(config)
    data = [name for name in tables if assets()[name].kind == "data"]
    places = Places(
        args.zoo_folder or root / config["zoo"]["official"],
        args.data_folder or root,
        root / ".snakemake" / "hlf_weights.json",  # where the workflow looks too, so nothing is hashed twice
        {name: place_of(config, name) for name in data},
        {name: images_of(config, name) for name in data},
    )
    return Setting(config, " ".join(path.name for path in overlays), tables, places)


def _chosen(names: Iterable[str]) -> list[Asset]:
    """Assets by name; HlfError lists the known ones when there is no such."""
    for name in names:
        if name not in assets():
            raise HlfError(f"there is no asset '{name}', expected some of {', '.join(assets())}")
    return [assets()[name] for name in names]


def run_list(args: argparse.Namespace) -> int:
    """Run `hlf zoo list`."""
    setting = _setting(args)
    names = list(assets()) if args.known else list(setting.tables)
    found = _states(_chosen(names), setting.places, hashed=False)
    _print(found, setting, args.json, zoo_text.listing)
    return DONE


def run_check(args: argparse.Namespace) -> int:
    """Run `hlf zoo check`."""
    setting = _setting(args)
    found = _states(_chosen(args.names or setting.tables), setting.places, hashed=not args.no_hash)
    _print(found, setting, args.json, zoo_text.report)
    return FAILED if any(state.status != PRESENT for states in found.values() for state in states) else DONE


def _states(chosen: list[Asset], places: Places, hashed: bool) -> dict[str, list[State]]:
    places = places if hashed else Places(places.zoo, places.data, None, places.moved, places.images)
    return {asset.name: check(asset, places) for asset in chosen}


def _print(found: dict[str, list[State]], setting: Setting, as_json: bool, as_text: Any) -> None:
    if as_json:
        print(json.dumps(zoo_text.as_json(found, setting.tables, setting.about, setting.places.zoo), indent=1))
    else:
        print(as_text(found, setting.tables, setting.about, setting.places.zoo))


def run_fetch(args: argparse.Namespace) -> int:
    """Run `hlf zoo fetch`."""
    from hlf.zoo.fetching.fetch import fetch

    if bool(args.names) == args.all:
        raise HlfError("nothing to fetch was named; name assets, or give --all for all that the configuration needs")
    setting = _setting(args)
    logging.getLogger("hlf.zoo").setLevel(logging.INFO)
    outcomes = {}
    for asset in _chosen(args.names or setting.tables):
        outcomes[asset.name] = fetch(
            asset,
            setting.places.zoo,
            data_folder=setting.places.data,
            mirrors=dict(args.mirror),
            offline=args.local,
            remove_archives=args.remove_archives,
        )
        print(zoo_text.fetched(asset, outcomes[asset.name]), flush=True)
    left = [one for found in outcomes.values() for one in found if one.status not in ("present", "fetched")]
    print(zoo_text.summary(outcomes))
    return FAILED if left else DONE


def run_path(args: argparse.Namespace) -> int:
    """Run `hlf zoo path`."""
    (asset,) = _chosen(args.names)
    states = _states([asset], _setting(args).places, hashed=False)[asset.name]
    for state in states:
        print(state.place)
    return DONE if all(state.place.exists() for state in states) else FAILED


def _mirror(text: str) -> tuple[str, str]:
    """Value of --mirror."""
    prefix, sign, url = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"expected PREFIX=URL, got '{text}'")
    return prefix, url
