"""Tables beside Tables 2 and 3: which rows differ from each other, and how far people agree with people."""

from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.paper.tables import need, part_scores
from hlf.stats.correlation import MIN_PAIRS

if TYPE_CHECKING:
    import pandas as pd

    from hlf.stats import Ceiling

COMPARISONS_READING = (
    "Difference of the absolute SRCC of two rows on the pairs that both measured, with its 95 % bootstrap interval "
    "over GT images; all rows share the resamples. p Holm is the two-sided bootstrap p after Holm's correction over "
    "all comparisons of this table, and the verdict calls a row better where it is below 0.05. p Williams, "
    "uncorrected and on ranks, takes all pairs for independent, which those of one GT image are not."
)
CEILING_READING = (
    "Half is the mean correlation of two random halves of each pair's votes. Full steps it up to all votes "
    "(Spearman-Brown): what as many new people would reach, with its 95 % bootstrap interval over GT images. Truth is "
    "its square root, what the yes rate of endless votes would reach and no metric is expected to exceed."
)


def comparisons(
    values: "pd.DataFrame", scores: "pd.DataFrame", split: "pd.DataFrame", n_boot: int, seed: int
) -> "pd.DataFrame":
    """Every pair of rows of a correlation table, compared by |SRCC| on the test part.

    Args:
        values: tidy values as `tables.table2_values` and `tables.table3_values` give them, or both joined with
            `pandas.concat`; rows are compared in order of first appearance.
        scores: table `scores`.
        split: table `split`; only pairs of the test part are used.
        n_boot: least number of resamples over GT images (see `stats.compare_rows`).
        seed: the run's seed.

    Returns:
        Table of `stats.compare_rows`.

    Raises:
        HlfError: as `tables.correlation_table` and `stats.compare_rows`, such as fewer than two rows to compare.
    """
    from hlf import stats

    truth, wide = on_test_part(values, scores, split)
    if len(truth) < MIN_PAIRS or truth["image_id"].nunique() < 2:
        return _undefined([str(name) for name in wide], len(truth))
    return stats.compare_rows(wide, truth["score"].to_numpy(), truth["image_id"].tolist(), n_boot, seed)


def _undefined(names: list[str], pairs: int) -> "pd.DataFrame":
    """Every comparison of a test part that is too small for any, told in its status."""
    from itertools import combinations

    import pandas as pd

    numbers = ("srcc_difference", "srcc_difference_low", "srcc_difference_high", "p_bootstrap", "p_williams", "p_holm")
    told = {"n": pairs, "verdict": "undefined", "status": f"undefined: the test part holds {pairs} pairs, too few"}
    rows = [
        {"metric_a": a, "metric_b": b, **dict.fromkeys(numbers, float("nan")), **told}
        for a, b in combinations(names, 2)
    ]
    return pd.DataFrame(rows)


def on_test_part(
    values: "pd.DataFrame", scores: "pd.DataFrame", split: "pd.DataFrame"
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Test pairs with their score, sorted by pair_id, and in the same order the values, one column per metric.

    Raises HlfError when a metric has two values for one pair, and as `tables.part_scores`.
    """
    need(values, ("pair_id", "metric", "value"), "values")
    truth = part_scores(scores, split).sort_values("pair_id").reset_index(drop=True)
    twice = values[values.duplicated(["pair_id", "metric"])]
    if len(twice):
        raise HlfError(f"metric '{twice['metric'].iloc[0]}' has two values for one pair; expected one row per pair")
    names = list(dict.fromkeys(values["metric"]))
    wide = values.pivot(index="pair_id", columns="metric", values="value")
    return truth, wide.reindex(index=truth["pair_id"], columns=names).reset_index(drop=True)


def ceiling(votes: "pd.DataFrame", split: "pd.DataFrame", splits: int, seed: int) -> "pd.DataFrame":
    """Human ceiling of the test part, on which the metrics of Tables 2 and 3 are judged too.

    Args:
        votes: table `votes`, one source.
        split: table `split`; only pairs of the test part are used.
        splits: random splits of the votes, 1,000 by custom.
        seed: the run's seed.

    Returns:
        Rows SRCC and PLCC with columns correlation, half, full, full_low, full_high, truth, n (pairs), votes_fewest,
        votes_most, splits, status (see `stats.Agreement`). When there is none, values are NaN and `status` says why.

    Raises:
        HlfError: a missing column, an empty table, or no pair in the test part.
    """
    import pandas as pd

    from hlf import stats

    need(votes, ("pair_id", "participant", "answer", "is_trap", "valid", "source"), "votes")
    need(split, ("pair_id", "part"), "split")
    test = split.loc[split["part"] == "test", "pair_id"]
    if test.empty:
        raise HlfError("split holds no pair of part 'test'; make the split again with a larger test_share")
    try:
        found, status = stats.human_ceiling(votes[votes["pair_id"].isin(test)], splits, seed), "ok"
    except HlfError as error:
        found, status = None, f"undefined: {error}"
    rows = [
        {"correlation": name.upper(), **_agreement(found, name), "splits": splits, "status": status}
        for name in ("srcc", "plcc")
    ]
    return pd.DataFrame(rows)


def ceiling_sentence(table: "pd.DataFrame") -> str:
    """What the human ceiling is, for a note: the row SRCC of a table of `ceiling`."""
    row = table.set_index("correlation").loc["SRCC"]
    if row["status"] != "ok":
        return f"The human ceiling of these pairs is {row['status']}."
    return (
        f"Human ceiling of SRCC on these pairs: {row['full']:.4f} [{row['full_low']:.4f}, {row['full_high']:.4f}] is "
        f"what as many new votes would reach, {row['truth']:.4f} what no metric is expected to exceed."
    )


def _agreement(found: "Ceiling | None", name: str) -> dict[str, float]:
    columns = ("half", "full", "full_low", "full_high", "truth", "n", "votes_fewest", "votes_most")
    if found is None:
        return dict.fromkeys(columns, float("nan"))
    one = getattr(found, name)
    values = (one.half, one.full, one.low, one.high, one.truth, found.n, found.fewest, found.most)
    return dict(zip(columns, values, strict=True))
