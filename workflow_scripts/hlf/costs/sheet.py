"""The cost sheet of a run: what each step took, and what the paper's numbers of items would take."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.costs import jobs as division
from hlf.costs.counts import JOB, SMALL, SMALL_STEPS, STEPS, counts
from hlf.costs.units import find_unit
from hlf.files import read_table

if TYPE_CHECKING:
    import pandas as pd

HOUR = 3600.0
# steps whose jobs note the seconds of each image that they make, and where below timing/
NOTED = {"degrade": "degradation", "super_resolve": "sr"}
TOTAL = "total"
COLUMNS = (
    "step", "model", "jobs", "items", "item", "total_seconds", "cpu_seconds", "start_seconds", "item_seconds",
    "memory_mb", "gpu_mb", "machine", "projected_items", "projected_hours", "official_hours", "official_machine",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """Size of one step, or of one model in it, under one configuration.

    Attributes:
        step: rule.
        model: of its wildcards; "" where it has none.
        item: what is counted.
        items: how many.
        jobs: that share them.
        unit: step and model in measured.yaml whose cost applies.
    """

    step: str
    model: str
    item: str
    items: int
    jobs: int
    unit: tuple[str, str]


def sizes(config: dict[str, Any]) -> list[dict[str, Any]]:
    """Size of every step that has items, as JSON values, for the key of a rule; `size_of` reads them again.

    Args:
        config: a checked configuration.
    """
    found = counts(config)
    return [asdict(Size(**vars(count), jobs=division.jobs(config, count.step, count.model))) for count in found]


def size_of(value: dict[str, Any]) -> Size:
    """A size from its JSON values."""
    return Size(**{**value, "unit": tuple(value["unit"])})


def made_items(timing: Path) -> "pd.DataFrame":
    """Images that the measured jobs really made: those of an earlier attempt were kept and took no time.

    Args:
        timing: results/<run>/timing.

    Returns:
        Columns step, model, made, seconds (of the images alone, without the start of a job).
    """
    import pandas as pd

    rows = []
    for step, folder in NOTED.items():
        for path in sorted((timing / folder).rglob("*.parquet")):
            model = "/".join(path.relative_to(timing / folder).parts[:-1])
            table = read_table(path)
            rows.append({"step": step, "model": model, "made": len(table), "seconds": float(table["seconds"].sum())})
    table = pd.DataFrame(rows, columns=["step", "model", "made", "seconds"])
    return table.groupby(["step", "model"], as_index=False)[["made", "seconds"]].sum()


def cost_sheet(
    benchmarks: "pd.DataFrame", made: "pd.DataFrame", run: Sequence[Size], target: Sequence[Size], zoo: str = "official"
) -> "pd.DataFrame":
    """One row per step and model, in the order of the paper, all jobs without items in one row, and their total.

    A step costs `jobs x start + items x seconds`. Where jobs note the seconds of their images, start and images are
    told apart; elsewhere the start is counted with the items, so that a step of few items looks dearer than it is.

    Args:
        benchmarks: of `benchmarks.read_benchmarks`; models and shards that the run has no more are left out.
        made: of `made_items`.
        run: sizes of the run.
        target: sizes that the costs are projected to; steps that only they have get a row too.
        zoo: whose measured units `official_hours` are from.

    Returns:
        Columns COLUMNS. items and total_seconds are of the measured jobs. memory_mb and gpu_mb are the largest of a
        job, machine is where they ran ("" where none is noted). projected_hours take this run's costs, official_hours
        those of measured.yaml, on official_machine. None where something was not measured, which no sum holds.
    """
    import pandas as pd

    own = {(size.step, size.model): size for size in run}
    aims = {(size.step, size.model): size for size in target}
    of = [_place(row, own) for row in benchmarks.to_dict("records")]
    parts = dict(list(benchmarks.groupby(pd.Series(of, index=benchmarks.index, dtype=object)))) if of else {}
    noted = {(row["step"], row["model"]): (row["made"], row["seconds"]) for row in made.to_dict("records")}
    order = sorted({**own, **aims}, key=lambda place: list(STEPS).index(place[0]))  # models as they are configured
    rows = [_row(place, own.get(place), aims.get(place), parts.get(place), noted.get(place), zoo) for place in order]
    if (SMALL, "") in parts:
        rows.append(_small(parts[SMALL, ""], zoo))
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    return pd.concat([table, pd.DataFrame([_total(table)], columns=list(COLUMNS), dtype=object)], ignore_index=True)


def _place(row: dict[Any, Any], own: dict[tuple[str, str], Size]) -> tuple[str, str] | None:
    """Row of the sheet that a job belongs to; None for what an earlier configuration left, or another target made."""
    place = (row["step"], row["model"])
    if place not in own:
        return (SMALL, "") if row["step"] in SMALL_STEPS else None
    # a shard that is no more shares its items with others, unless it has noted which of them it made
    current = not row["shard"] or int(row["shard"]) < own[place].jobs
    return place if current or row["step"] in NOTED else None


def _row(
    place: tuple[str, str], own: Size | None, aim: Size | None, jobs: "pd.DataFrame | None",
    noted: tuple[int, float] | None, zoo: str,
) -> dict[str, Any]:  # fmt: skip
    """One step, or one model of it."""
    known = own or aim
    row: dict[str, Any] = dict.fromkeys(COLUMNS) | {"step": place[0], "model": place[1], "item": known and known.item}
    row |= {"jobs": 0, "projected_items": aim.items if aim else 0}
    if own is not None and jobs is not None:
        row |= _measured(own, jobs, noted)
    if aim is not None:
        row["projected_hours"] = _hours(aim, row["start_seconds"] or 0.0, row["item_seconds"])
        unit = find_unit(zoo, *aim.unit)
        if unit is not None:
            row |= {"official_hours": _hours(aim, unit.start, unit.seconds), "official_machine": unit.device}
    return row


def _measured(own: Size, jobs: "pd.DataFrame", noted: tuple[int, float] | None) -> dict[str, Any]:
    """What the jobs of a row took."""
    seconds, count = float(jobs["seconds"].sum()), int(jobs["seconds"].notna().sum())
    found = _taken(jobs, count)
    if noted is not None:
        made, alone = noted
        each = alone / made if made else None
        return {**found, "items": made, "start_seconds": (seconds - alone) / max(1, count), "item_seconds": each}
    if not own.items:  # of folds, a backbone that is not fine-tuned: all is start
        return {**found, "items": 0, "start_seconds": seconds / max(1, count), "item_seconds": 0.0}
    # jobs that are not done yet, or not measured, have made no items
    items = round(own.items * min(1.0, count / own.jobs))
    return {**found, "items": items, "item_seconds": seconds / items if items else None}


def _taken(jobs: "pd.DataFrame", count: int) -> dict[str, Any]:
    """Sums and maxima of some jobs."""
    found: dict[str, Any] = {"jobs": count, "total_seconds": float(jobs["seconds"].sum())}
    found["cpu_seconds"] = _known(jobs["cpu_seconds"].sum(min_count=1))
    largest = {"memory_mb": _known(jobs["max_rss_mb"].max()), "gpu_mb": _known(jobs["gpu_mb"].max())}
    return {**found, **largest, "machine": "; ".join(sorted({name for name in jobs["machine"] if name}))}


def _small(jobs: "pd.DataFrame", zoo: str) -> dict[str, Any]:
    """All jobs without items; a run at paper scale has as many of them."""
    count = int(jobs["seconds"].notna().sum())
    row: dict[str, Any] = {**dict.fromkeys(COLUMNS), "step": SMALL, "model": "", "item": JOB, **_taken(jobs, count)}
    each = row["total_seconds"] / count if count else None
    row |= {"items": count, "item_seconds": each, "projected_items": count}
    row["projected_hours"] = row["total_seconds"] / HOUR
    unit = find_unit(zoo, SMALL)
    if unit is not None:
        row |= {"official_hours": count * (unit.start + unit.seconds) / HOUR, "official_machine": unit.device}
    return row


def _hours(aim: Size, start: float, seconds: float | None) -> float | None:
    return None if seconds is None else (aim.jobs * start + aim.items * seconds) / HOUR


def _total(table: "pd.DataFrame") -> dict[str, Any]:
    """Sums of what was measured, and the largest job."""
    row: dict[str, Any] = {**dict.fromkeys(COLUMNS), "step": TOTAL, "model": ""}
    for name in ("jobs", "total_seconds", "cpu_seconds", "projected_hours", "official_hours"):
        row[name] = sum(value for value in table[name] if value is not None)
    for name in ("memory_mb", "gpu_mb"):
        row[name] = max((value for value in table[name] if value is not None), default=None)
    return row


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
