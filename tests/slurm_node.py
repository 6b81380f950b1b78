"""A Slurm cluster of one node, for tests: munge, controller and node as children of the test, with two stand-in GPUs.

It works for root and for ordinary users, needs neither systemd nor cgroups nor accounting, and pretends to more cores
and memory than the machine has. Its processes end with the test, also when that is killed.
"""

import ctypes
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from study_programs import program, quiet_port

CORES, MEMORY, GPUS = 16, 64_000, 2
LIMIT = 30.0  # seconds that a daemon gets to come up
CONFIGURATION = """
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MailProg=/bin/true
ReturnToService=2
KillWait=2
# finished jobs stay in squeue for as long as the test may want to see them
MinJobAge=3600
# a job starts when it is sent, not some seconds later
SchedulerParameters=batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=256
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:stand_in:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=120 State=UP
PartitionName=gpu Nodes={host} MaxTime=120 State=UP
"""
# any two character devices do
DEVICES = "Name=gpu Type=stand_in File=/dev/null\nName=gpu Type=stand_in File=/dev/zero\n"
FIELDS = [
    "JobID",
    "State",
    "Partition",
    "MinMemory",
    "NumCPUs",
    "tres-per-job",
    "TimeUsed",
    "Name",
    "Comment",
    "WorkDir",
]


@dataclass(frozen=True)
class Node:
    """A running cluster.

    Attributes:
        folder: its configuration and logs.
        environment: variables with which Slurm's commands find it.
    """

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str) -> str:
        """Output of one of Slurm's commands."""
        return subprocess.run(command, env=self.environment, text=True, check=True, stdout=subprocess.PIPE).stdout

    def jobs(self) -> list[dict[str, str]]:
        """All jobs it has seen, in their order, by the words of `FIELDS`; `gpus` besides."""
        form = ",".join(f"{field}:400|" for field in FIELDS)
        found = []
        for line in self.run("squeue", "--states=all", "--noheader", "--sort=i", "--Format", form).splitlines():
            job = dict(zip(FIELDS, map(str.strip, line.split("|")), strict=False))
            gpus = re.search(r"gpu:(?:\w+:)?(\d+)", job["tres-per-job"])
            found.append({**job, "gpus": gpus[1] if gpus else "0"})
        return found

    def working(self) -> list[dict[str, str]]:
        """Jobs that have not ended."""
        return [job for job in self.jobs() if job["State"] in ("PENDING", "CONFIGURING", "RUNNING", "COMPLETING")]


@contextmanager
def slurm_node() -> Iterator[Node]:
    """Start the daemons, wait until the node takes jobs, and end all of it afterwards."""
    munged = program("munged", "munge", "usr/sbin/munged")
    controller = program("slurmctld", "slurmctld", "usr/sbin/slurmctld")
    node_daemon = program("slurmd", "slurmd", "usr/sbin/slurmd")
    # not pytest's folder: the path of a socket must stay below 108 characters
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    node = _write(folder)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)
    files = {"key": "key-file", "socket": "socket", "pid": "pid-file", "log": "log-file", "seed": "seed-file"}
    options = [f"--{option}={folder}/munge.{kind}" for kind, option in files.items()]
    started: list[subprocess.Popen] = []
    try:
        started.append(_start([munged, "--foreground", "--force", *options], node, (folder / "munge.socket").exists))
        started.append(_start([controller, "-D"], node, lambda: "UP" in _said(node, "scontrol", "ping")))
        started.append(_start([node_daemon, "-D"], node, lambda: "idle" in _said(node, "sinfo", "-h", "-o", "%T")))
        yield node
    finally:
        if len(started) == 3:
            _end_jobs(node)
        for process in reversed(started):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def _write(folder: Path) -> Node:
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir()
    folder.chmod(0o755)  # munge refuses a socket that others could not reach
    configuration, devices = folder / "slurm.conf", folder / "gres.conf"
    values = {"controller_port": quiet_port(), "node_port": quiet_port(), "user": pwd.getpwuid(os.getuid()).pw_name}
    size = {"cores": CORES, "memory": MEMORY, "gpus": GPUS}
    host = socket.gethostname().split(".")[0]
    configuration.write_text(CONFIGURATION.format(folder=folder, host=host, **values, **size))
    devices.write_text(DEVICES)
    # jobs start steps with srun after Snakemake has dropped the variable that names the configuration
    wrapper = folder / "bin" / "srun"
    wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={configuration} exec {program("srun", "slurm-client")} "$@"\n')
    wrapper.chmod(0o755)
    path = f"{folder}/bin:{os.environ['PATH']}"
    return Node(folder, {**os.environ, "SLURM_CONF": str(configuration), "PATH": path})


def _start(command: list[str], node: Node, ready: Callable[[], bool]) -> subprocess.Popen:
    """Start a daemon and wait until it is ready; the kernel ends it when this process dies."""
    libc = ctypes.CDLL(None)
    death = lambda: libc.prctl(1, signal.SIGTERM)  # noqa: E731  # PR_SET_PDEATHSIG
    with (node.folder / "output.log").open("ab") as log:
        process = subprocess.Popen(command, env=node.environment, stdout=log, stderr=log, preexec_fn=death)
    end = time.monotonic() + LIMIT
    while not ready():
        logs = "\n".join(f"{p.name}: {p.read_text()[-1500:]}" for p in node.folder.glob("*.log"))
        assert process.poll() is None and time.monotonic() < end, f"{command[0]} did not come up\n{logs}"
        time.sleep(0.1)
    return process


def _said(node: Node, *command: str) -> str:
    return subprocess.run(command, env=node.environment, text=True, capture_output=True, check=False).stdout


def _end_jobs(node: Node) -> None:
    """Cancel what is left; processes of jobs are not children of the daemons and would outlive them."""
    left = [job["JobID"] for job in node.working()]
    if left:
        node.run("scancel", "--signal=KILL", "--full", *left)
        node.run("scancel", *left)
    end = time.monotonic() + LIMIT
    while node.working() and time.monotonic() < end:
        time.sleep(0.2)
