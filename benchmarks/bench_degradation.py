"""Speed of the BSRGAN degradation, and how it grows with a second process: python benchmarks/bench_degradation.py.

The hot path of `make bench`: GT images of 256x256 against the same plans by the steps of the official program, done as
it does them: a whole two-dimensional kernel in scipy's convolution, the shrinking kernel at every pixel, MATLAB's
resize row by row. Noise and JPEG are ours in both. The command prints images of 512x512 for one process and for two.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frame import Call, HotPath

if TYPE_CHECKING:
    import numpy as np

IMAGES = 150  # of the command
SIDE, PLANS = 256, 24  # of the hot path


def picture(side: int) -> "np.ndarray":
    """A smooth random GT."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    return cv2.resize(np.random.default_rng(0).random((64, 64, 3), dtype=np.float32), (side, side))


@contextmanager
def ours(_: Path) -> Iterator[Call]:
    """One plan after the other, drawn and carried out."""
    import numpy as np

    from hlf.degradation import degrade

    gt = picture(SIDE)
    yield lambda: [degrade(gt, np.random.default_rng(seed))[0] for seed in range(PLANS)]


@contextmanager
def naive(_: Path) -> Iterator[Call]:
    """The same plans, step by step as the official program does them."""
    import numpy as np

    from hlf.degradation.plan import draw_plan

    gt = picture(SIDE)

    def one(seed: int) -> "np.ndarray":
        image = gt
        for step in draw_plan(np.random.default_rng(seed), SIDE, SIDE, 1.0, "bsrgan"):
            image = naive_step(image, step)
        return image

    yield lambda: [one(seed) for seed in range(PLANS)]


def naive_step(image: "np.ndarray", step: dict[str, Any]) -> "np.ndarray":
    """A step of a plan on a picture (H, W, 3) in [0, 1], float32."""
    import numpy as np
    from scipy import ndimage

    from hlf.degradation import apply, kernels

    def convolved(kernel: "np.ndarray") -> "np.ndarray":
        whole = kernel if kernel.ndim == 2 else np.outer(kernel, kernel)
        return ndimage.convolve(image, whole[:, :, None], mode="mirror")

    if step["op"] == "blur":
        return convolved(apply.blur_kernel(step))
    if step.get("mode") == "shifted_kernel":
        profile = kernels.shifted_profile(step["ksize"], step["sigma"], step["sf"])
        return np.clip(convolved(profile)[:: step["sf"], :: step["sf"]], 0, 1)
    if step.get("mode") == "matlab_bicubic":
        return np.clip(row_by_row(row_by_row(image, step["scale"]).swapaxes(0, 1), step["scale"]).swapaxes(0, 1), 0, 1)
    return apply.apply_step(np.ascontiguousarray(image), step)


def row_by_row(image: "np.ndarray", scale: float) -> "np.ndarray":
    """MATLAB's bicubic resize along the first axis, one output row and channel at a time as `imresize_np`."""
    import numpy as np

    from hlf.degradation.resize import _taps

    indices, weights = _taps(image.shape[0], scale)
    out = np.empty((len(indices), *image.shape[1:]), np.float32)
    for row in range(len(indices)):
        for channel in range(3):
            out[row, :, channel] = weights[row] @ image[indices[row], :, channel]
    return out


def apart(first: "list[np.ndarray]", second: "list[np.ndarray]") -> float:
    """Mean difference of the two: float32 sums in another order may move a pixel by one grey level before JPEG."""
    import numpy as np

    return max(float(np.abs(a - b).mean()) for a, b in zip(first, second, strict=True))


PATHS = [
    HotPath(
        "degradation",
        f"degradation of a {SIDE}x{SIDE} image",
        "the official program's steps done naively",
        "image",
        PLANS,
        lambda _: None,
        ours,
        naive,
        apart,
        1e-3,
        rounds=3,
    )
]


def work(first_seed: int) -> float:
    """Seconds of processor time for IMAGES degradations of a smooth random 512x512 picture."""
    import numpy as np

    from hlf.degradation import degrade

    gt = picture(512)
    degrade(gt, np.random.default_rng(first_seed))
    start = time.process_time()
    for seed in range(first_seed, first_seed + IMAGES):
        degrade(gt, np.random.default_rng(seed))
    return time.process_time() - start


def main() -> None:
    """Measure one process, then two at once."""
    sys.stdout.write(f"one process: {1000 * work(0) / IMAGES:.1f} ms/image (processor time)\n")
    with get_context("spawn").Pool(2) as pool:
        pool.map(work, [0, 1])  # start-up and imports out of the clock
        start = time.perf_counter()
        pool.map(work, [0, 0])
        pair = time.perf_counter() - start
        start = time.perf_counter()
        pool.map(work, [0])
        single = time.perf_counter() - start
    sys.stdout.write(f"two processes: {2 * single / pair:.2f} times the images per second of one\n")


if __name__ == "__main__":
    main()
