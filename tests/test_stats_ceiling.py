"""Human ceiling: what new people and the true yes rate would reach, found from the votes alone."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from hlf.columns import conform, image_of, pair_id
from hlf.errors import HlfError
from hlf.stats import human_ceiling, plcc, spearman_brown, srcc


def make_votes(rates, people=12, seed=0):
    """Table `votes`: every person answers every pair, "yes" with the pair's rate."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "participant": f"p{k:02d}",
            "pair_id": pair_id(f"gt{i // 3}", 0.3, f"m{i % 3}"),
            "answer": int(rng.random() < q),
        }
        for i, q in enumerate(rates)
        for k in range(people)
    ]
    table = pd.DataFrame(rows).assign(run="r", source="simulated", is_trap=False, trap_answer=-1, order_index=0)
    return conform(table.assign(valid=True, rt_active_ms=float("nan")), "votes")


@pytest.fixture(scope="module")
def votes():
    return make_votes(np.random.default_rng(1).beta(0.6, 0.6, 240))


def test_ceiling_reaches_what_new_people_and_the_true_rate_give():
    rates = np.random.default_rng(2).beta(0.6, 0.6, 600)
    ceiling = human_ceiling(make_votes(rates, seed=3), 100, 1, n_boot=200)
    mine, others = (make_votes(rates, seed=s).groupby("pair_id", sort=False)["answer"].mean() for s in (3, 4))
    assert ceiling.srcc.full == pytest.approx(srcc(mine, others), abs=0.03)
    assert ceiling.plcc.full == pytest.approx(plcc(mine, others), abs=0.03)
    assert ceiling.plcc.truth == pytest.approx(plcc(mine, rates), abs=0.03)
    # guide values of the study's rules for yes rates drawn from Beta(0.6, 0.6)
    assert ceiling.srcc.full == pytest.approx(0.906, abs=0.03)
    assert ceiling.srcc.truth == pytest.approx(0.951, abs=0.03)
    assert ceiling.srcc.half < ceiling.srcc.full < ceiling.srcc.truth < 1
    assert ceiling.srcc.low < ceiling.srcc.full < ceiling.srcc.high


def test_halves_are_drawn_from_all_ways_to_halve_the_votes():
    # 25 pairs of four votes, yes counts 0 to 4
    counts = [i % 5 for i in range(25)]
    table = make_votes([0.5] * 25, people=4)
    table["answer"] = [int(k < count) for count in counts for k in range(4)]
    found = human_ceiling(table, 1000, 1, n_boot=100)
    rng = np.random.default_rng(0)
    slow = []
    for _ in range(1000):
        mixed = [rng.permutation([int(k < count) for k in range(4)]) for count in counts]
        slow.append(scipy.stats.pearsonr([m[:2].mean() for m in mixed], [m[2:].mean() for m in mixed]).statistic)
    # a thousand splits each: both means are known to about 0.003
    assert found.plcc.half == pytest.approx(np.mean(slow), abs=0.015)
    assert (found.n, found.fewest, found.most) == (25, 4, 4)


def test_people_who_agree_wholly_have_the_ceiling_one_and_guessers_none():
    agreed = human_ceiling(make_votes([0.0, 1.0] * 30), 20, 1, n_boot=50)
    assert agreed.srcc.half == agreed.plcc.full == agreed.srcc.truth == agreed.srcc.low == 1.0
    guessed = human_ceiling(make_votes([0.5] * 300), 50, 1, n_boot=100)
    assert abs(guessed.srcc.half) < 0.12 and guessed.srcc.low < 0.05


def test_ceiling_depends_on_no_order_and_not_on_what_does_not_count(votes):
    want = human_ceiling(votes, 30, 1, n_boot=50)
    assert human_ceiling(votes.sample(frac=1, random_state=3), 30, 1, n_boot=50) == want
    assert human_ceiling(votes, 30, 2, n_boot=50) != want
    other = votes.assign(answer=1 - votes["answer"], participant="x" + votes["participant"])
    added = pd.concat([votes, other.assign(valid=False), other.assign(is_trap=True)])
    assert human_ceiling(added, 30, 1, n_boot=50) == want


def test_an_odd_vote_stays_out(votes):
    odd = human_ceiling(votes[votes["participant"] != "p00"], 50, 1, n_boot=50)
    assert odd.fewest == odd.most == 11
    # halves of five votes agree less than halves of six
    assert odd.srcc.half < human_ceiling(votes, 50, 1, n_boot=50).srcc.half


def test_ceiling_refuses_what_it_cannot_split(votes):
    with pytest.raises(HlfError, match="at least 4 valid votes"):
        human_ceiling(votes[votes["participant"] < "p03"], 10, 1)
    with pytest.raises(HlfError, match="at least 5 pairs, got 4"):
        human_ceiling(votes[:48], 10, 1)
    with pytest.raises(HlfError, match="at least 5 pairs, got 0"):
        human_ceiling(votes.assign(valid=False), 10, 1)
    with pytest.raises(HlfError, match=r"score 1\.000"):
        human_ceiling(votes.assign(answer=1), 10, 1)
    with pytest.raises(HlfError, match="two votes for pair"):
        human_ceiling(pd.concat([votes, votes[:1]]), 10, 1)
    with pytest.raises(HlfError, match="different sources"):
        human_ceiling(votes.assign(source=["human", *["simulated"] * (len(votes) - 1)]), 10, 1)
    with pytest.raises(HlfError, match="at least 1 split"):
        human_ceiling(votes, 0, 1)


@given(st.floats(-1, 1))
def test_spearman_brown_is_two_halves_for_one_and_never_beyond_minus_one(half):
    full = spearman_brown(half)
    assert -1 <= full <= 1 and spearman_brown(1) == 1 and spearman_brown(0) == 0
    if half > 0:
        assert full == pytest.approx(1 / (1 + (1 - half) / (2 * half)))


@given(st.text("ab@. ", min_size=1), st.sampled_from([0.3, 1.0]))
def test_the_image_of_a_pair_is_found_again(image, level):
    assert image_of(pair_id(image, level, "seesr-hlf0.1")) == image
