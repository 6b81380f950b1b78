"""The map from raw distance to the share of viewers: monotone, 0 at 0, differentiable, and found again from data."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hlf.errors import HlfError
from hlf.metric.calibration import Calibration, fit_calibration

SLOPE, CENTRE = st.floats(0.2, 8.0), st.floats(0.01, 1.5)
DISTANCES = st.lists(st.floats(0.0, 2.0), min_size=8, max_size=30)


def fitted(distances, seed, kind):
    """A calibration of some kind, fitted to scores that rise with distance but for noise."""
    s = np.array([*distances, 0.05, 0.9])
    noise = np.random.default_rng(seed).normal(0, 0.2, len(s))
    return fit_calibration(s, np.clip(s / 2 + noise, 0, 1) * 0.98 + np.linspace(0, 0.02, len(s)), kind)


@settings(max_examples=60, deadline=None)
@given(DISTANCES, st.integers(0, 99), st.sampled_from(["logistic", "isotonic", "none"]))
def test_every_map_is_monotone_within_0_and_1_and_leaves_0(distances, seed, kind):
    calibration = fitted(distances, seed, kind)
    s = np.concatenate([np.linspace(0, 2, 301), np.geomspace(1e-9, 1e-3, 40)])
    share = calibration(np.sort(s))
    assert share[0] == 0.0 and (np.diff(share) >= -1e-12).all() and share.min() >= 0 and share.max() <= 1
    assert calibration(-1e-7) == 0.0
    again = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict())))
    assert again == calibration and np.array_equal(again(s), calibration(s))


@settings(max_examples=60, deadline=None)
@given(DISTANCES, st.integers(0, 99), st.sampled_from(["logistic", "isotonic", "none"]))
def test_gradient_is_finite_everywhere_and_never_negative(distances, seed, kind):
    calibration = fitted(distances, seed, kind)
    for dtype in (torch.float32, torch.float64):
        s = torch.tensor([-1e-7, 0.0, 1e-12, 1e-7, *distances, 1.0, 2.0], dtype=dtype, requires_grad=True)
        calibration(s).sum().backward()
        assert torch.isfinite(s.grad).all() and (s.grad >= 0).all()


@settings(max_examples=60, deadline=None)
@given(CENTRE, SLOPE)
def test_logistic_formula_and_its_derivative(c, k):
    calibration = Calibration("logistic", c, k)
    s = np.array([0.02, 0.3, 1.0, 1.9])
    assert np.allclose(calibration(s), 1 / (1 + (s / c) ** -k), rtol=1e-9)
    assert calibration(c) == pytest.approx(0.5, abs=1e-12)
    inputs = torch.tensor(s, requires_grad=True)
    assert torch.autograd.gradcheck(calibration, (inputs,))


@settings(max_examples=40, deadline=None)
@given(CENTRE, SLOPE)
def test_known_parameters_are_found_again(c, k):
    # distances around the centre: far from it every share is 0 or 1 and tells nothing of c and k
    s = c * np.exp(np.linspace(-2.5, 2.5, 30) / k)
    s = s[s <= 2]
    found = fit_calibration(s, Calibration("logistic", c, k)(s))
    assert found.c == pytest.approx(c, rel=1e-3) and found.k == pytest.approx(k, rel=1e-3)


def test_votes_of_twelve_viewers_suffice_and_the_mean_is_kept():
    rng, truth = np.random.default_rng(5), Calibration("logistic", 0.25, 2.5)
    s = rng.uniform(0.01, 1.2, 600)
    y = rng.binomial(12, truth(s)) / 12
    for kind, within in (("logistic", 0.02), ("isotonic", 0.12)):
        found = fit_calibration(s, y, kind)
        assert np.abs(found(s) - truth(s)).max() < within
        assert found(s).mean() == pytest.approx(y.mean(), abs=1e-6)


def test_isotonic_is_the_best_monotone_fit_by_hand():
    s, y = [0.1, 0.2, 0.3, 0.4, 0.5], [0.2, 0.0, 0.5, 0.4, 0.9]
    found = fit_calibration(s, y, "isotonic")
    assert found.knots == ((0, 0), (0.1, 0.1), (0.2, 0.1), (0.3, 0.45), (0.4, 0.45), (0.5, 0.9))
    assert found(0.05) == pytest.approx(0.05) and found(0.45) == pytest.approx(0.675) and found(1.7) == 0.9


def test_equal_distances_share_one_level_and_0_stays_0():
    found = fit_calibration([0.0, 0.0, 0.2, 0.2, 0.2, 0.6], [0.5, 0.3, 0.0, 0.3, 0.6, 0.8], "isotonic")
    assert found.knots == ((0, 0), (0.2, pytest.approx(0.3)), (0.6, 0.8)) and found(0.0) == 0.0


@pytest.mark.parametrize("kind", ["logistic", "isotonic"])
def test_scores_that_fall_with_distance_give_an_almost_constant_map(kind):
    s = np.linspace(0.1, 1, 20)
    found = fit_calibration(s, 0.9 - 0.5 * s, kind)
    assert np.ptp(found(s)) < 0.03 and found(s).mean() == pytest.approx((0.9 - 0.5 * s).mean(), abs=1e-3)


def test_votes_that_part_without_error_stay_finite():
    s = np.linspace(0.1, 1, 20)
    found = fit_calibration(s, (s > 0.5).astype(float))
    assert math.isfinite(found.c) and math.isfinite(found.k) and found(0.4) < 0.01 and found(0.6) > 0.99


@pytest.mark.parametrize("kind", ["logistic", "isotonic", "none"])
def test_type_and_shape_are_kept(kind):
    calibration = fitted([0.1] * 3 + [0.5] * 5, 1, kind)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        tensor = torch.tensor([[0.0, 0.3], [1e-3, 1.0]], dtype=dtype)
        assert calibration(tensor).dtype == dtype and calibration(tensor).shape == (2, 2)
        assert calibration(tensor)[0, 0] == 0
    array = calibration(np.array([[0.1, 0.4, 2.0]], dtype=np.float32))
    assert array.dtype == np.float32 and array.shape == (1, 3) and isinstance(calibration(0.3), float)
    assert calibration(np.array([])).shape == (0,)


@pytest.mark.parametrize(
    ("raw", "score", "words"),
    [
        ([0.1] * 4, [0.1] * 4, r"at least 5 pairs of distance and score, got \(4,\) and \(4,\)"),
        ([0.1] * 6, [0.1] * 5, r"got \(6,\) and \(5,\)"),
        ([0.1, 0.2, 0.3, 0.4, math.nan], [0.1, 0.2, 0.3, 0.4, 0.5], "finite distances, got 1 that are not"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.2, 0.3, 0.4, math.inf], "finite scores, got 1 that are not"),
        ([0.1, 0.2, 0.3, 0.4, 2.5], [0.1, 0.2, 0.3, 0.4, 0.5], r"distances to calibrate lie in \[0, 2\], got 0.1 to"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.2, 0.3, 0.4, 5], r"scores to calibrate lie in \[0, 1\], got 0.1 to 5"),
        ([0.3] * 5, [0.1, 0.2, 0.3, 0.4, 0.5], "distances that differ, got 0.3 for all 5 pairs whose"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [0.5] * 5, "scores that differ, got 0.5 for all 5 pairs"),
        ([0.0, 0.0, 0.0, 0.4, 0.4], [0.1, 0.2, 0.3, 0.4, 0.5], "got 0.4 for all 2 pairs"),
        ([0.0] * 5, [0.1, 0.2, 0.3, 0.4, 0.5], "got 0 for all 0 pairs"),
    ],
)
def test_pairs_that_cannot_be_calibrated_are_refused(raw, score, words):
    for kind in ("logistic", "isotonic"):
        with pytest.raises(HlfError, match=words):
            fit_calibration(raw, score, kind)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "cubic"}, "kind 'cubic' is unknown, expected one of logistic, isotonic, none"),
        ({"kind": "logistic", "c": -1, "k": 2}, "finite c > 0 and k > 0, got c=-1.0, k=2.0"),
        ({"kind": "logistic", "c": 1}, "expected a calibration with its kind and numbers"),
        ({"kind": "isotonic", "knots": [[0, 0], [0.5, 0.6], [0.4, 0.7]]}, "with rising s"),
        ({"kind": "isotonic", "knots": [[0, 0.1], [0.5, 0.6]]}, r"from \(0, 0\)"),
        ({"kind": "isotonic", "knots": [1, 2]}, "expected a calibration with its kind and numbers"),
        ([], "expected a calibration with its kind and numbers"),
    ],
)
def test_wrong_values_of_a_file_are_told(values, words):
    with pytest.raises(HlfError, match=words):
        Calibration.from_dict(values)


def test_an_unknown_kind_is_told():
    with pytest.raises(HlfError, match="kind 'cubic' is unknown"):
        fit_calibration([0.1, 0.2, 0.3, 0.4, 0.5], [0.1, 0.2, 0.3, 0.4, 0.5], "cubic")
