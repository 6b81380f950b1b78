"""Speed of the measures of Table 2: python benchmarks/bench_iqa.py (some minutes).

64 pairs of 512x384, four SR pictures to each GT, in four ways in one run: pyiqa called metric by metric on files, as
its users do; our job on the same metrics, alone and as two jobs side by side; and our job with every metric of Table 2
on the mini zoo. Values of the first three must be equal. The hot path of `make bench` is the first two on fewer pairs.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from frame import ROOT, Call, HotPath

if TYPE_CHECKING:
    import pandas as pd

FREE = ["psnr", "ssim", "vif"]  # of Table 2, those without weights
GTS, EACH, WIDTH, HEIGHT = 16, 4, 512, 384
FEW, SIDE = 2, 256  # GT images of the hot path and their side


def write_pairs(folder: Path, gts: int = GTS, width: int = WIDTH, height: int = HEIGHT) -> "pd.DataFrame":
    """Scenes and what is left of them after degradation and enlargement."""
    import numpy as np
    import pandas as pd
    from PIL import Image

    from hlf.columns import conform
    from hlf.degradation import degrade
    from hlf.images import to_float, to_uint8, write_png
    from hlf.scenes.scene import scene_for
    from hlf.seeds import generator

    rows = []
    for number in range(gts):
        gt = np.ascontiguousarray(scene_for(42, "bench", number, width).image[:height])
        write_png(folder / f"gt{number}.png", gt)
        for k in range(EACH):
            level = (k + 1) / EACH
            lr, _ = degrade(to_float(gt), generator(42, "bench-iqa", number, level), level)
            sr = np.asarray(Image.fromarray(to_uint8(lr)).resize((width, height), Image.Resampling.BICUBIC))
            write_png(folder / f"sr{number}_{k}.png", sr)
            rows.append((f"{number}@{level}@bicubic", str(number), level, f"gt{number}.png", f"sr{number}_{k}.png"))
    table = pd.DataFrame(rows, columns=["pair_id", "image_id", "level", "gt_path", "sr_path"])
    return conform(table.assign(run="b", model="bicubic", similarity=0.5, bin=0, lr_path="", seed=1), "pairs")


def ours(pairs: "pd.DataFrame", folder: Path, metrics: list[str]) -> "pd.DataFrame":
    """Our job on some pairs."""
    from hlf.device import one_thread
    from hlf.iqa.measure import measure_pairs
    from hlf.iqa.registry import Source

    one_thread()
    return measure_pairs(pairs, folder, metrics, Source("mini", ROOT / "resources/zoo/mini"), "b", {}, None)[0]


def theirs(pairs: "pd.DataFrame", folder: Path) -> "pd.DataFrame":
    """pyiqa, one metric after the other over all files."""
    import pandas as pd
    import pyiqa
    import torch

    from hlf.images import read_image, to_tensor

    torch.set_num_threads(1)
    rows = []
    for name in FREE:
        metric = pyiqa.create_metric(name, device="cpu")
        for pair in pairs.itertuples(index=False):
            sr, gt = (to_tensor(read_image(folder / path))[None] for path in (pair.sr_path, pair.gt_path))
            rows.append((name, pair.pair_id, float(metric(sr, gt))))
    return pd.DataFrame(rows, columns=["metric", "pair_id", "value"])


def prepare(folder: Path) -> None:
    """Pictures and table of the hot path's pairs."""
    write_pairs(folder, FEW, SIDE, SIDE).to_parquet(folder / "pairs.parquet")


@contextmanager
def way(which: str, folder: Path) -> Iterator[Call]:
    """One of the two ways, on the pairs of `prepare`."""
    import pandas as pd

    pairs = pd.read_parquet(folder / "pairs.parquet")
    yield (lambda: ours(pairs, folder, FREE)) if which == "ours" else (lambda: theirs(pairs, folder))


def apart(first: "pd.DataFrame", second: "pd.DataFrame") -> float:
    """Largest difference of a value."""
    joined = first.merge(second, on=["metric", "pair_id"], validate="one_to_one")
    return float((joined["value_x"] - joined["value_y"]).abs().max()) if len(joined) == len(first) else float("inf")


PATHS = [
    HotPath(
        "metrics",
        f"PSNR, SSIM and VIF of a {SIDE}x{SIDE} pair",
        "pyiqa, metric by metric, files read each time",
        "pair",
        FEW * EACH,
        prepare,
        partial(way, "ours"),
        partial(way, "theirs"),
        apart,
        1e-3,
    )
]


def main() -> None:
    """Measure and print."""
    import pandas as pd

    from hlf.iqa.registry import METRICS

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
    ways = ("pyiqa, metric by metric", "one job", "two jobs", f"one job, all {len(every)} metrics (mini)")
    for told, seconds in zip(ways, marks, strict=True):
        sys.stdout.write(f"{told}: {seconds:.1f} s, {marks[0] / seconds:.2f} times pyiqa's speed\n")
    largest = max(apart(alone, library), apart(both, library))
    sys.stdout.write(f"largest difference to pyiqa: {largest:.2g}; all ok: {bool((full['status'] == 'ok').all())}\n")


if __name__ == "__main__":
    main()
