"""Which pairs a reader should look at: the worst ones, and those about which HLF and an IQA metric disagree."""

from typing import TYPE_CHECKING

from hlf.errors import HlfError

if TYPE_CHECKING:
    import pandas as pd

PATHS = ("gt_path", "lr_path", "sr_path")


def worst_pairs(
    scores: "pd.DataFrame", pairs: "pd.DataFrame", metric_scores: "pd.DataFrame", backbone: str, n: int
) -> "pd.DataFrame":
    """The `n` pairs with the highest human score; equal scores by the lower PE-core similarity.

    Args:
        scores: table `scores`; incomplete pairs are left out.
        pairs: table `pairs`, for similarity and picture paths.
        metric_scores: table `metric_scores`; the tuned prediction of `backbone` is shown, NaN where there is none.
        backbone: configuration name of the backbone.
        n: rows at most.

    Returns:
        Columns pair_id, image_id, level, model, score, wilson_low, wilson_high, n_valid, similarity, gt_path, lr_path,
        sr_path, prediction, part; part says whether the prediction was made on a training or a test pair.

    Raises:
        HlfError: a scored pair is not in `pairs`.
    """
    table = scores.loc[
        scores["status"] == "complete",
        ["pair_id", "image_id", "level", "model", "score", "wilson_low", "wilson_high", "n_valid"],
    ]
    table = _joined(table, pairs, ["similarity", *PATHS])
    table = table.sort_values(["score", "similarity", "pair_id"], ascending=[False, True, True]).head(n)
    table = table.merge(_predictions(metric_scores, backbone), on="pair_id", how="left")
    table["part"] = table["part"].fillna("")
    return table.reset_index(drop=True)


def worst_tagged_pairs(
    scores: "pd.DataFrame",
    pairs: "pd.DataFrame",
    metric_scores: "pd.DataFrame",
    sr: "pd.DataFrame",
    backbone: str,
    n: int,
) -> "pd.DataFrame":
    """As `worst_pairs` for pairs whose SR model was told tags, with a column tags.

    Wrong tags are what the paper blames for SeeSR's failures (paper 3.2), so they belong beside its worst pictures.

    Args:
        scores: see `worst_pairs`, as are the next two.
        pairs: see there.
        metric_scores: see there.
        sr: table `sr`, for the tags; rows without tags do not count.
        backbone: configuration name of the backbone.
        n: rows at most.
    """
    told = sr.loc[sr["tags"].fillna("") != "", ["model", "image_id", "level", "tags"]]
    named = scores.merge(told, on=["model", "image_id", "level"])
    worst = worst_pairs(named, pairs, metric_scores, backbone, n)
    return worst.merge(named[["pair_id", "tags"]], on="pair_id")


def disagreements(
    metric_scores: "pd.DataFrame",
    iqa: "pd.DataFrame",
    scores: "pd.DataFrame",
    pairs: "pd.DataFrame",
    backbone: str,
    n: int,
    metric: str = "vif",
) -> "pd.DataFrame":
    """Test pairs whose rank by HLF (tuned) and by an IQA metric differ most.

    Args:
        metric_scores: table `metric_scores`; only the test part, because training pairs are fitted.
        iqa: table `iqa`.
        scores: table `scores`, to see who was right.
        pairs: table `pairs`, for the picture paths.
        backbone: configuration name of the backbone.
        n: rows at most.
        metric: configuration name of the IQA metric.

    Returns:
        Columns pair_id, image_id, level, model, score, prediction, value (of the metric), prediction_rank, metric_rank
        (share of test pairs ranked less changed, 0 to 1), difference of the ranks, picture paths; largest first.

    Raises:
        HlfError: the metric was not measured, or no test pair has both values.
    """
    measured = iqa[(iqa["metric"] == metric) & iqa["value"].notna()]
    if measured.empty:
        raise HlfError(f"disagreements: metric '{metric}' was not measured; iqa holds {sorted(iqa['metric'].unique())}")
    predicted = _predictions(metric_scores, backbone)
    table = predicted[predicted["part"] == "test"].merge(measured[["pair_id", "value", "lower_better"]], on="pair_id")
    known = scores.loc[scores["status"] == "complete", ["pair_id", "image_id", "level", "model", "score"]]
    table = known.merge(table, on="pair_id")
    if table.empty:
        raise HlfError(
            f"disagreements: no test pair has a score, a tuned prediction of {backbone} and a {metric} value"
        )
    largest = _ranked(table).sort_values(["size", "pair_id"], ascending=[False, True]).head(n)
    return _joined(largest.drop(columns=["size", "part", "lower_better"]), pairs, list(PATHS)).reset_index(drop=True)


def _ranked(table: "pd.DataFrame") -> "pd.DataFrame":
    """Adds prediction_rank, metric_rank, difference and its size; both ranks grow with the change."""
    # an IQA value that is better when higher is turned round
    harm = table["value"].where(table["lower_better"], -table["value"])
    predicted = (table["prediction"].rank() - 0.5) / len(table)
    measured = (harm.rank() - 0.5) / len(table)
    difference = predicted - measured
    return table.assign(prediction_rank=predicted, metric_rank=measured, difference=difference, size=difference.abs())


def _predictions(metric_scores: "pd.DataFrame", backbone: str) -> "pd.DataFrame":
    """Tuned predictions of one backbone: pair_id, prediction, part."""
    rows = metric_scores[(metric_scores["backbone"] == backbone) & metric_scores["tuned"]]
    return rows.rename(columns={"value": "prediction"})[["pair_id", "prediction", "part"]]


def _joined(table: "pd.DataFrame", pairs: "pd.DataFrame", columns: list[str]) -> "pd.DataFrame":
    """`table` with columns of the pairs table; every pair must be there."""
    joined = table.merge(pairs[["pair_id", *columns]], on="pair_id", how="left")
    lost = joined.loc[joined["gt_path"].isna(), "pair_id"].tolist()
    if lost:
        raise HlfError(f"{len(lost)} scored pairs are not in the pairs table, such as {lost[0]}")
    return joined
