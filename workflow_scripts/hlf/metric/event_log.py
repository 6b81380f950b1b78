"""TensorBoard's file of a fine-tuning: its history as it grows. For watching only; no result is read from it."""

import shutil
from pathlib import Path
from types import TracebackType


class EventLog:
    """A folder that `tensorboard --logdir` shows, with one curve per number of the history.

    Its file holds the time of day, so it is no result and belongs among the logs.

    Args:
        folder: emptied first, because a resumed run writes its whole history again.
        history: entries so far, each with its epoch.
    """

    def __init__(self, folder: Path, history: list[dict[str, float]]):
        # TensorBoard's package takes a second to import
        from torch.utils.tensorboard import SummaryWriter

        shutil.rmtree(folder, ignore_errors=True)
        self.writer = SummaryWriter(str(folder))
        for entry in history:
            self.add(entry)

    def add(self, entry: dict[str, float]) -> None:
        """Show the numbers of one epoch: "train_loss" becomes curve "loss/train", so that parts share a plot."""
        for name, value in entry.items():
            part, _, what = name.partition("_")
            if what:
                self.writer.add_scalar(f"{what}/{part}", value, int(entry["epoch"]))
        self.writer.flush()

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()
