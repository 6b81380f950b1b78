"""Tables that say how sure Table 3 is: folds, an SR model never seen, calibration (our choice; the paper has none)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.files import read_json
from hlf.metric.calibration import Calibration
from hlf.paper import style
from hlf.paper.agreement import on_test_part
from hlf.paper.tables import need, part_scores, row_name, table3_values

if TYPE_CHECKING:
    import pandas as pd

LEAVE_ONE_OUT_READING = (
    "Every SR model in turn is left out: the backbone is fine-tuned on the training part's pairs of the other models, "
    "and unseen is its SRCC on the test part's pairs of the model left out. Usual is the fine-tuning of Table 3, which "
    "saw that model and so many pairs more, and zero-shot the untouched backbone, both on the same test pairs. The "
    "row of all models takes every test pair from the fine-tuning that did not see its model. SRCC are signed here; "
    "intervals are 95 % bootstrap over GT images, that of the difference paired."
)
CALIBRATION_READING = (
    "Raw is 1 - cosine of the fine-tuned backbone; the calibration is a monotone map to the share of viewers, fitted "
    "on the validation part. All numbers are of the test part. MSE is the mean squared distance of predicted and "
    "observed share with its 95 % bootstrap interval over GT images; ECE, the expected calibration error, their mean "
    "distance over bins of equally many pairs, which is above 0 for a perfect prediction too when pairs are few; bias "
    "the mean prediction less the mean score."
)
ALL_MODELS = "all"


def with_folds(table: "pd.DataFrame", folds: "pd.DataFrame | None", scores: "pd.DataFrame") -> "pd.DataFrame":
    """Table 3 with the columns `srcc_folds_mean`, `_sd` and `plcc_folds_mean`, `_sd` before `n`.

    Each fold of each seed gives one signed correlation; printed is the absolute value of their mean, as the other
    columns are, and their standard deviation (n - 1), which for one value is NaN.

    Args:
        table: of `tables.table3`.
        folds: table `metric_folds` of all backbones; None: the table comes back as it is.
        scores: table `scores`.

    Raises:
        HlfError: a missing column, or a pair of the folds without a score.
    """
    if folds is None:
        return table
    found = _fold_correlations(folds, scores)
    out = table.copy()
    for name in ("srcc", "plcc"):
        means, deviations = found.groupby("metric")[name].mean().abs(), found.groupby("metric")[name].std()
        place = list(out).index("n")
        out.insert(place, f"{name}_folds_mean", out["metric"].map(means))
        out.insert(place + 1, f"{name}_folds_sd", out["metric"].map(deviations))
    lost = found[found["srcc"].isna()].groupby("metric").size()
    many = found.groupby("metric").size()
    notes = out["metric"].map(lambda m: f"undefined in {lost[m]} of {many[m]} folds" if m in lost else "")
    out["status"] = [
        s if not note else note if s == "ok" else f"{s}; {note}" for s, note in zip(out["status"], notes, strict=True)
    ]
    return out


def _fold_correlations(folds: "pd.DataFrame", scores: "pd.DataFrame") -> "pd.DataFrame":
    """Signed SRCC and PLCC of every row of Table 3, fold and seed; NaN where undefined."""
    import pandas as pd

    from hlf import stats

    need(folds, ("pair_id", "backbone", "fold", "seed", "tuned", "value", "zoo"), "metric_folds")
    joined = folds.merge(scores[["pair_id", "score"]], on="pair_id", how="left")
    if joined["score"].isna().any():
        raise HlfError(f"pair {joined.loc[joined['score'].isna(), 'pair_id'].iloc[0]} of the folds has no score")
    rows = []
    for key, group in joined.groupby(["backbone", "tuned", "zoo", "fold", "seed"]):
        backbone, tuned, zoo, fold, seed = key
        row = {"metric": row_name(str(backbone), bool(tuned), str(zoo)), "fold": fold, "seed": seed}
        for name, statistic in (("srcc", stats.srcc), ("plcc", stats.plcc)):
            try:
                row[name] = statistic(group["value"].to_numpy(float), group["score"].to_numpy(float))
            except HlfError:
                row[name] = float("nan")
        rows.append(row)
    return pd.DataFrame(rows)


def leave_one_out(
    left_out: "pd.DataFrame",
    metric_scores: "pd.DataFrame",
    scores: "pd.DataFrame",
    split: "pd.DataFrame",
    n_boot: int,
    seed: int,
) -> "pd.DataFrame":
    """For each backbone all SR models together and each alone: the metric that never saw the model, and the usual one.

    Args:
        left_out: table `metric_left_out` of one or more backbones.
        metric_scores: table `metric_scores`, with the same backbones untouched and tuned.
        scores: table `scores`.
        split: table `split`.
        n_boot: bootstrap resamples over GT images.
        seed: the run's seed.

    Returns:
        Columns metric, model, n, srcc_unseen, srcc_unseen_low, srcc_unseen_high, srcc_usual, srcc_zero_shot, difference
        (unseen - usual), difference_low, difference_high, status. SRCC are signed; NaN where undefined.

    Raises:
        HlfError: a missing column, an empty table, or a test pair without a value.
    """
    import pandas as pd

    need(left_out, ("pair_id", "backbone", "model", "value", "zoo"), "metric_left_out")
    truth, rows = part_scores(scores, split).sort_values("pair_id"), []
    for backbone, unseen in left_out.groupby("backbone", sort=False):
        joined = truth.merge(unseen[["pair_id", "value"]].rename(columns={"value": "unseen"}), on="pair_id", how="left")
        for name, tuned in (("usual", True), ("zero_shot", False)):
            some = metric_scores[(metric_scores["backbone"] == backbone) & (metric_scores["tuned"] == tuned)]
            joined = joined.merge(some[["pair_id", "value"]].rename(columns={"value": name}), on="pair_id", how="left")
        if joined[["unseen", "usual", "zero_shot"]].isna().any(axis=None):
            raise HlfError(f"a test pair lacks a value of {backbone}; make metric_left_out and metric_scores again")
        named = row_name(str(backbone), True, str(unseen["zoo"].iloc[0]))
        groups = [(ALL_MODELS, joined)]
        groups += [(style.model_name(m), joined[joined["model"] == m]) for m in style.model_order(joined["model"])]
        rows += [{"metric": named, "model": m, "n": len(g), **_unseen(g, n_boot, seed)} for m, g in groups]
    return pd.DataFrame(rows)


def _unseen(pairs: "pd.DataFrame", n_boot: int, seed: int) -> dict[str, float | str]:
    """Statistics of one row of `leave_one_out`; whatever is undefined is NaN and told in `status`."""
    from hlf import stats
    from hlf.stats.resampling import draw_groups, percentile_interval, resampled_correlations

    y, row = pairs["score"].to_numpy(float), {}
    names = ("unseen", "usual", "zero_shot")
    columns = ("srcc_unseen", "srcc_unseen_low", "srcc_unseen_high", "srcc_usual", "srcc_zero_shot")
    row = dict.fromkeys((*columns, "difference", "difference_low", "difference_high"), float("nan"))
    try:
        for name in names:
            row[f"srcc_{name}"] = stats.srcc(pairs[name].to_numpy(float), y)
        row["difference"] = row["srcc_unseen"] - row["srcc_usual"]
    except HlfError as error:
        return {**row, "status": f"undefined: {error}"}
    try:
        draws = draw_groups(pairs["image_id"].tolist(), n_boot, seed)
        unseen, usual = (resampled_correlations(pairs[n].to_numpy(float), y, draws, True) for n in names[:2])
        row["srcc_unseen_low"], row["srcc_unseen_high"] = percentile_interval(unseen)
        row["difference_low"], row["difference_high"] = percentile_interval(unseen - usual)
    except HlfError as error:
        return {**row, "status": f"interval undefined: {error}"}
    return {**row, "status": "ok"}


def calibrations(configs: list[str]) -> dict[str, Calibration | None]:
    """Calibration of each fine-tuned backbone by name, from the config.json of its model folder; None: it has none."""
    found: dict[str, Calibration | None] = {}
    for path in configs:
        config = read_json(path)
        given = config["calibration"]
        found[str(config["backbone"]["name"])] = None if given is None else Calibration.from_dict(given)
    return found


def predictions(
    metric_scores: "pd.DataFrame",
    scores: "pd.DataFrame",
    split: "pd.DataFrame",
    calibrations: Mapping[str, Calibration | None],
) -> "tuple[pd.DataFrame, dict[str, dict[str, np.ndarray]]]":
    """Test pairs with their scores, and for each fine-tuned row of Table 3 its predictions in the same order.

    Args:
        metric_scores: table `metric_scores`; untouched backbones predict no share and are left out.
        scores: table `scores`.
        split: table `split`.
        calibrations: backbone -> what its model folder holds, None for none.

    Returns:
        Test pairs, and row name -> {"raw": values, and kind of the calibration: values}.

    Raises:
        HlfError: no fine-tuned backbone, a backbone without an entry, or as `agreement.on_test_part`.
    """
    tuned = metric_scores[metric_scores["tuned"]]
    if tuned.empty:
        raise HlfError("no backbone is fine-tuned, so there is no share to calibrate; see metric.finetune")
    values = table3_values(tuned)
    truth, wide = on_test_part(values, scores, split)
    backbone = dict(zip(values["metric"], values["backbone"], strict=True))
    found = {}
    for name in map(str, wide):
        if backbone[name] not in calibrations:
            raise HlfError(f"the calibration of {backbone[name]} is not given, only of {', '.join(calibrations)}")
        raw, calibration = np.array(wide[name], dtype=np.float64), calibrations[backbone[name]]
        found[name] = {"raw": raw} | ({} if calibration is None else {calibration.kind: calibration(raw)})
    return truth, found


def calibration_table(
    metric_scores: "pd.DataFrame",
    scores: "pd.DataFrame",
    split: "pd.DataFrame",
    calibrations: Mapping[str, Calibration | None],
    n_boot: int,
    seed: int,
) -> "pd.DataFrame":
    """For each fine-tuned row of Table 3, raw and calibrated: how far predicted and observed shares are apart.

    Returns:
        Columns metric, prediction ("raw" or the kind of calibration), mse, mse_low, mse_high, ece, bias, n, bins,
        status.

    Args and raises: as `predictions`.
    """
    import pandas as pd

    from hlf import stats

    truth, found = predictions(metric_scores, scores, split, calibrations)
    y, groups = truth["score"].to_numpy(float), truth["image_id"].tolist()
    rows = []
    for name, kinds in found.items():
        for kind, values in kinds.items():
            bins, notes = stats.reliability(values, y, groups, 1, seed), [] if len(kinds) > 1 else ["not calibrated"]
            try:
                low, high = stats.bootstrap_by_group(_squared, values, y, groups, n_boot, seed)
            except HlfError as error:
                low, high = float("nan"), float("nan")
                notes.append(f"interval undefined: {error}")
            row = {"metric": name, "prediction": kind, "mse": _squared(values, y), "mse_low": low, "mse_high": high}
            row |= {"ece": stats.calibration_error(bins), "bias": float(np.mean(values - y)), "n": len(y)}
            rows.append({**row, "bins": len(bins), "status": "; ".join(notes) or "ok"})
    return pd.DataFrame(rows)


def _squared(predicted: np.ndarray, score: np.ndarray) -> float:
    return float(np.mean((predicted - score) ** 2))
