"""The export folder of a study: tables as CSV and Parquet, a summary, a datasheet and a data dictionary.

The same study gives the same bytes: rows are sorted, random numbers are seeded, and no time of export stands inside.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.files import atomic, write_json, write_table, write_text
from hlf.study.results import flags as rules_of
from hlf.study.results.data import StudyData, check, only_source, source_of, sources_of, votes_of
from hlf.study.results.datasheet import datasheet
from hlf.study.results.dictionary import TABLES, TEXT, TIME, dictionary_text, shaped
from hlf.study.results.exported import read_export, to_sureal
from hlf.study.results.findings import findings
from hlf.study.results.summary import before_after

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["export_tables", "read_export", "to_sureal", "write_export"]

log = logging.getLogger(__name__)

# a spreadsheet runs a cell that begins like this
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
PAGES = ("summary.json", "datasheet.md", "data_dictionary.md")


def write_export(
    folder: str | Path,
    data: StudyData,
    *,
    allow_simulated: bool = False,
    with_recruit_ids: bool = False,
    source: str | None = None,
    n_boot: int = 10_000,
    splits: int = 1000,
) -> dict[str, Any]:
    """Write the export folder of a study, whole or not at all; an earlier export there is replaced.

    Args:
        folder: where to; missing, empty, or an earlier export.
        data: the study as it stands in the database.
        allow_simulated: also export votes that people did not give.
        with_recruit_ids: also write table `recruit`, which tells who a participant is on the recruiting site.
        source: whose votes, where a study holds several sources; they are never averaged.
        n_boot: resamples of every bootstrap.
        splits: random splits behind the human ceiling.

    Returns:
        The summary, as it stands in summary.json.

    Raises:
        HlfError: a source other than people without `allow_simulated`, several sources and none named, no vote, tables
            that contradict each other, or a folder that holds something else.
    """
    check(data)
    data = _one_source(data, source)
    chosen = source_of(data)
    if chosen != "human" and not allow_simulated:
        raise HlfError(
            f"the votes of study '{data.study}' are {chosen}: they test the software and say nothing about any SR "
            "model or any person; export them with --allow-simulated (allow_simulated=True) if that is what you want"
        )
    folder = Path(folder)
    _refuse_other_folder(folder)
    votes, flags, tables = export_tables(data)
    if not with_recruit_ids:
        del tables["recruit"]
    summary = findings(data, votes, tables["pairs"], flags, n_boot, splits)
    with atomic(folder) as tmp:
        tmp.mkdir()
        for name, table in tables.items():
            write_table(table, tmp / f"{name}.parquet")
            write_table(without_formulas(table, name), tmp / f"{name}.csv")
        write_json(tmp / "summary.json", summary)
        write_text(tmp / "datasheet.md", datasheet(summary, with_recruit_ids))
        write_text(tmp / "data_dictionary.md", dictionary_text(list(tables)))
    return summary


def export_tables(data: StudyData) -> "tuple[pd.DataFrame, pd.DataFrame, dict[str, pd.DataFrame]]":
    """Votes with `valid`, the screening behind it, and the tables of the export by name.

    Args:
        data: a study of one source.

    Returns:
        Table `votes` as the pipeline knows it, with reaction times; rows of `flags.flag_people`; and the tables of
        `dictionary.TABLES`.

    Raises:
        HlfError: as `data.votes_of`.
    """
    votes = votes_of(data)
    measures = rules_of.measure_people(votes)
    flags = rules_of.judge(measures, data.rules)
    _tell_server_differs(data, flags)
    votes = rules_of.apply_flags(votes, flags)
    tables = {
        "votes": _votes(data, votes),
        "pairs": _pairs(data, votes),
        "participants": _participants(data, votes, measures, flags),
        "traps": _traps(data, votes),
        "screening": flags.assign(excludes=flags["rule"].isin(data.rules)),
        "recruit": data.recruit,
    }
    return votes, flags, {name: shaped(table.assign(study=data.study), name) for name, table in tables.items()}


def _tell_server_differs(data: StudyData, flags: "pd.DataFrame") -> None:
    """Warn when the server counts other people than the rules keep: its pairs may then be short of valid votes."""
    kept = rules_of.people_kept(flags)
    counted = data.participants.set_index("participant")["counted"].astype(bool).reindex(kept.index)
    other = kept.index[kept != counted]
    if len(other):
        log.warning(
            "study '%s': the server's count of %d people, such as %s, differs from the screening of this export; "
            "run `hlf study screen`", data.study, len(other), other[0],
        )  # fmt: skip


def _one_source(data: StudyData, source: str | None) -> StudyData:
    found = sources_of(data)
    if source is not None and source not in found:
        raise HlfError(f"study '{data.study}' has no votes of source '{source}'; it has {found}")
    part = data if source is None else only_source(data, source)
    if part.votes.empty:
        raise HlfError(f"study '{data.study}' holds no vote yet; there is nothing to export")
    return part


def _refuse_other_folder(folder: Path) -> None:
    """HlfError when a folder, which would be replaced, holds a file that no export has."""
    known = {*PAGES, *(f"{name}{ending}" for name in TABLES for ending in (".csv", ".parquet"))}
    if folder.exists() and not folder.is_dir():
        raise HlfError(f"{folder} is a file; give a folder for the export")
    others = sorted(p.name for p in folder.iterdir() if p.name not in known) if folder.is_dir() else []
    if others:
        raise HlfError(f"{folder} holds {others[0]}, which is no part of an export; give an empty or new folder")


def without_formulas(table: "pd.DataFrame", name: str) -> "pd.DataFrame":
    """The table as its CSV has it: a ' before texts that a spreadsheet would run, and line breaks of one kind."""
    safe = table.copy()
    for column, (kind, _) in TABLES[name].items():
        if kind in (TEXT, TIME):
            safe[column] = safe[column].map(_safe).astype("str")
    return safe


