"""Many processes of one fine-tuning, through Accelerate's launcher: the same training, and no end that goes unsaid."""

import contextlib
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
import yaml

from hlf.errors import HlfError
from hlf.files import read_table, write_json
from hlf.tuning import launch, worker
from hlf.tuning.checkpoints import Checkpoints
from hlf.tuning.launch import fine_tune
from hlf.tuning.train import Trainer
from tuning_helpers import same, small_task, unbroken, weights
from workflow_helpers import TINY, copy_project

__all__ = ["unbroken"]  # a fixture

# a job in small: the training, its log, and an HlfError as the only thing it says
PROGRAM = """
import logging, pickle, sys
from pathlib import Path
from hlf.errors import HlfError
from hlf.tuning.launch import fine_tune

logging.basicConfig(level=logging.INFO, handlers=[logging.FileHandler(sys.argv[2])])
try:
    fine_tune(pickle.loads(Path(sys.argv[1]).read_bytes()))
except HlfError as error:
    sys.exit(str(error))
"""
# a dry run that tells what the fine-tuning asks for: its usual output has the message of a rule instead
ASKED = """
import json, sys
from snakemake.cli import main
from snakemake.logging import logger

def look(record):
    if getattr(record, "rule_name", "") == "finetune_sr":
        print("asked", json.dumps([record.threads, dict(record.resources.items())], default=str))
    return True

logger.addFilter(look)
main(sys.argv[1:])
"""
# what a step of a Slurm job, an MPI program and an outer launcher leave in the environment, all of it about others
POLLUTION = {
    "SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_NTASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "3",
    "SLURM_NODEID": "1", "SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "nowhere[1-2]", "SLURM_CPUS_PER_TASK": "9",
    "SLURM_GPUS": "4", "SLURM_LAUNCH_NODE_IPADDR": "192.0.2.1", "SLURM_SRUN_COMM_PORT": "1",
    "PMI_RANK": "3", "PMI_SIZE": "4", "PMIX_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3",
    "RANK": "3", "LOCAL_RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "192.0.2.1", "MASTER_PORT": "1",
    "ACCELERATE_MIXED_PRECISION": "fp16", "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": "7", "ACCELERATE_USE_FSDP": "true",
    "PET_NPROC_PER_NODE": "3", "PET_MAX_RESTARTS": "2", "TORCHELASTIC_RUN_ID": "another", "PYTHON_EXEC": "/bin/false",
    "CUDA_VISIBLE_DEVICES": "5,7",
}  # fmt: skip
# what `accelerate config` once wrote for other work
THEIRS = {
    "compute_environment": "LOCAL_MACHINE", "distributed_type": "FSDP", "mixed_precision": "fp16", "use_cpu": False,
    "num_processes": 5, "num_machines": 3, "machine_rank": 2, "main_process_port": 1, "gpu_ids": "3", "debug": True,
    "fsdp_config": {"fsdp_version": 2}, "dynamo_config": {"dynamo_backend": "INDUCTOR"},
}  # fmt: skip
DIVIDED = {"batch_size": 1, "processes": 2}


def started(root, task, **environment):
    """A program with this task, in a process of its own; its log is job.log."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "given.pickle").write_bytes(pickle.dumps(task))
    command = [sys.executable, "-c", PROGRAM, str(root / "given.pickle"), str(root / "job.log")]
    # without the folder of the library: the workers must find it all the same
    paths = [path for path in sys.path if "workflow_scripts" not in path]
    library = f"import sys; sys.path.insert(0, {str(Path(launch.__file__).parents[2])!r})\n"
    command[2] = library + PROGRAM
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment}
    return subprocess.Popen(command, env=given, stderr=subprocess.PIPE, text=True)


def own_defaults(root):
    """The variable that leads Accelerate to a user's own default configuration."""
    (root / "home/accelerate").mkdir(parents=True, exist_ok=True)
    (root / "home/accelerate/default_config.yaml").write_text(yaml.safe_dump(THEIRS))
    return {"HF_HOME": str(root / "home")}


def until(found, process=None, seconds=120):
    """Wait until `found()` is true, and return it."""
    limit = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < limit, f"nothing after {seconds} s"
        assert process is None or process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    return value


def numbers(root):
    """Process numbers of all ranks, as their logs tell; empty until both do."""
    texts = [path.read_text() for path in sorted((root / "logs").glob("rank*.log"))]
    found = [re.search(r"rank (\d) of 2, process (\d+)", text) for text in texts]
    return {int(m[1]): int(m[2]) for m in found if m} if len(found) == 2 and all(found) else {}


