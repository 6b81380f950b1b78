"""Columns of the tables of an export: name, type, meaning. The data dictionary in the export is written from them."""

from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.study.results.data import PAIRS, PARTICIPANTS, RECRUIT, TRAPS, VOTES

if TYPE_CHECKING:
    import pandas as pd

# whole numbers that may be missing need pandas' own type; times are text, ISO 8601 in UTC with milliseconds
TEXT, INT, MAYBE_INT, REAL, FLAG, MAYBE_FLAG, TIME = "str", "int64", "Int64", "float64", "bool", "boolean", "time"
WORDS = {
    TEXT: "text", INT: "whole number", MAYBE_INT: "whole number or empty", REAL: "number, empty if unknown",
    FLAG: "True or False", MAYBE_FLAG: "True, False or empty", TIME: "time, ISO 8601 UTC, or empty",
}  # fmt: skip
STUDY = (TEXT, "id of the study")
SOURCE = (TEXT, "who answers: human | simulated | vlm:NAME; never mixed in a score")
PAIR = (TEXT, "name of the pair, image_id@level@model")

Columns = dict[str, tuple[str, str]]
_VOTES: Columns = {
    "study": STUDY,
    "source": SOURCE,
    "participant": (TEXT, "opaque random name of who answered"),
    "pair": (TEXT, "name of the pair, image_id@level@model, or of the trap"),
    "gt_file": (TEXT, "ground truth, path in the pipeline's results"),
    "sr_file": (TEXT, "SR image, path in the pipeline's results"),
    "model": (TEXT, "SR model; empty for traps"),
    "degradation": (REAL, "degradation level in [0, 1]; empty for traps"),
    "is_trap": (FLAG, "True: a pair with a known answer, which never counts in a score"),
    "trap_answer": (INT, "right answer of a trap, 0 or 1; -1 for pairs"),
    "answer": (INT, VOTES["answer"]),
    "rt_ms": (MAYBE_INT, VOTES["rt_ms"]),
    "rt_active_ms": (MAYBE_INT, VOTES["rt_active_ms"]),
    "order_index": (INT, VOTES["order_index"]),
    "gt_side": (TEXT, VOTES["gt_side"]),
    "late": (FLAG, VOTES["late"]),
    "revisions": (INT, VOTES["revisions"]),
    "zoom_max": (REAL, VOTES["zoom_max"]),
    "dpr": (REAL, VOTES["dpr"]),
    "css_w": (REAL, VOTES["css_w"]),
    "valid": (FLAG, "True: the screening keeps this person, so the vote counts"),
}
_PAIRS: Columns = {
    "study": STUDY,
    "source": SOURCE,
    "pair": PAIR,
    "image_id": (TEXT, PAIRS["image_id"]),
    "model": (TEXT, PAIRS["model"]),
    "degradation": (REAL, PAIRS["degradation"]),
    "gt_file": (TEXT, PAIRS["gt_file"]),
    "sr_file": (TEXT, PAIRS["sr_file"]),
    "n_all": (INT, "votes before screening"),
    "score_all": (REAL, "mean of these votes"),
    "n_valid": (INT, "votes that count"),
    "n_yes": (INT, "those that say the content changed"),
    "score": (REAL, "n_yes / n_valid in [0, 1], higher = more people saw a change; empty without a vote"),
    "wilson_lo": (REAL, "lower end of the 95 % Wilson interval of the score"),
    "wilson_hi": (REAL, "upper end"),
    "jeffreys_lo": (REAL, "lower end of the 95 % Jeffreys interval"),
    "jeffreys_hi": (REAL, "upper end"),
    "status": (TEXT, "complete: at least votes_per_pair valid votes | incomplete: not to be used as a score"),
}
_PARTICIPANTS: Columns = {
    "study": STUDY,
    **{n: (TIME if n in ("created", "consented", "finished") else TEXT, m) for n, m in PARTICIPANTS.items()},
    "number": (INT, PARTICIPANTS["number"]),
    "passed": (FLAG, PARTICIPANTS["passed"]),
    "counted": (FLAG, PARTICIPANTS["counted"]),
    **{n: (MAYBE_INT, PARTICIPANTS[n]) for n in ("viewport_w", "viewport_h", "screen_w", "screen_h")},
    "dpr": (REAL, PARTICIPANTS["dpr"]),
    "touch": (MAYBE_FLAG, PARTICIPANTS["touch"]),
    "votes": (INT, "answers to pairs"),
    "yes_rate": (REAL, "share of them that say the content changed"),
    "median_rt_ms": (REAL, "median active reaction time; empty for fewer than 20 times"),
    "fast_share": (REAL, "share of reaction times below 400 ms; empty for fewer than 20 times"),
    "longest_run": (INT, "most equal answers in a row, traps counted in"),
    "traps": (INT, "traps seen"),
    "traps_failed": (INT, "traps answered wrongly"),
    "agreement": (REAL, "correlation with the others' mean answers; empty for fewer than 20 answers or equal ones"),
    "sensitivity": (REAL, "P(yes | changed) by Dawid-Skene, whose classes are not the score; empty below 20 answers"),
    "specificity": (REAL, "P(no | not changed), likewise"),
    "informedness": (REAL, "sensitivity + specificity - 1"),
    "bias": (REAL, "logistic model: strength of change at which the person says yes half of the time, 0 = as others"),
    "slope": (REAL, "logistic model: how sharply the person tells pairs apart, near 0 = at random"),
    "bt500": (
        FLAG,
        "True: the kurtosis rule of BT.500 would reject; information only, it is not made for yes/no answers",
    ),
    "flags": (TEXT, "screening rules that fired, joined by a space; few_traps: saw too few traps to tell"),
    "keep": (FLAG, "True: the votes count"),
}
_TRAPS: Columns = {
    "study": STUDY,
    "source": SOURCE,
    "pair": (TEXT, TRAPS["pair"]),
    "kind": (TEXT, TRAPS["kind"]),
    "answer": (INT, TRAPS["answer"]),
    "gt_file": (TEXT, TRAPS["gt_file"]),
    "sr_file": (TEXT, TRAPS["sr_file"]),
    "n": (INT, "answers"),
    "n_failed": (INT, "wrong ones"),
    "n_kept": (INT, "answers of people whose votes count"),
    "n_failed_kept": (INT, "wrong ones of them; many mean that the trap is unfair"),
}
_SCREENING: Columns = {
    "study": STUDY,
    "version": (TEXT, "version of the rules"),
    "participant": (TEXT, "opaque random name"),
    "rule": (TEXT, "name of the rule; summary.json tells what it flags"),
    "value": (REAL, "what the rule looked at (traps: number failed); empty if unknown"),
    "flagged": (FLAG, "True: the rule fired, or traps were too few to tell"),
    "excludes": (FLAG, "True: the rule was chosen to exclude people"),
    "keep": (FLAG, "False: this rule leaves the person's votes out"),
    "reason": (TEXT, "a few words, empty when nothing is to be said"),
}
_RECRUIT: Columns = {"study": STUDY, **{name: (TEXT, meaning) for name, meaning in RECRUIT.items()}}
TABLES: dict[str, Columns] = {
    "votes": _VOTES, "pairs": _PAIRS, "participants": _PARTICIPANTS, "traps": _TRAPS, "screening": _SCREENING,
    "recruit": _RECRUIT,
}  # fmt: skip
# rows are sorted by these
ORDER = {
    "votes": ["participant", "order_index", "pair"], "pairs": ["pair"], "participants": ["number", "participant"],
    "traps": ["pair"], "screening": ["participant", "rule"], "recruit": ["participant"],
}  # fmt: skip


