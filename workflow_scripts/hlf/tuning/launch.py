"""Starting a fine-tuning of SeeSR, in one process or in many of this machine."""

import logging
import os
import socket
import sys
from dataclasses import replace
from typing import Any

import torch

from hlf.errors import HlfError
from hlf.sr.base import pick_device
from hlf.threads import one_thread
from hlf.tuning.task import Task
from hlf.tuning.train import Trainer


def fine_tune(task: Task) -> None:
    """Fine-tune SeeSR and write `task.folders.result`, in `tuning.processes` processes of this machine.

    A program that was itself started in many processes, by `accelerate launch` or `torchrun`, calls this in each of
    them with `tuning.processes` 1.

    Raises:
        HlfError: wrong settings or files, too few GPUs, or a training that diverges.
    """
    task, processes = replace(task, device=pick_device(task.device)), int(task.settings["processes"])
    if task.device == "cpu" and task.settings["precision"] == "fp16":
        raise HlfError("tuning.precision is fp16, but no GPU is there or asked for; use fp32 or bf16")
    if task.device == "cuda" and processes > torch.cuda.device_count():
        raise HlfError(f"tuning.processes is {processes}, but {torch.cuda.device_count()} GPUs are there; one for each")
    if processes == 1:
        Trainer(task).run()
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    errors = torch.multiprocessing.get_context("spawn").SimpleQueue()
    files = [h.baseFilename for h in logging.getLogger().handlers if isinstance(h, logging.FileHandler)]
    try:
        torch.multiprocessing.spawn(_worker, (task, processes, port, errors, files), processes)
    except torch.multiprocessing.ProcessExitedException:
        if errors.empty():
            raise
        raise HlfError(errors.get()) from None


def _worker(rank: int, task: Task, processes: int, port: int, errors: Any, log_files: list[str]) -> None:
    """One of many processes, told its place as `torchrun` would; an HlfError goes to the parent as a sentence."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    os.environ |= {k: str(v) for k, v in place.items()} | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if rank == 0 and log_files:
        form = "%(asctime)s %(levelname)s %(message)s"
        logging.basicConfig(level=logging.INFO, format=form, handlers=[logging.FileHandler(f) for f in log_files])
    one_thread()
    try:
        Trainer(task).run()
    except HlfError as error:
        errors.put(str(error))
        sys.exit(1)
    torch.distributed.destroy_process_group()
