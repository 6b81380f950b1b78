"""Tables on the votes themselves (paper 3.1): how far people agree, and what is known of each of them."""

from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.paper.tables import need

if TYPE_CHECKING:
    import pandas as pd

AGREEMENT_TITLE = "Agreement: how consistent the votes are"
AGREEMENT_READING = (
    "All complete pairs, valid votes only, with 95 % bootstrap intervals over GT images. Alpha and kappa are 1 for "
    "full agreement and 0 for what chance alone would give; Fleiss' kappa exists only where every pair has equally "
    "many votes. ICC(1) is the reliability of one vote, ICC(1,k) that of a pair's score. Equal answers is how often "
    "two people give a pair the same answer. The human ceiling is the correlation that the scores would have with "
    "those of as many new people (split halves, Spearman-Brown), here of all pairs; Tables 2 and 3 have that of the "
    "test part."
)
OBSERVERS_TITLE = "Observers: what is known of each person"
OBSERVERS_HEADINGS = {"median_s": "Median time (s)"}
OBSERVERS_READING = (
    "First people whose votes do not count, then flagged ones. Unless a study chose more rules, only failed traps make "
    "votes not count; other flags are information, and no vote is deleted. Agreement is the correlation with the mean "
    "answers of the others; sensitivity and specificity are those of the Dawid-Skene model, which takes a pair for "
    "either changed or not and gives no score. A dash: too few answers to tell, or all alike."
)
NAMES = {
    "alpha": "Krippendorff's alpha",
    "kappa": "Fleiss' kappa",
    "icc1": "ICC(1)",
    "icck": "ICC(1,k)",
    "percent": "Equal answers",
}
_VOTES = ("participant", "pair_id", "is_trap", "trap_answer", "answer", "order_index", "source", "valid")


def complete_votes(votes: "pd.DataFrame", scores: "pd.DataFrame") -> "pd.DataFrame":
    """Votes to pairs with a complete score, and to traps.

    Raises:
        HlfError: a missing column, an empty table, or no complete pair.
    """
    need(votes, _VOTES, "votes")
    need(scores, ("pair_id", "status"), "scores")
    complete = scores.loc[scores["status"] == "complete", "pair_id"]
    if complete.empty:
        raise HlfError("no pair has a complete score, so nothing can be said about the votes; collect more of them")
    return votes[votes["is_trap"] | votes["pair_id"].isin(complete)]


def agreement(votes: "pd.DataFrame", scores: "pd.DataFrame", n_boot: int, splits: int, seed: int) -> "pd.DataFrame":
    """How far people agree on the complete pairs.

    Args:
        votes: table `votes`, one source.
        scores: table `scores`.
        n_boot: resamples over GT images.
        splits: random splits of the votes behind the human ceiling.
        seed: the run's seed.

    Returns:
        Columns statistic, value, value_low, value_high, n (pairs), votes, status: one row per statistic of
        `stats.raters.rater_agreement`, then the human ceiling as SRCC and PLCC. What is undefined is NaN, and `status`
        says why.

    Raises:
        HlfError: as `complete_votes`.
    """
    import pandas as pd

    from hlf import stats
    from hlf.stats.answers import Answers
    from hlf.stats.raters import rater_agreement

    used = complete_votes(votes, scores)
    answers = Answers.of(used)
    size: dict[str, Any] = {"n": len(answers.pairs), "votes": len(answers.yes)}
    nothing = dict.fromkeys(("value", "value_low", "value_high"), float("nan"))
    rows = []
    try:
        found = rater_agreement(answers, n_boot, seed)
        for key, name in NAMES.items():
            one = getattr(found, key)
            values = {"value": one.value, "value_low": one.low, "value_high": one.high}
            rows.append({"statistic": name, **values, **size, "status": one.status})
    except HlfError as error:
        rows = [{"statistic": n, **nothing, **size, "status": f"undefined: {error}"} for n in NAMES.values()]
    ceiling, status = None, "ok"
    try:
        ceiling = stats.human_ceiling(used, splits, seed, n_boot)
    except HlfError as error:
        status = f"undefined: {error}"
    for key in ("srcc", "plcc"):
        values = nothing
        if ceiling is not None:
            one = getattr(ceiling, key)
            values = {"value": one.full, "value_low": one.low, "value_high": one.high}
        rows.append({"statistic": f"Human ceiling, {key.upper()}", **values, **size, "status": status})
    return pd.DataFrame(rows)


def observers(votes: "pd.DataFrame") -> "pd.DataFrame":
    """One row per person: excluded people first, then flagged ones, each group by name.

    Args:
        votes: table `votes`, one source; with a column rt_active_ms, the median reaction time is shown too.

    Returns:
        Columns participant, counted ("yes" | "no"), votes, yes_rate, traps, traps_failed, agreement, sensitivity,
        specificity, median_s (of the reaction time, in s) where known, flags (names of rules of `study.flags`).

    Raises:
        HlfError: a missing column, an empty table, or as `study.flags.measure_people`.
    """
    from hlf.study.results.flags import judge, measure_people, person_table

    need(votes, _VOTES, "votes")
    measures = measure_people(votes)
    table = person_table(measures, judge(measures))
    # what counts is what the study decided, which may have switched on more rules
    kept = votes.groupby("participant")["valid"].all().reindex(table["participant"]).to_numpy(dtype=bool)
    table["counted"] = ["yes" if keep else "no" for keep in kept]
    table["place"] = kept * 2 + (table["flags"] == "")
    columns = ["participant", "counted", "votes", "yes_rate", "traps", "traps_failed", "agreement", "sensitivity"]
    table["median_s"] = table["median_rt_ms"] / 1000
    columns += ["specificity", *(["median_s"] if table["median_s"].notna().any() else []), "flags"]
    return table.sort_values(["place", "participant"])[columns].reset_index(drop=True)
