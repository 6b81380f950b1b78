"""Flags of careless people: each rule on people made for it, purity, what excludes, and what the screening moves."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hlf.errors import HlfError
from hlf.study import screening
from hlf.study.results.flags import (
    COLUMNS,
    DEFAULT_RULES,
    RULES,
    VERSION,
    apply_flags,
    flag_people,
    judge,
    longest_run,
    measure_people,
    people_kept,
    person_table,
    touched,
)
from hlf.study.results.summary import before_after, model_summary, order_means, positions, rt_by_score
from hlf.study.scores import score_pairs
from study_data import make_pairs, make_votes


@pytest.fixture(scope="module")
def pairs():
    return make_pairs(15, ("bsrgan", "swinir"), (0.3, 1.0))


@pytest.fixture(scope="module")
def votes(pairs):
    """24 attentive people (30 pairs each), then a coin, one who always says no, and another coin (60 each)."""
    return make_votes(pairs, 24, 12, careless=("coin", "no", "coin"), seed=3)


def fired(votes, **more):
    table = flag_people(votes, **more)
    return {name: set(own.loc[own["flagged"], "rule"]) for name, own in table.groupby("participant")}


def test_careless_people_are_flagged_and_attentive_ones_are_not(votes):
    found = fired(votes)
    assert all(found[f"p{k:02d}"] == set() for k in range(24))
    assert {"agreement", "informedness"} <= found["p24"] and {"agreement", "informedness"} <= found["p26"]
    assert {"same_answer", "informedness", "traps"} <= found["p25"] and "agreement" not in found["p25"]


def test_only_traps_exclude_unless_rules_are_switched_on(votes):
    table = flag_people(votes)
    assert list(table) == list(COLUMNS) and set(table["version"]) == {VERSION}
    assert len(table) == 27 * len(RULES) and list(table["rule"][: len(RULES)]) == list(RULES)
    assert set(table.loc[~table["keep"], "rule"]) <= {"traps"}
    kept = people_kept(table)
    judged = screening.screen(votes).set_index("participant")["keep"]
    assert (kept == judged.reindex(kept.index)).all()
    assert apply_flags(votes, table).equals(screening.apply_screening(votes))
    more = people_kept(flag_people(votes, (*DEFAULT_RULES, "informedness")))
    assert not more[["p24", "p25", "p26"]].any() and more.drop(["p24", "p25", "p26"]).all()
    assert people_kept(flag_people(votes, ())).all()
    with pytest.raises(HlfError, match=r"unknown screening rules \['kurtosis'\]; expected some of \['traps'"):
        flag_people(votes, ("kurtosis",))


def times(votes, person, values):
    """Column rt_active_ms: 2000 ms, and `values` in turn for one person."""
    rt = np.full(len(votes), 2000.0)
    own = (votes["participant"] == person).to_numpy()
    rt[own] = np.resize(values, own.sum())
    return votes.assign(rt_active_ms=rt)


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        ([599.0], {"median_rt"}),
        ([600.0], set()),
        ([399.0] + [2000.0] * 4, {"fast_share"}),  # p00 has 38 trials: 8 of them, 21 %
        ([399.0] + [2000.0] * 9, set()),
        ([400.0] + [2000.0] * 2, set()),
        ([100.0], {"median_rt", "fast_share"}),
        ([np.nan], set()),
        ([100.0] + [np.nan] * 2, set()),  # 13 known times tell too little
    ],
)
def test_rules_of_speed(votes, values, rules):
    assert (votes["participant"] == "p00").sum() == 38
    assert fired(times(votes, "p00", values))["p00"] == rules


def test_limits_of_the_other_rules():
    measures = pd.DataFrame(
        {
            "participant": [f"p{k}" for k in range(5)], "traps": [8, 8, 3, 0, 6], "traps_failed": [2, 3, 3, 0, 4],
            "trap_note": ["", "failed 3 of 8 traps", "undecided: saw 3 traps, 4 needed", "undecided", "failed 4 of 6"],
            "median_rt_ms": np.nan, "fast_share": [0.2, 0.21, np.nan, 0, 0], "longest_run": [24, 25, 0, 0, 167],
            "agreement": [0.2, 0.199, np.nan, -1, 1], "informedness": [0.2, 0.199, np.nan, -1, 1],
        }
    )  # fmt: skip
    table = judge(measures, RULES)
    flagged = table.pivot(index="participant", columns="rule", values="flagged")[list(RULES)]
    assert flagged.loc["p0"].tolist() == [False] * 6
    assert flagged.loc["p1"].tolist() == [True, False, True, True, True, True]
    assert flagged.loc["p2"].tolist() == [True] + [False] * 5
    # traps that cannot decide flag, and never exclude
    assert people_kept(table).tolist() == [True, False, True, False, False]
    assert people_kept(judge(measures)).tolist() == [True, False, True, True, False]
    reasons = table.set_index(["participant", "rule"])["reason"]
    assert reasons["p1", "same_answer"] == "25 equal answers in a row"
    assert reasons["p1", "fast_share"] == "21% within 400 ms" and reasons["p0", "agreement"] == ""


def test_few_answers_say_nothing(pairs):
    votes = make_votes(pairs.head(19), 12, 12, careless=("coin",))
    measures = measure_people(votes).set_index("participant")
    assert measures.loc["p12", "votes"] == 19 and measures[["agreement", "informedness"]].isna().all().all()
    one_more = measure_people(make_votes(pairs.head(20), 12, 12, careless=("coin",)))
    assert one_more[["agreement", "informedness"]].notna().all().all()
    traps_only = votes[votes["is_trap"]]
    assert (measure_people(traps_only)["votes"] == 0).all()
    table = flag_people(traps_only)
    assert set(table.loc[table["flagged"], "rule"]) <= {"traps"} and table.loc[table["rule"] != "traps", "keep"].all()


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000))
def test_flags_do_not_depend_on_the_order_of_rows_nor_on_valid(seed):
    votes = make_votes(make_pairs(6, ("a", "b"), (0.3, 1.0)), 14, 12, seed=seed)
    turned = votes.sample(frac=1, random_state=seed).assign(valid=False)
    pd.testing.assert_frame_equal(flag_people(turned), flag_people(votes))


def test_agreement_leaves_out_people_whom_traps_reject(votes):
    """Coins who fail their traps do not lower the others' agreement."""
    alone = measure_people(votes[votes["participant"] < "p24"]).set_index("participant")["agreement"]
    # with limits of traps nobody of the three is kept
    failing = votes.copy()
    own = failing["is_trap"] & (failing["participant"] >= "p24")
    failing.loc[own, "answer"] = 1 - failing.loc[own, "trap_answer"]
    together = measure_people(failing).set_index("participant")["agreement"]
    assert together[alone.index].tolist() == pytest.approx(alone.tolist(), abs=1e-12)


