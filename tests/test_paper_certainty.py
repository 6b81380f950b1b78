"""Tables and figures on how sure Table 3 is: the right pairs, the right numbers, told where nothing can be said."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlf import columns, stats
from hlf.errors import HlfError
from hlf.metric.calibration import Calibration
from hlf.paper import agreement, certainty, certainty_figures, figures, formats, style, tables
from test_paper import MINI, PAPER, assert_no_text_hides_another, make_run, words
from test_paper_agreement import make_votes

MODELS = ("bsrgan", "swinir", "stablesr", "seesr", "pasd")


@pytest.fixture(scope="module")
def run():
    return make_run(models=MODELS)


def table3(run):
    return tables.table3(run["metric_scores"], run["scores"], run["split"], 40, 42)


def make_folds(run, seeds=2):
    """Two folds by GT; fine-tuned values follow the score in fold 0 and run against it in fold 1."""
    some = run["metric_scores"][run["metric_scores"]["backbone"] == "dinov2"]
    score = run["scores"].set_index("pair_id")["score"]
    fold = (some["pair_id"].map(columns.image_of) > "gt09").astype(int)
    rows = [some[~some["tuned"]].assign(fold=fold, seed=0)]
    for seed in range(seeds):
        tuned = some[some["tuned"]].assign(fold=fold, seed=seed)
        rows.append(tuned.assign(value=tuned["pair_id"].map(score) * np.where(tuned["fold"] == 0, 1, -0.5)))
    return columns.conform(pd.concat(rows).drop(columns=["part", "weights_sha256"]), "metric_folds")


def test_table3_gets_mean_and_deviation_over_folds(run):
    table = certainty.with_folds(table3(run), make_folds(run), run["scores"]).set_index("metric")
    row = table.loc["(ft) DINOv2 (mini)"]
    # 1, 1 and -1, -1: a metric that is right in one half only is not called perfect
    assert row["srcc_folds_mean"] == 0 and row["srcc_folds_sd"] == pytest.approx(np.std([1, 1, -1, -1], ddof=1))
    folds = make_folds(run)
    untouched = folds[~folds["tuned"]].merge(run["scores"][["pair_id", "score"]], on="pair_id")
    found = [stats.plcc(f["value"], f["score"]) for _, f in untouched.groupby("fold")]
    assert table.loc["DINOv2 (mini)", "plcc_folds_mean"] == pytest.approx(abs(np.mean(found)))
    assert table.loc["DINOv2 (mini)", "plcc_folds_sd"] == pytest.approx(np.std(found, ddof=1))
    # a backbone without folds
    assert np.isnan(table.loc["PE-core (mini)", "srcc_folds_mean"]) and (table["status"] == "ok").all()
    assert certainty.with_folds(table3(run), None, run["scores"]).equals(table3(run))


def test_an_undefined_fold_is_told(run):
    folds = make_folds(run, seeds=1)
    folds.loc[folds["tuned"] & (folds["fold"] == 1), "value"] = 0.5
    table = certainty.with_folds(table3(run), folds, run["scores"]).set_index("metric")
    assert table.loc["(ft) DINOv2 (mini)", "status"] == "undefined in 1 of 2 folds"
    assert table.loc["(ft) DINOv2 (mini)", "srcc_folds_mean"] == pytest.approx(1)
    assert np.isnan(table.loc["(ft) DINOv2 (mini)", "srcc_folds_sd"])
    with pytest.raises(HlfError, match="of the folds has no score"):
        certainty.with_folds(table3(run), folds, run["scores"].head(3))


def test_mean_and_deviation_are_one_column_for_people(run, tmp_path):
    table = certainty.with_folds(table3(run), make_folds(run), run["scores"])
    csv, markdown, latex = tables.write_all(table, MINI, tmp_path / "table3", "Table 3")
    assert {"srcc_folds_mean", "srcc_folds_sd"} <= set(pd.read_csv(csv))
    head = next(line for line in markdown.read_text().splitlines() if line.startswith("| Metric"))
    assert "| SRCC folds | PLCC folds | n |" in head and "_" not in head
    row = next(line for line in markdown.read_text().splitlines() if line.startswith("| (ft) DINOv2"))
    assert re.search(r"\| 0\.0000 \u00b1 1\.1547 \|", row)
    assert r"0.0000 $\pm$ 1.1547" in latex.read_text()
    alone = formats.view(pd.DataFrame({"a_folds_mean": [0.5, np.nan], "a_folds_sd": [np.nan, np.nan]}))
    assert [r[0].text for r in alone.rows] == ["0.5000", formats.NOTHING]


def test_the_ceiling_stands_below_table3(run):
    found = agreement.ceiling(make_votes(run), run["split"], 20, 42)
    row = found.set_index("correlation").loc["SRCC"]
    assert f"{row['full']:.4f} [{row['full_low']:.4f}" in agreement.ceiling_sentence(found)
    few = make_votes(run)
    without = agreement.ceiling(few[few["participant"] < "p03"], run["split"], 20, 42)
    assert "undefined: the human ceiling needs at least 4 valid votes" in agreement.ceiling_sentence(without)


def make_left_out(run):
    """Unseen values: the score itself for SwinIR, the reverse for BSRGAN, noise for the others."""
    test = run["split"][run["split"]["part"] == "test"].merge(run["scores"][["pair_id", "run"]], on="pair_id")
    sign = test["model"].map({"swinir": 1.0, "bsrgan": -1.0}).fillna(0)
    noise = np.random.default_rng(1).random(len(test))
    value = sign * test["score"] + np.where(sign == 0, noise, 0)
    table = test[["run", "pair_id", "model"]].assign(backbone="dinov2", value=value, zoo="mini")
    return columns.conform(table, "metric_left_out")


def leave_one_out(run, left_out):
    return certainty.leave_one_out(left_out, run["metric_scores"], run["scores"], run["split"], 50, 42)


def test_left_out_models_are_compared_on_their_own_test_pairs(run):
    table = leave_one_out(run, make_left_out(run)).set_index("model")
    assert table.index.tolist() == ["all", "BSRGAN", "StableSR", "PASD", "SeeSR", "SwinIR"]
    assert (table["metric"] == "(ft) DINOv2 (mini)").all() and (table["status"] == "ok").all()
    test = run["split"][run["split"]["part"] == "test"]
    assert table["n"].tolist() == [len(test), *[16] * 5] and len(test) == 80
    # signs are kept: a metric that turns round on a new model is no good one
    assert table.loc["SwinIR", "srcc_unseen"] == pytest.approx(1)
    assert table.loc["BSRGAN", "srcc_unseen"] == pytest.approx(-1)
    of = run["metric_scores"].query("backbone == 'dinov2' and tuned").merge(test[test["model"] == "pasd"], on="pair_id")
    assert table.loc["PASD", "srcc_usual"] == pytest.approx(stats.srcc(of["value"], of["score"]))
    assert table["difference"].to_numpy() == pytest.approx((table["srcc_unseen"] - table["srcc_usual"]).to_numpy())
    assert (table["difference_low"] <= table["difference"] + 1e-9).all()
    assert (table["srcc_unseen_low"] <= table["srcc_unseen"] + 1e-9).all()


def test_models_with_too_few_test_pairs_say_so(run):
    keep = run["split"][(run["split"]["part"] == "test") & (run["split"]["model"] == "pasd")]["pair_id"].iloc[:3]
    gone = (run["split"]["model"] == "pasd") & (run["split"]["part"] == "test") & ~run["split"]["pair_id"].isin(keep)
    few = {**run, "split": run["split"][~gone]}
    table = leave_one_out(few, make_left_out(few)).set_index("model")
    assert table.loc["PASD", "n"] == 3 and "needs at least 5 pairs, got 3" in table.loc["PASD", "status"]
    assert table.loc["PASD", ["srcc_unseen", "difference"]].isna().all() and table.loc["SeeSR", "status"] == "ok"
    with pytest.raises(HlfError, match="a test pair lacks a value of dinov2"):
        leave_one_out(run, make_left_out(run).head(5))


# --- calibration ---


@given(st.integers(1, 200), st.integers(0, 9))
def test_bins_hold_every_pair_once_in_order(many, seed):
    rng = np.random.default_rng(seed)
    predicted, score = rng.random(many).round(1), rng.random(many)
    bins = stats.reliability(predicted, score, [str(i % 7) for i in range(many)], 5, 1)
    assert sum(b.n for b in bins) == many and len(bins) == min(max(many // 15, 1), 10)
    assert max(b.n for b in bins) - min(b.n for b in bins) <= 1
    middles = [b.predicted for b in bins]
    assert middles == sorted(middles)
    assert sum(b.n * b.observed for b in bins) == pytest.approx(score.sum())
    error = stats.calibration_error(bins)
    # the bins' errors cannot cancel, so their sum is no smaller than the overall bias
    assert abs(predicted.mean() - score.mean()) - 1e-9 <= error <= 1


def test_a_bin_of_one_gt_has_no_interval_and_wrong_input_is_refused():
    one = stats.reliability([0.1, 0.2], [0.0, 1.0], ["a", "a"], 10, 1)[0]
    assert np.isnan(one.low) and (one.predicted, one.observed, one.n) == (pytest.approx(0.15), 0.5, 2)
    several = stats.reliability([0.1, 0.2, 0.3], [0.0, 1.0, 1.0], list("abc"), 200, 1)[0]
    assert 0 <= several.low < several.observed < several.high <= 1
    for wrong in (([], [], []), ([0.1, np.nan], [0, 1], ["a", "b"]), ([0.1], [0, 1], ["a", "b"])):
        with pytest.raises(HlfError, match="as many finite predictions as scores"):
            stats.reliability(*wrong, 10, 1)


HALF = {"dinov2": Calibration("logistic", c=0.3, k=2.0), "pe-core": None}


def calibrated(run, calibrations=HALF):
    return certainty.calibration_table(run["metric_scores"], run["scores"], run["split"], calibrations, 50, 42)


def test_calibration_is_judged_on_the_test_part_before_and_after(run):
    table = calibrated(run)
    assert table[["metric", "prediction"]].to_numpy().tolist() == [
        ["(ft) DINOv2 (mini)", "raw"], ["(ft) DINOv2 (mini)", "logistic"], ["(ft) PE-core (mini)", "raw"],
    ]  # fmt: skip
    assert table["status"].tolist() == ["ok", "ok", "not calibrated"]
    test = run["split"][run["split"]["part"] == "test"]
    of = run["metric_scores"].query("backbone == 'dinov2' and tuned").merge(test, on="pair_id")
    both = of["value"], HALF["dinov2"](of["value"].to_numpy(copy=True))
    for row, values in zip(table.to_dict("records")[:2], both, strict=True):
        assert row["mse"] == pytest.approx(((values - of["score"]) ** 2).mean())
        assert row["bias"] == pytest.approx((values - of["score"]).mean()) and row["n"] == len(test)
        assert row["mse_low"] <= row["mse"] <= row["mse_high"] and 0 <= row["ece"] <= 1
    with pytest.raises(HlfError, match="calibration of pe-core is not given, only of dinov2"):
        calibrated(run, {"dinov2": None})
    with pytest.raises(HlfError, match="no backbone is fine-tuned"):
        calibrated({**run, "metric_scores": run["metric_scores"].query("not tuned")})


def test_calibrations_come_from_the_model_folders(tmp_path):
    for name, calibration in HALF.items():
        stored = None if calibration is None else calibration.to_dict()
        (tmp_path / f"{name}.json").write_text(json.dumps({"backbone": {"name": name}, "calibration": stored}))
    assert certainty.calibrations([str(tmp_path / f"{name}.json") for name in HALF]) == HALF


# --- figures ---


def four(run):
    """The run with four backbones, as the mini scale has, and folds of one."""
    scores = run["metric_scores"]
    more = [scores.assign(backbone=scores["backbone"].map(dict(zip(("dinov2", "pe-core"), names, strict=True))))
            for names in (("dinov2", "pe-core"), ("clip", "blip"))]  # fmt: skip
    return {**run, "metric_scores": pd.concat(more, ignore_index=True)}


def make(name, run, facts):
    if name == "ranking":
        two = tables.table2(run["iqa"], run["scores"], run["split"], 40, 42)
        two.loc[0, ["srcc", "srcc_low", "srcc_high"]] = np.nan
        three = certainty.with_folds(table3(run), make_folds(run), run["scores"])
        return certainty_figures.ranking(two, three, agreement.ceiling(make_votes(run), run["split"], 20, 42), facts)
    if name == "reliability":
        names = run["metric_scores"]["backbone"].unique()
        fitted = {n: None if n == "blip" else HALF["dinov2"] for n in names}
        given_tables = (run["metric_scores"], run["scores"], run["split"])
        return certainty_figures.reliability_diagram(*given_tables, fitted, facts, 40, 42)
    epochs = np.arange(4)
    parts = {f"{p}_{w}": 0.3 / (1 + epochs) for p in ("train", "validation") for w in ("loss", "srcc")}
    names = run["metric_scores"]["backbone"].unique()
    history = pd.concat([pd.DataFrame({"backbone": b, "epoch": epochs, **parts}) for b in names])
    return figures.learning_curves(history, facts)


@pytest.mark.parametrize("name", ["ranking", "reliability", "curves"])
@pytest.mark.parametrize("backbones", [1, 2, 4])
def test_figures_of_any_number_of_backbones_fit_the_page_and_hide_nothing(run, name, backbones):
    all_of = four(run)
    kept = all_of["metric_scores"]["backbone"].isin(["dinov2", "pe-core", "clip", "blip"][:backbones])
    some = {**all_of, "metric_scores": all_of["metric_scores"][kept]}
    figure = make(name, some, MINI)
    assert figure.get_figwidth() <= 7.5 and "MINI models, SIMULATED votes" in words(figure)
    assert_no_text_hides_another(figure)
    assert "tests the software" not in words(make(name, some, PAPER))


@pytest.mark.parametrize("name", ["ranking", "reliability", "curves"])
def test_figures_give_the_same_bytes_twice(run, name, tmp_path):
    for folder in ("a", "b"):
        style.save_figure(make(name, run, MINI), tmp_path / folder / "f.pdf", tmp_path / folder / "f.png", 50)
    for suffix in ("pdf", "png"):
        assert (tmp_path / "a" / f"f.{suffix}").read_bytes() == (tmp_path / "b" / f"f.{suffix}").read_bytes()


def test_learning_curves_show_every_value_of_every_backbone():
    rows = [
        {"backbone": name, "epoch": e, "train_loss": low + 0.1 * e, "train_srcc": high, "validation_loss": low,
         "validation_srcc": high - 0.1 * e}
        for name, low, high in (("clip", 0.3, 0.4), ("blip", 0.05, 0.9), ("dinov2", 0.6, 0.1))
        for e in range(3)
    ]  # fmt: skip
    for ax in figures.learning_curves(pd.DataFrame(rows), MINI).axes:
        low, high = ax.get_ylim()
        drawn = np.concatenate([np.asarray(line.get_ydata()) for line in ax.lines if len(line.get_xdata()) == 3])
        assert low < drawn.min() and drawn.max() < high


def test_ranking_draws_every_row_and_the_ceiling(run):
    figure = make("ranking", run, MINI)
    (ax,) = figure.axes
    labels = [t.get_text() for t in ax.get_yticklabels()]
    backbones = ["DINOv2 (mini)", "PE-core (mini)"]
    assert labels == ["PSNR", "VIF", "LPIPS", *backbones, *(f"(ft) {name}" for name in backbones)]
    assert "undefined" in words(figure)
    ceiling = agreement.ceiling(make_votes(run), run["split"], 20, 42).set_index("correlation").loc["SRCC"]
    lines = [(line.get_marker(), list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines]
    upright = [x[0] for _, x, _ in lines if len(x) == 2 and x[0] == x[1]]
    assert upright == [pytest.approx(ceiling["full"]), pytest.approx(ceiling["truth"])]
    measures = tables.table2(run["iqa"], run["scores"], run["split"], 40, 42)["srcc"]
    dots = {y[0]: x[0] for mark, x, y in lines if mark in ("o", "s", "^") and x}
    wanted = [*measures, *table3(run)["srcc"]]
    # the first row was made undefined
    assert dots == {place: pytest.approx(value) for place, value in enumerate(wanted) if place}


def test_reliability_prints_the_numbers_of_the_table(run):
    text, table = words(make("reliability", run, MINI)), calibrated(run, dict.fromkeys(HALF, HALF["dinov2"]))
    for row in table.to_dict("records"):
        assert f"{row['prediction']}: ECE {row['ece']:.3f}, MSE {row['mse']:.3f}" in text