def shaped(table: "pd.DataFrame", name: str) -> "pd.DataFrame":
    """The rows of an export's table in its columns, types and order; times come as ms UTC.

    Raises HlfError naming the table and the column that is missing or does not fit its type.
    """
    import pandas as pd

    made: dict[str, pd.Series] = {}
    for column, (kind, _) in TABLES[name].items():
        if column not in table:
            raise HlfError(f"export table '{name}' lacks column '{column}'; it has {list(table)}")
        values = table[column]
        try:
            if kind == TIME:
                made[column] = values.map(iso_time).astype("str")
            elif kind == TEXT:
                # missing text is empty in CSV and Parquet alike
                made[column] = values.astype(object).where(values.notna(), "").map(str).astype("str")
            elif kind == MAYBE_INT:
                made[column] = pd.to_numeric(values).round().astype("Int64")
            elif kind == MAYBE_FLAG:
                made[column] = values.astype("boolean")
            else:
                made[column] = values.astype(kind)  # type: ignore[call-overload]
        except (TypeError, ValueError) as error:
            raise HlfError(f"export table '{name}', column '{column}': not all values are a {WORDS[kind]}") from error
    order = ORDER[name]
    return pd.DataFrame(made).sort_values(order, kind="stable").reset_index(drop=True)


def iso_time(milliseconds: float | None) -> str:
    """ISO 8601 text in UTC with milliseconds of a time in ms since 1970; "" when missing.

    >>> iso_time(1767225600123)
    '2026-01-01T00:00:00.123Z'
    """
    from datetime import UTC, datetime, timedelta

    if milliseconds is None or milliseconds != milliseconds:
        return ""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(milliseconds))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def dictionary_text(names: list[str]) -> str:
    """Markdown page that tells the columns of the named tables."""
    lines = [
        "# Data dictionary",
        "",
        "Every table stands there twice, as CSV (UTF-8) and as Parquet, with the same columns and rows.",
        "In the CSV, a text that begins with one of = + - @, a tab or a line break has a ' before it, so that no",
        "spreadsheet runs it as a formula; the Parquet file has the text as it is.",
    ]
    for name in names:
        lines += ["", f"## {name}", "", *dictionary_rows(TABLES[name])]
    return "\n".join(lines) + "\n"


def dictionary_rows(columns: Columns) -> list[str]:
    """Markdown table that tells columns."""
    lines = ["| Column | Type | Meaning |", "|---|---|---|"]
    for column, (kind, meaning) in columns.items():
        lines.append(f"| {column} | {WORDS.get(kind, kind)} | {meaning.replace('|', chr(92) + '|')} |")
    return lines
