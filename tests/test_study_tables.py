"""Reading votes, scoring pairs and the train/test split."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlf.columns import conform
from hlf.errors import HlfError
from hlf.files import write_table
from hlf.study.scores import score_pairs
from hlf.study.split import check_split, split_pairs
from hlf.study.votes import read_votes
from study_helpers import run_study, study_pairs

# reading votes

PAIRS = study_pairs(3)
NAME = PAIRS["pair_id"].iloc[0]


def test_a_minimal_file_is_read(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text(f"participant,pair_id,answer,comment\n001, {NAME} ,1,hm\n002,{NAME},0,\n", encoding="utf-8-sig")
    votes = read_votes(path, PAIRS, "mine")
    assert votes["participant"].tolist() == ["001", "002"]
    assert votes["answer"].tolist() == [1, 0]
    assert set(votes["source"]) == {"human"} and votes["valid"].all() and not votes["is_trap"].any()
    assert (votes["trap_answer"] == -1).all() and (votes["run"] == "mine").all()


def test_a_written_table_is_read_back_the_same(tmp_path):
    votes = run_study(PAIRS)
    write_table(votes.drop(columns=["run", "valid"]), tmp_path / "votes.csv")
    back = read_votes(tmp_path / "votes.csv", PAIRS, "t")
    pd.testing.assert_frame_equal(back, votes.sort_values(["participant", "order_index"], ignore_index=True))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("participant,pair_id,answer\n", "no vote"),
        (f"participant,pair\na,{NAME}\n", r"lacks columns \['pair_id', 'answer'\]"),
        (f"participant,pair_id,answer\na,{NAME},1\nb,{NAME},banana\n", r"answer other than 0 or 1.*row 3 \('banana'\)"),
        ("participant,pair_id,answer\na,nowhere@1.0@x,1\n", r"not in this study.*row 2 \('nowhere@1.0@x'\)"),
        (f"participant,pair_id,answer\na,{NAME},1\na,{NAME},1\n", "answered before.*row 3"),
        (f"participant,pair_id,answer\n,{NAME},1\n", "no participant.*row 2"),
        (f"participant,pair_id,answer\na,{NAME},1\n\nb,{NAME},1\n", "no participant.*row 3"),
        ("participant,pair_id,answer,is_trap\na,t1,1,true\n", "without trap_answer.*row 2"),
        (f"participant,pair_id,answer,is_trap\na,{NAME},1,maybe\n", "is_trap.*maybe"),
        (f"participant,pair_id,answer,source\na,{NAME},1,robot\n", "unknown source.*robot"),
        (f"participant,pair_id,answer,order_index\na,{NAME},1,x\n", "order_index.*row 2"),
        ('participant,pair_id,answer\n"a,b\n', "cannot be read as CSV"),
    ],
)
def test_wrong_files_are_refused_with_the_row(tmp_path, text, words):
    path = tmp_path / "votes.csv"
    path.write_text(text)
    with pytest.raises(HlfError, match=words) as error:
        read_votes(path, PAIRS, "t")
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(HlfError, match="does not exist"):
        read_votes(tmp_path / "no.csv", PAIRS, "t")


# scores


def hand_votes(answers, source="human", valid=True):
    rows = [(f"p{i}", NAME, a) for i, a in enumerate(answers)]
    table = pd.DataFrame(rows, columns=["participant", "pair_id", "answer"])
    rest = {
        "is_trap": False,
        "trap_answer": -1,
        "order_index": 0,
        "rt_active_ms": float("nan"),
        "valid": valid,
        "source": source,
        "run": "t",
    }
    return conform(table.assign(**rest), "votes")


def test_score_is_the_mean_of_valid_votes_with_its_interval():
    votes = pd.concat([hand_votes([1, 1, 1] + [0] * 9), hand_votes([1] * 5, valid=False)])
    trap = hand_votes([1]).assign(is_trap=True, trap_answer=0, pair_id="trap_no_01")
    scores = score_pairs(PAIRS, pd.concat([votes, trap]), 12, "t").set_index("pair_id")
    row = scores.loc[NAME]
    assert (row["n_valid"], row["n_yes"], row["score"], row["status"]) == (12, 3, 0.25, "complete")
    assert (row["wilson_low"], row["wilson_high"]) == pytest.approx((0.09, 0.53), abs=0.0051)
    empty = scores.drop(NAME)
    assert (empty["status"] == "incomplete").all() and empty["score"].isna().all() and len(scores) == len(PAIRS)
    assert (empty["wilson_low"] == 0).all() and (empty["wilson_high"] == 1).all()


def test_different_sources_are_never_averaged():
    with pytest.raises(HlfError, match="different sources"):
        score_pairs(PAIRS, pd.concat([hand_votes([1]), hand_votes([0], "simulated")]), 12, "t")


def test_votes_that_cannot_be_scored_are_refused():
    with pytest.raises(HlfError, match="none of the 2 votes counts"):
        score_pairs(PAIRS, hand_votes([1, 0], valid=False), 12, "t")
    with pytest.raises(HlfError, match="not in the study"):
        score_pairs(PAIRS.iloc[1:], hand_votes([1, 0]), 12, "t")


# split


def scored(images=60, seed=0, models=("a", "b", "c", "d", "e")):
    rng = np.random.default_rng(seed)
    pairs = study_pairs(images, models).sample(frac=0.5, random_state=seed)
    score = np.round(rng.beta(0.4, 0.4, len(pairs)) * 12) / 12
    table = pairs[["run", "pair_id", "image_id", "level", "model"]].assign(score=score, n_valid=12, n_yes=0)
    return conform(table.assign(wilson_low=0, wilson_high=1, source="human", status="complete"), "scores")


@settings(max_examples=25, deadline=None)
@given(st.integers(40, 150), st.integers(0, 1000))
def test_split_keeps_images_whole_and_shares_even(images, seed):
    scores = scored(images, seed % 7)
    split = split_pairs(scores, 0.2, "image_id", seed)
    assert set(split["pair_id"]) == set(scores["pair_id"]) and set(split["part"]) == {"train", "test"}
    assert split.groupby("image_id")["part"].nunique().max() == 1
    test = split["part"] == "test"
    assert test.mean() == pytest.approx(0.2, abs=0.03)
    assert test.groupby(split["model"]).mean().between(0.08, 0.32).all()
    means = split.groupby("part")["score"].mean()
    assert abs(means["test"] - means["train"]) < 0.12


def test_split_depends_on_the_seed_and_not_on_row_order():
    scores = scored()
    one = split_pairs(scores, 0.2, "image_id", 42)
    pd.testing.assert_frame_equal(one, split_pairs(scores.sample(frac=1, random_state=1), 0.2, "image_id", 42))
    assert (one["part"] != split_pairs(scores, 0.2, "image_id", 43)["part"]).any()


def test_rows_can_be_split_without_regard_to_images():
    split = split_pairs(scored(), 0.2, "pair", 42)
    assert (split["part"] == "test").sum() == round(0.2 * len(split))
    with pytest.raises(HlfError, match="both train and test"):
        check_split(split)


def test_incomplete_pairs_are_in_neither_part():
    scores = scored()
    scores.loc[:9, "status"] = "incomplete"
    assert len(split_pairs(scores, 0.2, "image_id", 42)) == len(scores) - 10


def test_splits_that_make_no_sense_are_refused():
    with pytest.raises(HlfError, match=r"at least 5 GT images, got .* of 4"):
        split_pairs(scored(4), 0.2, "image_id", 42)
    with pytest.raises(HlfError, match="test_share"):
        split_pairs(scored(), 1.0, "image_id", 42)
    with pytest.raises(HlfError, match="split_by"):
        split_pairs(scored(), 0.2, "scene", 42)
