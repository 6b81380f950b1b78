"""Speed of the HLF metric on a CPU: python benchmarks/bench_metric.py (under a minute).

256 pairs of 128x128, eight SR pictures to each GT, mini DINOv2, one thread. Scores: one pair at a time with nothing
kept, against one call with batches in which each GT is embedded once; both must agree. Loss: a step of forward and
backward to the picture, against a plain score of the same batch.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from hlf import load_metric  # noqa: E402
from hlf.threads import one_thread  # noqa: E402

GTS, EACH, SIDE, BATCH, ROUNDS = 32, 8, 128, 16, 5


def seconds(call: Callable[[], object]) -> float:
    """Median time of a call over ROUNDS, after one that does not count."""
    call()
    taken = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    """Measure and print."""
    one_thread()
    generator = torch.Generator().manual_seed(1)
    gt = torch.rand(GTS, 3, SIDE, SIDE, generator=generator).repeat_interleave(EACH, 0)
    sr = (gt + 0.3 * torch.randn(gt.shape, generator=generator)).clamp(0, 1)
    options = {"zoo_folder": ROOT / "resources/zoo/mini", "device": "cpu"}
    metric, loss = load_metric("dinov2", **options), load_metric("dinov2", as_loss=True, **options)

    def alone() -> np.ndarray:
        return np.array([metric.score(sr=a, gt=b) for a, b in zip(sr, gt, strict=True)])

    def together() -> np.ndarray:
        return np.asarray(metric.score(sr=sr, gt=gt, batch_size=BATCH))

    def step() -> torch.Tensor:
        image = sr[:BATCH].clone().requires_grad_()
        loss(image, gt[:BATCH]).backward()
        return image

    slow, fast = seconds(alone), seconds(together)
    plain, learned = seconds(lambda: metric(sr[:BATCH], gt[:BATCH])), seconds(step)
    pairs = len(sr)
    print(f"one pair at a time: {pairs / slow:.0f} pairs/s; batches of {BATCH}, GT once: {pairs / fast:.0f} pairs/s")
    print(f"ratio {slow / fast:.2f}; largest difference {np.abs(alone() - together()).max():.1g}")
    times = f"{1e3 * learned:.0f} ms, plain score {1e3 * plain:.0f} ms of {BATCH} pairs"
    print(f"loss step {times}; {learned / plain:.2f} times")


if __name__ == "__main__":
    main()
