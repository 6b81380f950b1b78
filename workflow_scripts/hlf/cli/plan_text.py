"""What `hlf plan` prints: one screen for people, or JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from hlf.costs.counts import JOB
from hlf.costs.plan import Line, Plan

HEADS = ("step", "jobs", "items", "", "CPU h", "GPU h", "disk GB", "mem GB", "GPU GB")
SHARE = 0.01  # of all hours, from which on a model has a line of its own
NOT_MEASURED = "not measured"


def as_text(plan: Plan, about: dict[str, Any]) -> str:
    """The plan as a table with what it means below.

    Args:
        plan: what would run.
        about: run, zoo, device, targets, price (None for none), free_gb, missing (sentences).
    """
    title = f"Run {about['run']}, zoo {about['zoo']}, {' '.join(about['targets'])}"
    if not plan.lines:
        return f"{title}: nothing is left to do."
    head = f"{title}: what would run now. An estimate; nothing was started."
    table = _aligned([HEADS, *_rows(plan), _total(plan)])
    return "\n".join([head, "", *table, "", *_notes(plan, about)])


def _rows(plan: Plan) -> list[Sequence[str]]:
    """Cells of each line; models of a step that cost the same, or next to nothing, share one."""
    whole = plan.total("hours")
    steps: dict[str, list[Line]] = {}
    for line in plan.lines:
        steps.setdefault(line.step, []).append(line)
    rows = []
    for lines in steps.values():
        alike = len({line.unit for line in lines}) == 1
        own = [] if alike else [line for line in lines if not line.hours < SHARE * whole]
        others = [line for line in lines if line not in own]
        rows += [_row(f"{line.step} {line.model}", [line]) for line in own]
        if others:
            which = f" x {len(others)}" if not own else " others" if len(others) > 1 else f" {others[0].model}"
            rows.append(_row(others[0].step + ("" if len(lines) == 1 else which), others))
    return rows


def _row(name: str, lines: list[Line]) -> Sequence[str]:
    jobs, items = sum(line.jobs for line in lines), sum(line.items for line in lines)
    counted = (f"{items:,}", _plural(lines[0].item, items)) if lines[0].item != JOB else ("", "")
    units = [line.unit for line in lines if line.unit]
    if len(units) < len(lines):
        return (name, f"{jobs:,}", *counted, NOT_MEASURED, "", "", "", "")
    hours = [_hours(sum(getattr(line, what) for line in lines)) for what in ("cpu_hours", "gpu_hours")]
    disk = sum(line.disk_gb for line in lines)
    memory = [_gb(max(getattr(unit, what) for unit in units) / 1000) for what in ("mem_mb", "gpu_mb")]
    return (name, f"{jobs:,}", *counted, *hours, _gb(disk), *memory)


def _total(plan: Plan) -> Sequence[str]:
    hours = [_hours(plan.total(what)) for what in ("cpu_hours", "gpu_hours")]
    memory = [_gb(plan.largest(what) / 1000) for what in ("mem_mb", "gpu_mb")]
    jobs = sum(line.jobs for line in plan.lines)
    return ("total", f"{jobs:,}", "", "", *hours, _gb(plan.total("disk_gb")), *memory)


def _plural(item: str, count: int) -> str:
    """An item in the plural; only its first noun, as in "pairs, all measures" and "pair x epoch".

    >>> _plural("LR image", 2), _plural("pair, all measures", 2), _plural("pair x epoch", 2), _plural("LR image", 1)
    ('LR images', 'pairs, all measures', 'pair x epoch', 'LR image')
    """
    if count == 1 or " x " in item:
        return item
    noun, comma, rest = item.partition(",")
    return f"{noun}s{comma}{rest}"


def _hours(value: float) -> str:
    """Hours with as many digits as an estimate bears.

    >>> _hours(1234.5), _hours(12.34), _hours(0.123), _hours(0.001), _hours(0.0)
    ('1,234', '12.3', '0.12', '<0.01', '')
    """
    if not value:
        return ""
    if value < 0.005:
        return "<0.01"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _gb(value: float) -> str:
    """GB with one decimal; nothing for nothing."""
    return "" if not value else "<0.1" if value < 0.05 else f"{value:,.1f}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of equal columns: names to the left, numbers to the right; a rule below the head and above the total."""
    # "not measured" takes the place of several numbers
    widths = [max(len(row[i]) for row in rows if row[i] != NOT_MEASURED) for i in range(len(rows[0]))]
    left = (0, 3)
    lines = []
    for row in rows:
        cells = [c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        if NOT_MEASURED in row:
            cells = [*cells[:4], NOT_MEASURED]
        lines.append("  ".join(cells).rstrip())
    rule = "-" * max(map(len, lines))
    return [lines[0], rule, *lines[1:-1], rule, lines[-1]]


def _notes(plan: Plan, about: dict[str, Any]) -> list[str]:
    """What the numbers mean, what is missing, and what they do not know."""
    return [f"{head + ':':<14}{text}" for head, text in _facts(plan, about)]


def _facts(plan: Plan, about: dict[str, Any]) -> list[tuple[str, str]]:
    found = [("wall time", f"about {_span(plan.wall_hours)} with {_resources(plan)}, without queues and waiting")]
    if plan.largest_gpus > plan.gpus:
        found.append(("GPUs", f"one job asks for {plan.largest_gpus}, so it needs at least --gpus {plan.largest_gpus}"))
    if about["price"] is not None:
        hours = plan.total("gpu_hours")
        found.append(
            ("GPU cost", f"{hours * about['price']:,.2f} for {hours:,.1f} GPU-hours at {about['price']:g} each")
        )
    found.append(("disk", _disk(plan, about["free_gb"])))
    if plan.unmeasured:
        names = ", ".join(sorted({f"{line.step} {line.model}".strip() for line in plan.unmeasured}))
        found.append((NOT_MEASURED, f"{names}: in no sum above"))
    found += [("missing", sentence) for sentence in about["missing"]]
    if about["device"] == "cpu" and plan.total("gpu_hours"):
        found.append(("device", "resources.device is cpu, where the steps measured on a GPU take far longer"))
    return [*found, ("measured on", "; ".join(plan.machines))]


def _disk(plan: Plan, free: float) -> str:
    needed = plan.total("disk_gb")
    more = f", and up to {_gb(plan.work_gb)} GB of checkpoints on the way" if plan.work_gb >= 0.05 else ""
    verdict = "" if needed + plan.work_gb < free else ": NOT ENOUGH"
    return f"{_gb(needed) or '0'} GB to be written{more}; {_gb(free)} GB are free{verdict}"


def _resources(plan: Plan) -> str:
    cores = f"{plan.cores} core{'s' * (plan.cores != 1)}"
    return f"{plan.gpus} GPU{'s' * (plan.gpus != 1)} and {cores}" if plan.total("gpu_hours") else cores


def _span(hours: float) -> str:
    """Hours in the two units that matter.

    >>> _span(51.2), _span(3.5), _span(0.25), _span(0.001)
    ('2 d 3 h', '3 h 30 min', '15 min', 'less than a minute')
    """
    if hours >= 24:
        days, rest = divmod(round(hours), 24)
        return f"{days} d {rest} h"
    whole, minutes = divmod(round(hours * 60), 60)
    if whole:
        return f"{whole} h {minutes} min"
    return f"{minutes} min" if minutes else "less than a minute"


def as_json(plan: Plan, about: dict[str, Any]) -> dict[str, Any]:
    """The plan as JSON values; null where nothing was measured."""
    numbers = ("cpu_hours", "gpu_hours", "disk_gb")
    lines = [
        {
            "step": line.step, "model": line.model, "jobs": line.jobs, "item": line.item, "items": line.items,
            **{name: _known(getattr(line, name)) for name in numbers}, "unit": line.unit and asdict(line.unit),
        }
        for line in plan.lines
    ]  # fmt: skip
    total = {name: plan.total(name) for name in numbers}
    total |= {"jobs": sum(line.jobs for line in plan.lines), "checkpoints_gb": plan.work_gb}
    total |= {"wall_hours": plan.wall_hours, "mem_mb": plan.largest("mem_mb"), "gpu_mb": plan.largest("gpu_mb")}
    if about["price"] is not None:
        total["gpu_cost"] = total["gpu_hours"] * about["price"]
    shared = {"cores": plan.cores, "gpus": plan.gpus, "measured_on": plan.machines}
    return {**about, **shared, "lines": lines, "total": total}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
