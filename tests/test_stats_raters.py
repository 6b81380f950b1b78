"""Agreement of people and models of people: known values, a second computation of each, and what must not matter."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hlf.errors import HlfError
from hlf.stats import jeffreys, wilson
from hlf.stats.answers import Answers
from hlf.stats.latent import _bias_loss, dawid_skene, person_bias
from hlf.stats.people import bt500, leave_one_out
from hlf.stats.raters import (
    STATISTICS,
    fleiss_kappa,
    icc1,
    icck,
    krippendorff_alpha,
    percent_agreement,
    rater_agreement,
)
from hlf.stats.resampling import draw_groups

FUNCTIONS = {
    "alpha": krippendorff_alpha,
    "kappa": fleiss_kappa,
    "icc1": icc1,
    "icck": icck,
    "percent": percent_agreement,
}
# 8 pairs (rows) judged by 6 people, with values computed apart from this code
KNOWN = np.array([list(map(int, row)) for row in (
    "111101", "000100", "101010", "000000", "111111", "110110", "010000", "111110",
)], dtype=float)  # fmt: skip
GAPS = KNOWN.copy()
GAPS[[0, 3, 6, 6], [5, 2, 0, 1]] = np.nan
NEAR = {"abs": 5e-11, "rel": 0}  # the known values have ten decimals


def counts(table):
    return np.nansum(table, axis=1), (~np.isnan(table)).sum(axis=1)


def answers_of(table):
    """Answers of a matrix pairs x people, NaN = not asked; empty rows and columns left out as from a table."""
    pair, person = np.nonzero(~np.isnan(table))
    names = ([f"p{i:03d}@0.3@m" for i in np.unique(pair)], [f"s{i:03d}" for i in np.unique(person)])
    places = [np.unique(index, return_inverse=True)[1] for index in (pair, person)]
    return Answers(*names, *places, table[pair, person])


def draw(seed, pairs=60, people=15, share=0.8, a=0.4):
    """Matrix of answers with yes rates from Beta(a, a)."""
    rng = np.random.default_rng(seed)
    table = (rng.random((pairs, people)) < rng.beta(a, a, (pairs, 1))).astype(float)
    table[rng.random(table.shape) > share] = np.nan
    return table


tables = st.integers(0, 10_000).map(lambda seed: draw(seed, 12, 5, 0.9, 0.6))


# --- agreement ---


def test_known_values():
    yes, n = counts(KNOWN)
    assert krippendorff_alpha(yes, n) == pytest.approx(0.3951304348, **NEAR)
    assert fleiss_kappa(yes, n) == pytest.approx(0.3822608696, **NEAR)
    assert icc1(yes, n) == pytest.approx(0.4223048327, **NEAR)
    assert icck(yes, n) == pytest.approx(0.8143369176, **NEAR)
    assert krippendorff_alpha(*counts(GAPS)) == pytest.approx(0.4302277433, **NEAR)


def alpha_by_coincidences(table):
    """Krippendorff's alpha from the coincidence matrix of his book, in plain loops."""
    seen = np.zeros((2, 2))
    for row in table:
        values = row[~np.isnan(row)].astype(int)
        for i, a in enumerate(values):
            for j, b in enumerate(values):
                if i != j:
                    seen[a, b] += 1 / (len(values) - 1)
    total = seen.sum()
    margins = seen.sum(axis=1)
    expected = 2 * margins[0] * margins[1] / (total * (total - 1))
    return 1 - (seen[0, 1] + seen[1, 0]) / total / expected


def icc_by_variance(table):
    """One-way analysis of variance in plain loops."""
    rows = [row[~np.isnan(row)] for row in table]
    rows = [row for row in rows if len(row) >= 2]
    total = np.concatenate(rows)
    between = sum(len(r) * (r.mean() - total.mean()) ** 2 for r in rows) / (len(rows) - 1)
    within = sum(((r - r.mean()) ** 2).sum() for r in rows) / (len(total) - len(rows))
    size = (len(total) - sum(len(r) ** 2 for r in rows) / len(total)) / (len(rows) - 1)
    return (between - within) / (between + (size - 1) * within), (between - within) / between


