"""TensorBoard's file of a training: its history as it grows. For watching only; no result is read from it."""

import shutil
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class EventLog:
    """A folder that `tensorboard --logdir` shows, with one curve per number of the history.

    Its file holds the time of day, so it is no result and belongs among the logs.

    Args:
        folder: emptied first, because a resumed run writes its whole history again.
        history: entries so far, each with its place on the axis.
        axis: what entries are numbered by, "epoch" or "step".
    """

    def __init__(self, folder: Path, history: list[dict[str, float]], axis: str = "epoch"):
        # TensorBoard's package takes a second to import
        from torch.utils.tensorboard import SummaryWriter

        shutil.rmtree(folder, ignore_errors=True)
        self.writer, self.axis = SummaryWriter(str(folder)), axis
        for entry in history:
            self.add(entry)

    def add(self, entry: dict[str, float]) -> None:
        """Show the numbers of one entry: "train_loss" becomes curve "loss/train", so that parts share a plot."""
        for name, value in entry.items():
            part, _, what = name.partition("_")
            if what:
                self.writer.add_scalar(f"{what}/{part}", value, int(entry[self.axis]))
        self.writer.flush()

    def picture(self, name: str, pixels: "np.ndarray", place: int) -> None:
        """Show a picture, uint8 (H, W, 3)."""
        self.writer.add_image(name, pixels, place, dataformats="HWC")

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()
