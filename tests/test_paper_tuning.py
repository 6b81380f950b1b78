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
from hlf.images import read_image, write_png
from hlf.paper import expected, formats, quality_figure, report, style, tables, tuning
from hlf.paper import tuning_figures as figures
from test_paper import MINI, PAPER, assert_no_text_hides_another, words

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
    report.write_report(page, PAPER, report.Report({}, {}, [report.Chapter("tuning", "5", "Tuning", [section])]))
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


# --- Figures 6 and 7: pictures by rule ---


def make_images(evaluation):
    """Table `tuning_sr` to an evaluation; every picture has a path of its own."""
    table = evaluation[["variant", "image_id", "level"]].drop_duplicates()
    place = table["image_id"] + "-" + table["level"].astype(str) + ".png"
    paths = {"gt_path": "gt/" + table["image_id"] + ".png", "lr_path": "lr/" + place}
    table = table.assign(**paths, sr_path=table["variant"] + "/" + place, run="r", prompt="", tags="", zoo="mini")
    return columns.conform(table.assign(weights_sha256="ab"), "tuning_sr")


def held_out(evaluation, variant):
    """Mean held-out HLF by (image, level), in another way than the library's."""
    sums = {}
    for row in evaluation.to_dict("records"):
        if row["group"] == "held-out" and row["variant"] == variant:
            sums.setdefault((row["image_id"], row["level"]), []).append(row["value"])
    return {key: np.mean(values) for key, values in sums.items()}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.integers(1, 9), st.booleans())
def test_examples_are_the_extremes_one_level_per_image_in_any_order_of_rows(seed, n, ties):
    evaluation = make_evaluation({(FULL, "clip"): 0.05, (FULL, "vit"): -0.02}, images=5, seed=seed)
    if ties:
        evaluation["value"] = evaluation["value"].round(1)
    images = make_images(evaluation)
    before, after = held_out(evaluation, "seesr"), held_out(evaluation, FULL)
    gain = {key: before[key] - after[key] for key in before}
    for rule, wanted in ((figures.largest_gain, gain), (figures.largest_left, after)):
        rows = rule(evaluation, images, FULL, n)
        again = rule(shuffled(evaluation, seed), shuffled(images, seed + 1), FULL, n)
        pd.testing.assert_frame_equal(rows, again)
        best = {image: max(v for (i, _), v in wanted.items() if i == image) for image, _ in wanted}
        assert len(rows) == min(n, 5) == rows["image_id"].nunique()
        values = [wanted[row.image_id, row.level] for row in rows.itertuples()]
        assert values == pytest.approx(sorted(best.values(), reverse=True)[:n])
        assert values == pytest.approx([best[image] for image in rows["image_id"]])
        for row in rows.itertuples():
            assert row.gain == pytest.approx(gain[row.image_id, row.level])
            assert row.tuned_path == f"{FULL}/{row.image_id}-{row.level}.png"
            assert row.baseline_path == f"seesr/{row.image_id}-{row.level}.png"
            assert row.gt_path == f"gt/{row.image_id}.png"


def test_equal_examples_come_by_image_id_and_level():
    evaluation = make_evaluation()
    rows = figures.largest_gain(evaluation, make_images(evaluation), HALF, 3)
    assert rows[["image_id", "level"]].to_numpy().tolist() == [["gt00", 0.3], ["gt01", 0.3], ["gt02", 0.3]]
    assert (rows["gain"] == 0).all()


def test_examples_leave_out_what_a_metric_could_not_judge_and_the_metric_in_the_loss():
    evaluation = make_evaluation({(FULL, "dinov2"): 0.2})
    first = (evaluation["image_id"] == "gt00") & (evaluation["measure"] == "clip")
    evaluation.loc[first & (evaluation["variant"] == "seesr"), "value"] += 0.3
    evaluation.loc[first & (evaluation["variant"] == FULL) & (evaluation["level"] == 0.3), "value"] = np.nan
    images = make_images(evaluation)
    row = figures.largest_gain(evaluation, images, FULL, 1).iloc[0]
    assert (row["image_id"], row["level"]) == ("gt00", 1.0) and row["gain"] == pytest.approx(0.1)
    evaluation.loc[first, "value"] = np.nan
    assert "gt00" not in figures.largest_left(evaluation, images, FULL, 9)["image_id"].tolist()


def test_examples_refuse_what_they_cannot_choose():
    evaluation = make_evaluation()
    images = make_images(evaluation)
    for wrong in ("seesr", "seesr-hlf7"):
        with pytest.raises(HlfError, match="need metrics that the loss does not hold"):
            figures.largest_gain(evaluation, images, wrong, 3)
    with pytest.raises(HlfError, match="need metrics that the loss does not hold"):
        figures.largest_left(evaluation[evaluation["group"] != "held-out"], images, FULL, 3)
    with pytest.raises(HlfError, match="16 judged pictures are not in table 'tuning_sr'"):
        figures.largest_gain(evaluation, images[images["variant"] != FULL], FULL, 3)
    with pytest.raises(HlfError, match="no picture was judged by every metric"):
        figures.largest_gain(evaluation.assign(value=np.nan), images, FULL, 3)


