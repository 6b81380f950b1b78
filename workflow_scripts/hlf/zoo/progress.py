"""How far a download is: a bar on a terminal, lines in a log elsewhere."""

import logging
import sys
import time

from hlf.zoo.content import megabytes

EVERY = 30.0  # s between lines in a log
log = logging.getLogger("hlf.zoo")


class Progress:
    """Shows bytes as they come.

    Args:
        name: of the file.
        total: bytes when whole, 0 where that is unknown.
        start: bytes that are there already.
        shown: False shows nothing.
    """

    def __init__(self, name: str, total: int, start: int, shown: bool = True) -> None:
        self.name, self.total, self.done, self.shown = name, total, start, shown
        self._begun = self._told = time.monotonic()
        self._start, self._bar = start, None
        if shown and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=total or None, initial=start, desc=name, unit="B", unit_scale=True, dynamic_ncols=True
            )
        elif shown:
            log.info("%s: %s%s", name, f"goes on at {megabytes(start)}" if start else "begins", self._of())

    def _of(self) -> str:
        return f" of {megabytes(self.total)}" if self.total else ""

    def add(self, size: int) -> None:
        """So many bytes more have come."""
        self.done += size
        if self._bar is not None:
            self._bar.update(size)
        elif self.shown and time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            speed = (self.done - self._start) / (self._told - self._begun)
            log.info("%s: %s%s, %s/s", self.name, megabytes(self.done), self._of(), megabytes(int(speed)))

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            self._bar.close()
