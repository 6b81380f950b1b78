"""Starting a fine-tuning of SeeSR: in this process, or by Accelerate's launcher in many of this machine, one per GPU.

One process stays in this one: a second one would import everything again, about six seconds, for the same result.
Many are started as `accelerate launch` starts them, by the same function, in this process: so it is their parent, and
they end with it. No file or variable of the user's has a say in how (`arguments`, `own_environment`).
"""

import contextlib
import logging
import os
import pickle
import signal
import tempfile
import threading
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hlf
from hlf.device import pick_device
from hlf.errors import HlfError
from hlf.files import read_json, write_text
from hlf.tuning.division import accumulation
from hlf.tuning.worker import ENDED, LOG, TASK, train

if TYPE_CHECKING:
    from hlf.tuning.task import Task

log = logging.getLogger(__name__)
WORKER = "hlf.tuning.worker"
# by which outer launchers (torchrun, accelerate, mpirun, srun with MPI) tell a process its place, or change what the
# launcher does: names, and beginnings of names. Nothing reads SLURM_*; CUDA_VISIBLE_DEVICES and NCCL_* are a cluster's
PLACE = (
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT",
    "FORK_LAUNCHED", "PYTHON_EXEC",
)  # fmt: skip
PLACES = (
    "ACCELERATE_", "FSDP_", "MEGATRON_LM_", "PARALLELISM_CONFIG_", "TORCHELASTIC_", "TORCH_ELASTIC_", "PET_",
    "PMI_", "PMIX_", "OMPI_COMM_", "MPI_LOCAL", "MV2_COMM_",
)  # fmt: skip
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)  # those that the launcher takes over


def fine_tune(task: "Task") -> None:
    """Fine-tune SeeSR and write `task.folders.result`, in `tuning.processes` processes of this machine.

    Raises:
        HlfError: wrong settings or files, too few GPUs, a training that diverges, a process that failed or was killed,
            or an end by a signal.
    """
    settings, processes = task.settings, int(task.settings["processes"])
    task = replace(task, device=pick_device(task.device))
    accumulation(int(settings["step_images"]), int(settings["batch_size"]), processes)  # told before hours of loading
    if task.device == "cpu" and settings["precision"] == "fp16":
        raise HlfError("tuning.precision is fp16, but no GPU is there or asked for; use fp32 or bf16")
    if task.device == "cuda":
        import torch

        there = torch.cuda.device_count()
        if processes > there:
            raise HlfError(f"tuning.processes is {processes}, but {there} GPUs are there; one for each")
    with own_environment():
        if processes == 1:
            train(task)
        else:
            _share(task, processes)


@contextlib.contextmanager
def own_environment() -> Iterator[None]:
    """The environment without what an outer launcher or its user told Accelerate and torch; as it was, afterwards."""
    before = dict(os.environ)
    for name in before:
        if name in PLACE or name.startswith(PLACES):
            del os.environ[name]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _share(task: "Task", processes: int) -> None:
    """Run a fine-tuning in many processes, and say in a sentence how it failed."""
    import torch.distributed.run  # noqa: F401  # by the launcher, later; here so that `_undisturbed` finds its loggers
    from accelerate.commands.launch import launch_command
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    library = str(Path(hlf.__file__).parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (library, os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory(prefix="hlf-") as private:
        folder = Path(private)
        (folder / TASK).write_bytes(pickle.dumps(task))
        try:
            with _undisturbed():
                launch_command(arguments(folder, task.folders.logs, processes))
        except ChildFailedError as error:
            died = {rank: int(failure.exitcode) for rank, failure in error.failures.items()}
            raise HlfError(reason(folder, task.folders.logs, died)) from None
        except SignalException as error:
            name = signal.Signals(error.sigval).name
            raise HlfError(
                f"the fine-tuning was ended by {name}, as at a time limit; the same command goes on after the last "
                "checkpoint"
            ) from None


def arguments(folder: Path, logs: Path, processes: int) -> Namespace:
    """Arguments of `accelerate launch`, every choice made.

    `--config_file` keeps the user's own out, which is read where none is named; all values that it could hold follow.

    Args:
        folder: private to this start.
        logs: folder of the logs of all processes.
        processes: how many.
    """
    from accelerate.commands.launch import launch_command_parser

    config = folder / "accelerate.yaml"
    write_text(
        config, "compute_environment: LOCAL_MACHINE\ndistributed_type: MULTI_GPU\nuse_cpu: false\ndebug: false\n"
    )
    pinned: dict[str, Any] = {
        "config_file": config, "num_processes": processes, "num_machines": 1, "machine_rank": 0, "gpu_ids": "all",
        "mixed_precision": "no", "dynamo_backend": "no",  # of the launcher; the Accelerator of each process has its own
        "main_process_ip": "127.0.0.1", "main_process_port": 0, "num_cpu_threads_per_process": 1,
        "max_restarts": 0, "monitor_interval": 0.1, "log_dir": folder / "elastic",
    }  # fmt: skip
    words = [word for name, value in pinned.items() for word in (f"--{name}", str(value))]
    files = [h.baseFilename for h in logging.getLogger().handlers if isinstance(h, logging.FileHandler)]
    # "multi GPU" also starts processes on a CPU; each is told its device by the task
    words += ["--multi_gpu", "--module", WORKER, str(folder), str(os.getpid()), str(logs.resolve()), *files]
    found: Namespace = launch_command_parser().parse_args(words)
    # the meeting place is a port that its own server was given by the system, so no two trainings can choose the same
    found.standalone, found.local_addr = True, "127.0.0.1"
    return found


def reason(folder: Path, logs: Path, died: dict[int, int]) -> str:
    """Why a fine-tuning in many processes failed, in one sentence.

    What a process said of itself comes first if it is for the user; then one that was killed, since the others then
    only complain that it is gone; then the first that failed.

    Args:
        folder: private to this start.
        logs: folder of the logs of all processes.
        died: exit codes by rank, those included that were ended because of another.
    """
    said = {rank: read_json(folder / ENDED.format(rank)) for rank in died if (folder / ENDED.format(rank)).is_file()}
    first = sorted(said, key=lambda rank: float(said[rank]["time"]))
    for rank in first:
        if said[rank]["expected"]:
            return str(said[rank]["sentence"])
    killed = [rank for rank, code in died.items() if code < 0 and rank not in said and code != -signal.SIGTERM]
    if not killed and not first:
        killed = list(died)
    if killed:
        rank, code = killed[0], died[killed[0]]
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        hint = ", as the system does when memory runs out" if code == -signal.SIGKILL else ""
    else:
        rank = first[0]
        log.error("rank %d:\n%s", rank, said[rank]["trace"])
        how, hint = f"failed with {said[rank]['sentence']}", ""
    return f"the process of rank {rank} {how}{hint}; the others were ended, its log is {logs / LOG.format(rank)}"


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """The launcher's messages are left out, since `reason` says it in a sentence; its signal handlers go afterwards."""
    loggers = [
        logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("torch.distributed")
    ]
    levels = {one: one.level for one in loggers}
    # elsewhere than in the main thread it sets no handlers
    main = threading.current_thread() is threading.main_thread()
    handlers = {one: signal.getsignal(one) for one in SIGNALS} if main else {}
    for one in loggers:
        one.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for one, level in levels.items():
            one.setLevel(level)
        for number, handler in handlers.items():
            signal.signal(number, handler)
