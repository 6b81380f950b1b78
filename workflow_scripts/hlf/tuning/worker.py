"""One of the processes that share a fine-tuning; `hlf.tuning.launch` has Accelerate start them as `python -m` this.

Nothing heavy is imported before the process watches its parent, so that none of them outlives the job.
"""

import contextlib
import logging
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hlf.errors import HlfError
from hlf.files import write_json

if TYPE_CHECKING:
    from hlf.tuning.task import Task

log = logging.getLogger(__name__)
TASK, ENDED = "task.pickle", "ended-{}.json"  # what the parent writes for all, and a process that fails for the parent
LOG = "rank{}.log"
FORM = "%(asctime)s %(levelname)s %(message)s"
_LOOK = 0.5  # seconds between two looks at the parent


def train(task: "Task", rank: int = 0, log_file: Path | None = None) -> None:
    """Take part in a fine-tuning, as the only process or as one of `tuning.processes`.

    Args:
        task: see `Task`; its device is cpu or cuda.
        rank: of this process.
        log_file: of this process, for the sentence about full memory; None: the only one.

    Raises:
        HlfError: wrong settings or files, a training that diverges, or a GPU whose memory is full.
    """
    import torch

    from hlf.tuning.train import Trainer

    try:
        Trainer(task).run()
    except torch.OutOfMemoryError as error:
        log.exception("rank %d", rank)
        where = f" (process of rank {rank}, log {log_file})" if log_file else ""
        raise HlfError(
            f"the memory of GPU {rank} is full{where}; lower tuning.batch_size, which leaves the training as it is, or "
            "switch on tuning.gradient_checkpointing and tuning.loss.checkpointing"
        ) from error


def main(folder: Path, parent: int, logs: Path, job_logs: list[str]) -> NoReturn:
    """Run one process, which Accelerate told its rank.

    Args:
        folder: private to this start: holds the task, and takes what a process that fails has to say.
        parent: process that started this one.
        logs: folder of the logs of all processes.
        job_logs: log files of the parent, in which the first process logs too.
    """
    _end_with(parent)
    rank, code = int(os.environ["RANK"]), 0
    path = logs / LOG.format(rank)
    _log_to(path, job_logs if rank == 0 else [])
    log.info("rank %d of %s, process %d", rank, os.environ["WORLD_SIZE"], os.getpid())
    try:
        _take_part(pickle.loads((folder / TASK).read_bytes()), rank, path)
    except HlfError as error:
        log.error("%s", error)
        write_json(folder / ENDED.format(rank), _said(str(error), expected=True))
        code = 1
    except Exception as error:
        log.exception("rank %d", rank)
        what = next(iter(str(error).splitlines()), "")
        write_json(folder / ENDED.format(rank), _said(f"{type(error).__name__}: {what}", expected=False))
        code = 1
    _leave(code)


def _take_part(task: "Task", rank: int, path: Path) -> None:
    """As `train`, with the threads of a job, and the group of processes is closed at the end."""
    import torch

    from hlf.device import one_thread

    one_thread()
    train(task, rank, path)
    torch.distributed.destroy_process_group()
    if task.device == "cuda":
        log.info("at most %d MB of the GPU's memory", torch.cuda.max_memory_allocated() // 2**20)


def _said(sentence: str, expected: bool) -> dict[str, object]:
    return {"sentence": sentence, "expected": expected, "time": time.time(), "trace": traceback.format_exc()}


def _end_with(parent: int) -> None:
    """Kill this process and its helpers when the parent is gone: nothing else would, after kill -9 of a job.

    The launcher gave each process a session of its own, so the group holds this process and its helpers only.
    """

    def look() -> None:
        """End this group of processes once its parent is gone."""
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=look, daemon=True).start()


def _log_to(path: Path, others: list[str]) -> None:
    """Send all that this process prints to its own log, what libraries print in C included; log lines to others too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf8") as own:  # what a killed process said before stays
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(own.fileno(), stream.fileno())
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    handlers += [logging.FileHandler(other, encoding="utf8") for other in others]
    logging.basicConfig(level=logging.INFO, format=FORM, handlers=handlers, force=True)


def _leave(code: int) -> NoReturn:
    """End at once: after an error, libraries that clean up may wait for processes that are gone."""
    import multiprocessing

    for helper in multiprocessing.active_children():
        helper.kill()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    logging.shutdown()
    os._exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
