"""Jobs that a dry run names, and how long they take together on some cores and GPUs."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hlf.costs.benchmarks import names_of


@dataclass(frozen=True)
class Job:
    """A job that would run.

    Attributes:
        step: rule.
        model: of its wildcards; "" where it has none.
        shard: part of the work; "" where it is not divided.
        inputs: files that it reads.
        outputs: files that it makes.
        threads: cores that it asks for.
        gpus: GPUs that it asks for.
    """

    step: str
    model: str
    shard: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    threads: int
    gpus: int


def jobs_of(found: Sequence[Mapping[str, Any]]) -> list[Job]:
    """Jobs of a dry run (`hlf/cli/dry_run.py`); targets that only name others are left out."""
    jobs = []
    for job in found:
        path = PurePosixPath(job["benchmark"])
        if "benchmarks" not in path.parts:
            continue
        names = names_of(path.relative_to(*path.parts[: path.parts.index("benchmarks") + 1]))
        jobs.append(Job(*names, tuple(job["input"]), tuple(job["output"]), job["threads"], job["gpus"]))
    return jobs


def wall_seconds(jobs: Sequence[Job], seconds: Sequence[float], cores: int, gpus: int) -> float:
    """Seconds from the first job to the last, each started as soon as it can be, those before the longest chains first.

    Starting, queueing and memory are not looked at, so a real run takes longer.

    Args:
        jobs: what runs; a file that none of them makes is there.
        seconds: of each job.
        cores: a job that asks for more gets all, as Snakemake has it.
        gpus: likewise.
    """
    before = _dependencies(jobs)
    after: list[list[int]] = [[] for _ in jobs]
    for index, needed in enumerate(before):
        for one in needed:
            after[one].append(index)
    rest = _remaining(seconds, before, after)
    waiting = [len(needed) for needed in before]
    ready = [(-rest[i], i) for i, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    now, running, free = 0.0, list[tuple[float, int]](), [cores, gpus]
    asks = [(min(job.threads, cores), min(job.gpus, gpus)) for job in jobs]
    while ready or running:
        held = []
        while ready:
            place = heapq.heappop(ready)
            ask = asks[place[1]]
            if ask[0] > free[0] or ask[1] > free[1]:
                held.append(place)
                continue
            free = [free[0] - ask[0], free[1] - ask[1]]
            heapq.heappush(running, (now + seconds[place[1]], place[1]))
        for place in held:
            heapq.heappush(ready, place)
        now, index = heapq.heappop(running)
        free = [free[0] + asks[index][0], free[1] + asks[index][1]]
        for one in after[index]:
            waiting[one] -= 1
            if not waiting[one]:
                heapq.heappush(ready, (-rest[one], one))
    return now


def _dependencies(jobs: Sequence[Job]) -> list[set[int]]:
    """Numbers of the jobs that each job waits for."""
    maker = {file: index for index, job in enumerate(jobs) for file in job.outputs}
    return [{maker[file] for file in job.inputs if file in maker} for job in jobs]


def _remaining(seconds: Sequence[float], before: Sequence[set[int]], after: Sequence[list[int]]) -> list[float]:
    """Seconds of the longest chain that starts with each job."""
    rest = [0.0] * len(seconds)
    left = [len(jobs) for jobs in after]
    done = [index for index, count in enumerate(left) if not count]
    while done:
        index = done.pop()
        rest[index] = seconds[index] + max((rest[one] for one in after[index]), default=0.0)
        for one in before[index]:
            left[one] -= 1
            if not left[one]:
                done.append(one)
    return rest
