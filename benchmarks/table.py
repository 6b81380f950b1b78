"""The table of speeds: every hot path against its baseline, measured in one run, cold and warm."""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frame import COLD, ROOT, HotPath, Measured, find, measure

from hlf.errors import HlfError
from hlf.files import write_table, write_text

if TYPE_CHECKING:
    import pandas as pd

# hot path -> module whose PATHS hold it, in the order of the chain
PLACES = {
    "degradation": "bench_degradation",
    "bsrgan": "bench_sr",
    "swinir": "bench_sr",
    "stablesr": "bench_sr",
    "seesr": "bench_sr",
    "pasd": "bench_sr",
    "metrics": "bench_iqa",
    "scoring": "bench_metric",
    "tuning": "bench_tuning",
    "dag": "bench_workflow",
    "rerun": "bench_workflow",
    "study": "bench_study",
}
SLOWER = 0.9  # a ratio below it is told under the table; what lies above is noise
HEAD = ("hot path", "ratio warm", "ratio cold", "ours warm", "ours cold", "baseline", "results apart")
TEMPLATE = Path(__file__).parent / "speed.md.in"


def chosen(names: list[str]) -> list[str]:
    """Names of hot paths in the order of the table, all for none; HlfError for one that is unknown."""
    unknown = [name for name in names if name not in PLACES]
    if unknown:
        raise HlfError(f"hot path '{unknown[0]}' is unknown, expected one of {', '.join(PLACES)}")
    return [name for name in PLACES if not names or name in names]


def measured(names: list[str]) -> list[Measured]:
    """Measure hot paths one after the other, telling each as it is done."""
    found = []
    for name in names:
        found.append(measure(find(PLACES[name], name), PLACES[name]))
        one = found[-1]
        sys.stderr.write(f"{name}: warm {one.ratio('warm'):.2f}, cold {one.ratio('cold'):.2f} times the baseline\n")
        sys.stderr.flush()
    return found


def cells(one: Measured) -> tuple[str, ...]:
    """A line of the table under HEAD."""
    path, item = one.path, one.seconds("warm", "ours")
    return (
        path.title,
        f"**{one.ratio('warm'):.2f}**",
        f"{one.ratio('cold'):.2f}",
        f"{shown(item)} per {path.unit}" + (f", {1 / item:.0f}/s" if path.server else ""),
        shown(one.seconds("cold", "ours")),
        ("floor: " if path.floor else "") + path.against,
        "" if one.apart is None else f"{one.apart:.1g}",
    )


def shown(seconds: float) -> str:
    """A time with its unit.

    >>> shown(0.0123), shown(2.34)
    ('12.3 ms', '2.3 s')
    """
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def markdown(found: list[Measured]) -> str:
    """The table, and under it a sentence on each hot path that is slower than another way of doing the same."""
    lines = ["| " + " | ".join(row) + " |" for row in (HEAD, ("---",) * len(HEAD), *map(cells, found))]
    for one in found:
        slow = [f"{kind} {one.ratio(kind):.2f}" for kind in ("warm", "cold") if one.ratio(kind) < SLOWER]
        if slow and not one.path.floor:
            lines += ["", f"Slower than its baseline: {one.path.name} ({', '.join(slow)})."]
    return "\n".join(lines) + "\n"


def rows(found: list[Measured]) -> "pd.DataFrame":
    """The same as a table of numbers: seconds, cold of a start and its first call, warm of one item."""
    import pandas as pd

    table: list[dict[str, Any]] = []
    for one in found:
        path: HotPath = one.path
        row: dict[str, Any] = {"name": path.name, "unit": path.unit, "floor": path.floor, "baseline": path.against}
        for kind in ("warm", "cold"):
            row[f"ratio_{kind}"] = one.ratio(kind)
            row |= {f"{way}_{kind}": one.seconds(kind, way) for way in ("ours", "baseline")}
        table.append(
            {**row, "clock": "server" if path.server else "processor", "apart": one.apart, "rounds": path.rounds}
        )
    return pd.DataFrame(table)


def machine() -> str:
    """The machine in words, without its name."""
    import torch

    cores = len(os.sched_getaffinity(0))
    load = "no other work" if os.getloadavg()[2] < cores / 2 else "other work going on"
    return f"{cores} {platform.machine()} cores, {load}, Python {platform.python_version()}, torch {torch.__version__}"


def write(found: list[Measured], folder: Path, docs: bool) -> str:
    """Write bench.md and bench.csv into a folder, and docs/speed.md if asked to; returns the page of bench.md."""
    page = f"{markdown(found)}\n{datetime.now(UTC):%Y-%m-%d}, {machine()}; {COLD} cold start of each way.\n"
    write_text(folder / "bench.md", page)
    write_table(rows(found), folder / "bench.csv")
    if docs:
        write_text(ROOT / "docs/speed.md", TEMPLATE.read_text(encoding="utf8").format(table=page))
    return page
