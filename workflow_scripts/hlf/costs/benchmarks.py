"""Reading what Snakemake measured of each job: seconds and memory from its benchmark files, GPU memory from the job."""

import csv
import json
import logging
import math
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

TRAINED = "zoo"  # folder of the jobs that train the mini zoo, each a rule of its own
COLUMNS = (
    "step", "model", "shard", "runs", "seconds", "cpu_seconds", "max_rss_mb", "gpu_mb", "read_mb", "written_mb",
    "machine", "ended",
)  # fmt: skip
_NUMBERS = {
    "seconds": "s", "cpu_seconds": "cpu_time", "max_rss_mb": "max_rss", "read_mb": "io_in", "written_mb": "io_out",
}  # fmt: skip
_LARGEST = ("max_rss_mb",)  # of several runs of one job; of the others the mean


def read_benchmarks(folder: Path) -> "pd.DataFrame":
    """One row per benchmark file below `folder`, sorted by step, model and shard; no row where there is no file.

    Snakemake writes a file when a job ends well, so a job that was killed and then finished tells its last attempt
    only. It samples memory and processor time every half second of the first half minute and every half minute later,
    so it misses the end of a job, or all of a short one. Our jobs note both themselves: the larger number counts.

    Args:
        folder: results/<run>/benchmarks.

    Returns:
        step (the rule), model (of the wildcards, "" for none), shard ("" for none), runs (rows of the file: how often a
        job was measured), seconds (wall time of a run), cpu_seconds (of all its processes, start included),
        max_rss_mb, gpu_mb (largest memory taken on one GPU, 0 of a job without), read_mb, written_mb, machine ("" where
        the job left no note), ended (UTC, ISO 8601). NaN where a number is not known, whatever the reason; `runs` is 0
        for a file without a usable row.
    """
    import pandas as pd

    folder = Path(folder)
    rows = [_row(path, path.relative_to(folder)) for path in sorted(folder.rglob("*.tsv"))]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values(["step", "model", "shard"], ignore_index=True)


def gpu_file(benchmark: Path) -> Path:
    """Where a job notes what it knows best (`hlf_job`), beside its benchmark file: memory, processor time, machine."""
    return Path(benchmark).with_suffix(".json")


def names_of(relative: PurePath) -> tuple[str, str, str]:
    """Step, model and shard of a job, from the path of its benchmark or log file below the folder of these.

    >>> names_of(Path("super_resolve/pasd/000.tsv")), names_of(Path("table2.tsv")), names_of(Path("degrade/001.tsv"))
    (('super_resolve', 'pasd', '000'), ('table2', '', ''), ('degrade', '', '001'))
    """
    parts = [*relative.parts[:-1], relative.stem]
    if parts[0] == TRAINED and len(parts) > 1:
        parts = parts[1:]
    step, *rest = parts
    shard = rest.pop() if rest and rest[-1].isdecimal() else ""
    return step, "/".join(rest), shard


def _row(path: Path, relative: Path) -> dict[str, Any]:
    """One row of the table, of one file."""
    runs, note = _runs(path), _note(gpu_file(path))
    row: dict[str, Any] = dict(zip(("step", "model", "shard"), names_of(relative), strict=True))
    row |= dict.fromkeys(_NUMBERS, math.nan) | {"runs": len(runs), "machine": machine_name(note.get("machine"))}
    for name in _NUMBERS:
        known = [run[name] for run in runs if not math.isnan(run[name])]
        if known:
            row[name] = max(known) if name in _LARGEST else sum(known) / len(known)
    row["gpu_mb"] = _number(note.get("gpu_mb"))
    for name in ("max_rss_mb", "cpu_seconds"):
        known = [value for value in (row[name], _number(note.get(name))) if not math.isnan(value)]
        row[name] = max(known, default=math.nan)
    ended = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return {**row, "ended": ended.isoformat(timespec="seconds")}


def machine_name(facts: Any) -> str:
    """A machine in a few words, from its facts (`hlf.machine.machine`): its first GPU, where it has none its processor.

    >>> machine_name({"cpu": "EPYC 7763", "cores": 2}), machine_name({"gpus": [{"name": "H100"}]}), machine_name(None)
    ('EPYC 7763, 2 cores', 'H100', '')
    """
    if not isinstance(facts, dict):
        return ""
    if facts.get("gpus"):
        return str(facts["gpus"][0]["name"])
    return f"{facts.get('cpu', '')}, {facts.get('cores', '?')} cores"


def _runs(path: Path) -> list[dict[str, float]]:
    """Numbers of each row that tells its seconds; none, and a warning, for a file that is broken."""
    try:
        with path.open(encoding="utf8", newline="") as handle:
            lines = csv.DictReader(handle, delimiter="\t")
            rows = [{name: _number(row.get(head)) for name, head in _NUMBERS.items()} for row in lines]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        log.warning("benchmark file %s cannot be read: %s", path, error)
        return []
    runs = [_seen(row) for row in rows if not math.isnan(row["seconds"])]
    if not runs:
        log.warning("benchmark file %s tells no seconds", path)
    return runs


def _number(value: Any) -> float:
    """A number as it stands in a file; NaN for "NA", "-", nothing, and what is no number of MB or seconds."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return math.nan
    return value if math.isfinite(value) and value >= 0 else math.nan


def _seen(run: dict[str, float]) -> dict[str, float]:
    """A run without what was sampled before its work began: such a sample says 0 seconds of the processor."""
    if run["cpu_seconds"] == 0:
        return run | {name: math.nan for name in run if name != "seconds"}
    return run


def _note(path: Path) -> dict[str, Any]:
    """What a job noted of itself; nothing, and a warning, where its note is broken."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError) as error:
        log.warning("note of a job %s cannot be read: %s", path, error)
        return {}
    return found if isinstance(found, dict) else {}
