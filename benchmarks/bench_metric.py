"""Speed of the HLF metric on a CPU: python benchmarks/bench_metric.py (under a minute).

Mini DINOv2, pairs of 128x128, eight SR pictures to each GT, one thread. The hot path of `make bench`: one call with
batches in which each GT is embedded once, against one pair at a time with nothing kept; both must agree. The command
prints a step of the loss, forward and backward to the picture, against a plain score of the same batch.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frame import ROOT, Call, HotPath

if TYPE_CHECKING:
    import numpy as np
    import torch

GTS, EACH, SIDE, BATCH, ROUNDS = 16, 8, 128, 16, 5


def pairs() -> "tuple[torch.Tensor, torch.Tensor]":
    """SR and GT (GTS * EACH, 3, SIDE, SIDE) in [0, 1]."""
    import torch

    generator = torch.Generator().manual_seed(1)
    gt = torch.rand(GTS, 3, SIDE, SIDE, generator=generator).repeat_interleave(EACH, 0)
    return (gt + 0.3 * torch.randn(gt.shape, generator=generator)).clamp(0, 1), gt


def load(**options: bool) -> Any:
    """The metric, zero-shot, on one thread."""
    from hlf import load_metric
    from hlf.device import one_thread

    one_thread()
    return load_metric("dinov2", zoo_folder=ROOT / "resources/zoo/mini", device="cpu", **options)


@contextmanager
def way(which: str, _: Path) -> Iterator[Call]:
    """Scores of all pairs, in one call or one by one."""
    import numpy as np

    metric, (sr, gt) = load(), pairs()
    if which == "ours":
        yield lambda: np.asarray(metric.score(sr=sr, gt=gt, batch_size=BATCH))
    else:
        yield lambda: np.array([metric.score(sr=a, gt=b) for a, b in zip(sr, gt, strict=True)])


def apart(first: "np.ndarray", second: "np.ndarray") -> float:
    """Largest difference of a score."""
    return float(abs(first - second).max())


PATHS = [
    HotPath(
        "scoring",
        f"HLF score of a {SIDE}x{SIDE} pair, {EACH} SR a GT",
        "one pair at a time, each GT embedded anew",
        "pair",
        GTS * EACH,
        lambda _: None,
        partial(way, "ours"),
        partial(way, "alone"),
        apart,
        1e-5,
    )
]


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
    metric, loss, (sr, gt) = load(), load(as_loss=True), pairs()
    sr, gt = sr[:BATCH], gt[:BATCH]

    def step() -> None:
        loss(sr.clone().requires_grad_(), gt).backward()

    plain, learned = seconds(lambda: metric(sr, gt)), seconds(step)
    times = f"{1e3 * learned:.0f} ms, plain score {1e3 * plain:.0f} ms of {BATCH} pairs"
    sys.stdout.write(f"loss step {times}; {learned / plain:.2f} times\n")


if __name__ == "__main__":
    main()
