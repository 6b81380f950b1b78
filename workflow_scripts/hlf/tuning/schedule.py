"""Which images take part in which step: the same for one process that accumulates and for many that share.

A global batch is processes x accumulation x batch_size images; step by step it takes the next ones of the epoch's
order. What is left at the end of an epoch is too little for a whole batch and waits for the next epoch's order.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hlf.errors import HlfError
from hlf.seeds import generator


@dataclass(frozen=True)
class Schedule:
    """Order of a whole training.

    Attributes:
        images: of the training subset.
        epochs: passes over it.
        batch_size: images that go through the networks together, in each process.
        accumulation: such batches in each process before a step, see `hlf.tuning.division`.
        processes: that share the work.
        config_seed: the run's seed; with the epoch it decides the order.
    """

    images: int
    epochs: int
    batch_size: int
    accumulation: int
    processes: int
    config_seed: int

    def __post_init__(self) -> None:
        """Refuse a batch that no epoch can fill."""
        if self.per_epoch < 1:
            raise HlfError(
                f"tuning.images is {self.images}, fewer than the {self.whole} of one step (tuning.step_images); lower "
                "that or add images"
            )

    @property
    def whole(self) -> int:
        """Images of one step, over all processes."""
        return self.batch_size * self.accumulation * self.processes

    @property
    def per_epoch(self) -> int:
        """Steps of one epoch."""
        return self.images // self.whole

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.epochs * self.per_epoch

    def epoch(self, step: int) -> int:
        """Epoch of a step, both from 0."""
        return step // self.per_epoch

    def batches(self, start: int, process: int) -> Iterator[list[tuple[int, int]]]:
        """Batches (epoch, number) of one process from step `start` to the end, `accumulation` of them a step."""
        known, order = -1, np.empty(0, dtype=np.int64)
        for step in range(start, self.steps):
            epoch = self.epoch(step)
            if epoch != known:
                known, order = epoch, generator(self.config_seed, "tuning-order", epoch).permutation(self.images)
            first = (step % self.per_epoch) * self.whole
            for part in range(self.accumulation):
                place = first + (part * self.processes + process) * self.batch_size
                yield [(epoch, int(number)) for number in order[place : place + self.batch_size]]
