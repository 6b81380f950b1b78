"""Pairs to look at: the worst ones, and all that a reader may sort by, such as where HLF and a measure disagree."""

from typing import TYPE_CHECKING

from hlf.errors import HlfError

if TYPE_CHECKING:
    import pandas as pd

PATHS = ("gt_path", "lr_path", "sr_path")
MEASURES = ("lpips", "vif")  # of Table 2, whose ranks are set against those of HLF


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


def pair_table(
    scores: "pd.DataFrame",
    pairs: "pd.DataFrame",
    metric_scores: "pd.DataFrame",
    iqa: "pd.DataFrame",
    sr: "pd.DataFrame",
    backbone: str,
) -> "pd.DataFrame":
    """Every scored pair with what a reader can sort pairs by.

    Args:
        scores: see `worst_pairs`, as are the next two.
        pairs: see there.
        metric_scores: see there.
        iqa: table `iqa`; those of MEASURES that were measured are shown.
        sr: table `sr`, for the tags. Wrong ones are what the paper blames for SeeSR's failures (paper 3.2).
        backbone: configuration name of the backbone.

    Returns:
        Columns of `worst_pairs`, tags ("" = the model reads none), and for each measured one of MEASURES its value and
        `<name>_gap`: rank of HLF less rank of the measure among the test pairs that have both, in (-1, 1), ranks
        growing with the change; NaN for training pairs, to whose scores HLF was fitted.

    Raises:
        HlfError: a scored pair is not in `pairs`.
    """
    table = worst_pairs(scores, pairs, metric_scores, backbone, len(scores))
    told = sr[["model", "image_id", "level", "tags"]]
    table = table.merge(told, on=["model", "image_id", "level"], how="left").fillna({"tags": ""})
    for name in MEASURES:
        measured = iqa.loc[iqa["metric"] == name, ["pair_id", "value", "lower_better"]].dropna(subset=["value"])
        if not measured.empty:
            table = table.merge(measured, on="pair_id", how="left")
            gaps = _gaps(table[(table["part"] == "test") & table["value"].notna() & table["prediction"].notna()])
            table = table.drop(columns="lower_better").rename(columns={"value": name}).assign(**{f"{name}_gap": gaps})
    return table


def _gaps(table: "pd.DataFrame") -> "pd.Series":
    """Rank of HLF less that of the measure, as shares of the pairs; both ranks grow with the change."""
    # an IQA value that is better when higher is turned round
    harm = table["value"].where(table["lower_better"].astype(bool), -table["value"])
    return (table["prediction"].rank() - harm.rank()) / len(table)


def in_turn(table: "pd.DataFrame", first: int) -> list[int]:
    """Rows of `pair_table` in the order in which a reader wants them, for a report that cannot hold them all.

    By turns: the test pairs about which HLF and each measure disagree most, the pairs with the highest score, and those
    of them with tags; of each list its next pair that did not come yet. The other test pairs follow by id.

    Args:
        table: of `pair_table`.
        first: pairs of the training part, of which only the `first` with the highest score and the `first` of those
            with tags come at all.
    """
    test = table[table["part"] == "test"]
    by_score = table.sort_values(["score", "similarity", "pair_id"], ascending=[False, True, True])
    lists = [by_score.head(first).index, by_score[by_score["tags"] != ""].head(first).index]
    for name in MEASURES:
        if f"{name}_gap" in table:
            size = test[f"{name}_gap"].abs().rename("size")
            far = test.assign(size=size).sort_values(["size", "pair_id"], ascending=[False, True])
            lists.append(far.head(first).index)
    longest = max((len(one) for one in lists), default=0)
    turns = [int(one[place]) for place in range(longest) for one in lists if place < len(one)]
    return list(dict.fromkeys([*turns, *map(int, test.sort_values("pair_id").index)]))


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