@given(st.lists(st.integers(0, 1), max_size=80))
def test_longest_run_is_that_of_the_text(answers):
    text = "".join(map(str, answers))
    best = max((k for k in range(len(text) + 1) if "0" * k in text or "1" * k in text), default=0)
    assert longest_run(answers) == best


def test_runs_follow_the_order_of_trials(votes):
    own = votes[votes["participant"] == "p25"].copy()
    assert measure_people(votes).set_index("participant").loc["p25", "longest_run"] == len(own) == 68
    changed = votes.copy()
    changed.loc[own.index[own["order_index"] == 20], "answer"] = 1
    assert measure_people(changed).set_index("participant").loc["p25", "longest_run"] == 47


def test_person_table_and_touched(votes):
    measures = measure_people(votes)
    flags = judge(measures)
    people = person_table(measures, flags).set_index("participant")
    assert people.loc["p00", "flags"] == "" and people.loc["p00", "keep"]
    assert people.loc["p25", "flags"].split() == ["traps", "same_answer", "informedness"]
    without = votes[~(votes["is_trap"] & (votes["participant"] == "p00"))]
    few = measure_people(without)
    table = person_table(few, judge(few)).set_index("participant")
    assert table.loc["p00", "flags"] == "few_traps" and table.loc["p00", "keep"]
    assert people.loc["p25", "yes_rate"] == 0 and not people.loc["p25", "keep"]
    effect = touched(votes, flags).set_index("rule")
    assert list(effect.index) == list(RULES)
    assert effect.loc["same_answer", ["people_flagged", "votes_flagged", "pairs_flagged"]].tolist() == [1, 60, 60]
    assert effect.loc["same_answer", ["people_excluded", "votes_excluded", "pairs_excluded"]].tolist() == [0, 0, 0]
    out = int((~people["keep"]).sum())
    assert effect.loc["traps", ["people_excluded", "votes_excluded"]].tolist() == [out, 60 * out]
    assert out >= 1 and (effect.loc[["median_rt", "fast_share"]].select_dtypes("number") == 0).all().all()


# --- summary ---


def test_scores_before_and_after(votes, pairs):
    both = before_after(votes).set_index("pair_id")
    after = score_pairs(pairs, votes, 12, "t").set_index("pair_id")
    before = score_pairs(pairs, votes.assign(valid=True), 12, "t").set_index("pair_id")
    assert both["score"].equals(after["score"]) and (both["n_valid"] == after["n_valid"]).all()
    assert both["score_all"].equals(before["score"]) and (both["n_yes_all"] == before["n_yes"]).all()
    nobody = before_after(votes.assign(valid=False))
    assert nobody["score"].isna().all() and nobody["score_all"].notna().all()


