"""What a process that imports much does before and after: for jobs of the workflow and the command `hlf`.

A job with networks imports some 3,000 modules. To look for garbage among them at every turn and to take them apart one
by one at the end takes a third of a short job's time, and frees what the system frees anyway.
"""

import atexit
import gc
import logging
import os
import sys
from collections.abc import Callable

OBJECTS = 10_000  # new ones between two looks for garbage; Python's own number is 700


def swift() -> Callable[[int], None]:
    """Make this process look for garbage more rarely, and end at once when it is done.

    To be called by programs alone, before they import what is heavy: of what was told to `atexit` before, nothing but
    logging is ended.

    Returns:
        To be called with the exit code when all went well. A process that does not call it ends as others do.
    """
    codes: list[int] = []
    gc.set_threshold(OBJECTS)
    atexit.register(_leave, codes)  # told first, called last
    return codes.append


def _leave(codes: list[int]) -> None:
    if codes:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(codes[-1])
