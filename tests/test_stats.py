"""Correlations against scipy, the logistic fit, Wilson intervals against the study's guide values, the bootstrap."""

import time

import numpy as np
import pytest
import scipy.stats
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hlf.errors import HlfError
from hlf.stats import (
    absolute_interval,
    bootstrap_by_group,
    krcc,
    logistic4,
    plcc,
    plcc_logistic,
    rmse_logistic,
    srcc,
    wilson,
)

# steps of 1e-3, so that ties occur and no value drowns in the rounding of another
NUMBERS = st.integers(-5000, 5000).map(lambda i: i / 1000)


@st.composite
def two_lists(draw):
    size = draw(st.integers(5, 60))
    lists = [draw(st.lists(NUMBERS, min_size=size, max_size=size).filter(lambda v: len(set(v)) > 1)) for _ in "ab"]
    return lists[0], lists[1]


@settings(max_examples=50, deadline=None)
@given(two_lists())
def test_correlations_equal_scipy(pair):
    a, b = pair
    assert srcc(a, b) == pytest.approx(scipy.stats.spearmanr(a, b).statistic, abs=1e-10)
    assert plcc(a, b) == pytest.approx(scipy.stats.pearsonr(a, b).statistic, abs=1e-10)


@settings(max_examples=30, deadline=None)
@given(two_lists())
def test_kendall_equals_its_definition_with_ties(pair):
    a, b = np.array(pair[0]), np.array(pair[1])
    upper = np.triu_indices(len(a), 1)
    x, y = (np.sign(v[:, None] - v[None, :])[upper] for v in (a, b))
    assert krcc(a, b) == pytest.approx((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), abs=1e-10)
    assert krcc(a, b) == pytest.approx(scipy.stats.kendalltau(a, b).statistic, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(two_lists(), st.floats(0.01, 100), st.floats(-10, 10))
def test_correlations_ignore_unit_and_flip_with_sign(pair, scale, shift):
    a, b = np.array(pair[0]), np.array(pair[1])
    assert plcc(a * scale + shift, b) == pytest.approx(plcc(a, b), abs=1e-8)
    assert srcc(-a, b) == pytest.approx(-srcc(a, b), abs=1e-12)
    assert srcc(np.exp(a), b) == pytest.approx(srcc(a, b), abs=1e-12)
    assert krcc(np.exp(a), b) == pytest.approx(krcc(a, b), abs=1e-12)
    assert krcc(-a, b) == pytest.approx(-krcc(a, b), abs=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_pearson_survives_extreme_units(scale):
    a = [1.0, 2.0, 3.0, 5.0, 4.0]
    assert plcc(np.array(a) * scale, a) == pytest.approx(1.0)


@pytest.mark.parametrize("function", [srcc, plcc, krcc, plcc_logistic, rmse_logistic])
@pytest.mark.parametrize(
    ("a", "b", "word"),
    [
        ([1, 1, 1, 1, 1], [1, 2, 3, 4, 5], "constant"),
        ([1, 2, 3, 4, 5], [0, 0, 0, 0, 0], "constant"),
        ([1, 2, 3, 4], [1, 2, 3, 4], "at least 5"),
        ([1, 2, 3, 4, float("nan")], [1, 2, 3, 4, 5], "finite"),
        ([1, 2, 3, 4, float("inf")], [1, 2, 3, 4, 5], "finite"),
        ([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5], "one length"),
    ],
)
def test_undefined_correlations_are_refused_not_nan(function, a, b, word):
    with pytest.raises(HlfError, match=word):
        function(a, b)


@settings(max_examples=20, deadline=None)
@given(st.floats(-50, 50), st.floats(0.05, 20), st.floats(-1, 0.4), st.floats(0.6, 2), st.booleans())
def test_logistic_recovers_a_logistic(centre, width, low, high, falling):
    x = centre + width * np.linspace(-6, 6, 60)
    y = low + (high - low) / (1 + np.exp(-(x - centre) / width))
    fit = logistic4(x, y[::-1] if falling else y)
    assert fit.status == "ok"
    assert fit.fitted == pytest.approx(y[::-1] if falling else y, abs=1e-3)
    assert fit.params[2:] == pytest.approx((centre, width), rel=0.02, abs=0.02 * width)


@settings(max_examples=25, deadline=None)
@given(two_lists())
def test_logistic_fit_is_no_worse_than_a_line(pair):
    fit = logistic4(*pair)
    if fit.status == "ok":
        # a wide logistic is nearly a line; 0.01 is what "nearly" costs at five widths
        assert plcc_logistic(*pair) >= abs(plcc(*pair)) - 0.01
    else:
        with pytest.raises(HlfError, match="failed"):
            plcc_logistic(*pair)


@settings(max_examples=15, deadline=None)
@given(two_lists(), st.integers(-6, 6))
@example(([0.0, 0.0, 0.0, 0.003, -0.001], [-0.001, 0.0, 0.0, 0.0, 0.507]), -6)
def test_rmse_is_in_the_unit_of_the_score_and_no_worse_than_the_mean(pair, power):
    unit = 2.0**power  # exact in float64: rounding alone could send the search to another of two equal minima
    a, b = np.array(pair[0]), np.array(pair[1])
    fit = logistic4(a, b)
    if fit.status != "ok":
        return
    assert rmse_logistic(a, b) <= b.std() + 1e-9
    # the best curve may be one end of a logistic whose other end is 1e12 away: its digits are all that is left
    room = 1e-9 + 4 * np.finfo(float).eps * max(map(abs, fit.params[:2]))
    assert rmse_logistic(a, b) ** 2 == pytest.approx(np.mean((b - fit.curve(a)) ** 2), abs=room)
    assert rmse_logistic(a, unit * b) == pytest.approx(unit * rmse_logistic(a, b), rel=1e-9)


def test_rmse_of_known_residuals():
    x = np.linspace(-6, 6, 400)
    y = 1 / (1 + np.exp(-x)) + 0.1 * (-1.0) ** np.arange(400)  # a curve can follow no such zigzag
    assert rmse_logistic(x, y) == pytest.approx(0.1, abs=1e-3)


def test_a_failed_fit_has_no_curve():
    step = logistic4([-1e-300, 0.0, 1e-300, 2e-300, 3e-300], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert step.status.startswith("failed")
    with pytest.raises(HlfError, match="no logistic curve"):
        step.curve([0.0])


def test_logistic_beats_pearson_on_a_saturating_metric():
    x = np.linspace(-8, 8, 80)
    y = 1 / (1 + np.exp(-3 * x))
    assert plcc_logistic(x, y) > 0.9999 > 0.95 > plcc(x, y)


@pytest.mark.parametrize(("k", "low", "high"), [(0, 0.0, 0.24), (3, 0.09, 0.53), (6, 0.25, 0.75)])
def test_wilson_of_twelve_votes(k, low, high):
    # guide values of the study's rules, printed with two digits
    assert wilson(k, 12) == pytest.approx((low, high), abs=0.0051)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_equals_scipy_and_is_symmetric(votes):
    k, n = votes
    low, high = wilson(k, n)
    truth = scipy.stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((truth.low, truth.high), abs=1e-12)
    assert 0 <= low <= k / n <= high <= 1
    assert wilson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_votes(k, n):
    with pytest.raises(HlfError, match="Wilson"):
        wilson(k, n)


def sample(pairs=145, groups=60, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=pairs)
    return a, a + rng.normal(size=pairs), [f"gt{i}" for i in rng.integers(0, groups, pairs)]


def test_bootstrap_is_quick_repeatable_and_holds_the_value():
    a, b, groups = sample()
    start = time.process_time()
    low, high = bootstrap_by_group(srcc, a, b, groups, 2000, 42)
    assert time.process_time() - start < 2
    assert -1 <= low < srcc(a, b) < high <= 1
    assert bootstrap_by_group(srcc, a, b, groups, 2000, 42) == (low, high)
    assert bootstrap_by_group(srcc, a, b, groups, 2000, 43) != (low, high)


@settings(max_examples=25, deadline=None)
@given(two_lists(), st.integers(2, 9), st.booleans())
def test_all_resamples_at_once_equal_one_by_one(pair, many, ranked):
    a, b = np.array(pair[0]), np.array(pair[1])
    groups = [f"gt{i % many}" for i in range(len(a))]
    statistic = srcc if ranked else plcc
    try:
        slow = bootstrap_by_group(lambda x, y: statistic(x, y), a, b, groups, 60, 3)
    except HlfError:
        with pytest.raises(HlfError, match="undefined"):
            bootstrap_by_group(statistic, a, b, groups, 60, 3)
    else:
        assert bootstrap_by_group(statistic, a, b, groups, 60, 3) == pytest.approx(slow, abs=1e-9)


def test_bootstrap_agrees_with_scipy_when_every_pair_is_its_own_group():
    a, b, _ = sample(64)
    own = bootstrap_by_group(plcc, a, b, [str(i) for i in range(64)], 2000, 1)
    rng = np.random.default_rng(5)
    other = scipy.stats.bootstrap(
        (a, b), lambda x, y: plcc(x, y), paired=True, vectorized=False, method="percentile", n_resamples=2000, rng=rng
    ).confidence_interval
    # two independent runs of 2000 resamples: quantiles differ by about 0.01
    assert own == pytest.approx((other.low, other.high), abs=0.03)


def test_copies_in_one_group_add_no_certainty():
    a, b, _ = sample(40, seed=3)
    names = [f"gt{i}" for i in range(40)]
    once = bootstrap_by_group(srcc, a, b, names, 500, 7)
    fourfold = bootstrap_by_group(srcc, np.tile(a, 4), np.tile(b, 4), names * 4, 500, 7)
    as_if_free = bootstrap_by_group(srcc, np.tile(a, 4), np.tile(b, 4), [str(i) for i in range(160)], 500, 7)
    assert fourfold == pytest.approx(once, abs=1e-9)
    assert as_if_free[1] - as_if_free[0] < 0.7 * (once[1] - once[0])


def test_bootstrap_of_a_difference_is_paired():
    a, b, groups = sample(seed=9)
    two = np.column_stack([a, a])
    assert bootstrap_by_group(lambda m, s: srcc(m[:, 0], s) - srcc(m[:, 1], s), two, b, groups, 200, 1) == (0.0, 0.0)


def test_bootstrap_refuses_what_has_no_interval():
    a, b, _ = sample(10)
    with pytest.raises(HlfError, match="2 GT groups"):
        bootstrap_by_group(srcc, a, b, ["one"] * 10, 100, 1)
    rare = [0.0] * 9 + [1.0]  # a third of the resamples misses the only different value
    with pytest.raises(HlfError, match="undefined"):
        bootstrap_by_group(srcc, rare, b, [str(i) for i in range(10)], 200, 1)
    with pytest.raises(HlfError, match="equal lengths"):
        bootstrap_by_group(srcc, a, b[:9], ["x"] * 10, 100, 1)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 1))
def test_absolute_interval_holds_every_absolute_value(one, other, share):
    low, high = sorted((one, other))
    inside = min(high, max(low, low + share * (high - low)))
    lower, upper = absolute_interval(low, high)
    assert 0 <= lower <= abs(inside) <= upper <= 1
