"""Speed of the BSRGAN degradation: milliseconds per 512x512 image, one process and two.

Run: python benchmarks/bench_degradation.py
"""

import os
import sys
import time
from multiprocessing import get_context
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"
sys.path.insert(0, str(Path(__file__).parents[1] / "workflow_scripts"))

IMAGES = 150


def work(first_seed: int) -> float:
    """Seconds of processor time for IMAGES degradations of a smooth random 512x512 picture."""
    import cv2
    import numpy as np

    from hlf.degradation import degrade

    cv2.setNumThreads(1)
    gt = cv2.resize(np.random.default_rng(0).random((64, 64, 3), dtype=np.float32), (512, 512))
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
