"""Comparisons of rows, human ceiling, significance matrix and scatter panel: right cells, nothing hidden, refusals."""

import numpy as np
import pandas as pd
import pytest

from hlf import columns, stats
from hlf.errors import HlfError
from hlf.paper import agreement, expected, formats, metric_figures, style, tables
from test_paper import MINI, assert_no_text_hides_another, make_run, words

MODELS = ("bsrgan", "swinir", "stablesr", "seesr", "pasd")


@pytest.fixture(scope="module")
def run() -> dict[str, pd.DataFrame]:
    return make_run()


@pytest.fixture(scope="module")
def full() -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Five SR models and the 15 rows of Table 2, of which one was not measured and one is constant."""
    run = make_run(models=MODELS)
    scores, rng = run["scores"], np.random.Generator(np.random.PCG64(3))
    rows = [
        scores[["run", "pair_id"]].assign(
            metric=name, value=(1 - k / 14) * (-1) ** k * scores["score"] + rng.normal(0, 0.1, len(scores)),
            kind="FR", lower_better=True, convention="paper", zoo="" if k < 3 else "mini", weights_sha256="",
            version="1", status="ok",
        )
        for k, name in enumerate(expected.METRIC_NAMES)
    ]  # fmt: skip
    iqa = columns.conform(pd.concat(rows), "iqa")
    iqa.loc[iqa["metric"] == "clipiqa", "value"] = np.nan
    iqa.loc[iqa["metric"] == "joint_rationality", "value"] = 1.0
    return run, tables.table2_values(iqa)


def compare(run: dict[str, pd.DataFrame], values: pd.DataFrame) -> pd.DataFrame:
    return agreement.comparisons(values, run["scores"], run["split"], 50, 42)


def panel(run: dict[str, pd.DataFrame], values: pd.DataFrame):
    return metric_figures.metric_scatter_panel(values, run["scores"], run["split"], MINI)


def make_votes(run: dict[str, pd.DataFrame]) -> pd.DataFrame:
    rows = [
        {"participant": f"p{k:02d}", "pair_id": r.pair_id, "answer": int(k < r.n_yes)}
        for r in run["scores"].itertuples()
        for k in range(12)
    ]
    table = pd.DataFrame(rows).assign(run="r", source="simulated", is_trap=False, trap_answer=-1, order_index=0)
    return columns.conform(table.assign(valid=True, rt_active_ms=float("nan")), "votes")


# --- tables ---


def test_comparisons_subtract_what_table2_prints(run: dict[str, pd.DataFrame]) -> None:
    values = tables.table2_values(run["iqa"])
    printed = tables.table2(run["iqa"], run["scores"], run["split"], 20, 42).set_index("metric")["srcc"]
    table = compare(run, values)
    assert list(zip(table["metric_a"], table["metric_b"], strict=True)) == [
        ("PSNR", "VIF"), ("PSNR", "LPIPS"), ("VIF", "LPIPS"),
    ]  # fmt: skip
    for row in table.itertuples():
        assert row.srcc_difference == pytest.approx(printed[row.metric_a] - printed[row.metric_b], abs=1e-12)
    assert (table["n"] == (run["split"]["part"] == "test").sum()).all()


def test_rows_of_both_tables_can_be_compared(run: dict[str, pd.DataFrame]) -> None:
    values = pd.concat([tables.table2_values(run["iqa"]), tables.table3_values(run["metric_scores"])])
    table = compare(run, values)
    assert len(table) == 7 * 6 / 2 and ("VIF", "(ft) DINOv2 (mini)") in set(
        zip(table["metric_a"], table["metric_b"], strict=True)
    )


def test_comparisons_do_not_depend_on_the_order_of_pairs(run: dict[str, pd.DataFrame]) -> None:
    turned = {name: table.iloc[::-1].reset_index(drop=True) for name, table in run.items()}
    here = compare(run, tables.table2_values(run["iqa"]))
    assert compare(turned, tables.table2_values(turned["iqa"])).equals(here)


def test_comparisons_are_written_like_the_other_tables(run: dict[str, pd.DataFrame], tmp_path) -> None:
    table = compare(run, tables.table2_values(run["iqa"]))
    csv, markdown, latex = tables.write_all(
        table, MINI, tmp_path / "table2_comparisons", "Comparisons", agreement.COMPARISONS_READING
    )
    assert list(pd.read_csv(csv).columns) == [*table, *formats.PROVENANCE]
    head = next(line for line in markdown.read_text().splitlines() if line.startswith("| Row a"))
    assert head == (
        "| Row a | Row b | SRCC a \u2212 b | 95 % interval | p bootstrap | p Williams | p Holm | n | Verdict |"
    )
    assert "\u2212" not in latex.read_text() and "SRCC a $-$ b" in latex.read_text()


def test_ceiling_is_that_of_the_test_part(run: dict[str, pd.DataFrame]) -> None:
    votes, test = make_votes(run), run["split"].loc[run["split"]["part"] == "test", "pair_id"]
    table = agreement.ceiling(votes, run["split"], 20, 42)
    want = stats.human_ceiling(votes[votes["pair_id"].isin(test)], 20, 42)
    assert list(table["correlation"]) == ["SRCC", "PLCC"] and (table["status"] == "ok").all()
    assert table["full"].tolist() == [want.srcc.full, want.plcc.full]
    assert table["n"].tolist() == [len(test)] * 2 and table["votes_fewest"].tolist() == [12, 12]


def test_ceiling_without_enough_votes_says_why(run: dict[str, pd.DataFrame]) -> None:
    votes = make_votes(run)
    table = agreement.ceiling(votes[votes["participant"] < "p03"], run["split"], 20, 42)
    assert table["full"].isna().all() and table["status"].str.contains("at least 4 valid votes").all()
    with pytest.raises(HlfError, match="no pair of part 'test'"):
        agreement.ceiling(votes, run["split"].assign(part="train"), 20, 42)
    with pytest.raises(HlfError, match="lacks the columns"):
        agreement.ceiling(votes.drop(columns="valid"), run["split"], 20, 42)


def test_comparisons_refuse_wrong_tables(run: dict[str, pd.DataFrame]) -> None:
    values = tables.table2_values(run["iqa"])
    with pytest.raises(HlfError, match="two values for one pair"):
        compare(run, pd.concat([values, values]))
    with pytest.raises(HlfError, match="at least 2 metrics"):
        compare(run, values[values["metric"] == "VIF"])


# --- figures ---


def cells(figure) -> list[tuple[str, str]]:
    """Colour and text of every cell of a significance matrix, row by row."""
    from matplotlib.colors import to_hex
    from matplotlib.patches import Rectangle

    ax = figure.axes[0]
    boxes = [p for p in ax.patches if isinstance(p, Rectangle) and p.get_x() >= 0]
    return [(to_hex(b.get_facecolor()).upper(), t.get_text()) for b, t in zip(boxes, ax.texts, strict=True)]


def test_matrix_shows_each_verdict_from_the_rows_side() -> None:
    made = pd.DataFrame(
        {
            "metric_a": ["one", "one", "two"], "metric_b": ["two", "three", "three"],
            "srcc_difference": [0.25, -0.5, np.nan], "verdict": ["a better", "not distinguishable", "undefined"],
        }
    )  # fmt: skip
    figure = metric_figures.significance_matrix(made, ["one", "two", "three"], MINI)
    # row two against column one, row three against one, row three against two
    assert cells(figure) == [
        (metric_figures.COLUMN_BETTER, "\u2212.25"), (metric_figures.ALIKE, "+.50"),
        (metric_figures.UNDEFINED, "\u2013"),
    ]  # fmt: skip
    assert "undefined" in words(figure)
    turned = metric_figures.significance_matrix(made, ["three", "two", "one"], MINI)
    assert (metric_figures.ROW_BETTER, "+.25") in cells(turned)


def test_matrix_refuses_rows_that_were_not_compared(run: dict[str, pd.DataFrame]) -> None:
    table = compare(run, tables.table2_values(run["iqa"]))
    with pytest.raises(HlfError, match="not compared, such as SSIM / PSNR"):
        metric_figures.significance_matrix(table, ["PSNR", "SSIM"], MINI)
    with pytest.raises(HlfError, match="each named once"):
        metric_figures.significance_matrix(table, ["PSNR", "PSNR"], MINI)


def test_fifteen_rows_fit_the_printed_page_and_hide_nothing(full) -> None:
    run, values = full
    names = list(dict.fromkeys(values["metric"]))
    matrix = metric_figures.significance_matrix(compare(run, values), names, MINI)
    shown = cells(matrix)
    assert len(shown) == 105 and sum(color == metric_figures.UNDEFINED for color, _ in shown) == 14 + 13
    assert {metric_figures.ROW_BETTER, metric_figures.COLUMN_BETTER, metric_figures.ALIKE} & {c for c, _ in shown}
    scatter = panel(run, values)
    for figure in (matrix, scatter):
        assert figure.get_figwidth() <= 7.5
        assert_no_text_hides_another(figure)
    assert all(name in words(scatter).replace("\n", " ") for name in names)


def test_panel_draws_points_of_all_models_and_the_logistic(full) -> None:
    run, values = full
    plots = {ax.get_title(loc="left").split("\n")[0]: ax for ax in panel(run, values).axes}
    colors = {c for d in plots["PSNR"].collections for c in map(tuple, d.get_facecolors()[:, :3].round(4))}
    assert len(colors) == len(style.model_colors(MODELS)) == 5
    test = (run["split"]["part"] == "test").sum()
    assert sum(len(d.get_offsets()) for d in plots["PSNR"].collections) == test
    (curve,) = plots["PSNR"].lines
    truth, wide = agreement.on_test_part(values, run["scores"], run["split"])
    fit = stats.logistic4(wide["PSNR"], truth["score"])
    assert curve.get_ydata() == pytest.approx(fit.curve(curve.get_xdata()))
    assert f"{stats.srcc(wide['PSNR'], truth['score']):.3f}" in plots["PSNR"].get_title(loc="left")
    empty = plots["CLIP-IQA (mini)"]
    assert not empty.lines and "SRCC undefined, n = 0" in empty.get_title(loc="left")
