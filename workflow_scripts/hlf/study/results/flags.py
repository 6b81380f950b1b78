"""Signs of careless people in a table of votes: a pure function votes -> one row per person and rule.

Only the trap rule (`screening.passes`) excludes unless the owner switches others on before data collection. Raw votes
stay; a changed rule changes VERSION, which stands in every row. The kurtosis rejection of BT.500 is no rule here
(`hlf.stats.people.bt500` tells why).
"""

import logging
import operator
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.study import screening

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

VERSION = f"{screening.RULE}+flags-1"
# rule -> what it flags
RULES = {
    "traps": "fails its traps consistently",
    "median_rt": "median active reaction time below 600 ms",
    "fast_share": "more than 20 % of the answers within 400 ms",
    "same_answer": "25 or more equal answers in a row",
    "agreement": "correlation with the mean of the others below 0.2",
    "informedness": "sensitivity + specificity - 1 below 0.2",
}
DEFAULT_RULES = ("traps",)
FAST_MS = 400.0


@dataclass(frozen=True)
class Limit:
    """A rule that compares one column of `measure_people` with a limit; `words` tell the value."""

    column: str
    fires: Callable[[float, float], bool]
    value: float
    words: str


# our simulation of careless people separates them by a correlation of 0.35; 0.2 spares the odd but honest ones
LIMITS = {
    "median_rt": Limit("median_rt_ms", operator.lt, 600.0, "median {:.0f} ms"),
    "fast_share": Limit("fast_share", operator.gt, 0.2, "{:.0%} within 400 ms"),
    "same_answer": Limit("longest_run", operator.ge, 25.0, "{:.0f} equal answers in a row"),
    "agreement": Limit("agreement", operator.lt, 0.2, "correlation {:.2f} with the others"),
    "informedness": Limit("informedness", operator.lt, 0.2, "informedness {:.2f}"),
}
# with fewer answers to pairs, chance decides a person's correlation, informedness and share of fast answers; our choice
MIN_ANSWERS = 20
COLUMNS = ("participant", "rule", "value", "flagged", "keep", "reason", "version")


def measure_people(votes: "pd.DataFrame") -> "pd.DataFrame":
    """What the rules look at, one row per person, sorted by name.

    Args:
        votes: columns participant, pair_id, is_trap, trap_answer, answer, order_index, source and, where known,
            rt_active_ms; of one source. `valid` is ignored: everybody is judged. Rows in any order.

    Returns:
        Columns participant, votes (to pairs), yes_rate, median_rt_ms, fast_share (of all trials with a reaction time),
        longest_run (of equal answers, traps counted in), traps, traps_failed, trap_note (of `screening.screen`),
        agreement (correlation with the mean answer of the others whom the trap rule keeps), sensitivity, specificity,
        informedness (the last three by Dawid-Skene). NaN: unknown, or too few answers to tell.

    Raises:
        HlfError: votes of several sources, or two of one person to one pair.
    """
    import numpy as np
    import pandas as pd

    judged = screening.screen(votes).set_index("participant")
    people = judged.index
    trials = votes[~votes["is_trap"]]
    table = pd.DataFrame(index=people)
    table["votes"] = trials.groupby("participant").size().reindex(people, fill_value=0)
    table["yes_rate"] = trials.groupby("participant")["answer"].mean().reindex(people).astype(float)
    known = votes[["participant"]].assign(rt=votes["rt_active_ms"].astype(float) if "rt_active_ms" in votes else np.nan)
    times = known.dropna().groupby("participant")["rt"]
    table["median_rt_ms"] = times.median().reindex(people)
    table["fast_share"] = times.agg(lambda rt: (rt < FAST_MS).mean()).reindex(people).astype(float)
    in_order = votes.sort_values(["participant", "order_index", "pair_id"]).groupby("participant")
    table["longest_run"] = in_order["answer"].agg(longest_run).reindex(people)
    table[["traps", "traps_failed", "trap_note"]] = judged[["traps", "failed", "flag"]]
    table = table.join(_against_others(votes, judged["keep"]))
    few = table["votes"] < MIN_ANSWERS
    unsure = ["agreement", "sensitivity", "specificity", "informedness"]
    table.loc[few, unsure] = np.nan
    few_times = times.size().reindex(people, fill_value=0) < MIN_ANSWERS
    table.loc[few_times, ["median_rt_ms", "fast_share"]] = np.nan
    return table.rename_axis("participant").reset_index()


def longest_run(answers: "Iterable[int]") -> int:
    """Length of the longest run of equal answers.

    >>> longest_run([0, 1, 1, 1, 0]), longest_run([])
    (3, 0)
    """
    from itertools import groupby

    return max((sum(1 for _ in run) for _, run in groupby(answers)), default=0)