def percent_by_pairs(table):
    shares = []
    for row in table:
        values = row[~np.isnan(row)]
        same = [values[i] == values[j] for i in range(len(values)) for j in range(i)]
        shares += [np.mean(same)] if same else []
    return np.mean(shares)


@settings(max_examples=60, deadline=None)
@given(tables)
def test_second_computation(table):
    yes, n = counts(table)
    assume(0 < yes[n >= 2].sum() < n[n >= 2].sum())
    assert krippendorff_alpha(yes, n) == pytest.approx(alpha_by_coincidences(table), abs=1e-12)
    assert percent_agreement(yes, n) == pytest.approx(percent_by_pairs(table), abs=1e-12)
    one, mean = icc_by_variance(table)
    assert icc1(yes, n) == pytest.approx(one, abs=1e-10)
    assert icck(yes, n) == pytest.approx(mean, abs=1e-10)


@settings(max_examples=60, deadline=None)
@given(tables, st.randoms(use_true_random=False))
def test_order_of_people_and_pairs_and_names_of_answers_do_not_matter(table, random):
    yes, n = counts(table)
    assume(0 < yes[n >= 2].sum() < n[n >= 2].sum())
    rows, columns = list(range(table.shape[0])), list(range(table.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    turned = counts(table[rows][:, columns])
    for name in ("alpha", "icc1", "icck", "percent"):
        value = FUNCTIONS[name](yes, n)
        assert FUNCTIONS[name](*turned) == pytest.approx(value, abs=1e-12)
        assert FUNCTIONS[name](n - yes, n) == pytest.approx(value, abs=1e-12)
        assert value <= 1 + 1e-12
    assert 0 <= percent_agreement(yes, n) <= 1


@given(st.lists(st.integers(0, 6), min_size=2, max_size=30))
def test_kappa_and_alpha_differ_by_the_small_sample_term_only(yes):
    n, total = [6] * len(yes), 6 * len(yes)
    assume(0 < sum(yes) < total)
    # alpha draws expected disagreement without replacement: (1 - alpha) = (1 - kappa) (N - 1) / N
    kappa = fleiss_kappa(yes, n)
    assert 1 - krippendorff_alpha(yes, n) == pytest.approx((1 - kappa) * (total - 1) / total, abs=1e-12)


def test_full_agreement_is_one_and_single_votes_do_not_count():
    yes, n = [6, 0, 6, 1, 0], [6, 6, 6, 1, 0]
    for name in ("alpha", "icc1", "icck", "percent"):
        assert FUNCTIONS[name](yes, n) == pytest.approx(1.0)
        assert FUNCTIONS[name](yes, n) == FUNCTIONS[name](yes[:3], n[:3])
    assert fleiss_kappa(yes[:3], n[:3]) == 1


@pytest.mark.parametrize(
    ("name", "yes", "n", "words"),
    [
        ("kappa", [1, 2], [6, 5], "equally many answers for every pair, got 5 to 6"),
        ("alpha", [6, 6], [6, 6], "all answers are alike"),
        ("icc1", [0, 0], [6, 6], "all answers are alike"),
        ("icck", [3, 3], [6, 6], "equal means"),
        ("icc1", [3], [6], "at least 2 pairs"),
        ("percent", [1, 0], [1, 1], "at least one pair with 2 answers"),
        ("alpha", [7], [6], "0 <= yes answers <= answers"),
        ("alpha", [1, 1], [6], "as many yes counts"),
    ],
)
def test_what_is_undefined_is_refused(name, yes, n, words):
    with pytest.raises(HlfError, match=words):
        FUNCTIONS[name](yes, n)


def test_intervals_are_those_of_a_plain_bootstrap():
    """Pairs of one image are drawn together; the matrix product gives what resampling tables one by one gives."""
    table = draw(3, 40, 10)
    answers = answers_of(table)
    # two pairs per image
    answers = Answers([f"g{i // 2:02d}@0.3@m{i % 2}" for i in range(40)], *list(vars(answers).values())[1:])
    found = rater_agreement(answers, 200, 42)
    rows = list(draw_groups(answers.groups(), 200, 42).rows())
    values = [alpha_by_coincidences(table[chosen]) for chosen in rows]
    assert (found.alpha.low, found.alpha.high) == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=1e-10)
    values = [icc_by_variance(table[chosen])[1] for chosen in rows]
    assert (found.icck.low, found.icck.high) == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=1e-10)
    assert found.alpha.value == pytest.approx(alpha_by_coincidences(table))
    assert (found.pairs, found.votes) == (40, int((~np.isnan(table)).sum()))
    assert math.isnan(found.kappa.value) and "equally many" in found.kappa.status
    assert repr(rater_agreement(answers, 200, 42)) == repr(found)
    assert rater_agreement(answers, 200, 43).alpha.low != found.alpha.low