# --- Figure 1: quadrants ---


def make_pairs(fidelity, values, lower=False):
    """Tables quality, scores and pairs of pairs p00, p01... with these values."""
    n = len(values)
    base = pd.DataFrame({"pair_id": [f"p{i:02d}" for i in range(n)], "image_id": [f"gt{i % 4:02d}" for i in range(n)]})
    base = base.assign(level=0.3, model=["seesr" if i % 3 else "bsrgan" for i in range(n)])
    paths = {f"{s}_path": f"{s}/" + base["image_id"] + ".png" for s in ("gt", "lr", "sr")}
    quality = pd.DataFrame({"pair_id": base["pair_id"], "value": np.array(values, float), "lower_better": lower})
    scores = base.assign(score=1 - np.array(fidelity, float), status="complete")
    return quality, scores, base.assign(**paths)


def test_quadrants_hold_the_planted_corners():
    fidelity = [0.0, 1.0, 0.05, 0.9, 0.4, 0.6, 0.45, 0.55]
    values = [9.0, 8.0, 1.0, 2.0, 6.0, 5.5, 4.0, 4.5]
    found = quality_figure.quadrants(*make_pairs(fidelity, values)).set_index("quadrant")
    corners = ["p00", "p01", "p02", "p03"]
    assert found["pair_id"].tolist() == corners and found.index.tolist() == list(quality_figure.QUADRANTS)
    assert found["fidelity"].tolist() == pytest.approx([0.0, 1.0, 0.05, 0.9]) and found["value"].tolist() == values[:4]
    # a measure that is better when lower turns the plot round
    turned = quality_figure.quadrants(*make_pairs(fidelity, values, lower=True))
    assert turned["pair_id"].tolist() == ["p02", "p03", "p00", "p01"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5)), min_size=1, max_size=20), st.booleans(), st.integers(0, 9)
)
def test_no_other_pair_lies_deeper_in_a_quadrant_in_any_order_of_rows(points, lower, seed):
    fidelity, values = [f / 2 for f, _ in points], [v for _, v in points]
    given_tables = make_pairs(fidelity, values, lower)
    found = quality_figure.quadrants(*given_tables)
    pd.testing.assert_frame_equal(found, quality_figure.quadrants(*(shuffled(t, seed) for t in given_tables)))

    def centred(numbers):
        # mean rank less the median rank, by counting
        return [(sum(b < a for b in numbers) - sum(b > a for b in numbers)) / 2 for a in numbers]

    across, along = centred(fidelity), centred([-v if lower else v for v in values])
    for name, (right, up) in quality_figure.QUADRANTS.items():
        depths = [min(right * a, up * b) for a, b in zip(across, along, strict=True)]
        chosen = found[found["quadrant"] == name]["pair_id"].tolist()
        assert len(chosen) == (max(depths) > 0)
        assert all(depths[int(pair[1:])] == max(depths) for pair in chosen)


def test_quadrants_leave_out_what_was_not_scored_or_measured_and_refuse_the_rest():
    quality, scores, pairs = make_pairs([0.0, 1.0, 0.1, 0.9], [9.0, 8.0, 1.0, 2.0])
    quality.loc[0, "value"] = np.nan
    scores.loc[1, "status"] = "incomplete"
    assert set(quality_figure.quadrants(quality, scores, pairs)["pair_id"]) <= {"p02", "p03"}
    with pytest.raises(HlfError, match="no pair has a complete score and a value"):
        quality_figure.quadrants(quality.head(2), scores, pairs)
    with pytest.raises(HlfError, match="one measure with one value per pair"):
        quality_figure.quadrants(pd.concat([quality, quality]), scores, pairs)
    with pytest.raises(HlfError, match=r"p0\d is not in table 'pairs'"):
        quality_figure.quadrants(quality, scores, pairs.head(1))


