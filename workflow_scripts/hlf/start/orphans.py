"""Jobs that a killed run left on a cluster: they go on, and a second run would write the same files beside them."""

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hlf.errors import HlfError

# Snakemake names each job of a run after the run, by a random number of this form, after a prefix if one is set
RUN = re.compile(r"([\w-]+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FIELDS = "%i|%T|%j|%k|%Z"  # number, state, name, comment, folder; a folder may hold any character, so it comes last
ENDING = ("COMPLETING", "STAGE_OUT")
LIMIT = 120.0  # seconds that a busy scheduler gets to answer
SHOWN = 10  # jobs that a sentence names
PATIENCE = 60.0  # seconds that cancelled jobs get to end; Slurm kills what has not after KillWait, usually 30


@dataclass(frozen=True)
class Orphan:
    """A job that is queued or running.

    Attributes:
        number: of the scheduler.
        state: the scheduler's word, such as RUNNING.
        rule: what it makes, such as super_resolve pasd_003; "" where that is not known.
    """

    number: str
    state: str
    rule: str


def in_slurm(folder: Path) -> list[Orphan]:
    """Jobs that Snakemake sent to Slurm from `folder`, not ended yet; none where Slurm is not installed.

    Args:
        folder: working folder of the workflow.

    Raises:
        HlfError: Slurm is there and does not answer.
    """
    program = shutil.which("squeue")
    if program is None:
        return []
    command = [program, "--noheader", "--sort", "i", "--user", str(os.getuid()), "--format", FIELDS]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
        reason = done.stderr.strip() or f"exit code {done.returncode}" if done.returncode else ""
    except subprocess.TimeoutExpired:
        reason = f"no answer in {LIMIT:.0f} s"
    if reason:
        raise HlfError(
            f"squeue does not tell whether jobs of an earlier run in {folder} are still in Slurm "
            f"({reason.splitlines()[-1]}); start again where and when squeue works"
        )
    return [job for line in done.stdout.splitlines() for job in _of_folder(line, folder.resolve())]


def _of_folder(line: str, folder: Path) -> Iterator[Orphan]:
    """The job of one line of squeue, if Snakemake sent it from this folder."""
    number, state, name, comment, where = line.split("|", 4)
    if RUN.fullmatch(name) and Path(where).resolve() == folder:
        # rule_<rule>_wildcards_<values>, or group_<group>_<rules>
        told = comment.removeprefix("rule_").replace("_wildcards_", " ") if comment != "(null)" else ""
        yield Orphan(number, state, told)


def noted(folder: Path) -> dict[str, str]:
    """What jobs make that were sent and not seen to end, by number: files that profiles/generic/submit.sh leaves."""
    return {path.name: path.read_text(encoding="utf8").strip() for path in sorted(folder.glob("*"))}


def asked(sent: Mapping[str, str], status_command: str) -> list[Orphan]:
    """Those of some jobs that still run, by the command that tells Snakemake of each.

    Args:
        sent: see `noted`.
        status_command: prints running, success or failed when it is given a number; "" where none is known.

    Raises:
        HlfError: no command, or one that fails.
    """
    if not status_command:
        raise HlfError(
            f"jobs of an earlier run were sent to a cluster and not seen to end ({_few(list(sent))}); start with the "
            "profile that sent them, which can ask after them, or remove .snakemake/hlf_sent when they are gone"
        )
    found = []
    for number, rule in sent.items():
        command = f"{status_command} {shlex.quote(number)}"
        try:
            done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=LIMIT, check=True)
        except (subprocess.SubprocessError, OSError) as error:
            raise HlfError(
                f"whether job {number} of an earlier run still runs is not known, since `{command}` fails ({error}); "
                "mend the status command of the profile"
            ) from error
        if done.stdout.strip() == "running":
            found.append(Orphan(number, "running", rule))
    return found


def _few(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def refuse(folder: Path, look: Callable[[], list[Orphan]], end_command: str) -> None:
    """Refuse to start while jobs of an earlier run are queued or running; those being cancelled get time to end.

    Args:
        folder: working folder of the workflow.
        look: gives the jobs as they are now.
        end_command: command that ends jobs when their numbers follow.

    Raises:
        HlfError: names the jobs and the command that ends them.
    """
    end = time.monotonic() + PATIENCE
    left = look()
    while left and all(job.state in ENDING for job in left) and time.monotonic() < end:
        time.sleep(2)
        left = look()
    if left:
        shown = _few([f"{job.number} ({job.rule or 'job'}, {job.state})" for job in left])
        many = (
            "1 job of an earlier run in {} is" if len(left) == 1 else f"{len(left)} jobs of an earlier run in {{}} are"
        )
        raise HlfError(
            f"{many.format(folder)} still on the cluster: {shown}; two runs would write the same files, so wait "
            "until they have ended, or, where no run on another machine waits for them, end them: "
            f"{end_command} {' '.join(job.number for job in left)}"
        )