def test_intervals_cover_the_truth():
    """Of 60 studies with known agreement about 95 % have it inside; below 50 is a defect (binomial 1e-4)."""
    inside = 0
    truth = 1 / (2 * 0.4 + 1)  # variance of Beta(a, a) over that of a vote, 1/4: the ICC of one vote
    for seed in range(60):
        found = rater_agreement(answers_of(draw(seed, 100, 12, 1.0, 0.4)), 300, seed).icc1
        inside += found.low <= truth <= found.high
    assert inside >= 50


def test_one_image_has_no_interval_and_kappa_is_there_for_equal_counts():
    found = rater_agreement(answers_of(KNOWN), 200, 1)
    assert found.kappa.status == "ok" and found.kappa.low < found.kappa.value < found.kappa.high
    assert {name: getattr(found, name).status for name in STATISTICS} == dict.fromkeys(STATISTICS, "ok")
    one = answers_of(KNOWN)
    with pytest.raises(HlfError, match="at least 2 GT groups"):
        rater_agreement(Answers([f"a@0.3@m{i}" for i in range(8)], *list(vars(one).values())[1:]), 10, 1)


def test_votes_become_answers():
    votes = pd.DataFrame(
        {
            "participant": ["b", "a", "a", "c"], "pair_id": ["q", "q", "p", "q"], "answer": [1, 0, 1, 1],
            "is_trap": [False, False, False, True], "valid": [True, True, False, True], "source": "human",
        }
    )  # fmt: skip
    answers = Answers.of(votes)
    assert (answers.pairs, answers.people, answers.yes.tolist()) == (["q"], ["a", "b"], [0, 1])
    everything = Answers.of(votes, only_valid=False)
    assert [v.tolist() for v in everything.counts()] == [[1, 1], [1, 2]]
    for change, words in (
        ({"source": ["human", "simulated"] * 2}, "different sources"),
        ({"valid": False}, "none of the 4 votes counts"),
        ({"answer": 2}, "must be 0 or 1"),
        ({"participant": "a"}, "a has two votes for pair q"),
    ):
        with pytest.raises(HlfError, match=words):
            Answers.of(votes.assign(**change))


# --- intervals of a share ---


def test_jeffreys_is_scipys_beta_and_has_closed_ends():
    for n in (1, 12, 30):
        for k in range(n + 1):
            low, high = jeffreys(k, n)
            want = scipy.stats.beta.ppf([0.025, 0.975], k + 0.5, n - k + 0.5)
            assert low == (0.0 if k == 0 else pytest.approx(want[0], abs=1e-12))
            assert high == (1.0 if k == n else pytest.approx(want[1], abs=1e-12))
            assert low <= k / n <= high
            # about as wide as Wilson's, which the specification gives widths of
            assert high - low == pytest.approx(wilson(k, n)[1] - wilson(k, n)[0], abs=0.1 if n > 1 else 0.3)
    assert jeffreys(3, 12) == pytest.approx([1 - v for v in jeffreys(9, 12)[::-1]])
    with pytest.raises(HlfError, match="0 <= k <= n"):
        jeffreys(1, 0)


# --- people ---


