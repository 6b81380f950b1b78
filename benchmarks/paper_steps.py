"""The steps of the paper's run that use no GPU, at its sizes, as units for hlf/costs/measured.yaml.

Run: python benchmarks/paper_steps.py [--images 125] [--folder FOLDER] [--measures-only]
It takes photographs of 1024x768 (enlarged crops of those that scikit-image ships) through the chain with mini networks:
crops and levels of the paper, 723 pairs, twelve random votes each, 10,000 resamples, and no fine-tuning of SeeSR. Then
the fifteen measures with official networks (stand-ins of their full size) on a few pairs. Prints, per step, seconds of
the processor per item, start of a job and largest memory; a quarter of an hour on two idle cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from hlf.iqa.registry import Source

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "workflow_scripts")]
CONFIG = """run: steps
images: {{source: folder, folder: photographs, crop: 512, resize_short: 512, dataset: {images}, evaluation: 5}}
degradation: {{levels: [0.3, 0.7, 1.0]}}
sr: {{models: [bsrgan, swinir]}}
sampling: {{total: 723, bins: 10, max_per_gt: 6}}
study: {{votes: votes.csv, people_quota: 150, min_css_px: 480}}
iqa: {{bootstrap: 10000}}
metric: {{epochs: 1, patience: 1, planted: {{edits: 5, scenes: 3, maps: 5}}, leave_one_out: []}}
tuning: {{variants: []}}
paper: {{overview_images: 500}}
"""
PAIRS = 6  # through the official measures


def main() -> None:
    """Photographs, chain, votes, chain, table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=125, help="GT images; 723 pairs need 121")
    parser.add_argument("--folder", help="where everything is written for the time of the run")
    parser.add_argument("--measures-only", action="store_true", help="the measures of Table 2 alone")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        if not args.measures_only:
            steps(Path(folder) / "project", args.images)
        measures(Path(folder))


def steps(project: Path, images: int) -> None:
    """Run the chain and print its steps."""
    from workflow_helpers import copy_project

    copy_project(project)
    photographs(project / "photographs", images + 5)
    (project / "steps.yaml").write_text(CONFIG.format(images=images))
    # so that there is a table of pairs that votes can name
    (project / "votes.csv").write_text("participant,pair_id,answer\n")
    snakemake(project, "sampling")
    votes(project)
    snakemake(project, "all")
    table(project)


def photographs(folder: Path, count: int) -> None:
    """JPEG files of 1024x768."""
    from PIL import Image

    from hlf.scenes.backgrounds import photograph

    folder.mkdir()
    for number in range(count):
        square = photograph(np.random.Generator(np.random.PCG64(number)), 1024)[:768]
        Image.fromarray(square.clip(0, 255).astype(np.uint8)).save(folder / f"{number:06d}.jpg", quality=90)


def votes(project: Path) -> None:
    """Twelve people who answer every pair by chance, the more often yes the higher its degradation."""
    pairs = pd.read_csv(project / "results/steps/sampling/pairs.csv")
    rng = np.random.Generator(np.random.PCG64(0))
    tables = [
        pd.DataFrame(
            {
                "participant": f"p{person}",
                "pair_id": pairs["pair_id"],
                "answer": (rng.random(len(pairs)) < 0.2 + 0.6 * pairs["level"]).astype(int),
            }
        )
        for person in range(12)
    ]
    pd.concat(tables).to_csv(project / "votes.csv", index=False)


def snakemake(project: Path, target: str) -> None:
    """Run a target on two cores."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", target, "--configfile", "steps.yaml"]
    with (project / "log.txt").open("ab") as log:
        done = subprocess.run(
            command, cwd=project, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=log, stderr=log, check=False
        )
    if done.returncode:
        sys.exit(f"the workflow failed:\n{(project / 'log.txt').read_text()[-4000:]}")


def table(project: Path) -> None:
    """Print what the jobs took, and what they left on the disk."""
    from hlf import config
    from hlf.costs.benchmarks import read_benchmarks
    from hlf.costs.sheet import cost_sheet, made_items, size_of, sizes

    results = project / "results/steps"
    run = [size_of(value) for value in sizes(config.load(project, [project / "steps.yaml"]))]
    sheet = cost_sheet(read_benchmarks(results / "benchmarks"), made_items(results / "timing"), run, [])
    with pd.option_context("display.width", 200, "display.max_rows", None, "display.max_columns", None):
        print(sheet[["step", "model", "jobs", "items", "total_seconds", "cpu_seconds", "start_seconds", "memory_mb"]])
        small = read_benchmarks(results / "benchmarks").query("cpu_seconds > 3")
        print(small[["step", "model", "seconds", "cpu_seconds", "max_rss_mb"]])
    for part in ("images/gt", "degradation", "sr", "study/bundle", "tables", "figures"):
        files = [path for path in (results / part).rglob("*") if path.is_file()]
        size = sum(path.stat().st_blocks * 512 for path in files)
        print(f"{part}: {len(files)} files, {size / 1e6:.1f} MB on the disk")


def measures(folder: Path) -> None:
    """The measures of Tables 2 and 4 on some pairs of 512x512, one thread; JOINT's detector is not the real one."""
    import resource

    import stand_ins
    from hlf.device import one_thread
    from hlf.images import write_png
    from hlf.iqa.registry import Source, entries
    from hlf.scenes.scene import scene_for
    from hlf.tuning.variants import IMAGE_MEASURES

    one_thread()
    names = config_measures()
    stand_ins.write(sorted({e for name in names for e in entries(name, "official", "detector")}), folder / "zoo")
    rows = []
    for number in range(PAIRS):
        gt = scene_for(1, "steps", number, 512).image
        noisy = gt + np.random.Generator(np.random.PCG64(number)).normal(0, 9, gt.shape)
        for kind, picture in (("gt", gt), ("sr", noisy.clip(0, 255).astype(np.uint8))):
            write_png(folder / f"{kind}{number}.png", picture)
        place = {"gt_path": f"gt{number}.png", "sr_path": f"sr{number}.png"}
        rows.append({"pair_id": str(number), "image_id": str(number), "level": 1.0, "model": "x", **place})
    source = Source("official", folder / "zoo", True, "detector", 42)
    for what, used in (("evaluate_variant without backbones", list(IMAGE_MEASURES)), ("measure_iqa", names)):
        one, all_of_them = (spent(pd.DataFrame(rows[:count]), folder, used, source) for count in (1, PAIRS))
        each = (all_of_them - one) / (PAIRS - 1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{what}: {each:.2f} s a pair, start {one - each:.0f} s, memory {peak:.0f} MB", flush=True)


def spent(pairs: pd.DataFrame, folder: Path, names: list[str], source: "Source") -> float:
    """Seconds of the processor that some measures of some pairs take."""
    from hlf.iqa.measure import measure_pairs

    begun = time.process_time()
    measure_pairs(pairs, folder, names, source, "steps", {}, None)
    return time.process_time() - begun


def config_measures() -> list[str]:
    """Measures of the paper's run."""
    from hlf import config

    found: list[str] = config.load(ROOT, [ROOT / "config.paper.yaml"])["iqa"]["metrics"]
    return found


if __name__ == "__main__":
    main()