def _safe(text: str) -> str:
    marked = f"'{text}" if text.startswith(FORMULA) else text
    # a lone carriage return would end the row in some readers
    return marked.replace("\r\n", "\n").replace("\r", "\n")


def _votes(data: StudyData, votes: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    files = ["pair", "gt_file", "sr_file", "model", "degradation"]
    shown = pd.concat([data.pairs[files], data.traps[files[:3]].assign(model="", degradation=float("nan"))])
    shown = shown.astype({"pair": "str", "degradation": "float64"})
    return votes.rename(columns={"pair_id": "pair"}).merge(shown, on="pair", how="left", validate="many_to_one")


def _pairs(data: StudyData, votes: "pd.DataFrame") -> "pd.DataFrame":
    """Every pair with its scores before and after screening, intervals and status."""
    import pandas as pd

    from hlf.stats import jeffreys, wilson

    scores = before_after(votes).rename(columns={"pair_id": "pair"})
    table = data.pairs.astype({"pair": "str"}).merge(scores, on="pair", how="left", validate="one_to_one")
    counts = ["n_all", "n_yes_all", "n_valid", "n_yes"]
    table[counts] = table[counts].fillna(0).astype("int64")
    for name, interval in (("wilson", wilson), ("jeffreys", jeffreys)):
        # nothing is known of a pair without votes
        ends = [interval(k, n) if n else (0.0, 1.0) for k, n in zip(table["n_yes"], table["n_valid"], strict=True)]
        table[[f"{name}_lo", f"{name}_hi"]] = pd.DataFrame(ends, index=table.index, columns=["lo", "hi"])
    table["status"] = ["complete" if n >= data.votes_per_pair else "incomplete" for n in table["n_valid"]]
    return table.assign(source=source_of(data))


def _participants(
    data: StudyData, votes: "pd.DataFrame", measures: "pd.DataFrame", flags: "pd.DataFrame"
) -> "pd.DataFrame":
    """Everybody who consented, with what the statistics say of them."""
    import pandas as pd

    from hlf.stats.answers import Answers
    from hlf.stats.latent import person_bias
    from hlf.stats.people import bt500

    people = rules_of.person_table(measures, flags)
    if not votes["is_trap"].all():
        answers = Answers.of(votes, only_valid=False)
        bias, rejection = person_bias(answers), bt500(answers)
        fitted = {"participant": answers.people, "bias": bias.bias, "slope": bias.slope, "bt500": rejection.rejected}
        people = people.merge(pd.DataFrame(fitted), on="participant", how="left")
    else:
        people = people.assign(bias=float("nan"), slope=float("nan"), bt500=False)
    table = data.participants.astype({"participant": "str"}).merge(people, on="participant", how="left")
    nothing = {"votes": 0, "longest_run": 0, "traps": 0, "traps_failed": 0, "flags": "", "keep": True, "bt500": False}
    for column, value in nothing.items():
        table[column] = table[column].astype(object).where(table[column].notna(), value)
    return table


def _traps(data: StudyData, votes: "pd.DataFrame") -> "pd.DataFrame":
    """Every trap with how often it was seen and failed."""
    seen = votes[votes["is_trap"]]
    seen = seen.assign(failed=seen["answer"] != seen["trap_answer"], pair=seen["pair_id"])
    table = data.traps.astype({"pair": "str"})
    for ending, part in (("", seen), ("_kept", seen[seen["valid"]])):
        tally = part.groupby("pair")["failed"].agg(["size", "sum"])
        table[f"n{ending}"] = table["pair"].map(tally["size"]).fillna(0).astype("int64")
        table[f"n_failed{ending}"] = table["pair"].map(tally["sum"]).fillna(0).astype("int64")
    return table.assign(source=source_of(data))
