"""What `hlf zoo` prints: tables as wide as the terminal, or JSON."""

import shutil
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.needs import TABLES
from hlf.zoo.assets import Asset, assets
from hlf.zoo.check import MISSING, PRESENT, WRONG, State
from hlf.zoo.content import megabytes

if TYPE_CHECKING:
    from hlf.zoo.fetching.fetch import Outcome

States = Mapping[str, Sequence[State]]
Tables = Mapping[str, tuple[str, ...]]
NARROWEST = 20  # characters of a column that wraps


def table(rows: Sequence[Sequence[str]], width: int = 0) -> str:
    """Lines of equal columns, the first row as head; the last column wraps where the line would be too long.

    Args:
        rows: cells, as many in each.
        width: characters of a line; 0: those of the terminal.
    """
    width = width or shutil.get_terminal_size((100, 24)).columns
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    start = sum(widths[:-1]) + 2 * (len(widths) - 1)
    last = max(min(widths[-1], width - start), NARROWEST)
    lines = []
    for row in rows:
        first = "  ".join(cell.ljust(size) for cell, size in zip(row[:-1], widths, strict=False))
        wrapped = textwrap.wrap(row[-1], last, break_on_hyphens=False, break_long_words=False) or [""]
        lines += [f"{first}  {wrapped[0]}", *(" " * start + rest for rest in wrapped[1:])]
    rule = "-" * min(start + last, max(map(len, lines)))
    head = len(textwrap.wrap(rows[0][-1], last)) or 1
    return "\n".join(line.rstrip() for line in [*lines[:head], rule, *lines[head:]])


def state_of(states: Sequence[State]) -> str:
    """Of an asset: that of its worst file."""
    found = {state.status for state in states}
    return next(status for status in (WRONG, MISSING, PRESENT) if status in found)


def listing(found: States, tables: Tables, about: str, zoo: Path) -> str:
    """Every asset with its state, size, how it comes, the tables that lack it, and its licence."""
    rows = [("asset", "state", "size", "comes", "tables", "licence")]
    for name, states in found.items():
        asset = assets()[name]
        numbers = " ".join(one.removeprefix("Table ") for one in tables.get(name, ())) or "-"
        rows.append((name, state_of(states), _size(states), _way(asset), numbers, asset.licence))
    return "\n\n".join([table(rows), _notes(found, tables, about, zoo)])


def report(found: States, tables: Tables, about: str, zoo: Path) -> str:
    """Every asset with its state, and what is wrong with each file."""
    rows = [("state", "asset", "files")]
    for name, states in found.items():
        for status in (PRESENT, MISSING, WRONG):
            chosen = [state for state in states if state.status == status]
            if status == WRONG:
                rows += [(status, name, f"{state.path} {state.note}") for state in chosen]
            elif chosen:
                rows.append((status, name, _files(chosen, len(states))))
    return "\n\n".join([table(rows), _notes(found, tables, about, zoo)])


def _files(chosen: Sequence[State], count: int) -> str:
    """Files of one state: how many where these are all, else their names."""
    notes = [f"{state.path} {state.note}" if state.status == MISSING else state.note for state in chosen if state.note]
    if len(chosen) == count > 1:
        return "; ".join([f"{count} files", *notes])
    return "; ".join(notes + [state.path for state in chosen if not state.note])


def _notes(found: States, tables: Tables, about: str, zoo: Path) -> str:
    """What the states mean: for each table, and what is to be done."""
    lines = []
    for one in TABLES:
        needs = [name for name, used in tables.items() if one in used and name in found]
        lacks = [name for name in needs if state_of(found[name]) != PRESENT]
        if needs:
            which = "none" if len(lacks) == len(needs) else f"all but {', '.join(lacks)}" if lacks else "all"
            lines.append(f"{one} needs {len(needs)} of these assets and has {which}.")
    counts = Counter(state_of(states) for states in found.values())
    told = ", ".join(f"{counts[status]} {status}" for status in (PRESENT, MISSING, WRONG) if counts[status])
    whose = f" of {about}" if about else ""
    lines.append(f"{len(found)} assets{whose}: {told}. Checkpoints lie in {zoo}.")
    return "\n".join(_filled(line, 2) for line in [*lines, *_todo(found)])


