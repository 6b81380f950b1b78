"""Tables, figures and report: right rows, paper numbers only where they belong, same bytes twice, honest stamps."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlf import columns, stats
from hlf.errors import HlfError
from hlf.files import read_table
from hlf.images import write_png
from hlf.paper import (
    agreement,
    expected,
    figures,
    formats,
    metric_figures,
    models,
    pairs,
    scheme,
    sheets,
    style,
    tables,
)
from hlf.paper.facts import NO_VOTES, Facts
from hlf.paper.gather import facts_of

MINI = Facts("mini", "mini", "mini", "simulated", 80, 42, "9f" * 32, {"dinov2": "01" * 32, "pe-core": "ab" * 32})
PAPER = Facts("paper", "paper", "official", "human", 723, 42, "9f" * 32, {"dinov2": "01" * 32})
MODELS = ("bsrgan", "swinir")


def make_run(zoo: str = "mini", models: tuple[str, ...] = MODELS) -> dict[str, pd.DataFrame]:
    """Tables of a small run as hlf.columns fixes them: 20 GT, two levels, VIF following the score backwards."""
    rng = np.random.Generator(np.random.PCG64(7))
    rows = [
        {"run": "r", "pair_id": columns.pair_id(i, level, m), "image_id": i, "level": level, "model": m}
        for i in (f"gt{k:02d}" for k in range(20))
        for level in (0.3, 1.0)
        for m in models
    ]
    base = pd.DataFrame(rows)
    n = len(base)
    similarity = rng.uniform(0.4, 1.0, n)
    yes = rng.binomial(12, np.clip(1.6 - 1.6 * similarity, 0, 1))
    score = yes / 12
    paths = {
        "gt_path": "images/" + base["image_id"] + ".png",
        "lr_path": "lr/" + base["image_id"] + ".png",
        "sr_path": "sr/" + base["image_id"] + ".png",
    }
    sim = base.assign(similarity=similarity, **paths, backbone="pe-core", weights_sha256="ab")
    chosen = base.assign(similarity=similarity, bin=(similarity > 0.7).astype(int), **paths, seed=1)
    strata = [
        {"model": m, "bin": b, "low": 0.4 + 0.3 * b, "high": 0.7 + 0.3 * b, "available": 20, "wanted": 21, "taken": 20}
        for m in models
        for b in (0, 1)
    ]
    scores = base.assign(
        n_valid=12, n_yes=yes, score=score, wilson_low=score * 0.8, wilson_high=score * 0.8 + 0.2, source="simulated",
        status="complete",
    )  # fmt: skip
    part = np.where(base["image_id"] < "gt08", "test", "train")
    iqa = [
        base[["run", "pair_id"]].assign(
            metric=metric, value=sign * score + rng.normal(0, 0.1, n), kind="FR", lower_better=sign > 0,
            convention="paper", zoo="", weights_sha256="",
            version="1", status="ok",
        )
        for metric, sign in (("vif", -1.0), ("psnr", -1.0), ("lpips", 1.0))
    ]  # fmt: skip
    hlf = [
        base[["run", "pair_id"]].assign(
            backbone=b, tuned=t, value=np.abs(score * (1 if t else 0.4) + rng.normal(0, 0.1, n)), part=part, zoo=zoo,
            weights_sha256="cd",
        )
        for b in ("pe-core", "dinov2")
        for t in (True, False)
    ]  # fmt: skip
    made = {
        "similarity": sim,
        "pairs": chosen,
        "strata": pd.DataFrame(strata),
        "scores": scores,
        "split": base[["pair_id", "image_id", "model"]].assign(score=score, part=part, seed=42),
        "iqa": pd.concat(iqa),
        "metric_scores": pd.concat(hlf),
    }
    return {name: columns.conform(table, name) for name, table in made.items()}


@pytest.fixture(scope="module")
def run() -> dict[str, pd.DataFrame]:
    return make_run()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.Generator(np.random.PCG64(3))
    for k in range(20):
        for stage, side in (("images", 16), ("lr", 4), ("sr", 16)):
            write_png(folder / stage / f"gt{k:02d}.png", rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
    return folder


def two(run: dict[str, pd.DataFrame], n_boot: int = 40) -> pd.DataFrame:
    return tables.table2(run["iqa"], run["scores"], run["split"], n_boot, 42)


def three(run: dict[str, pd.DataFrame], n_boot: int = 40) -> pd.DataFrame:
    return tables.table3(run["metric_scores"], run["scores"], run["split"], n_boot, 42)


def test_learned_measures_bear_the_zoos_name_and_missing_weights_are_told(run: dict[str, pd.DataFrame]) -> None:
    iqa = run["iqa"].copy()
    iqa.loc[iqa["metric"] == "lpips", "zoo"] = "mini"
    gone = iqa["metric"] == "psnr"
    iqa.loc[gone, ["value", "status"]] = [np.nan, "weights missing: LPIPS_v0.1_alex-df73285e.pth"]
    table = two({**run, "iqa": iqa}).set_index("metric")
    assert table.loc["LPIPS (mini)", "paper_srcc"] == expected.TABLE2["LPIPS"].srcc
    assert table.loc["PSNR", "status"] == "weights missing: LPIPS_v0.1_alex-df73285e.pth"
    assert np.isnan(table.loc["PSNR", "srcc"]) and table.loc["VIF", "status"] == "ok"
    assert tables.incomplete(table.reset_index()) == ["PSNR: LPIPS_v0.1_alex-df73285e.pth"]


# --- expected numbers and facts ---


def test_the_papers_own_statements_hold_in_the_transcription() -> None:
    assert sum(expected.PAIRS_PER_MODEL.values()) == expected.PAIRS
    # Section 4.1 and 4.2: bold values of Tables 2 and 3
    assert max(expected.TABLE2, key=lambda k: expected.TABLE2[k].srcc) == "VIF"
    assert max(expected.TABLE2, key=lambda k: expected.TABLE2[k].plcc) == "DISTS"
    assert max(expected.TABLE3, key=lambda k: expected.TABLE3[k].srcc) == "(ft) BLIP"
    assert max(expected.TABLE3, key=lambda k: expected.TABLE3[k].plcc) == "(ft) DINOv2"
    assert set(expected.METRIC_NAMES.values()) == set(expected.TABLE2)
    # Section 5: the model tuned with alpha 0.01 is better than the original everywhere
    ours, theirs = expected.TABLE4["SeeSR-Finetuned (0.01)"], expected.TABLE4["SeeSR-Original"]
    higher = {"psnr", "ssim", "vif"}
    assert all((a > b) == (m in higher) for m, a, b in zip(expected.TABLE4_MEASURES, ours, theirs, strict=True))


def test_only_official_models_with_human_votes_go_unstamped() -> None:
    assert PAPER.stamp() == ""
    assert MINI.stamp() == (
        "MINI models, SIMULATED votes - tests the software, says nothing about any SR model or person"
    )
    assert dataclasses.replace(PAPER, votes="simulated").stamp().startswith("SIMULATED votes")
    assert dataclasses.replace(PAPER, zoo="mini").stamp().startswith("MINI models")


def test_weights_digest_sees_every_file_and_no_order() -> None:
    turned = dataclasses.replace(MINI, weights=dict(reversed(MINI.weights.items())))
    assert turned.weights_hash() == MINI.weights_hash()
    assert dataclasses.replace(MINI, weights={**MINI.weights, "x": "00"}).weights_hash() != MINI.weights_hash()


# --- tables ---


def test_table2_has_the_papers_order_and_shape(run: dict[str, pd.DataFrame]) -> None:
    table = two(run)
    assert list(table["metric"]) == ["PSNR", "VIF", "LPIPS"]
    assert list(table) == [
        "metric", "type", "srcc", "srcc_low", "srcc_high", "plcc", "plcc_low", "plcc_high", "plcc_logistic",
        "krcc", "rmse", "n", "status", "srcc_signed", "plcc_signed", "krcc_signed", "paper_srcc", "paper_plcc",
    ]  # fmt: skip
    vif = table.set_index("metric").loc["VIF"]
    assert vif["srcc_signed"] < 0 < vif["srcc"] == -vif["srcc_signed"]
    assert vif["srcc_low"] <= vif["srcc"] <= vif["srcc_high"]
    assert vif["n"] == (run["split"]["part"] == "test").sum()
    assert table["status"].eq("ok").all()
    assert vif["krcc_signed"] == -vif["krcc"] < 0 < vif["rmse"] < 0.5


def test_only_the_test_part_counts(run: dict[str, pd.DataFrame]) -> None:
    test = run["split"].loc[run["split"]["part"] == "test", "pair_id"]
    other = run["iqa"].copy()
    other.loc[~other["pair_id"].isin(test), "value"] = 123.0
    assert two({**run, "iqa": other}).equals(two(run))
    values = run["iqa"][(run["iqa"]["metric"] == "vif") & run["iqa"]["pair_id"].isin(test)].merge(
        run["scores"], on="pair_id"
    )
    want = stats.srcc(values["value"].to_numpy(), values["score"].to_numpy())
    assert two(run).set_index("metric").loc["VIF", "srcc_signed"] == pytest.approx(want, abs=1e-12)


def test_row_order_of_inputs_changes_nothing(run: dict[str, pd.DataFrame]) -> None:
    turned = {name: table.iloc[::-1].reset_index(drop=True) for name, table in run.items()}
    pd.testing.assert_frame_equal(two(turned), two(run), check_exact=False, rtol=1e-12)
    assert list(three(turned)["metric"]) == list(three(run)["metric"])


def test_table3_names_zero_shot_tuned_and_zoo(run: dict[str, pd.DataFrame]) -> None:
    assert list(three(run)["metric"]) == [
        "DINOv2 (mini)", "PE-core (mini)", "(ft) DINOv2 (mini)", "(ft) PE-core (mini)",
    ]  # fmt: skip
    assert list(three(make_run("official"))["metric"]) == ["DINOv2", "PE-core", "(ft) DINOv2", "(ft) PE-core"]


def test_paper_numbers_stand_in_paper_columns_only(run: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    numbers = {f"{v:.4f}" for row in (*expected.TABLE2.values(), *expected.TABLE3.values()) for v in row}
    for name, table in (("table2", two(run)), ("table3", three(run))):
        text = pd.read_csv(tables.write_all(table, MINI, tmp_path / name, name)[0], dtype=str)
        ours = text[["srcc", "plcc", "plcc_logistic"]]
        assert not ours.isin(numbers).any(axis=None)
        assert text[["paper_srcc", "paper_plcc"]].isin(numbers).all(axis=None)


def make_measures() -> pd.DataFrame:
    """Two models and a baseline at two levels, on an image with one thing and one with three."""
    rows = []
    for image, things in (("a", 1), ("b", 3)):
        about = {"run": "r", "image_id": image, "things": things}
        nothing = {"level": np.nan, "model": columns.GT, "psnr": np.nan}
        rows.append({**about, **nothing, "baseline": False, "sharpness": 8.0, "right": things})
        for level in (1.0, 0.3):
            for k, model in enumerate(("bicubic", "swinir", "bsrgan")):
                made = {"level": level, "model": model, "baseline": model == "bicubic", "sharpness": k + things}
                rows.append({**about, **made, "psnr": 20 + k - level, "right": things - 1})
    return columns.conform(pd.DataFrame(rows), "sr_measures")


def test_sr_models_come_by_level_then_baselines_and_gt_once() -> None:
    table = models.sr_models(make_measures())
    assert list(table) == ["level", "model", "images", "sharpness", "psnr", "read_right"]
    names = ["BSRGAN", "SwinIR", "bicubic (baseline)"]
    assert table["model"].tolist() == [*names, *names, "GT"] and table["images"].eq(2).all()
    assert table["level"].tolist()[:6] == [0.3] * 3 + [1.0] * 3
    assert np.isnan(table["level"].iloc[6]) and np.isnan(table["psnr"].iloc[6]) and table["read_right"].iloc[6] == 1
    # things count alike: 0 of 1 and 2 of 3 are a half, not a third
    first = table.iloc[0]
    assert (first["sharpness"], first["psnr"], first["read_right"]) == (4.0, pytest.approx(21.7), 0.5)
    pd.testing.assert_frame_equal(models.sr_models(make_measures().iloc[::-1]), table)


def test_sr_models_of_photographs_have_nothing_to_read_and_an_empty_table_is_refused() -> None:
    table = models.sr_models(make_measures().assign(things=0, right=0))
    assert "read_right" not in table and len(table) == 7
    with pytest.raises(HlfError, match="received an empty table"):
        models.sr_models(make_measures().head(0))


def test_a_table_without_votes_names_none(tmp_path: Path) -> None:
    sr = pd.DataFrame({"model": ["bsrgan", "bicubic"], "weights_sha256": ["ab" * 32, ""]})
    settings = {"run": "r", "scale": "mini", "zoo": "mini", "seed": 1, "config_hash": "ab" * 8}
    facts = facts_of(settings, None, sr)
    assert facts.votes == NO_VOTES and dict(facts.weights) == {"bsrgan": "ab" * 32}
    csv, md, tex = tables.write_all(models.sr_models(make_measures()), facts, tmp_path / "t", models.TITLE, models.NOTE)
    for text in (md.read_text(), tex.read_text()):
        assert "MINI models - tests the software" in text and "votes" not in text and "pairs," not in text
        assert "0.3000" not in text and "bicubic (baseline)" in text
    assert csv.read_text().splitlines()[1].startswith("0.3,BSRGAN,2,4.0000,21.7000,0.5000,r,mini,mini,,1,")
    # an official run needs no stamp here, whatever its votes
    assert dataclasses.replace(facts, zoo="official").stamp() == ""
    # the report reads the CSV back, where levels are numbers
    assert formats.view(read_table(csv)[["level", "model"]]).rows[0][0].text == "0.3"


def test_undefined_correlation_is_a_status_row(run: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    iqa = run["iqa"].copy()
    iqa.loc[iqa["metric"] == "psnr", "value"] = 80.0
    table = two({**run, "iqa": iqa})
    row = table.set_index("metric").loc["PSNR"]
    assert "SRCC undefined" in row["status"] and np.isnan(row["srcc"])
    assert row["paper_srcc"] == expected.TABLE2["PSNR"].srcc
    paths = tables.write_all(table, MINI, tmp_path / "table2", "Table 2")
    for path in paths:
        text = path.read_text()
        assert "nan" not in text.lower() and "SRCC undefined" in text
    cells = pd.read_csv(paths[0], dtype=str, keep_default_na=False).set_index("metric").loc["PSNR"]
    assert cells["srcc"] == cells["srcc_low"] == cells["plcc_logistic"] == cells["krcc"] == cells["rmse"] == ""


def test_failed_and_missing_values_are_counted(run: dict[str, pd.DataFrame]) -> None:
    test = run["split"].loc[run["split"]["part"] == "test", "pair_id"].tolist()
    iqa = run["iqa"][~((run["iqa"]["metric"] == "psnr") & (run["iqa"]["pair_id"] == test[0]))].copy()
    iqa.loc[(iqa["metric"] == "psnr") & (iqa["pair_id"] == test[1]), ["value", "status"]] = [np.nan, "failed: x"]
    iqa.loc[(iqa["metric"] == "psnr") & (iqa["pair_id"] == test[2]), "value"] = np.inf
    row = two({**run, "iqa": iqa}).set_index("metric").loc["PSNR"]
    assert row["n"] == len(test) - 3
    assert row["status"] == f"{len(test) - 3} of {len(test)} pairs measured"


def test_wrong_tables_are_refused(run: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(HlfError, match="no pair of part 'test'"):
        two({**run, "split": run["split"].assign(part="train")})
    with pytest.raises(HlfError, match="no complete score"):
        two({**run, "scores": run["scores"].assign(status="incomplete")})
    with pytest.raises(HlfError, match="two values for one pair"):
        two({**run, "iqa": pd.concat([run["iqa"], run["iqa"]])})
    with pytest.raises(HlfError, match="'iqa' holds no row"):
        two({**run, "iqa": run["iqa"].head(0)})
    with pytest.raises(HlfError, match="lacks the columns"):
        two({**run, "iqa": run["iqa"].drop(columns="value")})


def test_written_tables_are_deterministic_and_traceable(run: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    first = tables.write_all(two(run), MINI, tmp_path / "a" / "table2", "Table 2")
    second = tables.write_all(two(run), MINI, tmp_path / "b" / "table2", "Table 2")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    assert [p.name for p in first] == ["table2.csv", "table2.md", "table2.tex"]
    text = pd.read_csv(first[0], dtype=str)
    assert set(text["run"]) == {"mini"} and set(text["config_hash"]) == {MINI.config_hash}
    assert set(text["seed"]) == {"42"} and set(text["source"]) == {"simulated"}
    assert text["srcc"].str.fullmatch(r"0\.\d{4}").all()


@pytest.mark.parametrize("facts", [MINI, PAPER], ids=["mini", "paper"])
def test_stamp_stands_in_every_table_or_in_none(facts: Facts, run: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    for path in tables.write_all(two(run), facts, tmp_path / "table2", "Table 2"):
        text = path.read_text()
        assert ("tests the software" in text) == bool(facts.stamp()), path.name
        assert facts.config_hash[:12] in text


def test_a_written_table_reads_back_without_its_provenance(run: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    table = two(run)
    back = read_table(tables.write_all(table, MINI, tmp_path / "table2", "Table 2")[0])
    plain = back.drop(columns=list(formats.PROVENANCE))
    assert list(plain) == list(table)
    assert formats.view(plain) == formats.view(table)


def test_latex_is_booktabs_bold_and_escaped() -> None:
    table = pd.DataFrame({"metric": ["a_b & 50 %", "c"], "srcc": [0.5, 0.25], "status": "ok"})
    text = formats.to_latex(formats.view(table), ["x_y #1"], "t")
    assert r"a\_b \& 50 \% & \textbf{0.5000} \\" in text
    assert r"c & 0.2500 \\" in text and r"\caption{x\_y \#1}" in text
    assert all(rule in text for rule in (r"\toprule", r"\midrule", r"\bottomrule"))


def test_equal_prints_are_all_best_and_smaller_may_be_best() -> None:
    table = pd.DataFrame({"metric": ["a", "b", "c"], "srcc": [0.50001, 0.50002, 0.4], "lpips": [0.3, 0.1, np.nan]})
    rows = formats.view(table, {"srcc": "max", "lpips": "min"}).rows
    assert [[c.best for c in row[1:]] for row in rows] == [[True, False], [True, True], [False, False]]


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e6, 1e6) | st.just(float("nan")))
def test_numbers_have_four_decimals_or_nothing(value: float) -> None:
    text = formats.number(value)
    if np.isnan(value):
        assert text == ""
    else:
        assert re.fullmatch(r"-?\d+\.\d{4}", text) and text != "-0.0000"
        assert abs(float(text) - value) <= 0.5001e-4 + 1e-9 * abs(value)


# --- figures ---


def make_figure(name: str, run: dict[str, pd.DataFrame], root: Path, facts: Facts):
    if name == "similarity":
        return figures.similarity_histogram(run["similarity"], run["pairs"], run["strata"], facts)
    if name == "figure4":
        return figures.figure4(run["scores"], facts)
    if name == "scatter":
        return figures.figure_metric_scatter(run["metric_scores"], run["scores"], run["split"], facts)
    if name in ("significance", "panel"):
        values = tables.table2_values(run["iqa"])
        if name == "panel":
            return metric_figures.metric_scatter_panel(values, run["scores"], run["split"], facts)
        compared = agreement.comparisons(values, run["scores"], run["split"], 50, 42)
        return metric_figures.significance_matrix(compared, ["PSNR", "VIF", "LPIPS"], facts)
    if name == "curves":
        epochs = np.arange(1, 5)
        history = pd.DataFrame({"backbone": "dinov2", "epoch": epochs, "train_loss": 1 / epochs})
        history = history.assign(validation_loss=1 / epochs, train_srcc=0.9, validation_srcc=0.8)
        return figures.learning_curves(history, facts)
    if name == "figure5":
        return scheme.figure5(facts)
    if name == "contact":
        sr = dict.fromkeys(MODELS, root / "sr/gt00.png")
        return sheets.contact_sheet(
            [sheets.SheetRow("gt00", root / "lr/gt00.png", sr, root / "images/gt00.png")], facts
        )
    worst = pairs.worst_pairs(run["scores"], run["pairs"], run["metric_scores"], "dinov2", 4)
    return sheets.pair_sheet(worst, root, facts, 4)


FIGURES = ["similarity", "figure4", "scatter", "significance", "panel", "curves", "figure5", "contact", "worst"]


def words(figure) -> str:
    from matplotlib.text import Text

    return " ".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize("name", FIGURES)
def test_figures_give_the_same_bytes_twice(name: str, run: dict[str, pd.DataFrame], root: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        style.save_figure(
            make_figure(name, run, root, MINI), tmp_path / folder / "f.pdf", tmp_path / folder / "f.png", 50
        )
    for suffix in ("pdf", "png"):
        first, second = ((tmp_path / folder / f"f.{suffix}").read_bytes() for folder in ("a", "b"))
        assert first == second
        assert b"CreationDate" not in first and b"Matplotlib" not in first


@pytest.mark.parametrize("name", FIGURES)
def test_figures_need_no_stamp_only_with_official_models_and_people(
    name: str, run: dict[str, pd.DataFrame], root: Path
) -> None:
    plain = words(make_figure(name, run, root, PAPER))
    assert "tests the software" not in plain and "723 pairs" in plain


@pytest.mark.parametrize("name", FIGURES)
def test_stamp_is_drawn_and_no_text_hides_another(name: str, run: dict[str, pd.DataFrame], root: Path) -> None:
    figure = make_figure(name, run, root, MINI)
    assert "MINI models, SIMULATED votes" in words(figure) and "simulated votes" in words(figure)
    assert_no_text_hides_another(figure)


def assert_no_text_hides_another(figure) -> None:
    """Nor is any text cut off, nor too small in print, to whose width a wider figure is shrunk."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    with style.look():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        # matplotlib keeps ticks beyond the limits, which it does not draw
        hidden = set()
        for axis in (a for ax in figure.axes for a in (ax.xaxis, ax.yaxis)):
            low, high = sorted(axis.get_view_interval())
            hidden |= {tick.label1 for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high}
        boxes = [
            (text.get_text(), text.get_window_extent(canvas.get_renderer()), text.get_rotation())
            for text in figure.findobj(Text)
            if text.get_text().strip() and text.get_visible() and text not in hidden
        ]
        grow = max(1.0, figure.get_figwidth() / style.PRINT_WIDTH)
        small = {
            text.get_text(): text.get_fontsize() / grow
            for text in figure.findobj(Text)
            if text.get_text().strip() and text.get_fontsize() / grow < style.SMALLEST - 0.01
        }
    assert not small
    width, height = canvas.get_width_height()
    for index, (text, box, angle) in enumerate(boxes):
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1, text
        for other, second, second_angle in boxes[index + 1 :]:
            # boxes of slanted tick labels may touch although the letters do not; a pixel of slack for the rest
            if angle % 90 == 0 and second_angle % 90 == 0:
                across = min(box.x1, second.x1) - max(box.x0, second.x0)
                along = min(box.y1, second.y1) - max(box.y0, second.y0)
                assert min(across, along) <= 1, (text, other)