def test_leave_one_out_against_plain_loops():
    table = draw(5, 50, 9)
    found = leave_one_out(answers_of(table))
    for person in range(9):
        others = np.delete(table, person, axis=1)
        own = ~np.isnan(table[:, person]) & (~np.isnan(others)).any(axis=1)
        want = np.corrcoef(table[own, person], np.nanmean(others[own], axis=1))[0, 1]
        assert found[person] == pytest.approx(want, abs=1e-12)


def test_leave_one_out_of_trusted_people_only():
    table = draw(6, 50, 9, 1.0)
    trusted = np.arange(9) < 6
    found = leave_one_out(answers_of(table), trusted)
    for person in (0, 8):
        others = [k for k in range(6) if k != person]
        want = np.corrcoef(table[:, person], table[:, others].mean(axis=1))[0, 1]
        assert found[person] == pytest.approx(want, abs=1e-12)
    table[:, 7] = 0
    assert np.isnan(leave_one_out(answers_of(table))[7])
    assert np.isnan(leave_one_out(answers_of(table[:4]))).all()
    with pytest.raises(HlfError, match="one value for each of 9 people"):
        leave_one_out(answers_of(table), trusted[:3])


def bt500_by_definition(table):
    """The recommendation's loops: mean, sample deviation and kurtosis of every pair."""
    above, below = np.zeros(table.shape[1], int), np.zeros(table.shape[1], int)
    for row in table:
        known = row[~np.isnan(row)]
        if len(known) < 2 or known.std() == 0:
            continue
        kurtosis = ((known - known.mean()) ** 4).mean() / known.var() ** 2
        half = (2 if 2 <= kurtosis <= 4 else math.sqrt(20)) * known.std(ddof=1)
        above += row >= known.mean() + half - 1e-12
        below += row <= known.mean() - half + 1e-12
    return above, below


def test_bt500_against_its_definition():
    fired = 0
    for seed in range(8):
        table = draw(seed, 80, 16, 0.8, 0.3)
        found = bt500(answers_of(table))
        above, below = bt500_by_definition(table)
        assert found.above.tolist() == above.tolist() and found.below.tolist() == below.tolist()
        fired += above.sum() + below.sum()
    assert fired > 0
    # two people against nine, on either side in turn: more than 5 % of their answers, and not one-sided
    table = np.zeros((40, 11))
    table[:, :2] = 1
    table[::2] = 1 - table[::2]
    assert bt500(answers_of(table)).rejected.tolist() == [True] * 2 + [False] * 9
    assert not bt500(answers_of(table[::2])).rejected.any()


@pytest.mark.parametrize(("n", "fires"), [(12, []), (11, [2, 9]), (16, [3, 13]), (23, [1, 4, 19, 22])])
def test_bt500_fires_on_odd_splits_only(n, fires):
    found = []
    for yes in range(n + 1):
        row = np.array([[1.0] * yes + [0.0] * (n - yes)])
        result = bt500(answers_of(row))
        found += [yes] if (result.above + result.below).any() else []
    assert found == fires


# --- models with a hidden value ---


def dawid_skene_by_loops(table, rounds):
    """The algorithm of Dawid and Skene, product by product, from the pairs' yes rates."""
    posterior = np.nanmean(table, axis=1)
    for _ in range(rounds):
        right = np.empty((2, table.shape[1]))
        for person in range(table.shape[1]):
            own = ~np.isnan(table[:, person])
            answer = table[own, person]
            right[1, person] = (posterior[own][answer == 1].sum() + 1) / (posterior[own].sum() + 2)
            right[0, person] = ((1 - posterior[own])[answer == 0].sum() + 1) / ((1 - posterior[own]).sum() + 2)
        prior = (posterior.sum() + 1) / (len(posterior) + 2)
        for pair, row in enumerate(table):
            chance = [1 - prior, prior]
            for person, answer in enumerate(row):
                if answer == answer:
                    chance[1] *= right[1, person] if answer else 1 - right[1, person]
                    chance[0] *= 1 - right[0, person] if answer else right[0, person]
            posterior[pair] = chance[1] / sum(chance)
    return right, posterior


