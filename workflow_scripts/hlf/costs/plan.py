"""What the jobs of a dry run would cost: items, hours, disk and memory by step and model, from measured units."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from hlf.costs import jobs as division
from hlf.costs.counts import JOB, SMALL, SMALL_STEPS, Count, counts
from hlf.costs.schedule import Job, wall_seconds
from hlf.costs.units import Unit, find_unit, units

Place: TypeAlias = tuple[str, str]  # step and model

HOUR = 3600.0
GB = 1e6  # kB


@dataclass(frozen=True)
class Line:
    """One step, or one model of it, as far as it would run now.

    Attributes:
        step: rule; `SMALL` for all jobs that have no items of their own.
        model: "" where the step has none.
        item: what is counted.
        jobs: that would run.
        items: that these jobs make, at most: what a killed job had finished is kept.
        unit: cost of an item; None where it was never measured.
    """

    step: str
    model: str
    item: str
    jobs: int
    items: int
    unit: Unit | None

    @property
    def hours(self) -> float:
        """Hours of all its jobs one after the other on one core or GPU; NaN where nothing was measured."""
        if self.unit is None:
            return math.nan
        return (self.jobs * self.unit.start + self.items * self.unit.seconds) / HOUR

    @property
    def gpu_hours(self) -> float:
        """Those of them that are spent on a GPU."""
        return self.hours if self.unit is None or self.unit.gpu_mb else 0.0

    @property
    def cpu_hours(self) -> float:
        """Those of them that are spent on a core."""
        return self.hours if self.unit is None or not self.unit.gpu_mb else 0.0

    @property
    def disk_gb(self) -> float:
        """GB written and kept."""
        if self.unit is None:
            return math.nan
        return (self.jobs * self.unit.job_kb + self.items * self.unit.disk_kb) / GB


@dataclass(frozen=True)
class Plan:
    """What would run and what it takes.

    Attributes:
        lines: in the order of the paper's sections, small jobs last.
        wall_hours: on `cores` and `gpus`; of what was measured.
        cores: that the jobs share.
        gpus: likewise.
        largest_gpus: GPUs of the job that asks for most.
        work_gb: checkpoints that may lie on disk at the same time, beside what is kept.
    """

    lines: list[Line]
    wall_hours: float
    cores: int
    gpus: int
    largest_gpus: int
    work_gb: float

    def total(self, what: str) -> float:
        """Sum of a number of the lines, such as "gpu_hours", of what was measured."""
        values = [float(getattr(line, what)) for line in self.lines]
        return sum(value for value in values if not math.isnan(value))

    def largest(self, what: str) -> int:
        """Largest `mem_mb` or `gpu_mb` of a job, of what was measured."""
        return max((getattr(line.unit, what) for line in self.lines if line.unit), default=0)

    @property
    def unmeasured(self) -> list[Line]:
        """Lines without a unit: they are in no sum."""
        return [line for line in self.lines if line.unit is None]

    @property
    def machines(self) -> list[str]:
        """Machines that the units are from, those of the most hours first."""
        hours: dict[str, float] = {}
        for line in self.lines:
            if line.unit:
                hours[line.unit.device] = hours.get(line.unit.device, 0.0) + line.hours
        return sorted(hours, key=lambda name: -hours[name])


def plan(config: dict[str, Any], jobs: Sequence[Job], cores: int, gpus: int) -> Plan:
    """Costs of the jobs of a dry run.

    Args:
        config: the checked configuration that the dry run had.
        jobs: what it would run.
        cores: that jobs share, at least 1.
        gpus: likewise, at least 0.
    """
    known = {(count.step, count.model): count for count in counts(config)}
    places = [_place(config, job, known) for job in jobs]
    many = Counter(places)
    order = [*known, *sorted(set(many) - set(known))]
    lines = {place: _line(config, place, known.get(place), many[place]) for place in order if place in many}
    seconds = [_seconds(lines[place], job.gpus) for place, job in zip(places, jobs, strict=True)]
    # as many at once as there are places for jobs
    work = sorted((line.unit.work_mb for place in places if (line := lines[place]).unit), reverse=True)
    return Plan(
        lines=list(lines.values()),
        wall_hours=wall_seconds(jobs, seconds, cores, gpus) / HOUR,
        cores=cores,
        gpus=gpus,
        largest_gpus=max((job.gpus for job in jobs), default=0),
        work_gb=sum(work[: gpus or cores]) / 1000,
    )


def _place(config: dict[str, Any], job: Job, known: Collection[Place]) -> Place:
    """Line of a job: that of all small jobs, unless it has a unit of its own; else its step and model."""
    own = (job.step, job.model)
    counted = own in known or own in units(config["zoo"]["use"])
    return own if counted or job.step not in SMALL_STEPS else (SMALL, "")


def _line(config: dict[str, Any], place: Place, count: Count | None, jobs: int) -> Line:
    if count is None:
        return Line(*place, JOB, jobs, jobs, _unit(config, *place))
    items = math.ceil(count.items * min(1.0, jobs / division.jobs(config, *place)))
    unit = _unit(config, *count.unit)
    if unit and count.unit[0] != count.step:
        # the same work per item, but a model folder is written by the step that the cost is named after
        unit = replace(unit, job_kb=0.0)
    return Line(*place, count.item, jobs, items, unit)


def _unit(config: dict[str, Any], step: str, model: str) -> Unit | None:
    """Cost on the machine of this configuration, `resources.slowness` times as slow as the measured one."""
    found, slowness = find_unit(config["zoo"]["use"], step, model), config["resources"]["slowness"]
    return found and replace(found, seconds=slowness * found.seconds, start=slowness * found.start)


def _seconds(line: Line, gpus: int) -> float:
    """Seconds of one job of a line; 0 where nothing was measured, which `Plan.unmeasured` tells."""
    if line.unit is None:
        return 0.0
    # a fine-tuning on several GPUs divides its images among them
    share = max(1, gpus) if line.unit.gpu_mb else 1
    return line.unit.start + line.items / line.jobs * line.unit.seconds / share
