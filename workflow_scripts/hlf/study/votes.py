"""Reading the votes of a real study from a CSV file, with a sentence for whatever is wrong in it."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.columns import conform
from hlf.errors import HlfError
from hlf.study.screening import apply_screening

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

REQUIRED = ("participant", "pair_id", "answer")
OPTIONAL = ("is_trap", "trap_answer", "source", "order_index", "rt_active_ms")
FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


def read_votes(path: str | Path, pairs: "pd.DataFrame", run: str) -> "pd.DataFrame":
    """Read and check a CSV of votes, and screen its people by their traps.

    Args:
        path: UTF-8 CSV with columns participant, pair_id, answer (0 or 1, 1 = "the content changed") and optionally
            is_trap (true or false), trap_answer (0 or 1, the right answer of a trap), source (human, simulated or
            vlm:NAME; default human), order_index (default: the order of a person's rows) and rt_active_ms (ms to the
            answer). Other columns are ignored.
        pairs: table `pairs`; rows that are no traps must name one of its pairs.
        run: name of the run, written into the rows.

    Returns:
        Table `votes`, sorted by participant and order_index, with `valid` set by the trap rule.

    Raises:
        HlfError: no such file, not a CSV, no row, a missing column, an unknown pair, an answer other than 0 or 1, or
            two answers of one person to one pair. Rows are counted as a text editor does: the header is row 1.
    """
    table = apply_screening(check_votes(_read(Path(path)), pairs, run, path))
    return conform(table.sort_values(["participant", "order_index", "pair_id"]), "votes")


def check_votes(table: "pd.DataFrame", pairs: "pd.DataFrame", run: str, path: str | Path) -> "pd.DataFrame":
    """Rows of text as rows of table `votes`, each checked; `valid` is left to the caller.

    Args:
        table: columns REQUIRED and OPTIONAL as text, "" where missing.
        pairs: table `pairs`.
        run: name of the run.
        path: file to name when something is wrong.

    Raises:
        HlfError: as `read_votes`.
    """
    table = table.copy()
    _refuse(table["participant"] == "", table["participant"], path, "have no participant", "give every person a name")
    table["is_trap"] = _flags(table, path)
    known = table["pair_id"].isin(set(pairs["pair_id"])) | table["is_trap"]
    _refuse(~known, table["pair_id"], path, "name a pair that is not in this study", "use pair ids of sampling/pairs")
    _refuse(~table["answer"].isin(["0", "1"]), table["answer"], path, "have an answer other than 0 or 1", "1 = changed")
    no_truth = table["is_trap"] & ~table["trap_answer"].isin(["0", "1"])
    _refuse(no_truth, table["trap_answer"], path, "are traps without trap_answer 0 or 1", "fill in the right answer")
    twice = table.duplicated(["participant", "pair_id"])
    _refuse(twice, table["pair_id"], path, "answer a pair that the same participant answered before", "keep one answer")
    known_source = table["source"].isin(["human", "simulated"]) | table["source"].str.match(r"vlm:.")
    _refuse(~known_source, table["source"], path, "have an unknown source", "use human, simulated or vlm:NAME")
    table["trap_answer"] = table["trap_answer"].where(table["is_trap"], "-1")
    table["order_index"] = _order(table, path)
    given = table["rt_active_ms"]
    _refuse(
        ~given.str.fullmatch(r"(\d{1,9}(\.\d+)?)?"), given, path, "have an rt_active_ms below 0 or no number", "give ms"
    )
    table["rt_active_ms"] = given.where(given != "", "nan").astype(float)
    return table.astype({"answer": "int64", "trap_answer": "int64"}).assign(run=run)


def _read(path: Path) -> "pd.DataFrame":
    """The known columns as stripped text, missing cells empty, absent optional columns at their default."""
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False)
    except FileNotFoundError as error:
        raise HlfError(f"study.votes names {path}, which does not exist; check its path") from error
    except pd.errors.EmptyDataError as error:
        raise HlfError(f"votes file {path} is empty; expected columns {', '.join(REQUIRED)}") from error
    except (OSError, ValueError) as error:  # pandas' parser errors and wrong encodings are ValueErrors
        raise HlfError(f"votes file {path} cannot be read as CSV in UTF-8 ({error}); save it as such") from error
    missing = [c for c in REQUIRED if c not in table]
    if missing:
        raise HlfError(f"votes file {path} lacks columns {missing}; it has {list(table)}")
    if table.empty:
        raise HlfError(f"votes file {path} holds a header but no vote; collect votes first")
    ignored = [c for c in table if c not in (*REQUIRED, *OPTIONAL)]
    if ignored:
        log.info("votes file %s: columns %s are not used", path, ignored)
    for name in OPTIONAL:
        if name not in table:
            table[name] = "human" if name == "source" else ""
    table = table[[*REQUIRED, *OPTIONAL]].fillna("")
    return table.apply(lambda column: column.str.strip())


def _flags(table: "pd.DataFrame", path: str | Path) -> "pd.Series[bool]":
    """Column is_trap as booleans."""
    words = table["is_trap"].str.lower()
    _refuse(
        ~words.isin(list(FLAGS)), table["is_trap"], path, "have an is_trap other than true or false", "correct them"
    )
    return words.map(FLAGS).astype(bool)


def _order(table: "pd.DataFrame", path: str | Path) -> "pd.Series[int]":
    """Column order_index as whole numbers; where the file has none, the order of each person's rows, from 0."""
    given = table["order_index"]
    if (given == "").all():
        return table.groupby("participant").cumcount()
    _refuse(~given.str.fullmatch(r"\d{1,9}"), given, path, "have an order_index that is no whole number", "number all")
    return given.astype("int64")


def _refuse(wrong: "pd.Series[bool]", values: "pd.Series[str]", path: str | Path, what: str, todo: str) -> None:
    """HlfError telling how many rows are wrong, the first of them and its value; nothing when none is."""
    if wrong.any():
        first = int(wrong.to_numpy().argmax())
        raise HlfError(
            f"votes file {path}: {int(wrong.sum())} of {len(wrong)} rows {what}, the first is row {first + 2} "
            f"({values.iloc[first]!r}); {todo}"
        )
