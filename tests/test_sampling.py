"""Choosing pairs: exact counts, even strata, limits per GT, and no effect of row order."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlf.columns import conform, pair_id
from hlf.errors import HlfError
from hlf.sampling.stratify import choose_pairs, model_places

MODELS = ["bsrgan", "pasd", "seesr", "stablesr", "swinir"]


def candidates(images, models=MODELS, levels=(0.3, 0.7, 1.0), seed=0):
    """Similarity table of all combinations; similarities pile up near 1, as real ones do."""
    rng = np.random.default_rng(seed)
    rows = [(f"{i:05d}", level, model) for i in range(images) for model in models for level in levels]
    table = pd.DataFrame(rows, columns=["image_id", "level", "model"])
    table["pair_id"] = [pair_id(*row) for row in rows]
    table["similarity"] = 1 - rng.beta(1.2, 4, len(table))
    for stage in ("gt", "lr", "sr"):
        table[f"{stage}_path"] = stage + "/" + table["image_id"] + ".png"
    return conform(table.assign(run="t", backbone="pe-core", weights_sha256="0"), "similarity")


def test_paper_scale_gives_723_pairs_even_over_models_and_bins():
    table = candidates(3000)
    start = time.process_time()
    pairs, strata = choose_pairs(table, 723, 8, 4, {}, 42, "paper")
    assert time.process_time() - start < 5
    assert len(pairs) == 723 and pairs["pair_id"].is_unique
    assert sorted(pairs["model"].value_counts()) == [144, 144, 145, 145, 145]
    assert pairs["image_id"].value_counts().max() <= 4
    full = strata[strata["available"] >= strata["wanted"]]
    assert len(full) > 30 and (full["taken"] >= full["wanted"]).all()
    assert strata["wanted"].sum() == strata["taken"].sum() == 723
    assert set(strata["wanted"]) == {18, 19}


def test_rows_keep_their_values_and_bins_span_the_range():
    table = candidates(60)
    pairs, strata = choose_pairs(table, 100, 5, 3, {}, 1, "mini")
    source = table.set_index("pair_id").loc[pairs["pair_id"]]
    assert (source["similarity"].to_numpy() == pairs["similarity"].to_numpy()).all()
    limits = strata.set_index(["model", "bin"])
    for row in pairs.itertuples():
        low, high = limits.loc[(row.model, row.bin), ["low", "high"]]
        assert low <= row.similarity <= high
    assert strata["low"].min() == table["similarity"].min() and strata["high"].max() == table["similarity"].max()
    assert (pairs["run"] == "mini").all()


def test_row_order_changes_nothing_and_the_seed_does():
    table = candidates(40)
    first = choose_pairs(table, 90, 8, 4, {}, 42, "t")
    shuffled = choose_pairs(table.sample(frac=1, random_state=3), 90, 8, 4, {}, 42, "t")
    for one, other in zip(first, shuffled, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert set(first[0]["pair_id"]) != set(choose_pairs(table, 90, 8, 4, {}, 43, "t")[0]["pair_id"])


def test_a_short_bin_hands_its_places_to_the_same_model():
    table = candidates(200, ["a", "b"])
    # model b has nothing in the lower half
    table.loc[table["model"] == "b", "similarity"] = 0.75 + table["similarity"] / 4
    pairs, strata = choose_pairs(table, 100, 4, 4, {}, 42, "t")
    assert pairs["model"].value_counts().to_dict() == {"a": 50, "b": 50}
    short = strata[(strata["model"] == "b") & (strata["available"] == 0)]
    assert len(short) and (short["taken"] == 0).all() and (short["wanted"] > 0).all()


def test_a_short_model_hands_its_places_to_the_others():
    table = candidates(100, ["a", "b", "c"])
    table = table[(table["model"] != "a") | (table["image_id"] < "00003")]
    pairs, _ = choose_pairs(table, 90, 4, 9, {}, 42, "t")
    assert pairs["model"].value_counts().to_dict() == {"a": 9, "b": 41, "c": 40}


def test_shares_of_models_are_followed():
    pairs, _ = choose_pairs(candidates(100, ["a", "b"]), 80, 4, 4, {"a": 3, "b": 1}, 42, "t")
    assert pairs["model"].value_counts().to_dict() == {"a": 60, "b": 20}
    only_b, _ = choose_pairs(candidates(100, ["a", "b"]), 80, 4, 4, {"a": 0, "b": 1}, 42, "t")
    assert set(only_b["model"]) == {"b"}


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(1, 7), st.integers(1, 9), st.integers(0, 99), st.data())
def test_any_possible_total_is_met_exactly(images, limit, bins, seed, data):
    table = candidates(images, ["a", "b"], seed=seed)
    total = data.draw(st.integers(1, images * min(limit, 6)))
    pairs, strata = choose_pairs(table, total, bins, limit, {}, seed, "t")
    assert len(pairs) == total == strata["taken"].sum()
    assert pairs["image_id"].value_counts().max() <= limit
    assert pairs["bin"].between(0, bins - 1).all()


def test_an_impossible_total_is_refused_with_its_numbers():
    with pytest.raises(HlfError, match=r"41 pairs.*60 candidates of 10 GT.*at most 40"):
        choose_pairs(candidates(10, ["a", "b"]), 41, 4, 4, {}, 42, "t")


def test_equal_similarities_make_one_bin():
    table = candidates(10, ["a", "b"]).assign(similarity=0.5)
    assert set(choose_pairs(table, 20, 4, 4, {}, 42, "t")[0]["bin"]) == {0}


@pytest.mark.parametrize(
    ("change", "quota", "word"),
    [
        (lambda t: t.assign(similarity=float("nan")), {}, "missing"),
        (lambda t: pd.concat([t, t.head(1)]), {}, "more than once"),
        (lambda t: t.head(0), {}, "no candidate"),
        (lambda t: t, {"a": 1.0}, "model_quota"),
        (lambda t: t, {"a": -1.0, "b": 1.0}, ">= 0"),
    ],
)
def test_wrong_input_is_refused(change, quota, word):
    with pytest.raises(HlfError, match=word):
        choose_pairs(change(candidates(5, ["a", "b"])), 5, 4, 4, quota, 42, "t")


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True), st.integers(1, 2000))
def test_places_add_up_and_are_near_equal(models, total):
    places = model_places(sorted(models), total, {})
    assert sum(places.values()) == total
    assert max(places.values()) - min(places.values()) <= 1
