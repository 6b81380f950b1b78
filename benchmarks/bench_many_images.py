"""Ten thousand 512x512 images through the degradation on two cores: speed, memory, and a kill half-way.

Run: python benchmarks/bench_many_images.py [--images 10000] [--levels 1.0] [--folder FOLDER]
It copies the workflow into a temporary folder (below FOLDER), draws scenes, degrades them at every level in shards,
kills everything with signal 9 when half of the LR images are there, starts the same command again, and looks at which
files were written twice. Needs about 1 MB of disk per image.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "workflow_scripts")]
SHARDS = 16
CONFIG = """run: many
images: {{dataset: {images}, evaluation: 0, crop: 512}}
degradation: {{levels: {levels}, shards: {shards}}}
tuning: {{variants: []}}
"""


def main() -> None:
    """Draw, degrade, kill, resume, measure."""
    from workflow_helpers import copy_project

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--levels", type=float, nargs="+", default=[1.0])
    parser.add_argument("--folder", help="where the images are written for the time of the run")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        project = copy_project(Path(folder) / "project")
        (project / "many.yaml").write_text(CONFIG.format(images=args.images, levels=args.levels, shards=SHARDS))
        manifest = "results/many/images/manifest.parquet"
        say(f"{args.images} scenes drawn in {timed(start(project, manifest)):.0f} s")
        total, began = args.images * len(args.levels), time.monotonic()
        process = start(project, "degradation")
        while len(written(project)) < total // 2 and process.poll() is None:
            time.sleep(1)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before, first = written(project), time.monotonic() - began
        say(f"killed after {first:.0f} s with {len(before)} of {total} LR images on disk")
        second = timed(start(project, "degradation"))
        after = written(project)
        again = sum(after[path] != stamp for path, stamp in before.items())
        say(f"resumed and finished in {second:.0f} s: {len(after)} LR images, {again} of the first half written again")
        say(f"{total / (first + second):.0f} LR images/s on two cores over both runs, starts and checks included")
        memory(project)
        folders = [sum(1 for _ in d.iterdir()) for d in (project / "results").rglob("*") if d.is_dir()]
        say(f"largest folder: {max(folders)} entries")


def start(project: Path, target: str) -> subprocess.Popen[bytes]:
    """Snakemake on two cores, in a process group of its own."""
    with (project / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", target, "--configfile", "many.yaml"],
            cwd=project, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def timed(process: subprocess.Popen[bytes]) -> float:
    """Seconds until a process ends well."""
    began = time.monotonic()
    if process.wait():
        sys.exit("the workflow failed")
    return time.monotonic() - began


def written(project: Path) -> dict[Path, int]:
    """LR images that are whole, by their record, and when they were written."""
    root = project / "results/many/degradation"
    found = {}
    for record in root.rglob(".work/[!.]*.json"):  # not those being written
        image = record.parent.parent / f"{record.stem}.png"
        found[image] = image.stat().st_mtime_ns
    return found


def memory(project: Path) -> None:
    """Largest memory and work of the jobs, and whether memory grows with the images that a job made."""
    peaks, work = [], 0.0
    for path in sorted((project / "results/many/benchmarks/degrade").glob("*.tsv")):
        made = re.search(
            r"(\d+) of them made now", (project / f"results/many/logs/degrade/{path.stem}.log").read_text()
        )
        row = dict(zip(*(line.split("\t") for line in path.read_text().splitlines()), strict=True))
        peaks.append((int(made.group(1)) if made else 0, float(row["max_rss"])))
        work += float(row["cpu_time"])
    few, many = min(peaks), max(peaks)
    median, largest = (f(m for _, m in peaks) for f in (statistics.median, max))
    say(f"memory of a job: median {median:.0f} MB, largest {largest:.0f} MB")
    made_now = sum(count for count, _ in peaks)
    say(f"{1000 * work / made_now:.0f} ms of the processor for an LR image, in the jobs that ended")
    say(f"  {few[1]:.0f} MB with {few[0]} images made, {many[1]:.0f} MB with {many[0]}")


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
