"""What the summary of an export tells: counts, scores by model, agreement, ceiling, order, times, screening."""

import platform
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.study.results import flags as rules_of
from hlf.study.results.data import source_of
from hlf.study.results.summary import before_after, model_summary, order_means, positions, rt_by_score
from hlf.versions import package_versions

if TYPE_CHECKING:
    import pandas as pd

    from hlf.study.results.data import StudyData

SIMULATED = "These votes are simulated; they test the software and say nothing about any SR model or any person."
PACKAGES = ("hlf", "numpy", "pandas", "pyarrow", "scipy")


def warning_of(source: str) -> str:
    """Sentence that must stand beside numbers from votes of a source; empty for people, and before any vote."""
    if source in ("human", ""):
        return ""
    return SIMULATED if source == "simulated" else f"These answers come from {source}, not from people."


def findings(
    data: "StudyData", votes: "pd.DataFrame", pairs: "pd.DataFrame", flags: "pd.DataFrame", n_boot: int, splits: int
) -> dict[str, Any]:
    """The summary as plain JSON values; what is undefined is null, with the reason in a `status` beside it.

    Args:
        data: the study, of one source.
        votes: table `votes` with `valid`, as `data.votes_of` and `flags.apply_flags` make it.
        pairs: table `pairs` of the export.
        flags: of `flags.flag_people`.
        n_boot: resamples of every bootstrap.
        splits: random splits behind the human ceiling.
    """
    source = source_of(data)
    complete = pairs[pairs["status"] == "complete"]
    counted = votes[votes["pair_id"].isin(complete["pair"]) | votes["is_trap"]]
    models = dict(zip(complete["pair"], complete["model"], strict=True))
    lacking = "" if len(complete) else f"no pair has {data.votes_per_pair} valid votes yet"
    facts = {
        "format": 1,
        "study": data.study, "run": data.run, "title": data.title, "study_status": data.status, "source": source,
        "warning": warning_of(source), "seed": data.seed, "config_hash": data.config_hash,
        "settings": dict(data.settings), "votes_per_pair": data.votes_per_pair, "bootstrap": n_boot, "splits": splits,
        "versions": versions(),
    }  # fmt: skip
    found = {
        "counts": _counts(data, votes, pairs, flags),
        "votes_of_pairs": {str(n): int(k) for n, k in pairs["n_valid"].value_counts().sort_index().items()},
        "models": _or_reason(lambda: _rows(model_summary(counted, models, n_boot, data.seed)), lacking),
        "agreement": _or_reason(lambda: _agreement(counted, n_boot, data.seed), lacking),
        "ceiling": _or_reason(lambda: _ceiling(counted, splits, data.seed), lacking),
        "order": _orders(counted, models, n_boot, data.seed),
        "rt_by_score": _rows(rt_by_score(counted)),
        "screening": _screening(votes, flags, data.rules),
    }
    return plain({**facts, **found})


def versions() -> dict[str, str]:
    """Versions of Python and of the packages behind the numbers."""
    return {"python": platform.python_version(), **package_versions(PACKAGES)}


def _counts(data: "StudyData", votes: "pd.DataFrame", pairs: "pd.DataFrame", flags: "pd.DataFrame") -> dict[str, int]:
    trials, kept = votes[~votes["is_trap"]], rules_of.people_kept(flags)
    return {
        "declined": data.declined,
        "participants": len(data.participants),
        "people_with_votes": len(kept),
        "people_kept": int(kept.sum()),
        "people_excluded": int((~kept).sum()),
        "votes": len(trials),
        "valid_votes": int(trials["valid"].sum()),
        "trap_answers": int(votes["is_trap"].sum()),
        "late_votes": int(trials["late"].sum()),
        "revised_votes": int((trials["revisions"] > 0).sum()),
        "pairs": len(pairs),
        "complete_pairs": int((pairs["status"] == "complete").sum()),
    }


def _agreement(votes: "pd.DataFrame", n_boot: int, seed: int) -> dict[str, Any]:
    from dataclasses import asdict

    from hlf.stats.answers import Answers
    from hlf.stats.raters import rater_agreement

    return asdict(rater_agreement(Answers.of(votes), n_boot, seed))


def _ceiling(votes: "pd.DataFrame", splits: int, seed: int) -> dict[str, Any]:
    from dataclasses import asdict

    from hlf.stats import human_ceiling

    return asdict(human_ceiling(votes, splits, seed))


def _orders(votes: "pd.DataFrame", models: dict[str, str], n_boot: int, seed: int) -> dict[str, Any]:
    """Means by order of all models together and of each."""
    placed = votes.assign(position=positions(votes))
    parts = {"all models": placed}
    for model in sorted(set(models.values())):
        parts[model] = placed[placed["pair_id"].map(models) == model]
    return {name: _or_reason(lambda part=part: _rows(order_means(part, n_boot, seed))) for name, part in parts.items()}


def _screening(votes: "pd.DataFrame", flags: "pd.DataFrame", rules: tuple[str, ...]) -> dict[str, Any]:
    """What each rule touched, and how far the scores moved."""
    both = before_after(votes)
    moved = (both["score"] - both["score_all"]).abs().dropna()
    return {
        "version": rules_of.VERSION,
        "excluding": sorted(rules),
        "rules": _rows(rules_of.touched(votes, flags)),
        "pairs_moved": int((moved > 0).sum()),
        "mean_move": float(moved.mean()),
        "largest_move": float(moved.max()),
        "pairs_without_vote_left": int((both["n_valid"] == 0).sum()),
    }


def _rows(table: "pd.DataFrame") -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _or_reason(compute: Any, lacking: str = "") -> Any:
    """A result, or why there is none: an unfinished study has a summary, too."""
    if lacking:
        return {"status": f"undefined: {lacking}"}
    try:
        return compute()
    except HlfError as error:
        return {"status": f"undefined: {error}"}


def plain(value: Any) -> Any:
    """The same value in what JSON knows: numpy's numbers as Python's, NaN as null."""
    import numpy as np

    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and value != value else value
