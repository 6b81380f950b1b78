"""Command `hlf plan`: what a run would do and cost, before anything starts."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hlf import config as hlf_config
from hlf.cli import plan_text
from hlf.cli.options import add_configfile, add_json, checkout, natural, number
from hlf.cli.parser import Commands, add_command
from hlf.costs.plan import plan
from hlf.costs.schedule import Job, jobs_of
from hlf.errors import HlfError
from hlf.files import read_json

READERS = {"koniq10k": "prepare_images", "coco": "choose_training", "votes": "import_votes"}  # rules that read data
UNLIMITED = "1000000"  # cores and GPUs of the dry run, so that jobs ask for what they would like


def add(commands: Commands) -> None:
    """Arguments of `hlf plan`."""
    parser = add_command(
        commands, "plan", "tell what a run would do and cost, before anything starts", run,
        "hlf plan table2 --configfile config.paper.yaml --gpus 4 --cores 32",
        more="Jobs that `snakemake` would run now, and hours, disk and memory from measured costs; nothing is written.",
    )  # fmt: skip
    option = parser.add_argument
    option("targets", nargs="*", metavar="TARGET", help="rules or files, as snakemake takes them (default: all)")
    add_configfile(parser, "none")
    option("--cores", type=natural, default=_cores(), metavar="N", help="cores that jobs share (default: %(default)s)")
    option("--gpus", type=natural, default=1, metavar="N", help="GPUs that jobs share (default: %(default)s)")
    option("--gpu-hour-price", type=_price, metavar="PRICE", help="price of a GPU-hour, in any currency")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Run `hlf plan`."""
    root = checkout()
    overlays = [path.resolve() for path in args.configfile]
    config = hlf_config.load(root, overlays)
    if sys.stderr.isatty():
        print("asking snakemake what would run ...", file=sys.stderr)
    jobs = dry_run(root, args.targets, overlays)
    found = plan(config, jobs, args.cores, args.gpus)
    about: dict[str, Any] = {
        "run": config["run"],
        "zoo": config["zoo"]["use"],
        "device": config["resources"]["device"],
        "targets": args.targets or ["all"],
        "price": args.gpu_hour_price,
        "free_gb": shutil.disk_usage(_existing(root / "results" / config["run"])).free / 1e9,
        "missing": missing(config, root, {job.step for job in jobs}),
    }
    if args.json:
        print(json.dumps(plan_text.as_json(found, about), indent=1))
    else:
        print(plan_text.as_text(found, about))
    return 0


def dry_run(root: Path, targets: Sequence[str], overlays: Sequence[Path]) -> list[Job]:
    """Jobs that Snakemake would run now, asked in a process of its own.

    Args:
        root: folder of the Snakefile.
        targets: none for the default.
        overlays: files of --configfile, absolute.

    Raises:
        HlfError: Snakemake is not installed, or refuses; with its reason.
    """
    if find_spec("snakemake") is None:
        raise HlfError(
            "plan needs package snakemake, which is not installed; pip install '.[workflow]' in a checkout of hlf"
        )
    limits = ["--cores", UNLIMITED, "--resources", f"gpu={UNLIMITED}"]
    configs = ["--configfile", *map(str, overlays)] if overlays else []
    with tempfile.TemporaryDirectory(prefix="hlf-plan-") as folder:
        answer = Path(folder) / "jobs.json"
        # targets first: --configfile takes all that follow
        words = [str(Path(__file__).with_name("dry_run.py")), str(answer), *targets, *limits, *configs]
        done = subprocess.run(
            [sys.executable, *words], cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode or not answer.is_file():
            raise HlfError(
                f"snakemake refuses to plan in {root} ({_reason(done.stdout)}); `snakemake -n` there says more"
            )
        return jobs_of(read_json(answer))


def _reason(text: str) -> str:
    """What Snakemake says, in one line: from its error on, or the last lines."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    start = next((i for i, line in enumerate(lines) if "Error" in line or "Exception" in line), max(0, len(lines) - 5))
    return " ".join(lines[start : start + 12]) or "it says nothing"


def missing(config: dict[str, Any], root: Path, steps: Collection[str]) -> list[str]:
    """Sentences on what a run needs and this machine lacks; no file is hashed.

    Args:
        config: a checked configuration.
        root: folder of the Snakefile.
        steps: rules that would run. Data that none of them reads are left out; checkpoints are those of all tables.
    """
    from hlf.needs import by_table, images_of, place_of
    from hlf.study.sources import DATABASE, state_of
    from hlf.zoo.assets import assets
    from hlf.zoo.check import PRESENT, Places, check

    needed = [assets()[name] for name in by_table(config)]
    data = [asset.name for asset in needed if asset.kind == "data"]
    moved, images = {name: place_of(config, name) for name in data}, {name: images_of(config, name) for name in data}
    places = Places(root / config["zoo"]["official"], root, None, moved, images)
    lacking = {asset.name: [s for s in check(asset, places) if s.status != PRESENT] for asset in needed}
    found = [
        f"{asset.title}: {_shown(state.place, root)} {state.note or 'does not exist'} ({asset.setting})"
        for asset in needed
        for state in lacking[asset.name]
        if asset.name in data and READERS[asset.name] in steps
    ]
    models = [asset for asset in needed if asset.name not in data]
    if few := [asset.name for asset in models if lacking[asset.name]]:
        found.append(f"{len(few)} of all {len(models)} checkpoints are missing or wrong; see `hlf zoo check`")
    votes = config["study"]["votes"]
    if READERS["votes"] in steps and votes.startswith(DATABASE) and (state := state_of(votes)).startswith("missing: "):
        found.append(state.removeprefix("missing: "))
    return found


def _shown(path: Path, root: Path) -> str:
    """A path as people wrote it: relative to the workflow where it lies in there."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _existing(path: Path) -> Path:
    """The folder itself, or the first above it that is there."""
    return next(one for one in (path, *path.parents) if one.exists())


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _price(text: str) -> float:
    """Value of --gpu-hour-price."""
    return number(text, sys.float_info.max, "a price such as 2.50")