def alive(processes):
    """Those of these processes that still run."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def said(process):
    """What a program said at its end, in one line, and that it failed."""
    _, text = process.communicate(timeout=120)
    assert process.returncode == 1, text
    assert text.count("\n") == 1, text
    return text.rstrip()


def apart(first, second):
    """How far the weights of two models are from each other, all of them in one row."""
    one, two = weights(first), weights(second)
    return torch.cat([(one[name] - two[name]).flatten() for name in one]).abs()


def test_two_processes_make_the_steps_of_one_whatever_the_environment_says(unbroken, tmp_path, monkeypatch):
    """What is promised: the same images, draws and sums in every step, added in another order, for any division."""
    process = started(tmp_path, small_task(tmp_path, **DIVIDED), **own_defaults(tmp_path), **POLLUTION)
    assert process.communicate(timeout=200) and process.returncode == 0
    far = apart(unbroken, tmp_path)
    # Adam divides by the size of a gradient, so the rounding of the smallest ones shows up to the learning rate, 5e-5
    assert float(far.mean()) < 1e-6 and float((far > 1e-5).float().mean()) < 0.01 and float(far.max()) < 3e-4
    first, second = (read_table(root / "model/history.csv") for root in (unbroken, tmp_path))
    assert list(first["epoch"]) == list(second["epoch"]) and len(first) == 6
    for column in ("loss_ori", "loss_hlf", "gradient"):
        assert torch.allclose(*(torch.tensor(h[column].to_numpy()) for h in (first, second)), rtol=1e-4)
    assert "| processes x parts x images | 2 x 1 x 1 |" in (tmp_path / "model/README.md").read_text()
    assert "metric on dinov2" in (tmp_path / "job.log").read_text()  # the first process tells the job, too
    logs = [(tmp_path / f"logs/rank{rank}.log").read_text() for rank in (0, 1)]
    assert "6/6" in logs[0] and "rank 1 of 2" in logs[1] and not list((tmp_path / "work").iterdir())

    # where one process takes the batches of two, there is one order to add them in, and halving is exact
    for name, value in POLLUTION.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    fine_tune(small_task(tmp_path / "parts", batch_size=1))
    assert same(weights(tmp_path / "parts"), weights(tmp_path)) and before == dict(os.environ)


def test_an_error_in_a_process_is_the_sentence_of_the_job(tmp_path):
    process = started(tmp_path, replace(small_task(tmp_path, **DIVIDED), metric=tmp_path / "none"))
    children = until(lambda: len(numbers(tmp_path)) == 2 and psutil.Process(process.pid).children(True), process)
    assert said(process).startswith(f"weights {tmp_path}/none: expected a model folder") and not alive(children)
    assert not (tmp_path / "model").exists()


def test_a_killed_process_ends_the_others_and_fewer_can_go_on(unbroken, tmp_path):
    process = started(tmp_path, small_task(tmp_path, **DIVIDED))
    until(lambda: list((tmp_path / "work").glob("checkpoint-*.pt")), process)
    children = psutil.Process(process.pid).children(recursive=True)
    os.kill(numbers(tmp_path)[1], signal.SIGKILL)
    assert said(process) == (
        "the process of rank 1 was killed by SIGKILL, as the system does when memory runs out; the others were ended, "
        f"its log is {tmp_path / 'logs/rank1.log'}"
    )
    assert len(children) == 2 and not alive(children) and not (tmp_path / "model").exists()

    done = len(Checkpoints(tmp_path / "work", 2).last()["history"])
    assert 0 < done < 6
    fine_tune(small_task(tmp_path))  # one process, batches of two
    assert float(apart(unbroken, tmp_path).mean()) < 1e-6
    first, second = (read_table(root / "model/history.csv") for root in (unbroken, tmp_path))
    for column in ("loss_ori", "loss_hlf", "gradient"):
        assert torch.allclose(*(torch.tensor(h[column].to_numpy()) for h in (first, second)), rtol=1e-4)


def test_no_process_outlives_a_killed_job(tmp_path):
    process = started(tmp_path, small_task(tmp_path, **DIVIDED, workers=1, epochs=100))
    until(lambda: list((tmp_path / "work").glob("checkpoint-*.pt")), process)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 4  # two that train, and a helper of each
    process.send_signal(signal.SIGKILL)
    until(lambda: not alive(children), seconds=5)
    assert not (tmp_path / "model").exists()


def test_two_trainings_at_once_meet_at_their_own_ports_and_end_by_a_signal(tmp_path):
    roots = [tmp_path / "a", tmp_path / "b"]
    around = {**own_defaults(tmp_path), **POLLUTION}
    processes = [started(root, small_task(root, **DIVIDED), **around) for root in roots]
    places = []
    for root, process in zip(roots, processes, strict=True):
        ranks = until(lambda root=root: numbers(root), process)
        places.append([psutil.Process(ranks[rank]).environ() for rank in (0, 1)])
    assert len({place["MASTER_PORT"] for both in places for place in both}) == 2
    for place in (place for both in places for place in both):
        assert place["MASTER_ADDR"] in ("127.0.0.1", "localhost") and place["WORLD_SIZE"] == "2"
        assert place["CUDA_VISIBLE_DEVICES"] == "5,7" and place["SLURM_PROCID"] == "3"  # the cluster's to set
        assert place["OMP_NUM_THREADS"] == "1" and "PMI_RANK" not in place
        # the launcher's own choices, none of the user's file
        launched = {name: value for name, value in place.items() if name.startswith(("ACCELERATE_", "FSDP_"))}
        assert launched.pop("ACCELERATE_MIXED_PRECISION") == launched.pop("ACCELERATE_DYNAMO_BACKEND").lower() == "no"
        assert all(name.startswith("ACCELERATE_DYNAMO_") for name in launched)
    children = [child for process in processes for child in psutil.Process(process.pid).children(recursive=True)]
    for process, name in zip(processes, ("SIGTERM", "SIGINT"), strict=True):
        process.send_signal(getattr(signal, name))
        assert said(process).startswith(f"the fine-tuning was ended by {name}, as at a time limit; the same command")
    assert len(children) == 4 and not alive(children)


def test_the_reason_is_the_process_that_failed_first_or_was_killed(tmp_path):
    logs = Path("logs")
    assert launch.reason(tmp_path, logs, {2: 3}) == (
        "the process of rank 2 ended with exit code 3; the others were ended, its log is logs/rank2.log"
    )
    assert "rank 1 was killed by SIGTERM; the" in launch.reason(tmp_path, logs, {1: -signal.SIGTERM})

    def tells(rank, sentence, expected, at):
        write_json(
            tmp_path / worker.ENDED.format(rank),
            {"sentence": sentence, "expected": expected, "time": at, "trace": "Traceback"},
        )

    tells(0, "RuntimeError: connection closed by peer", False, 2.0)
    failed = {0: 1, 1: -signal.SIGSEGV, 2: -signal.SIGTERM}
    assert launch.reason(tmp_path, logs, failed).startswith("the process of rank 1 was killed by SIGSEGV; the others")
    tells(1, "ValueError: one", False, 1.0)
    assert launch.reason(tmp_path, logs, {0: 1, 1: 1}).startswith("the process of rank 1 failed with ValueError: one;")
    tells(2, "nothing to learn from", True, 3.0)
    assert launch.reason(tmp_path, logs, {0: 1, 1: 1, 2: 1}) == "nothing to learn from"


def test_full_memory_of_a_gpu_is_a_sentence(tmp_path, monkeypatch):
    def full(self):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Trainer, "run", full)
    with pytest.raises(HlfError, match=r"the memory of GPU 0 is full; lower tuning.batch_size"):
        fine_tune(small_task(tmp_path, 0.0))
    with pytest.raises(HlfError, match=r"of GPU 1 is full \(process of rank 1, log logs/rank1.log\); lower"):
        worker.train(small_task(tmp_path, 0.0), 1, Path("logs/rank1.log"))


def test_a_checkpoint_of_other_steps_is_refused(tmp_path):
    trainer = Trainer(small_task(tmp_path, 0.0))
    trainer._save(0)
    with pytest.raises(HlfError, match=r"was made with 2 images a step, tuning.step_images is 4; go back to that, or"):
        Trainer(small_task(tmp_path, 0.0, step_images=4)).run()


def test_the_rule_asks_for_what_the_processes_take(tmp_path):
    project = copy_project(tmp_path / "project")
    (project / "two.yaml").write_text("resources: {device: cuda}\ntuning: {processes: 2, batch_size: 1, workers: 3}\n")
    arguments = ["-n", "table4", "--cores", "64", "--resources", "gpu=2", "--configfile", TINY, "two.yaml"]
    done = subprocess.run(
        [sys.executable, "-c", ASKED, *arguments], cwd=project, capture_output=True, text=True, check=True
    )
    threads, asked = json.loads(re.search(r"^asked (.*)", done.stdout, re.MULTILINE)[1])
    assert threads == 8 and asked["gpu"] == 2 and asked["nodes"] == 1  # each GPU has a process and its three helpers
