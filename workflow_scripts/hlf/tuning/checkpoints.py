"""Checkpoints of a training: written at once or not at all, the last ones kept, damaged ones passed over."""

import logging
from pathlib import Path
from typing import Any

from hlf.errors import HlfError
from hlf.files import atomic

log = logging.getLogger(__name__)
_NAME = "checkpoint-{:08d}.pt"


class Checkpoints:
    """Folder of checkpoints.

    Args:
        folder: made when needed; belongs to one training.
        keep: how many of the last ones stay.
    """

    def __init__(self, folder: Path, keep: int):
        self.folder, self.keep = folder, keep

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after `step` steps, then remove those that are too old."""
        import torch

        with atomic(self.folder / _NAME.format(step)) as tmp:
            torch.save(state, tmp)
        for path in self._files()[: -self.keep]:
            path.unlink()

    def last(self) -> dict[str, Any] | None:
        """The newest state that can be read, on the CPU; None when there is none.

        Writing is atomic, so a damaged file comes from the disk; the one before it costs the steps in between only.

        Raises:
            HlfError: there are checkpoints, but none can be read: starting anew must be somebody's decision.
        """
        import torch

        for path in reversed(self._files()):
            try:
                # our own file of this folder, holds optimiser state; mapped, since each process reads gigabytes
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False, mmap=True)
            except Exception as error:  # damaged archives fail with types of their own
                log.warning("%s cannot be read (%s), going back to the one before", path, error)
                continue
            return state
        if self._files():
            raise HlfError(f"no checkpoint in {self.folder} can be read; remove that folder to start the training anew")
        return None

    def remove_others(self) -> None:
        """Remove the checkpoints in the folders beside this one, those of other settings, and nothing else."""
        for path in self.folder.parent.glob("*/checkpoint-*.pt"):
            if path.parent != self.folder:
                path.unlink()

    def remove(self) -> None:
        """Remove all: the training is over, and they are several times the weights."""
        for path in self._files():
            path.unlink()

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("checkpoint-*.pt"))
