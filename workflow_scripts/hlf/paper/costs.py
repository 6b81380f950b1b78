"""The cost sheet as people read it: the only table whose numbers differ between runs of equal results."""

from pathlib import Path
from typing import TYPE_CHECKING

from hlf.files import write_table, write_text
from hlf.paper.facts import Facts
from hlf.paper.formats import to_markdown, view
from hlf.paper.report import TableSection

if TYPE_CHECKING:
    import pandas as pd

TITLE = "Cost sheet: what this run took, and what the paper's numbers would take"
HIDDEN = ["cpu_seconds", "machine", "official_machine"]  # stand in the CSV; `note` tells the machines
HEADINGS = {
    "model": "Model", "total_seconds": "Seconds", "start_seconds": "Start of a job (s)",
    "item_seconds": "Seconds per item", "memory_mb": "Memory (MB)", "gpu_mb": "GPU memory (MB)",
    "projected_items": "Items at paper scale", "projected_hours": "Hours at this run's cost",
    "official_hours": "Hours, official networks",
}  # fmt: skip
DIGITS = {
    "jobs": 0, "items": 0, "total_seconds": 1, "start_seconds": 1, "item_seconds": 4, "memory_mb": 0, "gpu_mb": 0,
    "projected_items": 0, "projected_hours": 2, "official_hours": 2,
}  # fmt: skip


def shown(table: "pd.DataFrame") -> "pd.DataFrame":
    """The columns that people read, as numbers; that of GPU memory only where a GPU was used."""
    numbers = table.assign(**{name: table[name].astype(float) for name in DIGITS})
    used = numbers["gpu_mb"].fillna(0).any()
    return numbers.drop(columns=[*HIDDEN, *([] if used else ["gpu_mb"])])


def note(table: "pd.DataFrame", zoo: str) -> str:
    """What the sheet's numbers are and are not, for below it.

    Args:
        table: of `cost_sheet`, also as read from its CSV.
        zoo: that the run used.
    """
    here, there = (sorted({str(name) for name in table[of].dropna() if name}) for of in ("machine", "official_machine"))
    mini = "" if zoo == "official" else ", which tells where time would go and not how much: mini networks are small"
    sentences = [
        *([f"Measured on {'; '.join(here)}."] if here else []),
        "Seconds are wall time of jobs that may have shared the machine; memory is the largest of a job.",
        "A job that was killed and went on tells its last attempt only; of degradation and SR, items are the images",
        "that it still had to make. Where no start of a job is told, it is counted with the items.",
        "Items at paper scale are those of config.paper.yaml.",
        f"Hours at this run's cost: these items at this run's seconds{mini}.",
        f"Hours with official networks: measured with random weights on {'; '.join(there) or 'no machine yet'}",
        "(hlf/costs/measured.yaml).",
        "What was not measured is in no sum. This section alone differs between runs of equal results.",
    ]
    return " ".join(sentences)


def write_sheet(table: "pd.DataFrame", facts: Facts, csv: Path) -> None:
    """Write the sheet as CSV with every column, and beside it as Markdown with those that people read.

    Args:
        table: of `cost_sheet`.
        facts: of the run; the stamp stands in both.
        csv: path of the CSV file.
    """
    rounded = table.map(lambda value: round(value, 4) if isinstance(value, float) else value)
    write_table(rounded.assign(**facts.columns(), stamp=facts.stamp()), csv)
    stamp = [f"**{facts.stamp()}**"] if facts.stamp() else []
    shape = view(shown(table), best={}, headings=HEADINGS, digits=DIGITS)
    text = to_markdown(shape, [f"**{TITLE}**", *stamp, note(table, facts.zoo), facts.caption()])
    write_text(csv.with_suffix(".md"), text)


def section(table: "pd.DataFrame", zoo: str) -> TableSection:
    """The sheet as a part of the report.

    Args:
        table: as read from its CSV, without the facts' columns.
        zoo: that the run used.
    """
    return TableSection("costs", TITLE, shown(table), note(table, zoo), best={}, headings=HEADINGS, digits=DIGITS)
