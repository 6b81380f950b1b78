"""What a training shows while it runs: a progress bar, TensorBoard, pictures. No result is read from any of it."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from hlf.images import from_tensor, read_image, write_png
from hlf.metric.event_log import EventLog
from hlf.seeds import seed_for
from hlf.sr.seesr_upscaler import SeeSR
from hlf.tuning.pictures import Pair
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
            self.board = EventLog(self.task.folders.events, [_curves(entry) for entry in self._before], "step")
            for path in sorted(self.task.folders.samples.glob("step-*.png")):
                if not self._before:  # of another training
                    path.unlink()
                    continue
                self.board.picture("samples", read_image(path), int(path.stem.removeprefix("step-")))
            quiet = 0.1 if sys.stderr.isatty() else PATIENCE
            self.bar = tqdm(total=self.steps, initial=len(self._before), unit="step", mininterval=quiet)
        return self

    def told(self, entry: dict[str, float]) -> None:
        """Show the numbers of a step."""
        if self.main:
            self.board.add(_curves(entry))
            self.bar.set_postfix(ori=f"{entry['loss_ori']:.4f}", hlf=f"{entry['loss_hlf']:.4f}", refresh=False)
            self.bar.update()

    def sample(self, step: int) -> None:
        """Write and show what the networks make of the first training pictures: LR, SR, GT in a row each."""
        pairs = [
            self.task.pairs.pair(0, i) for i in range(min(int(self.task.settings["samples"]), len(self.task.pairs)))
        ]
        upscaler = self.upscaler()
        rows = [self._row(upscaler, pair) for pair in pairs]
        grid = np.concatenate(rows)
        write_png(self.task.folders.samples / f"step-{step:06d}.png", grid)
        self.board.picture("samples", grid, step)

    def _row(self, upscaler: SeeSR, pair: Pair) -> np.ndarray:
        seed = seed_for(self.task.config_seed, "tuning-sample", pair.image_id)
        sr = upscaler.upscale(pair.lr[None], [seed])[0]
        large = torch.repeat_interleave(torch.repeat_interleave(pair.lr, 4, 1), 4, 2)
        return np.concatenate([from_tensor(part) for part in (large, sr, pair.gt)], 1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        if self.main:
            self.bar.close()
            self.board.writer.close()


def _curves(entry: dict[str, float]) -> dict[str, float]:
    """An entry of the history by the names that `EventLog` makes curves of: both losses share a plot."""
    names = {"loss_ori": "ori_loss", "loss_hlf": "hlf_loss", "gradient": "gradient_norm", "skipped": "steps_skipped"}
    return {"step": entry["step"], **{new: entry[old] for old, new in names.items()}}
