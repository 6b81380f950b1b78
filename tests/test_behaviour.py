"""The behaviour suite: pairs with known answers, detection statistics, tables and figures, maps of `hlf score`."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_helpers import tiny_dino
from hlf import stats
from hlf.backbones.registry import BACKBONES, load_backbone
from hlf.columns import TABLES
from hlf.errors import HlfError
from hlf.metric import behaviour as suite
from hlf.metric.behaviour import EDIT, MAP, MILD, MILDS, SAME, UNRELATED, draw_pairs, measure, untouched
from hlf.metric.calibration import Calibration
from hlf.metric.model import Origin, StoredMetric
from hlf.paper import behaviour, behaviour_figures, change_figures, style
from hlf.paper.facts import Facts
from hlf.paper.tables import write_all
from hlf.scenes.edits import KINDS, TEXTURE
from hlf.zoo.registry import weight_paths

ROOT = Path(__file__).parents[1]
FACTS = Facts("tiny", "mini", "mini", "simulated", 20, 1, "c" * 16, {"dinov2": "w" * 64})
CALIBRATION = Calibration("logistic", c=0.01, k=1.5)


@cache
def pairs():
    return draw_pairs(1, 4, 2, 10, 64, (0.2, 0.55))


@cache
def table():
    tuned = StoredMetric(tiny_dino(4), CALIBRATION, Origin(tuned=True, weights_sha256="t"))
    return pd.concat([measure(pairs(), m, "tiny") for m in (untouched(tiny_dino()), tuned)], ignore_index=True)


def mined(n=60, seed=0):
    """Values and answers with ties."""
    rng = np.random.default_rng(seed)
    changed = rng.random(n) < 0.6
    return np.round(rng.normal(changed * 0.8, 1), 1), changed.astype(float)


@given(st.integers(0, 500))
def test_auc_is_the_share_of_rightly_ordered_pairs(seed):
    values, changed = mined(25, seed)
    if 0 < changed.sum() < len(changed):
        moved, still = values[changed == 1][:, None], values[changed == 0][None]
        share = (moved > still).mean() + (moved == still).mean() / 2
        assert stats.auc(values, changed) == pytest.approx(share)
        alarms, hits = stats.roc(values, changed)
        assert np.trapezoid(hits, alarms) == pytest.approx(share)
        assert (np.diff(alarms) >= 0).all() and (np.diff(hits) >= 0).all() and (alarms[-1], hits[-1]) == (1, 1)


def test_auc_interval_is_that_of_resampling_both_answers_apart():
    values, changed = mined()
    low, high = stats.auc_interval(values, changed, 4000, 5)
    rng = np.random.default_rng(1)
    parts = [np.flatnonzero(changed == side) for side in (0, 1)]
    draws = (np.concatenate([rng.choice(part, len(part)) for part in parts]) for _ in range(4000))
    plain = np.percentile([stats.auc(values[d], changed[d]) for d in draws], [2.5, 97.5])
    assert (low, high) == pytest.approx(plain, abs=0.01)  # both are draws
    assert stats.auc_interval(values, changed, 100, 5) == stats.auc_interval(values, changed, 100, 5)
    assert stats.auc_interval([1.0, 2.0], [0, 1], 10, 1) == (1.0, 1.0)
    with pytest.raises(HlfError, match="at least 1 resample"):
        stats.auc_interval(values, changed, 0, 5)


def test_sensitivity_at_an_allowed_share_of_alarms():
    values, changed = [1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 1, 0, 1, 1, 0, 1]
    assert stats.sensitivity_at(values, changed, 0.0) == 0.25
    assert stats.sensitivity_at(values, changed, 0.25) == 0.75
    assert stats.sensitivity_at(values, changed, 1.0) == 1.0


@pytest.mark.parametrize(("values", "changed"), [([1, 2], [1, 1]), ([1, np.nan], [0, 1]), ([1, 2, 3], [0, 1])])
def test_no_curve_without_both_answers(values, changed):
    with pytest.raises(HlfError, match="an ROC curve needs"):
        stats.auc(values, changed)


def test_pairs_have_known_answers_and_are_all_there():
    found = pairs()
    edits = [p for p in found if p.group == EDIT]
    assert {k: sum(p.kind == k for p in edits) for k in KINDS} == dict.fromkeys(KINDS, 4)
    milds = [p for p in found if p.group == MILD]
    assert [p.way for p in milds] == [SAME, *MILDS, UNRELATED] * 2
    assert all((p.sr == p.gt).all() == (p.way == SAME) for p in milds)
    maps = [p for p in found if p.group == MAP]
    assert len(maps) == 10 and all(p.box and (p.sr != p.gt).any() for p in maps)
    again = draw_pairs(1, 4, 2, 10, 64, (0.2, 0.55))
    assert all((a.gt == b.gt).all() and (a.sr == b.sr).all() for a, b in zip(found, again, strict=True))


def test_values_are_those_of_the_backbone_and_shares_those_of_its_calibration():
    import torch

    from hlf.images import to_tensor

    rows = table()
    assert list(rows) == list(TABLES["behaviour"]) and len(rows) == 2 * len(pairs())
    zero, tuned = rows[~rows["tuned"]], rows[rows["tuned"]]
    assert (zero["share"] == zero["value"].clip(0, 1)).all()
    assert tuned["share"].to_numpy() == pytest.approx(CALIBRATION(tuned["value"].to_numpy(copy=True)))
    backbone = tiny_dino()
    for index in (0, 7, 20, 30):
        sr, gt = (to_tensor(p)[None] for p in (pairs()[index].sr, pairs()[index].gt))
        with torch.inference_mode():
            alone = float(backbone.distance(backbone(sr), backbone(gt)))
        assert zero["value"].iloc[index] == pytest.approx(alone, abs=1e-5)
    assert zero.loc[zero["way"] == SAME, "value"].abs().max() < 1e-5
    on_map = rows["group"] == MAP
    assert rows.loc[on_map, ["mass", "area", "hit"]].notna().all(axis=None)
    assert rows.loc[~on_map, ["mass", "area", "hit"]].isna().all(axis=None)
    assert rows.loc[on_map, "mass"].between(0, 1).all() and set(rows.loc[on_map, "hit"]) <= {0.0, 1.0}
    widths = [(p.box[2] - p.box[0]) * (p.box[3] - p.box[1]) / 64**2 for p in pairs() if p.group == MAP]
    assert zero.loc[on_map, "area"].tolist() == pytest.approx(widths)


def test_a_box_outside_the_crop_has_no_answer_and_a_dark_map_no_hit(monkeypatch):
    import torch

    backbone = tiny_dino()
    backbone.description = replace(
        backbone.description, preprocess=replace(backbone.description.preprocess, short_side=64)
    )
    gt = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    hidden = suite.Pair(MAP, "details", "letter", 0, gt, 255 - gt, (0, 0, 10, 10))
    assert np.isnan(suite._where(hidden, backbone, "cpu")).all()
    inside = replace(hidden, box=(16, 16, 48, 32))
    assert suite._where(inside, backbone, "cpu")[1] == 0.5
    monkeypatch.setattr("hlf.metric.change_map.disagreement", lambda *_: torch.zeros(1, 4, 4))
    assert suite._where(inside, tiny_dino(), "cpu") == (0.0, 0.125, 0.0)


def rows_of(group, kind, way, values, **more):
    frame = {"run": "r", "backbone": "dinov2", "tuned": False, "zoo": "mini", "weights_sha256": "w", "group": group}
    frame |= {"kind": kind, "way": way, "number": range(len(values)), "value": values, "share": values}
    return pd.DataFrame(frame | {"mass": np.nan, "area": np.nan, "hit": np.nan} | more)


def test_the_table_of_planted_edits_counts_by_hand():
    hand = pd.concat(
        [
            rows_of(EDIT, "details", "letter", [0.1, 0.6]),
            rows_of(EDIT, "local structure", "swap", [0.7, 0.8]),
            rows_of(EDIT, "holistic", "place", [0.9, 0.9]),
            rows_of(EDIT, TEXTURE, "grain", [0.2, 0.5]),
        ]
    )
    found = behaviour.behaviour_table(hand, 0.5, 50, 1).set_index("kind")
    assert found["auc"].to_dict() == {"details": 0.5, "local structure": 1, "holistic": 1, "all kinds": 5 / 6}
    assert found["sensitivity"].to_dict() == {
        "details": 0.5, "local structure": 1, "holistic": 1, "all kinds": pytest.approx(5 / 6),
    }  # fmt: skip
    assert set(found["false_alarms"]) == {0.5} and found["n"].tolist() == [2, 2, 2, 6]
    assert found.loc["details", "sensitivity_at_5"] == 0.5
    assert (found["auc_low"] <= found["auc"]).all() and (found["auc"] <= found["auc_high"]).all()


def test_mild_changes_are_divided_by_the_median_edit():
    ways = [rows_of(MILD, MILD, way, [0.1, 0.3]) for way in MILDS]
    edits = [rows_of(EDIT, "details", "letter", [0.2, 0.4, 0.9]), rows_of(EDIT, TEXTURE, "grain", [5.0])]
    ends = [rows_of(MILD, MILD, SAME, [0.0, 0.0]), rows_of(MILD, MILD, UNRELATED, [0.8, 1.2])]
    row = behaviour.invariance_table(pd.concat([*edits, *ways, *ends])).iloc[0]
    assert (row["edit"], row["n"], row[SAME]) == (0.4, 2, 0)
    assert row[UNRELATED] == pytest.approx(2.5) and row["blur"] == row["shift_4"] == pytest.approx(0.5)
    with pytest.raises(HlfError, match="median value of planted edits"):
        behaviour.invariance_table(pd.concat([rows_of(EDIT, "details", "letter", [0.0]), *ways, *ends]))


def test_the_table_of_maps_is_a_ratio_of_means():
    hand = pd.concat(
        [
            rows_of(MAP, "details", "letter", [1.0, 1.0], mass=[0.2, 0.6], area=[0.1, 0.1], hit=[1.0, 0.0]),
            rows_of(MAP, "local structure", "swap", [1.0, 1.0], mass=[0.9, np.nan], area=[0.3, np.nan], hit=1.0),
        ]
    )
    found = behaviour.map_table(hand, 50, 1).set_index("way")
    assert found["ratio"].to_dict() == pytest.approx({"letter": 4.0, "swap": 3.0, "all kinds": 3.4})
    assert found["n"].tolist() == [2, 1, 3] and found.loc["letter", "hit"] == 0.5
    assert np.isnan(found.loc["swap", "ratio_low"]) and found.loc["all kinds", "ratio_low"] <= 3.4


def test_tables_name_metrics_as_table_3_and_are_stamped(tmp_path):
    made = {
        "behaviour": (behaviour.behaviour_table(table(), 0.5, 50, 1), behaviour.TITLE, behaviour.reading(0.5)),
        "invariance": (behaviour.invariance_table(table()), behaviour.MILD_TITLE, behaviour.MILD_READING),
        "change_map": (behaviour.map_table(table(), 50, 1), behaviour.MAP_TITLE, behaviour.MAP_READING),
    }
    for name, (frame, title, note) in made.items():
        assert list(dict.fromkeys(frame["metric"])) == ["DINOv2 (mini)", "(ft) DINOv2 (mini)"]
        write_all(frame, FACTS, tmp_path / name, title, note)
        text = (tmp_path / f"{name}.md").read_text()
        assert "MINI models, SIMULATED votes" in text and title in text
    with pytest.raises(HlfError, match="no pair of group 'map'"):
        behaviour.map_table(table()[table()["group"] != MAP], 50, 1)


def figures():
    examples = suite.example_pairs(1, 64, (0.2, 0.55))
    assert [p.way for p in examples][-3:] == ["sharpening", "jpeg", "shift_2"]
    named = {"(ft) DINOv2 (mini)": tiny_dino(), "other": tiny_dino(4)}
    return {
        "sensitivity": behaviour_figures.roc_panel(table(), 0.5, FACTS),
        "mild_changes": behaviour_figures.invariance_bars(table(), FACTS),
        "change_examples": change_figures.change_examples(examples, named, FACTS),
    }


def test_figures_are_stamped_and_the_same_bytes_twice(tmp_path):
    from test_paper import assert_no_text_hides_another, words

    for folder in ("a", "b"):
        for name, figure in figures().items():
            assert "MINI models, SIMULATED votes" in words(figure)
            style.save_figure(figure, tmp_path / folder / f"{name}.pdf", tmp_path / folder / f"{name}.png", 50)
            if folder == "b":
                assert_no_text_hides_another(figure)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize("left_out", [("dinov2", True), ("dinov2", False)])
def test_a_backbone_may_lack_its_fine_tuned_row_or_have_no_other(left_out):
    """The paper fine-tunes four of its five backbones."""
    from test_paper import words

    other = table().assign(backbone="pe-core")
    lacking = pd.concat([table(), other], ignore_index=True)
    name, tuned = left_out
    lacking = lacking[(lacking["backbone"] != name) | (lacking["tuned"] != tuned)]
    assert len(behaviour.invariance_table(lacking)) == 3
    bars = behaviour_figures.invariance_bars(lacking, FACTS)
    panel = behaviour_figures.roc_panel(lacking, 0.5, FACTS)
    assert {"zero-shot", "fine-tuned"} <= {t.get_text() for t in bars.legends[0].get_texts()}
    shown = {t.get_text() for t in panel.legends[0].get_texts()}
    assert len(shown) == 3 and ("(ft) DINOv2 (mini)" in shown) == (not tuned)
    assert "DINOv2 (mini)" in words(bars)


def test_an_overlay_needs_one_size_and_says_whose_it_is(tmp_path):
    from test_paper import words

    pair = next(p for p in pairs() if p.group == MAP)
    heat = np.zeros((64, 64))
    heat[20:30, 10:40] = 0.4
    facts = change_figures.ModelFacts("hlf-dinov2", "mini", "ab" * 32)
    text = words(change_figures.change_figure(pair.sr, pair.gt, heat, facts))
    assert "MINI models" in text and "votes" not in text and "hlf-dinov2, mini zoo, weights abababababab" in text
    assert "mine" in words(change_figures.change_figure(pair.sr, pair.gt, heat, replace(facts, warning="mine")))
    change_figures.save_overlay(tmp_path / "a.png", pair.sr, pair.gt, heat, facts)
    change_figures.save_overlay(tmp_path / "b.png", pair.sr, pair.gt, heat, facts)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    for bad in (heat[:10], heat * np.nan):
        with pytest.raises(HlfError, match="a map with values of one size"):
            change_figures.change_figure(pair.sr, pair.gt, bad, facts)
    with pytest.raises(HlfError, match="expected pairs and backbones, got 0 and 0"):
        change_figures.change_examples([], {}, FACTS)


MADE = [n for n in BACKBONES if all(p.is_file() for p in weight_paths("mini", ROOT / "resources/zoo/mini", n))]


def test_the_mini_zoo_has_backbones_to_look_at():
    assert {"dinov2", "pe-core"} <= set(MADE)


@pytest.mark.parametrize("name", MADE)
def test_the_map_of_a_mini_backbone_finds_the_edited_box(name):
    """The bar of the project: three times the box's share of the picture, over 100 planted edits of one object."""
    backbone = load_backbone(name, "mini", ROOT / "resources/zoo/mini")
    some = [p for p in draw_pairs(42, 2, 2, 100, 128, (0.35, 0.75)) if p.group == MAP]
    mass, area, _ = np.array([suite._where(p, backbone, "cpu") for p in some]).T
    assert len(some) == 100 and mass.mean() >= 3 * area.mean(), (mass.mean(), area.mean())
