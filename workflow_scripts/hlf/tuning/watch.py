"""What a training shows while it runs: a progress bar, TensorBoard, pictures. No result is read from any of it."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hlf.images import from_tensor, write_png
from hlf.metric.event_log import EventLog
from hlf.seeds import seed_for
from hlf.sr.seesr_upscaler import SeeSR
from hlf.tuning.task import Task

if TYPE_CHECKING:
    from types import TracebackType

# seconds between two lines of the bar where it is written to a file
PATIENCE = 10.0


class Watch:
    """Bar, event log and sample grids of a training, in its main process; elsewhere it does nothing.

    Args:
        task: the training.
        upscaler: SeeSR on the networks that learn.
        history: entries so far, each with its step.
        steps: in all.
        main: whether this is the main process.
    """

    def __init__(
        self, task: Task, upscaler: Callable[[], SeeSR], history: list[dict[str, float]], steps: int, main: bool
    ):
        self.task, self.upscaler, self.steps, self.main = task, upscaler, steps, main
        self._before = list(history)

    def __enter__(self) -> "Watch":
        from tqdm import tqdm

        if self.main:
            self.board = EventLog(self.task.folders.events, [], "step")
            for entry in self._before:
                self.board.add(entry)
            quiet = 0.1 if sys.stderr.isatty() else PATIENCE
            self.bar = tqdm(total=self.steps, initial=len(self._before), unit="step", mininterval=quiet)
        return self

    def told(self, entry: dict[str, float]) -> None:
        """Show the numbers of a step."""
        if self.main:
            self.board.add(entry)
            self.bar.set_postfix(ori=f"{entry['loss_ori']:.4f}", hlf=f"{entry['loss_hlf']:.4f}", refresh=False)
            self.bar.update()

    def sample(self, step: int) -> None:
        """Write and show what the networks make of the first training pictures: LR, SR, GT in a row each."""
        pairs = [self.task.pairs[0, i] for i in range(min(int(self.task.settings["samples"]), len(self.task.pairs)))]
        rows = [self._row(pair.image_id, pair.lr, pair.gt) for pair in pairs]
        grid = np.concatenate(rows)
        write_png(self.task.folders.samples / f"step-{step:06d}.png", grid)
        self.board.picture("samples", grid, step)

    def _row(self, name: str, lr: Tensor, gt: Tensor) -> np.ndarray:
        seed = seed_for(self.task.config_seed, "tuning-sample", name)
        sr = self.upscaler().upscale(lr[None], [seed])[0]
        large = torch.repeat_interleave(torch.repeat_interleave(lr, 4, 1), 4, 2)
        return np.concatenate([from_tensor(part) for part in (large, sr, gt)], 1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        if self.main:
            self.bar.close()
            self.board.writer.close()
