"""Numbers behind the findings on scores and SR models: comparisons with intervals, or a reason for none."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hlf.paper import style
from hlf.paper.findings_measures import compared
from hlf.paper.findings_verdict import Comparison
from hlf.paper.tables import need
from hlf.stats.means import resampled_means
from hlf.stats.resampling import draw_groups

if TYPE_CHECKING:
    import pandas as pd

# least agreement from which Krippendorff (2004) lets one draw even tentative conclusions
KRIPPENDORFF = 0.667


def complete(scores: "pd.DataFrame") -> "pd.DataFrame":
    """Pairs with a complete score by pair id, with `share` = 1 where fewer than half of the viewers saw a change."""
    need(scores, ("pair_id", "image_id", "model", "score", "n_yes", "n_valid", "status"), "scores")
    some = scores[scores["status"] == "complete"].sort_values("pair_id").reset_index(drop=True)
    return some.assign(share=(2 * some["n_yes"] < some["n_valid"]).astype(float))


def u_shape(pairs: "pd.DataFrame", n_boot: int, seed: int) -> Comparison:
    """The smaller end less the middle: shares of pairs with fewer than 1/3, more than 2/3, and others, who said yes.

    Of 13 shares that 12 votes can give, 4 lie in each end and 5 in the middle, so even votes give less than 0.

    Args:
        pairs: of `complete`.
        n_boot: resamples over GT images.
        seed: the run's seed.
    """
    yes, votes = pairs["n_yes"].to_numpy(), pairs["n_valid"].to_numpy()
    low, high = (end.astype(float) for end in (3 * yes < votes, 3 * yes > 2 * votes))

    def make() -> tuple[float, np.ndarray]:
        """Smaller share of the two ends less the share of the middle, and its resamples (n_boot,)."""
        draws = draw_groups(pairs["image_id"].tolist(), n_boot, seed)
        drawn = [resampled_means(v, draws) for v in (low, high, 1 - low - high)]
        value = min(low.mean(), high.mean()) - (1 - low - high).mean()
        return float(value), np.minimum(drawn[0], drawn[1]) - drawn[2]

    return compared(make, "the smaller end less the middle", len(pairs))


def agreement(table: "pd.DataFrame") -> Comparison:
    """Krippendorff's alpha of table `agreement` against KRIPPENDORFF."""
    row = table[table["statistic"] == "Krippendorff's alpha"].iloc[0]
    value, low, high = (float(row[c]) for c in ("value", "value_low", "value_high"))
    reason = str(row["status"]) if math.isnan(low) else ""
    return Comparison("Krippendorff's alpha", value, low, high, int(row["n"]), limit=KRIPPENDORFF, reason=reason)


def mean_of(
    table: "pd.DataFrame", column: str, model: str, limit: float, name: str, n_boot: int, seed: int
) -> Comparison:
    """Mean of a column over the rows of one SR model, claimed above a limit.

    Args: table with columns image_id, model and `column`; the others as in `gap`.
    """
    some = table[table["model"] == model]

    def make() -> tuple[float, np.ndarray]:
        """Mean of the column, and its resamples (n_boot,)."""
        values = some[column].to_numpy(float)
        draws = draw_groups(some["image_id"].tolist(), n_boot, seed)
        return float(values.mean()), resampled_means(values, draws)

    return compared(make, name, len(some), limit=limit)


def gap(
    table: "pd.DataFrame",
    column: str,
    first: Sequence[str],
    second: Sequence[str],
    n_boot: int,
    seed: int,
    weight: str | None = None,
    **more: Any,
) -> Comparison:
    """Mean of the first SR models' means less that of the second ones'; both are resampled with the same GT images.

    Args:
        table: columns image_id, model, `column` and, where given, `weight`.
        column: values to compare, any unit.
        first: SR models, each with a row at least.
        second: the same.
        n_boot: resamples over GT images.
        seed: the run's seed.
        weight: column of weights; None for rows that count alike.
        more: further fields of the Comparison.
    """
    used = table[table["model"].isin([*first, *second])]
    values = used[column].to_numpy(float)
    weights = np.ones(len(used)) if weight is None else used[weight].to_numpy(float)
    mine = {m: (used["model"] == m).to_numpy() for m in (*first, *second)}

    def make() -> tuple[float, np.ndarray]:
        """Difference of the two sides' mean values, and its resamples (n_boot,)."""
        draws = draw_groups(used["image_id"].tolist(), n_boot, seed)
        value = {m: float(np.average(values[i], weights=weights[i])) for m, i in mine.items()}
        drawn = {m: resampled_means(values[i], draws.only(i), weights[i]) for m, i in mine.items()}
        ends = [np.mean([value[m] for m in part]) for part in (first, second)]
        return float(ends[0] - ends[1]), np.mean([drawn[m] for m in first], axis=0) - np.mean(
            [drawn[m] for m in second], axis=0
        )

    name = " less ".join(" and ".join(style.model_name(m) for m in part) for part in (first, second))
    return compared(make, name, len(used), "pairs" if "pair_id" in table else "pictures", **more)


def weighted_back(pairs: "pd.DataFrame", chosen: "pd.DataFrame", strata: "pd.DataFrame") -> "pd.DataFrame":
    """Scored pairs with the number of candidates that each stands for, column `stands_for`.

    The sampling takes pairs of an SR model from bins of similarity, few of many in some bins and all in others; a pair
    stands for (candidates of its bin) / (pairs taken from it).

    Args:
        pairs: of `complete`.
        chosen: table `pairs`.
        strata: table `strata`.
    """
    share = strata.assign(stands_for=strata["available"] / strata["taken"].where(strata["taken"] > 0))
    bins = chosen[["pair_id", "bin"]].merge(pairs, on="pair_id")
    return bins.merge(share[["model", "bin", "stands_for"]], on=["model", "bin"], how="left")