def test_dawid_skene_against_plain_loops():
    table = draw(11, 30, 8)
    found = dawid_skene(answers_of(table))
    right, posterior = dawid_skene_by_loops(table, found.rounds)
    assert found.sensitivity == pytest.approx(right[1], abs=1e-9)
    assert found.specificity == pytest.approx(right[0], abs=1e-9)
    assert found.posterior == pytest.approx(posterior, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 500))
def test_swapping_the_answers_mirrors_the_models(seed):
    table = draw(seed, 25, 8)
    one, other = dawid_skene(answers_of(table)), dawid_skene(answers_of(1 - table))
    assert other.sensitivity == pytest.approx(one.specificity, abs=1e-6)
    assert other.posterior == pytest.approx(1 - one.posterior, abs=1e-6)
    for rate in (one.sensitivity, one.specificity, one.posterior):
        assert ((rate >= 0) & (rate <= 1)).all()
    a, b = person_bias(answers_of(table)), person_bias(answers_of(1 - table))
    # the optimiser stops a little before the top, from either side
    assert b.theta == pytest.approx(-a.theta, abs=0.02)
    assert b.bias == pytest.approx(-a.bias, abs=0.02)
    assert b.slope == pytest.approx(a.slope, rel=0.02)


def test_dawid_skene_finds_sensitivity_and_the_careless_and_is_no_score():
    rng = np.random.default_rng(0)
    changed = rng.random(400) < 0.4
    right = np.stack([np.r_[rng.uniform(0.7, 0.95, 14), 0.5, 0.0], np.r_[rng.uniform(0.7, 0.95, 14), 0.5, 1.0]])
    p_yes = np.where(changed[:, None], right[0], 1 - right[1])
    table = (rng.random((400, 16)) < p_yes).astype(float)
    found = dawid_skene(answers_of(table))
    # 160 changed pairs: standard error of a rate at most 0.04
    assert found.sensitivity == pytest.approx(right[0], abs=0.13)
    assert found.specificity == pytest.approx(right[1], abs=0.13)
    informedness = found.sensitivity + found.specificity - 1
    assert informedness[14:] == pytest.approx(0, abs=0.1) and (informedness[:14] > 0.4).all()
    assert ((found.posterior > 0.5) == changed).mean() > 0.99
    # a pair that 30 % of the people call changed becomes nearly 0: a description of people, not the score
    table[0] = np.r_[[1.0] * 4, [0.0] * 10, 1.0, 0.0]
    assert dawid_skene(answers_of(table)).posterior[0] < 0.05 < 0.3 < table[0].mean()


def test_gradient_of_the_bias_model():
    answers = answers_of(draw(2, 8, 5))
    size = len(answers.pairs) + 2 * len(answers.people)
    for seed in range(3):
        point = np.random.default_rng(seed).normal(0, 1, size)
        error = scipy.optimize.check_grad(
            lambda v: _bias_loss(v, answers)[0], lambda v: _bias_loss(v, answers)[1], point
        )
        assert error < 1e-5


def test_bias_model_recovers_what_made_the_votes():
    rng = np.random.default_rng(4)
    theta, bias = rng.normal(0, 2, 200), rng.normal(0, 0.7, 24)
    slope = np.r_[np.full(22, 1.2), 0.0, 0.0]
    table = (rng.random((200, 24)) < 1 / (1 + np.exp(-slope * (theta[:, None] - bias)))).astype(float)
    found = person_bias(answers_of(table))
    assert np.corrcoef(found.bias[:22], bias[:22])[0, 1] > 0.9
    assert np.corrcoef(found.theta, theta)[0, 1] > 0.95
    assert found.slope[22:].max() < 0.5 < found.slope[:22].min()
    assert ((found.rate() > 0) & (found.rate() < 1)).all()


def test_always_yes_has_a_finite_bias():
    table = draw(9, 40, 10, 1.0)
    table[:, 3] = 1
    found = person_bias(answers_of(table))
    assert np.isfinite(found.bias).all() and found.bias.argmin() == 3