# --- drawing ---


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    rng = np.random.Generator(np.random.PCG64(3))
    for row in make_images(make_evaluation()).itertuples():
        sides = ((row.lr_path, 4), (row.sr_path, 16), (row.gt_path, 16), (f"sr/{row.image_id}.png", 16))
        for path, side in sides:
            write_png(folder / path, rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
    return folder


def make_history(seed):
    rng, steps = np.random.Generator(np.random.PCG64(seed)), np.arange(1, 61)
    losses = {"loss_ori": 0.2 + rng.normal(0, 0.02, 60), "loss_hlf": 0.5 / steps}
    return pd.DataFrame({"step": steps, "epoch": 0, **losses, "gradient": 1.0, "skipped": (steps == 7).astype(float)})


def make_figure(name, root, facts=MINI):
    evaluation = make_evaluation({(FULL, "clip"): 0.05})
    images = make_images(evaluation)
    if name == "figure6":
        return figures.figure6(figures.largest_gain(evaluation, images, FULL, 4), root, facts)
    if name == "figure7":
        return figures.figure7(figures.largest_left(evaluation, images, FULL, 1), root, facts)
    if name == "curves":
        return figures.tuning_curves({FULL: make_history(1), HALF: make_history(2)}, facts)
    # with two pairs, two quadrants at least are empty
    given_tables = some_pairs(2, lower=True) if name == "figure1_few" else some_pairs(40)
    return quality_figure.figure1(*given_tables, root, facts, "CLIP-IQA")


def some_pairs(n, lower=False):
    rng = np.random.Generator(np.random.PCG64(5))
    return make_pairs(rng.integers(0, 2, n), rng.normal(0.5, 0.1, n), lower)


FIGURES = ["figure1", "figure1_few", "figure6", "figure7", "curves"]


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_stamped_and_no_text_hides_another(name, root):
    figure = make_figure(name, root)
    assert "MINI models, SIMULATED votes" in words(figure)
    assert_no_text_hides_another(figure)
    assert "tests the software" not in words(make_figure(name, root, PAPER))


@pytest.mark.parametrize("name", FIGURES)
def test_figures_give_the_same_bytes_twice(name, root, tmp_path):
    for folder in ("a", "b"):
        style.save_figure(make_figure(name, root), tmp_path / folder / "f.pdf", tmp_path / folder / "f.png", 50)
    for suffix in ("pdf", "png"):
        assert (tmp_path / "a" / f"f.{suffix}").read_bytes() == (tmp_path / "b" / f"f.{suffix}").read_bytes()


def test_examples_show_lr_baseline_tuned_and_gt_with_their_values(root):
    evaluation = make_evaluation({(FULL, "clip"): 0.05})
    rows = figures.largest_gain(evaluation, make_images(evaluation), FULL, 2)
    figure = figures.figure6(rows, root, MINI)
    heads = [ax.get_title(loc="center") for ax in figure.axes[:4]]
    assert heads == ["LR (nearest \u00d74)", "SeeSR", "SeeSR, \u03b1 = 0.01", "GT"] and len(figure.axes) == 8
    first = rows.iloc[0]
    below = [ax.get_xlabel() for ax in figure.axes[:4]]
    assert below == ["", f"mean HLF {first['before']:.3f}", f"mean HLF {first['after']:.3f}", ""]
    assert figure.axes[0].get_ylabel() == f"{first['image_id']}\nlevel {first['level']}"
    for ax, path in zip(figure.axes[1:4], first[["baseline_path", "tuned_path", "gt_path"]], strict=True):
        assert (ax.images[0].get_array() == read_image(root / path)).all()
    with pytest.raises(HlfError, match="no picture to show"):
        figures.figure6(rows.head(0), root, MINI)


def test_figure1_spreads_points_only_and_says_so(root):
    figure = make_figure("figure1", root)
    quality, scores, _ = some_pairs(40)
    drawn = np.concatenate([np.asarray(c.get_offsets()) for c in figure.axes[0].collections])
    assert (np.abs(drawn[:, 0] - drawn[:, 0].round()) <= quality_figure.JITTER).all()
    assert sorted(drawn[:, 1]) == pytest.approx(sorted(quality["value"])) and len(set(drawn[:, 0])) == 40
    means = {round(float(line.get_xdata()[0]), 6) for line in figure.axes[0].lines if line.get_label().endswith(")")}
    assert means == {round(1 - m, 6) for m in scores.groupby("model")["score"].mean()}
    assert "points spread by up to \u00b10.03" in words(figure) and "simulated observers" in words(figure)
    few = make_figure("figure1_few", root)
    assert words(few).count("no pair here") >= 2 and few.axes[0].yaxis_inverted() and "axis turned" in words(few)


def test_curves_leave_out_skipped_steps():
    figure = figures.tuning_curves({HALF: make_history(1)}, MINI)
    assert [len(line.get_xdata()) for ax in figure.axes for line in ax.lines] == [59] * 4
    assert 7 not in figure.axes[0].lines[0].get_xdata()
    steps = make_history(1)
    with pytest.raises(HlfError, match="no variant was trained"):
        figures.tuning_curves({}, MINI)
    with pytest.raises(HlfError, match="without skipped steps"):
        figures.tuning_curves({HALF: steps.assign(skipped=1.0)}, MINI)
    with pytest.raises(HlfError, match=r"lacks the columns \['loss_hlf'\]"):
        figures.tuning_curves({HALF: steps.drop(columns="loss_hlf")}, MINI)


def test_the_variant_shown_is_the_most_faithful_by_metrics_that_the_loss_does_not_hold():
    gains = {(HALF, "clip"): 0.05, (FULL, "clip"): 0.01, (FULL, "dinov2"): 0.3}
    assert figures.best_variant(shuffled(make_evaluation(gains))) == HALF
    assert figures.best_variant(make_evaluation({(FULL, "pe-core"): 0.05})) == FULL
    assert figures.best_variant(make_evaluation()) == FULL  # of equal ones the smallest alpha
    evaluation = make_evaluation()
    with pytest.raises(HlfError, match="tuning_evaluation"):
        figures.best_variant(evaluation[evaluation["variant"] == "seesr"])
