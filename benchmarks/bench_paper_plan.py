"""Planning the paper's scale with stand-ins: a dry run, and a rerun with nothing to do, seconds and memory.

Run: python benchmarks/bench_paper_plan.py [FOLDER]
It copies the workflow into a temporary folder (below FOLDER), writes stand-ins of all data sets and checkpoints that
config.paper.yaml needs (sparse files of the right names and shapes, hard links to one picture), and plans the whole.
Then it writes a stand-in of every output, has Snakemake believe them, and asks for the whole again.
"""

import argparse
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from frame import ROOT

sys.path[:0] = [str(ROOT / "tests")]
PAPER = ("--configfile", "config.paper.yaml")


def main() -> None:
    """Stand-ins, plan, stand-ins of results, plan."""
    from workflow_helpers import copy_project

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="where the stand-ins are written for the time of the run")
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as folder:
        project = copy_project(Path(folder) / "project")
        began = time.monotonic()
        # in a process of its own: what starts Snakemake must be small, since its memory counts as that of its children
        writer = multiprocessing.get_context("spawn").Process(target=write_assets, args=(project,))
        writer.start()
        writer.join()
        say(f"stand-ins of all assets written in {time.monotonic() - began:.0f} s")
        first = timed(project, "first dry run, which hashes all checkpoints", "-n", "all", *PAPER)
        jobs = re.search(r"^total +(\d+)", first, re.MULTILINE)
        say(f"{jobs.group(1) if jobs else 'no'} jobs")
        timed(project, "dry run", "-n", "all", *PAPER)
        say(f"{write_outputs(project, *PAPER)} outputs")
        timed(project, "believing the stand-ins of all outputs", "--touch", "--cores", "2", "all", *PAPER)
        again = timed(project, "rerun with nothing to do", "--cores", "2", "all", *PAPER)
        say("Nothing to be done" if "Nothing to be done" in again else again[-2000:])


def write_assets(project: Path) -> None:
    """Stand-ins of all that the paper's configuration needs, and a manifest without the hashes of the real ones."""
    from hlf.config import load
    from hlf.needs import by_table
    from stand_ins import forget_hashes, write

    forget_hashes(project / "workflow_scripts/hlf/zoo/assets.yaml")
    write(by_table(load(ROOT, [ROOT / "config.paper.yaml"])), project / "resources/zoo/official", project)


def write_outputs(project: Path, *configuration: str) -> int:
    """Write a stand-in of every output of `all`, for `snakemake --touch` to believe; their number."""
    outputs = [line.split("\t")[0] for line in run(project, "--summary", "all", *configuration)[0].splitlines()]
    for path in (project / name for name in outputs if name.startswith("results/")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("metric,status\npsnr,ok\n")  # what is looked for in Table 2
    return len(outputs)


def run(project: Path, *arguments: str) -> tuple[str, float]:
    """Output of Snakemake and its largest memory in MB; ends this program when it fails."""
    log = project / "output.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", *arguments], cwd=project, stdout=output, stderr=output,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(log.read_text()[-4000:])
    return log.read_text(), usage.ru_maxrss / 1024


def timed(project: Path, what: str, *arguments: str) -> str:
    """Output of Snakemake; tells wall time and memory."""
    began = time.monotonic()
    text, peak = run(project, *arguments)
    say(f"{what}: {time.monotonic() - began:.1f} s, peak {peak:.0f} MB")
    return text


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
