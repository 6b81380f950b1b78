"""Folds and left-out SR models: what each fine-tuning may see, what is scored, what a kill costs."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backbone_helpers import TUNING, tiny_dino, toy_study
from hlf.errors import HlfError
from hlf.metric import certainty
from hlf.metric.certainty import Recipe, crossvalidate, leave_models_out
from hlf.metric.score import score_pairs
from hlf.study.split import assign_folds


@pytest.fixture
def study(tmp_path):
    """Recipe with tiny fine-tunings, table `split`, and the scores of the untouched backbone."""
    pairs, split = toy_study(tmp_path)
    loads = []

    def load():
        loads.append(1)
        return tiny_dino()

    settings = {**TUNING, "epochs": 1}
    recipe = Recipe(load, "cpu", pairs, tmp_path, settings, tmp_path / "work", 1, tmp_path / "events")
    return recipe, split, score_pairs(pairs, split, tmp_path, "t", tiny_dino(), False, "w"), loads


@pytest.fixture
def seen(monkeypatch):
    """Every split and seed that a fine-tuning was given, in order."""
    found, real = [], certainty.tune

    def watched(backbone, pairs, split, results, settings, work, config_seed, events):
        found.append((split, config_seed))
        return real(backbone, pairs, split, results, settings, work, config_seed, events)

    monkeypatch.setattr(certainty, "tune", watched)
    return found


@given(st.integers(2, 6), st.integers(8, 30), st.integers(0, 99))
def test_folds_keep_gt_images_together_and_are_balanced(folds, images, seed):
    rng = np.random.default_rng(seed)
    names = [(f"{i:02d}", m) for i in range(images) for m in "abcd"[: rng.integers(1, 5)]]
    rows = [(i, m, f"{i}@0.3@{m}") for i, m in names]
    split = pd.DataFrame(rows, columns=["image_id", "model", "pair_id"]).assign(score=rng.random(len(rows)))
    fold = assign_folds(split, folds, 1)
    assert sorted(set(fold)) == list(range(folds))
    assert (pd.Series(fold).groupby(split["image_id"].to_numpy()).nunique() == 1).all()
    sizes = np.bincount(fold)
    assert sizes.max() - sizes.min() <= 8  # two of the largest groups
    order = rng.permutation(len(split))
    assert (assign_folds(split.iloc[order], folds, 1) == fold[order]).all()


def test_too_few_images_for_the_folds_are_refused():
    split = pd.DataFrame({"pair_id": list("abc"), "image_id": list("abc"), "model": "m", "score": 0.5})
    with pytest.raises(HlfError, match=r"metric.folds is 2, expected at least 2, and as many GT images or 4, got 3"):
        assign_folds(split, 2, 1)


def test_each_fold_is_scored_by_fine_tunings_that_never_saw_its_gt(study, seen):
    recipe, split, zero_shot, _ = study
    table = crossvalidate(recipe, split, zero_shot, 3, 2)
    assert len(seen) == 6 and len({seed for _, seed in seen}) == 6
    fold = dict(zip(split["pair_id"], assign_folds(split, 3, 1), strict=True))
    for number, (parted, _) in enumerate(seen):
        tested = parted[parted["part"] == "test"]
        assert {fold[p] for p in tested["pair_id"]} == {number // 2}
        assert not set(tested["image_id"]) & set(parted.loc[parted["part"] == "train", "image_id"])
        assert len(parted) == len(split)
    tuned, untouched = table[table["tuned"]], table[~table["tuned"]]
    assert len(tuned) == 2 * len(split) and (tuned.groupby("seed")["pair_id"].nunique() == len(split)).all()
    assert (table["fold"] == table["pair_id"].map(fold)).all()
    # the untouched backbone has one value a pair, whatever the seed: that of Table 3
    assert untouched["pair_id"].is_unique and (untouched["seed"] == 0).all()
    wanted = zero_shot.set_index("pair_id")["value"]
    assert (untouched.set_index("pair_id")["value"] == wanted[untouched["pair_id"]]).all()
    assert not np.isclose(tuned["value"], tuned["pair_id"].map(wanted)).all()


def test_the_folds_of_a_seed_are_those_of_one_more_seed(study):
    recipe, split, zero_shot, loads = study
    one = crossvalidate(recipe, split, zero_shot, 2, 1)
    again = crossvalidate(recipe, split, zero_shot, 2, 2)
    assert again[again["seed"] == 0].reset_index(drop=True).equals(one)
    # the two fine-tunings of the first seed were kept
    assert len(loads) == 4


def test_a_killed_run_makes_only_what_is_missing(study, seen, tmp_path, monkeypatch):
    recipe, split, zero_shot, loads = study
    whole = crossvalidate(dataclasses.replace(recipe, work=tmp_path / "unbroken"), split, zero_shot, 2, 1)
    real = certainty.distances

    def dies(*args):
        if len(loads) == 4:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(certainty, "distances", dies)
    with pytest.raises(KeyboardInterrupt):
        crossvalidate(recipe, split, zero_shot, 2, 1)
    assert (recipe.work / "fold1-seed0/checkpoint.pt").is_file()
    monkeypatch.setattr(certainty, "distances", real)
    assert crossvalidate(recipe, split, zero_shot, 2, 1).equals(whole)
    assert len(loads) == 5  # fold 0 was kept
    assert not list(recipe.work.rglob("checkpoint.pt"))


def test_a_left_out_model_is_never_seen(study, seen):
    recipe, split, zero_shot, _ = study
    table = leave_models_out(recipe, split, zero_shot)
    assert table["pair_id"].tolist() == sorted(split.loc[split["part"] == "test", "pair_id"])
    assert len(seen) == 2 and {seed for _, seed in seen} == {1}
    for (parted, _), model in zip(seen, ("other", "same"), strict=True):
        tested, learned = (parted[parted["part"] == part] for part in ("test", "train"))
        assert set(tested["model"]) == {model} and model not in set(learned["model"])
        # training GT and test GT as usual
        assert set(parted["pair_id"]) <= set(split["pair_id"]) and len(tested) == 2 and len(learned) == 6
        parts = split.set_index("pair_id")["part"]
        assert (parts[parted["pair_id"]].to_numpy() == parted["part"].to_numpy()).all()
    assert (table["model"] == table["pair_id"].str.rpartition("@")[2]).all()
