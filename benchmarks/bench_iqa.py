"""Speed of the measures of Table 2: python benchmarks/bench_iqa.py (some minutes).

64 pairs of 512x384, four SR pictures to each GT, in four ways in one run: pyiqa called metric by metric on files, as
its users do; our job on the same metrics, alone and as two jobs side by side; and our job with every metric of Table 2
on the mini zoo. Values of the first three must be equal.
"""

import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from hlf.columns import conform  # noqa: E402
from hlf.degradation import degrade  # noqa: E402
from hlf.images import read_image, to_float, to_tensor, to_uint8, write_png  # noqa: E402
from hlf.iqa.measure import measure_pairs  # noqa: E402
from hlf.iqa.registry import METRICS, Source  # noqa: E402
from hlf.scenes.scene import scene_for  # noqa: E402
from hlf.seeds import generator  # noqa: E402
from hlf.threads import one_thread  # noqa: E402

FREE = ["psnr", "ssim", "vif"]  # of Table 2, those without weights
SOURCE = Source("mini", ROOT / "resources/zoo/mini")
GTS, EACH, WIDTH, HEIGHT = 16, 4, 512, 384


def write_pairs(folder: Path) -> pd.DataFrame:
    """Scenes and what is left of them after degradation and enlargement."""
    from PIL import Image

    rows = []
    for number in range(GTS):
        gt = np.ascontiguousarray(scene_for(42, "bench", number, WIDTH).image[:HEIGHT])
        write_png(folder / f"gt{number}.png", gt)
        for k in range(EACH):
            level = (k + 1) / EACH
            lr, _ = degrade(to_float(gt), generator(42, "bench-iqa", number, level), level)
            sr = np.asarray(Image.fromarray(to_uint8(lr)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
            write_png(folder / f"sr{number}_{k}.png", sr)
            rows.append((f"{number}@{level}@bicubic", str(number), level, f"gt{number}.png", f"sr{number}_{k}.png"))
    table = pd.DataFrame(rows, columns=["pair_id", "image_id", "level", "gt_path", "sr_path"])
    return conform(table.assign(run="b", model="bicubic", similarity=0.5, bin=0, lr_path="", seed=1), "pairs")


def ours(pairs: pd.DataFrame, folder: Path, metrics: list[str]) -> pd.DataFrame:
    """Our job on some pairs."""
    one_thread()
    return measure_pairs(pairs, folder, metrics, SOURCE, "b", {}, None)[0]


def theirs(pairs: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """pyiqa, one metric after the other over all files."""
    import pyiqa

    rows = []
    for name in FREE:
        metric = pyiqa.create_metric(name, device="cpu")
        for pair in pairs.itertuples(index=False):
            sr, gt = (to_tensor(read_image(folder / path))[None] for path in (pair.sr_path, pair.gt_path))
            rows.append((name, pair.pair_id, float(metric(sr, gt))))
    return pd.DataFrame(rows, columns=["metric", "pair_id", "value"])


def main() -> None:
    """Measure and print."""
    one_thread()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = write_pairs(folder)
        halves = [pairs.iloc[: len(pairs) // 2], pairs.iloc[len(pairs) // 2 :]]
        ours(pairs.head(1), folder, FREE)  # imports are nobody's time
        start = time.perf_counter()
        library = theirs(pairs, folder)
        marks = [time.perf_counter() - start]
        start = time.perf_counter()
        alone = ours(pairs, folder, FREE)
        marks.append(time.perf_counter() - start)
        with ProcessPoolExecutor(2) as workers:
            list(workers.map(ours, [pairs.head(1)] * 2, [folder] * 2, [FREE] * 2))
            start = time.perf_counter()
            both = pd.concat(workers.map(ours, halves, [folder] * 2, [FREE] * 2))
            marks.append(time.perf_counter() - start)
        every = [m for m in METRICS if m not in ("psnry", "ssimc", "afine_scale")]
        start = time.perf_counter()
        full = ours(pairs, folder, every)
        marks.append(time.perf_counter() - start)
    joined = library.merge(alone, on=["metric", "pair_id"]).merge(both, on=["metric", "pair_id"])
    largest = max(float((joined["value_x"] - joined[c]).abs().max()) for c in ("value_y", "value"))
    ways = ("pyiqa, metric by metric", "one job", "two jobs", f"one job, all {len(every)} metrics (mini)")
    for way, seconds in zip(ways, marks, strict=True):
        print(f"{way}: {seconds:.1f} s, {marks[0] / seconds:.2f} times pyiqa's speed")
    print(f"largest difference to pyiqa: {largest:.2g}; all ok: {bool((full['status'] == 'ok').all())}")


if __name__ == "__main__":
    main()
