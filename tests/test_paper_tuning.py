"""Table 4, its paired changes and the figures of the fine-tuning: right marks, rules without luck, same bytes twice."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlf import columns
from hlf.errors import HlfError
from hlf.files import read_table
from hlf.paper import expected, formats, report, tables, tuning
from test_paper import MINI, PAPER

HALF, FULL = "seesr-hlf0.1", "seesr-hlf0.01"
VARIANTS = ("seesr", HALF, FULL)
MEASURES = {
    "dinov2": ("trained", True), "lpips": ("image", True), "psnr": ("image", False), "read_right": ("content", False),
    "pe-core": ("held-out", True), "clip": ("held-out", True), "vit": ("held-out", True),
}  # fmt: skip


def make_evaluation(gains=None, images=8, zoo="official", seed=3):
    """Table `tuning_evaluation`, two levels; `gains`: (variant, measure) -> how much better than the baseline."""
    rng, rows = np.random.Generator(np.random.PCG64(seed)), []
    for measure, (group, lower) in MEASURES.items():
        for image in range(images):
            for level in (0.3, 1.0):
                start = 0.4 + rng.uniform(-0.1, 0.1)
                for variant in VARIANTS:
                    gain = 0.0 if variant == "seesr" else (gains or {}).get((variant, measure), 0.0)
                    noise = rng.normal(0, 0.002) if gain else 0.0
                    value = start + (gain + noise) * (-1 if lower else 1)
                    rows.append((variant, f"gt{image:02d}", level, measure, group, value, lower))
    names = ["variant", "image_id", "level", "measure", "group", "value", "lower_better"]
    table = pd.DataFrame(rows, columns=names).assign(run="r", zoo=zoo, sr_sha256="ab", weights_sha256="cd")
    return columns.conform(table, "tuning_evaluation")


def shuffled(table, seed=1):
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


# --- Table 4 ---


def test_table4_has_the_papers_order_and_the_trained_metric_last():
    table = tuning.table4(shuffled(make_evaluation()))
    measured = ["clip_hlf", "pe_hlf", "vit_hlf", "psnr", "lpips", "read_right", "dinov2_hlf_trained"]
    assert list(table) == ["model", "n", *measured]
    assert table["model"].tolist() == list(expected.TABLE4) and (table["n"] == 8).all()
    assert not any(c.startswith("paper_") for c in table)
    assert tuning.table4(make_evaluation(zoo="mini"))["model"].tolist() == [f"{m} (mini)" for m in expected.TABLE4]
    known = {m.column for m in tuning.measures(make_evaluation())} & set(expected.TABLE4_MEASURES)
    assert known == {"clip_hlf", "pe_hlf", "psnr", "lpips"}


def test_each_image_counts_once_and_only_pictures_judged_in_every_variant():
    evaluation = make_evaluation(images=2)
    of = (evaluation["measure"] == "psnr") & (evaluation["variant"] == "seesr")
    evaluation.loc[of, "value"] = [1.0, 3.0, 10.0, 20.0]
    assert tuning.table4(evaluation)["psnr"].iloc[0] == pytest.approx((2.0 + 15.0) / 2)
    # one level of the second image was not judged in another variant: its other level stands for the image
    gone = (evaluation["measure"] == "psnr") & (evaluation["variant"] == HALF) & (evaluation["image_id"] == "gt01")
    evaluation.loc[gone & (evaluation["level"] == 1.0), "value"] = np.nan
    assert tuning.table4(evaluation)["psnr"].iloc[0] == pytest.approx((2.0 + 10.0) / 2)
    evaluation.loc[gone, "value"] = np.nan
    changes = tuning.table4_changes(evaluation, 50, 1).query("measure == 'PSNR'")
    assert (changes["n"] == 1).all() and (changes["baseline"] == 2.0).all()


def test_a_measure_of_some_images_only_or_of_none():
    evaluation = make_evaluation({(FULL, "read_right"): 0.1})
    content = evaluation["measure"] == "read_right"
    some = evaluation[~content | (evaluation["image_id"] > "gt03")]
    row = tuning.table4_changes(some, 100, 1).query("measure == 'Read right'").iloc[-1]
    assert row["n"] == 4 and row["better"] == "yes" and row["status"] == "ok"
    evaluation.loc[content, "value"] = np.nan
    assert tuning.table4(evaluation)["read_right"].isna().all()
    row = tuning.table4_changes(evaluation, 100, 1).query("measure == 'Read right'").iloc[-1]
    assert (row["n"], row["better"]) == (0, "unsettled") and "no picture was judged" in row["status"]


def test_incomplete_or_double_evaluations_are_refused():
    evaluation = make_evaluation()
    with pytest.raises(HlfError, match="not evaluated on the same pictures"):
        tuning.table4(evaluation.drop(index=evaluation.index[5]))
    with pytest.raises(HlfError, match="twice"):
        tuning.table4(pd.concat([evaluation, evaluation.head(1)]))
    with pytest.raises(HlfError, match="holds no row"):
        tuning.table4(evaluation.head(0))
    with pytest.raises(HlfError, match="unknown groups \\['other'\\]"):
        tuning.table4(evaluation.assign(group="other"))
    with pytest.raises(HlfError, match="need the variant seesr"):
        tuning.table4_changes(evaluation[evaluation["variant"] != "seesr"], 10, 1)
    with pytest.raises(HlfError, match="at least 2 GT groups"):
        tuning.table4_changes(make_evaluation(images=1), 10, 1)


def marks(view, heading):
    place = view.headings.index(heading)
    return ["best" if row[place].best else "second" if row[place].second else "" for row in view.rows]


def test_best_and_second_best_are_marked_by_direction_and_equal_prints_alike(tmp_path):
    table = tuning.table4(make_evaluation()).assign(
        clip_hlf=[0.434, 0.416, 0.412], psnr=[20.7, 21.0, 21.1], lpips=[0.39901, 0.39902, 0.395],
        pe_hlf=[0.2, 0.1, 0.1], read_right=[np.nan, 0.5, np.nan],
    )  # fmt: skip
    csv, markdown, latex = tables.write_all(
        table, PAPER, tmp_path / "table4", tuning.TABLE4_TITLE, tuning.TABLE4_READING, tuning.table4_best(table), True,
        tuning.table4_headings(table),
    )  # fmt: skip
    # the report reads what was written
    again = read_table(csv).drop(columns=list(formats.PROVENANCE))
    view = formats.view(again, tuning.table4_best(again), True, tuning.table4_headings(again))
    assert marks(view, "CLIP HLF") == ["", "second", "best"]
    assert marks(view, "PSNR") == ["", "second", "best"]
    assert marks(view, "LPIPS") == ["second", "second", "best"]
    assert marks(view, "PE HLF") == ["second", "best", "best"]
    assert marks(view, "Read right") == ["", "best", ""] and marks(view, "n") == ["", "", ""]
    assert "DINOv2 HLF (in the loss)" in view.headings
    assert "| <u>0.4160</u> |" in markdown.read_text() and "| **0.4120** |" in markdown.read_text()
    assert r"& \underline{0.4160} &" in latex.read_text() and r"\textbf{0.4120}" in latex.read_text()
    page = tmp_path / "r.html"
    section = report.TableSection(
        "table4", "Table 4", again, "", tuning.table4_best(again), True, tuning.table4_headings(again)
    )
    report.write_report(page, PAPER, report.Report({}, {}, [section]), tmp_path)
    assert '<td class="num second">0.4160</td>' in page.read_text()


def test_second_best_is_marked_on_demand_only():
    table = pd.DataFrame({"metric": ["a", "b"], "srcc": [0.5, 0.25]})
    plain = formats.view(table)
    assert marks(plain, "SRCC") == ["best", ""] and marks(formats.view(table, second=True), "SRCC") == [
        "best",
        "second",
    ]
    assert "<u>" not in formats.to_markdown(plain, []) and "underline" not in formats.to_latex(plain, [], "t")


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.sampled_from(["max", "min"]))
def test_no_value_lies_between_best_and_second_best(values, direction):
    cells = [row[0] for row in formats.view(pd.DataFrame({"a": np.array(values, float)}), {"a": direction}, True).rows]
    turned = [v if direction == "max" else -v for v in values]
    order = sorted(set(turned), reverse=True)
    assert [c.best for c in cells] == [v == order[0] for v in turned]
    assert [c.second for c in cells] == [v in order[1:2] for v in turned]


# --- changes ---


def test_changes_tell_the_good_side_of_each_measure():
    gains = {(HALF, "clip"): 0.05, (HALF, "psnr"): 0.05, (HALF, "lpips"): -0.05, (FULL, "psnr"): -0.05}
    table = tuning.table4_changes(make_evaluation(gains), 200, 42)
    assert table["model"].tolist() == [*["SeeSR-Finetuned (0.1)"] * 7, *["SeeSR-Finetuned (0.01)"] * 7]
    found = table.set_index(["model", "measure"])
    half, full = (found.loc[f"SeeSR-Finetuned ({a})"] for a in ("0.1", "0.01"))
    assert half["better"].to_dict() == {
        "CLIP HLF": "yes", "PE HLF": "unsettled", "ViT HLF": "unsettled", "PSNR": "yes", "LPIPS": "worse",
        "Read right": "unsettled", "DINOv2 HLF (in the loss)": "unsettled",
    }  # fmt: skip
    assert (
        half.loc["CLIP HLF", "difference"] == pytest.approx(-0.05, abs=0.005) and full.loc["PSNR", "better"] == "worse"
    )
    assert (half["difference"] - (half["tuned"] - half["baseline"])).abs().max() < 1e-12
    assert half.loc["CLIP HLF", "paper_difference"] == pytest.approx(0.416 - 0.434)
    assert full.loc["PE HLF", "paper_difference"] == pytest.approx(0.436 - 0.459)
    # the paper has neither of these
    assert half.loc[["ViT HLF", "Read right", "DINOv2 HLF (in the loss)"], "paper_difference"].isna().all()
    other = make_evaluation(gains).replace({"variant": {HALF: "seesr-hlf0.5"}})
    assert tuning.table4_changes(other, 20, 42).head(7)["paper_difference"].isna().all()


def test_changes_agree_with_table4_and_do_not_depend_on_the_order_of_rows():
    evaluation = make_evaluation({(HALF, m): 0.02 for m in MEASURES})
    table, changes = tuning.table4(evaluation), tuning.table4_changes(evaluation, 100, 42)
    for measure, column in (("PE HLF", "pe_hlf"), ("PSNR", "psnr")):
        row = changes[changes["measure"] == measure].iloc[0]
        assert (row["baseline"], row["tuned"]) == pytest.approx(tuple(table[column].iloc[:2]), abs=1e-12)
    pd.testing.assert_frame_equal(changes, tuning.table4_changes(shuffled(evaluation), 100, 42))
    pd.testing.assert_frame_equal(table, tuning.table4(shuffled(evaluation)))
    # one set of resamples: a measure that changed just as another one has the same interval
    twin = evaluation[evaluation["measure"] == "clip"].assign(measure="blip")
    both = tuning.table4_changes(pd.concat([evaluation, twin], ignore_index=True), 100, 42)
    rows = both[both["measure"].isin(["CLIP HLF", "BLIP HLF"])].head(2)
    assert rows[["difference_low", "difference_high"]].drop_duplicates().shape[0] == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=9), st.floats(-0.5, 0.5))
def test_an_equal_difference_in_every_image_is_its_own_interval(values, step):
    base = pd.DataFrame({"image_id": [f"{i:02d}" for i in range(len(values))], "value": values})
    both = [base.assign(variant="seesr"), base.assign(variant=HALF, value=base["value"] + step)]
    table = pd.concat(both).assign(level=0.3, measure="clip", group="held-out", lower_better=True, zoo="official")
    row = tuning.table4_changes(table, 30, 5).iloc[0]
    ends = row["difference_low"], row["difference_high"]
    assert ends == (pytest.approx(step, abs=1e-9), pytest.approx(step, abs=1e-9))
    assert row["difference"] == pytest.approx(step, abs=1e-9)
    if abs(step) > 1e-6:
        assert row["better"] == ("worse" if step > 0 else "yes")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=2, max_size=9))
def test_equal_variants_are_never_told_apart(values):
    base = pd.DataFrame({"image_id": [f"{i:02d}" for i in range(len(values))], "value": values})
    both = pd.concat([base.assign(variant="seesr"), base.assign(variant=HALF)])
    table = both.assign(level=0.3, measure="clip", group="held-out", lower_better=True, zoo="official")
    row = tuning.table4_changes(table, 30, 5).iloc[0]
    assert (row["difference_low"], row["difference"], row["difference_high"]) == (0, 0, 0)
    assert row["better"] == "unsettled"


# --- reward hacking ---


def hacking(gains, evaluation=None):
    found = tuning.table4_changes(make_evaluation(gains) if evaluation is None else evaluation, 200, 42)
    return tuning.reward_hacking(found)


def test_reward_hacking_is_told_when_only_the_trained_metric_gains():
    (sentence,) = hacking({(HALF, "dinov2"): 0.05})
    assert sentence == (
        "SeeSR-Finetuned (0.1): DINOv2 HLF (in the loss) became better while none of CLIP HLF, PE HLF, ViT HLF did, "
        "a sign that the loss was fooled."
    )
    harmed = {(FULL, "dinov2"): 0.05, (FULL, "clip"): 0.05, (FULL, "pe-core"): -0.05}
    (sentence,) = hacking(harmed)
    assert sentence.startswith("SeeSR-Finetuned (0.01)") and "while PE HLF became worse" in sentence
    evaluation = make_evaluation({(HALF, "dinov2"): 0.05})
    (sentence,) = hacking({}, evaluation[evaluation["group"] != "held-out"])
    assert "no metric that the loss does not hold was asked" in sentence


def test_reward_hacking_is_silent_when_held_out_metrics_gain_too_or_nothing_changed():
    assert hacking({}) == []
    assert hacking({(v, m): 0.05 for v in (HALF, FULL) for m in ("dinov2", "clip")}) == []
    # nothing was won in the loss, so nothing was fooled, whatever else became of it
    assert hacking({(HALF, "clip"): -0.05, (HALF, "dinov2"): -0.05}) == []


def test_changes_are_written_with_their_warning(tmp_path):
    changes = tuning.table4_changes(make_evaluation({(HALF, "dinov2"): 0.05}, zoo="mini"), 200, 42)
    note = tuning.table4_note(tuning.CHANGES_READING, changes)
    csv, markdown, _ = tables.write_all(
        changes, MINI, tmp_path / "t", tuning.CHANGES_TITLE, note, {}, headings=tuning.CHANGES_HEADINGS
    )
    text = markdown.read_text()
    assert "a sign that the loss was fooled" in text and "| Tuned \u2212 baseline | 95 % interval | Better |" in text
    assert "Unseen" not in text and not re.search(r"\bnan\b", text)
    assert tuning.reward_hacking(read_table(csv)) == tuning.reward_hacking(changes)