def test_pdf_does_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    code = (
        "import sys; from hlf.paper import scheme, style; from hlf.paper.facts import Facts; "
        "f = Facts('r', 'mini', 'mini', 'simulated', 1, 1, 'ab'); "
        "style.save_figure(scheme.figure5(f), sys.argv[1] + '.pdf', sys.argv[1] + '.png', 40)"
    )
    source = Path(style.__file__).parents[2]
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(source)}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=env, timeout=120)
    for suffix in (".pdf", ".png"):
        assert (tmp_path / f"1{suffix}").read_bytes() == (tmp_path / f"2{suffix}").read_bytes()


def test_figure4_bins_hold_every_complete_pair(run: dict[str, pd.DataFrame]) -> None:
    scores = run["scores"].iloc[:11].assign(score=[k / 10 for k in range(11)], model="bsrgan")
    scores.loc[scores.index[0], "status"] = "incomplete"
    bars = [b.get_height() for b in figures.figure4(scores, MINI).findobj() if type(b).__name__ == "Rectangle"]
    # scores 0.1 ... 1.0: one in each bin but the first, two in the last
    assert [h for h in bars if h in (0, 2)].count(2) == 1
    assert "(n = 10" in words(figures.figure4(scores, MINI))


def test_five_models_keep_their_colours() -> None:
    colors = style.model_colors([*expected.MODEL_NAMES, "seesr-hlf0.1"])
    assert len(set(colors.values())) == 6
    assert style.model_colors(["swinir"])["swinir"] == colors["swinir"]
    marks = style.model_marks(colors)
    assert len(set(marks.values())) == 6 and style.model_marks(["swinir"])["swinir"] == marks["swinir"]
    # what is no SR model never has the colour of one
    others = {style.FIRST, style.SECOND, style.THIRD, *style.BACKBONE_COLORS}
    assert not others & {*style.MODEL_COLORS.values(), *style.SPARE_COLORS}