def _todo(found: States) -> list[str]:
    """What is left to do, by how it is done."""
    left = {name: [s for s in states if s.status == MISSING] for name, states in found.items()}
    lines = []
    for way, words in (("fetch", "Left for `hlf zoo fetch`"), ("by hand", "By hand (`hlf zoo fetch NAME` tells how)")):
        names = [name for name, states in left.items() if states and _way(assets()[name]) == way]
        size = sum(state.bytes for name in names for state in left[name])
        if names:
            lines.append(f"{words}: {', '.join(names)}; {f'about {megabytes(size)}' if size else 'size unknown'}.")
    if any(state.status == WRONG for states in found.values() for state in states):
        lines.append("Move wrong files away before you fetch them again.")
    return lines


def _way(asset: Asset) -> str:
    """How an asset comes."""
    return "by hand" if any(file.origin.hand for file in asset.files) else "fetch"


def _size(states: Sequence[State]) -> str:
    """Of what is there and what is to come, roughly; of a data set that is there nobody needs to know."""
    size = sum(state.bytes for state in states)
    return megabytes(size) if size else "?" if state_of(states) != PRESENT else "-"


def as_json(found: States, tables: Tables, about: str, zoo: Path) -> dict[str, Any]:
    """The same for programs; sizes in bytes, 0 where unknown."""
    rows = []
    for name, states in found.items():
        asset = assets()[name]
        files = [
            {"path": s.path, "place": str(s.place), "state": s.status, "note": s.note, "bytes": s.bytes} for s in states
        ]
        rows.append(
            {
                "name": name, "state": state_of(states), "title": asset.title, "kind": asset.kind, "page": asset.page,
                "publisher": asset.publisher, "licence": asset.licence, "comes": _way(asset),
                "tables": list(tables.get(name, ())), "bytes": sum(s.bytes for s in states), "files": files,
            }
        )  # fmt: skip
    lacks = {
        one: [name for name, used in tables.items() if one in used and state_of(found.get(name, ())) != PRESENT]
        for one in TABLES
        if any(one in used for used in tables.values()) and all(name in found for name in tables)
    }
    return {"configuration": about, "zoo_folder": str(zoo), "assets": rows, "lacks": lacks}


def fetched(asset: Asset, outcomes: Sequence["Outcome"]) -> str:
    """What became of one asset's files; what to do by hand is told once for all files that come the same way."""
    lines = [f"{asset.name}: {asset.title}; licence: {asset.licence}"]
    told = dict.fromkeys(file.origin.hand for file in asset.files)
    for one in outcomes:
        note = one.note
        for hand in filter(None, told):
            note = note.removeprefix(f"{hand}; ")
        lines.append(_filled(f"  {one.status:8} {one.path}{f': {note}' if note else ''}", 11))
    if any(one.status == "by hand" for one in outcomes):
        lines += [_filled(f"  to do    {hand}; see also {asset.page}", 11) for hand in filter(None, told)]
    return "\n".join(lines)


def _filled(text: str, indent: int) -> str:
    """A paragraph of the terminal's width, its further lines indented; names are never cut."""
    width = shutil.get_terminal_size((100, 24)).columns
    more = " " * indent
    return textwrap.fill(text, width, subsequent_indent=more, break_on_hyphens=False, break_long_words=False)


def summary(outcomes: Mapping[str, Sequence["Outcome"]]) -> str:
    """How many files of each outcome."""
    counts = Counter(one.status for found in outcomes.values() for one in found)
    return f"{sum(counts.values())} files: " + ", ".join(f"{count} {status}" for status, count in counts.items())