def _against_others(votes: "pd.DataFrame", kept: "pd.Series[bool]") -> "pd.DataFrame":
    """Columns agreement, sensitivity, specificity, informedness of everybody who answered a pair."""
    import pandas as pd

    from hlf.stats.answers import Answers
    from hlf.stats.latent import dawid_skene
    from hlf.stats.people import leave_one_out

    columns = ["agreement", "sensitivity", "specificity", "informedness"]
    if votes["is_trap"].all():
        return pd.DataFrame(columns=columns, dtype=float)
    answers = Answers.of(votes, only_valid=False)
    table = pd.DataFrame(index=answers.people, columns=columns, dtype=float)
    table["agreement"] = leave_one_out(answers, kept.reindex(answers.people).to_numpy(dtype=bool))
    try:
        found = dawid_skene(answers)
    except HlfError as error:
        log.warning("sensitivity and specificity of people are unknown: %s", error)
        return table
    table["sensitivity"], table["specificity"] = found.sensitivity, found.specificity
    return table.assign(informedness=found.sensitivity + found.specificity - 1)


def flag_people(votes: "pd.DataFrame", rules: "Iterable[str]" = DEFAULT_RULES) -> "pd.DataFrame":
    """Judge every person by every rule; a pure function of the votes, whatever their order.

    Args:
        votes: see `measure_people`.
        rules: names of RULES that exclude a person; the others only flag.

    Returns:
        Columns COLUMNS, one row per person and rule, sorted by person and in the order of RULES. value: what the rule
        looked at (traps: number failed), NaN when unknown; flagged: the rule fires, or, of traps, cannot decide; keep:
        False where it fires and excludes; reason: a few words, empty when nothing is to be said.

    Raises:
        HlfError: an unknown rule, and as `measure_people`.
    """
    return judge(measure_people(votes), rules)


def judge(measures: "pd.DataFrame", rules: "Iterable[str]" = DEFAULT_RULES) -> "pd.DataFrame":
    """`flag_people` from the table of `measure_people`."""
    import pandas as pd

    excluding = tuple(rules)
    unknown = sorted(set(excluding) - set(RULES))
    if unknown:
        raise HlfError(f"unknown screening rules {unknown}; expected some of {list(RULES)}")
    rows = []
    for person in measures.to_dict("records"):
        for rule in RULES:
            value, flagged, out, reason = _verdict(rule, person)
            keep = not (out and rule in excluding)
            rows.append((str(person["participant"]), rule, value, flagged, keep, reason, VERSION))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"value": float, "flagged": bool, "keep": bool})


def _verdict(rule: str, person: "dict[Hashable, Any]") -> tuple[float, bool, bool, str]:
    """Value of a rule for a person, whether it is flagged, whether that is enough to leave the person out, and why."""
    if rule == "traps":
        note, failed = str(person["trap_note"]), int(person["traps_failed"])
        return failed, note != "", not screening.passes(int(person["traps"]), failed), note
    limit = LIMITS[rule]
    value = float(person[limit.column])
    fires = bool(limit.fires(value, limit.value))  # nothing fires for NaN
    return value, fires, fires, limit.words.format(value) if fires else ""


def people_kept(flags: "pd.DataFrame") -> "pd.Series":
    """Whether each person's votes count: True where every rule keeps them; index participant, sorted."""
    return flags.groupby("participant")["keep"].all()


def apply_flags(votes: "pd.DataFrame", flags: "pd.DataFrame") -> "pd.DataFrame":
    """The same votes with `valid` set: True in every row, traps too, of a person whom all rules keep."""
    return votes.assign(valid=votes["participant"].map(people_kept(flags)).astype(bool))


def person_table(measures: "pd.DataFrame", flags: "pd.DataFrame") -> "pd.DataFrame":
    """Rows of `measure_people` with flags and keep.

    flags: names of the rules that fired, joined by a space; few_traps for people who saw too few to tell.
    """
    undecided = {
        str(row["participant"])
        for row in measures.to_dict("records")
        if row["trap_note"] and screening.passes(int(row["traps"]), int(row["traps_failed"]))
    }
    fired = flags[flags["flagged"]]
    few = (fired["rule"] == "traps") & fired["participant"].isin(undecided)
    words = fired["rule"].where(~few, "few_traps").groupby(fired["participant"]).agg(" ".join)
    people = measures["participant"]
    return measures.drop(columns="trap_note").assign(
        flags=people.map(words).fillna("").astype(str).to_numpy(),
        keep=people.map(people_kept(flags)).to_numpy(dtype=bool),
    )


def touched(votes: "pd.DataFrame", flags: "pd.DataFrame") -> "pd.DataFrame":
    """How much each rule touches, whether or not it excludes, in the order of RULES.

    Returns:
        Columns rule, meaning, people_flagged, votes_flagged (their votes to pairs), pairs_flagged (the pairs of these
        votes), people_excluded, votes_excluded, pairs_excluded.
    """
    import pandas as pd

    trials, rows = votes[~votes["is_trap"]], []
    for rule, meaning in RULES.items():
        own = flags[flags["rule"] == rule]
        row: dict[str, Any] = {"rule": rule, "meaning": meaning}
        for ending, people in (("flagged", own[own["flagged"]]), ("excluded", own[~own["keep"]])):
            theirs = trials[trials["participant"].isin(people["participant"])]
            row |= {f"people_{ending}": len(people), f"votes_{ending}": len(theirs)}
            row[f"pairs_{ending}"] = theirs["pair_id"].nunique()
        rows.append(row)
    return pd.DataFrame(rows)