# Machado, Oliveira and Fernandes 2009, severity 1, for linear RGB
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lab(color: str, matrix) -> np.ndarray:
    """CIE L*a*b* (D65) of a hexadecimal sRGB colour as somebody with a colour blindness sees it."""
    srgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(np.asarray(matrix) @ linear, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize(
    "colors",
    [tuple(style.MODEL_COLORS.values()), style.BACKBONE_COLORS[:5], (style.FIRST, style.SECOND)],
    ids=["SR models", "backbones", "two things"],
)
def test_colours_stay_apart_for_colour_blind_readers(colors, blindness: str) -> None:
    seen = [lab(color, BLINDNESS[blindness]) for color in colors]
    apart = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    # a difference of 2 is just seen, one of 10 at a glance
    assert min(apart) > 15


def test_simulated_votes_are_never_called_people() -> None:
    assert "people" in style.score_label(PAPER) and "people" not in style.score_label(MINI)


def test_figures_refuse_what_they_cannot_draw(run: dict[str, pd.DataFrame], root: Path) -> None:
    with pytest.raises(HlfError, match="complete score"):
        figures.figure4(run["scores"].assign(status="incomplete"), MINI)
    with pytest.raises(HlfError, match="at least one row"):
        sheets.contact_sheet([], MINI)
    with pytest.raises(HlfError, match="same bin edges"):
        strata = run["strata"].assign(low=np.linspace(0.1, 0.4, len(run["strata"])))
        figures.similarity_histogram(run["similarity"], run["pairs"], strata, MINI)


# --- pairs and report ---


def test_worst_pairs_come_by_score(run: dict[str, pd.DataFrame]) -> None:
    worst = pairs.worst_pairs(run["scores"], run["pairs"], run["metric_scores"], "dinov2", 6)
    assert worst["score"].is_monotonic_decreasing and worst["score"].iloc[0] == run["scores"]["score"].max()
    tie = worst[worst["score"] == worst["score"].iloc[0]]
    assert tie["similarity"].is_monotonic_increasing
    some = run["metric_scores"].query("backbone == 'dinov2' and tuned").set_index("pair_id")["value"]
    assert (worst["prediction"] == some.loc[worst["pair_id"]].to_numpy()).all()


def table_of(run: dict[str, pd.DataFrame], tagged: str = "") -> pd.DataFrame:
    """Pairs of the viewer; the SR model `tagged` reads tags."""
    keys = run["scores"][["model", "image_id", "level"]].drop_duplicates()
    sr = keys.assign(tags=[f"tag of {row.image_id}" if row.model == tagged else "" for row in keys.itertuples()])
    return pairs.pair_table(run["scores"], run["pairs"], run["metric_scores"], run["iqa"], sr, "dinov2")


def test_pairs_bear_their_tags_and_the_values_of_the_measures(run: dict[str, pd.DataFrame]) -> None:
    table = table_of(run, MODELS[0]).set_index("pair_id")
    assert len(table) == len(run["scores"]) and not table.index.duplicated().any()
    told = table["tags"] != ""
    assert (told == (table["model"] == MODELS[0])).all() and (
        table["tags"][told] == "tag of " + table["image_id"][told]
    ).all()
    for name in ("lpips", "vif"):
        values = run["iqa"][run["iqa"]["metric"] == name].set_index("pair_id")["value"]
        assert (table[name] == values.loc[table.index]).all()
        assert table[f"{name}_gap"].isna().tolist() == (table["part"] != "test").tolist()
    lost = {**run, "iqa": run["iqa"][run["iqa"]["metric"] != "vif"]}
    assert "vif" not in table_of(lost) and "lpips_gap" in table_of(lost)


def test_gap_is_the_difference_of_ranks_and_finds_the_planted_pair(run: dict[str, pd.DataFrame]) -> None:
    test = run["split"].loc[run["split"]["part"] == "test", "pair_id"].tolist()
    iqa, hlf = run["iqa"].copy(), run["metric_scores"].copy()
    # VIF says "nothing changed" (highest), HLF says "all changed"
    iqa.loc[(iqa["metric"] == "vif") & (iqa["pair_id"] == test[5]), "value"] = 9.0
    hlf.loc[(hlf["pair_id"] == test[5]) & hlf["tuned"], "value"] = 2.0
    table = table_of({**run, "iqa": iqa, "metric_scores": hlf})
    gaps = table.set_index("pair_id")["vif_gap"].dropna()
    assert gaps.idxmax() == test[5] and gaps.max() == pytest.approx((len(test) - 1) / len(test))
    assert set(gaps.index) == set(test) and gaps.sum() == pytest.approx(0)
    order = table["pair_id"].iloc[pairs.in_turn(table, 5)].tolist()
    assert test[5] in order[:4] and set(test) <= set(order) and len(order) == len(set(order))


def test_pairs_come_by_turns_and_training_pairs_only_when_they_are_worst(run: dict[str, pd.DataFrame]) -> None:
    table = table_of(run, MODELS[1])
    order = table.iloc[pairs.in_turn(table, 3)]
    worst = table.sort_values(["score", "similarity", "pair_id"], ascending=[False, True, True])
    firsts = [worst.iloc[0], worst[worst["tags"] != ""].iloc[0]]
    for name in ("lpips", "vif"):
        size = table[f"{name}_gap"].abs()
        firsts.append(table.loc[size[size == size.max()].index].sort_values("pair_id").iloc[0])
    wanted = list(dict.fromkeys(row["pair_id"] for row in firsts))
    assert order["pair_id"].tolist()[: len(wanted)] == wanted
    of_training = set(order.loc[order["part"] == "train", "pair_id"])
    assert of_training <= {*worst.head(3)["pair_id"], *worst[worst["tags"] != ""].head(3)["pair_id"]}
    rest = order["pair_id"].tolist()[12:]
    assert rest == sorted(rest)