def test_model_means_and_their_bins(votes, pairs):
    models = dict(zip(pairs["pair_id"], pairs["model"], strict=True))
    table = model_summary(votes, models, 300, 42).set_index("model")
    scores = score_pairs(pairs, votes, 12, "t")
    for name, own in [*scores.groupby("model"), ("all models", scores)]:
        row = table.loc[name]
        assert row["n"] == len(own) and row["mean"] == pytest.approx(own["score"].mean())
        assert row["share"] == (own["score"] > 0.5).mean()
        assert row["mean_low"] < row["mean"] < row["mean_high"]
        assert row[[f"bin_{i}" for i in range(10)]].sum() == len(own)
        assert row["bin_9"] == (own["score"] >= 0.9).sum() and row["bin_0"] == (own["score"] < 0.1).sum()
    assert model_summary(votes.sample(frac=1, random_state=1), models, 300, 42).equals(table.reset_index())
    assert not model_summary(votes, models, 300, 43).equals(table.reset_index())
    with pytest.raises(HlfError, match="none of the 0 votes counts"):
        model_summary(votes, {"x": "y"}, 300, 42)
    with pytest.raises(HlfError, match="at least 1 resample"):
        model_summary(votes, models, 0, 42)


def test_two_way_interval_is_that_of_plain_resampling(votes, pairs):
    """Other random numbers, so only the width is compared: people and images are both drawn, as whole groups."""
    models = dict.fromkeys(pairs["pair_id"], "m")
    found = model_summary(votes, models, 2000, 42).iloc[0]
    used = votes[votes["valid"] & ~votes["is_trap"]]
    table = used.pivot(index="pair_id", columns="participant", values="answer").to_numpy(dtype=float)
    image = pd.Series(sorted(set(used["pair_id"]))).str.split("@").str[0].astype(int).to_numpy()
    rng, means = np.random.default_rng(0), []
    for _ in range(600):
        people = rng.integers(0, table.shape[1], table.shape[1])
        rows = np.concatenate([np.flatnonzero(image == i) for i in rng.integers(0, 15, 15)])
        means.append(np.nanmean(np.nanmean(table[rows][:, people], axis=1)))
    assert found["mean_low"] == pytest.approx(np.percentile(means, 2.5), abs=0.03)
    assert found["mean_high"] == pytest.approx(np.percentile(means, 97.5), abs=0.03)
    # votes that hang on the person alone: pairs drawn anew would give no width at all, people do
    taste = used.assign(answer=(used["participant"] < "p12").astype(int))
    wide = model_summary(taste, models, 300, 42).iloc[0]
    assert wide["mean_high"] - wide["mean_low"] > 0.2


def test_means_by_order_see_a_drift_and_no_traps(votes):
    assert positions(votes)[votes["is_trap"]].isna().all()
    own = votes[(votes["participant"] == "p03") & ~votes["is_trap"]].sort_values("order_index")
    assert positions(votes)[own.index].tolist() == list(range(len(own)))
    tired = votes.assign(answer=(positions(votes) >= 15).astype(int))
    table = order_means(tired, 200, 42)
    assert (table["mean"][table["last"] <= 15] == 0).all() and (table["mean"][table["first"] > 15] == 1).all()
    assert table["n"].sum() == (votes["valid"] & ~votes["is_trap"]).sum()
    assert (table["first"].to_numpy()[1:] == table["last"].to_numpy()[:-1] + 1).all() and table["first"].iloc[0] == 1
    assert ((table["first"] <= table["place"]) & (table["place"] <= table["last"])).all()
    steady = order_means(votes, 200, 42)
    assert ((steady["low"] <= steady["mean"]) & (steady["mean"] <= steady["high"])).all()
    assert steady["n"].max() < 2 * steady["n"].min()
    with pytest.raises(HlfError, match="no valid vote"):
        order_means(votes.assign(valid=False), 10, 1)


def test_reaction_times_by_score(votes):
    assert rt_by_score(votes).empty
    used = votes[votes["valid"] & ~votes["is_trap"]]
    score = used.groupby("pair_id")["answer"].mean().reindex(votes["pair_id"]).to_numpy()
    slow = votes.assign(rt_active_ms=1000 + 4000 * score * (1 - score))
    table = rt_by_score(slow)
    assert table["n"].sum() == len(used)
    middle = table[(table["low"] >= 0.3) & (table["high"] <= 0.7)]["median_ms"].min()
    assert middle > table["median_ms"].iloc[[0, -1]].max()
    assert rt_by_score(slow.assign(rt_active_ms=np.nan)).empty


def test_a_full_study_takes_seconds_and_little_memory():
    """723 pairs x 12 votes, 5 models, 10,000 resamples: far below 5 s and 100 MB beyond the table itself."""
    import time
    import tracemalloc

    pairs = make_pairs(145, ("a", "b", "c", "d", "e"), (1.0,)).head(723)
    votes = make_votes(pairs, 58, 12)
    models = dict(zip(pairs["pair_id"], pairs["model"], strict=True))
    tracemalloc.start()
    start = time.process_time()
    table = model_summary(votes, models, 10_000, 42)
    taken, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(table) == 6 and taken < 5 and peak < 100e6
