"""BSRGAN degradation: what holds for every draw, size and level, and for the files that the stage writes."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import degradation_oracle as oracle
from hlf.degradation import degrade, kernels, plus
from hlf.degradation.apply import apply_plan
from hlf.degradation.plan import draw_plan
from hlf.degradation.strength import Strength
from hlf.errors import HlfError
from hlf.images import to_float, to_uint8

ksizes = st.integers(3, 12).map(lambda half: 2 * half + 1)
seeds = st.integers(0, 2**32)
sides = st.integers(16, 70)
levels = st.floats(0.01, 1.0)
variants = st.sampled_from(["bsrgan", "bsrgan_plus"])


def gt_of(height, width, seed=0):
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


# kernels


@given(ksizes, st.floats(0, 3), st.sampled_from([2, 4]))
def test_profiles_sum_to_one(ksize, sigma, sf):
    for profile in (kernels.gaussian_profile(ksize, sigma), kernels.shifted_profile(25, sigma, sf)):
        assert np.all(profile >= 0)
        assert profile.sum() == pytest.approx(1, abs=1e-12)


@given(ksizes, st.floats(0, np.pi), st.floats(0, 8), st.floats(0, 8))
def test_oriented_kernel_sums_to_one_and_is_even(ksize, theta, l1, l2):
    kernel = kernels.anisotropic(ksize, theta, l1, l2)
    assert np.all(kernel >= 0)
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-12)


@given(st.floats(0, np.pi), st.floats(0.7, 2), st.floats(0.7, 2))
def test_oriented_kernel_has_the_wanted_covariance(theta, l1, l2):
    offsets = np.arange(25) - 12.0
    x, y = np.meshgrid(offsets, offsets)
    kernel = kernels.anisotropic(25, theta, l1, l2)
    along = np.array([np.cos(theta), np.sin(theta)])
    # sampling a Gaussian of variance 0.7 on whole pixels is off by 5e-5
    assert (kernel * (along[0] * x + along[1] * y) ** 2).sum() == pytest.approx(l1, abs=1e-3)
    assert (kernel * (along[1] * x - along[0] * y) ** 2).sum() == pytest.approx(l2, abs=1e-3)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), ksizes, seeds)
def test_blur_is_a_true_convolution_with_mirrored_borders(height, width, ksize, seed):
    rng = np.random.default_rng(seed)
    image, kernel = rng.random((height, width, 3), dtype=np.float32), rng.random((ksize, ksize))
    kernel /= kernel.sum()
    official = ndimage.convolve(image.astype(float), kernel[:, :, None], mode="mirror")
    np.testing.assert_allclose(kernels.blur(image, kernel), official, atol=2e-6)
    profile = kernel[0] / kernel[0].sum()
    official = ndimage.convolve(image.astype(float), np.outer(profile, profile)[:, :, None], mode="mirror")
    np.testing.assert_allclose(kernels.blur(image, profile), official, atol=2e-6)


@pytest.mark.parametrize("sf, centroid", [(4, 10.5), (2, 11.5)])
def test_shifted_profile_moves_the_centroid_by_half_a_block(sf, centroid):
    assert kernels.shifted_profile(25, 1.0, sf) @ np.arange(25) == pytest.approx(centroid, abs=1e-6)


# sampler


@pytest.fixture(scope="module")
def drawn():
    return oracle.plans()


def test_every_decision_has_the_official_probability(drawn):
    p_values = oracle.sampler_p_values(drawn)
    assert len(p_values) >= 20
    # about 25 tests of correct code: one in 400 seeds would fall below
    assert min(p_values.values()) > 1e-4, p_values


def test_order_rule_and_number_of_operations(drawn):
    for plan in drawn[:5000]:
        names = [step["op"] for step in plan]
        assert names.index("down2") < names.index("down3")
        assert names[-1] == "jpeg"
        assert names.count("blur") == 2 and names.count("noise") == 1 and 1 <= names.count("jpeg") <= 2
        assert "scale2" not in names[1:]
        assert plan[names.index("down3")]["dsize"] == [oracle.SIDE // 4] * 2


def test_every_gap_between_the_downsamplings_occurs(drawn):
    names = [[step["op"] for step in plan] for plan in drawn[:3000]]
    gaps = {n.index("down3") - n.index("down2") - 1 for n in names}
    assert gaps == {0, 1, 2, 3, 4}


def test_plus_draws_the_official_probabilities():
    plans = oracle.plans(4000, variant="bsrgan_plus")
    rare = np.mean([sum(s["op"] in ("poisson", "speckle") for s in plan) for plan in plans])
    # four chances of 0.1 each; sd of the mean of 4000 is 0.0095
    assert rare == pytest.approx(0.4, abs=0.04)
    for plan in plans[:500]:
        names = [s["op"] for s in plan]
        assert names.count("blur") == 2 and names.count("resize") == 3 and names.count("noise") == 2
        assert names.count("jpeg") == 2 and names[-2:] == ["resize", "jpeg"]
    rng = np.random.default_rng(0)
    shares = np.array([plus.draw_share(rng, Strength(1.0)) for _ in range(4000)])
    assert np.mean(shares > 1) == pytest.approx(0.2, abs=0.03)
    assert np.mean(shares < 1) == pytest.approx(0.7, abs=0.03)
    assert shares.min() >= 0.125 and shares.max() < 2
    chain = np.mean([plus.draw_order(rng)[6] == "jpeg" for _ in range(4000)])
    assert chain == pytest.approx(0.5 + 0.5 / 13, abs=0.04)


# level


@given(st.floats(1, 8), st.integers(30, 95), st.floats(0, 25))
def test_full_level_changes_no_draw(factor, quality, width):
    full = Strength(1.0)
    assert (full.factor(factor), full.quality(quality), full.blur(width), full.noise(width)) == (
        factor, quality, width, width,
    )  # fmt: skip


@given(seeds, sides, sides)
def test_level_scales_the_same_draws(seed, height, width):
    """R1: equal generators give the same structure, every strength x 0.5."""
    full, half = (draw_plan(np.random.default_rng(seed), height, width, level) for level in (1.0, 0.5))
    assert [s["op"] for s in full] == [s["op"] for s in half]
    for a, b in zip(full, half, strict=True):
        for name in {"sigma", "l1", "l2", "level"} & a.keys():
            assert b[name] == pytest.approx(a[name] / 2)
        if "quality" in a:
            assert b["quality"] == round(95 - (95 - a["quality"]) / 2)
        if "cov" in a:
            np.testing.assert_allclose(b["cov"], np.array(a["cov"]) / 4, rtol=1e-9)
        if a["op"] == "down2" and a["mode"] == "cv2":
            assert b["dsize"][0] >= a["dsize"][0]


def test_lower_levels_stay_closer_to_the_reference():
    """Section 3.1 of the paper wants levels; the weaker must be the milder."""
    gt, ref = oracle.picture("scene"), oracle.vectors("deg_stats")[1]["scene/bicubic"]
    errors = [
        np.mean([np.mean((degrade(gt, np.random.default_rng(s), level)[0] - ref) ** 2) for s in range(40)])
        for level in (0.3, 0.7, 1.0)
    ]
    assert 1.2 * errors[0] < errors[1] < errors[2] / 1.1, errors


@pytest.mark.parametrize("level", [0.0, -0.5, 1.5, float("nan"), float("inf")])
def test_level_outside_range_is_refused(level):
    with pytest.raises(HlfError, match=r"degradation\.levels"):
        degrade(gt_of(16, 16), np.random.default_rng(0), level)


# degrade


@settings(deadline=None, max_examples=60)
@given(sides, sides, seeds, levels, variants)
def test_size_range_and_record(height, width, seed, level, variant):
    gt = gt_of(height, width, seed)
    before = gt.copy()
    lr, plan = degrade(gt, np.random.default_rng(seed), level, variant)
    assert lr.shape == (height // 4, width // 4, 3) and lr.dtype == np.float32
    assert np.array_equal(lr, to_float(to_uint8(lr)))
    assert np.array_equal(gt, before)
    again = apply_plan(gt, json.loads(json.dumps(plan)))
    assert np.array_equal(lr, again)


def test_only_the_top_left_part_counts():
    rng = np.random.default_rng
    gt = gt_of(67, 50)
    assert np.array_equal(degrade(gt, rng(1))[0], degrade(np.ascontiguousarray(gt[:64, :48]), rng(1))[0])


@pytest.mark.parametrize(
    "gt, variant, words",
    [
        (np.zeros((32, 32, 3), np.uint8), "bsrgan", "float32"),
        (np.zeros((32, 32), np.float32), "bsrgan", "H, W, 3"),
        (np.zeros((32, 15, 3), np.float32), "bsrgan", "at least 16"),
        (np.zeros((32, 32, 3), np.float32), "bsrgun", "bsrgan_plus"),
    ],
)
def test_wrong_input_is_named(gt, variant, words):
    with pytest.raises(HlfError, match=words):
        degrade(gt, np.random.default_rng(0), 1.0, variant)


@pytest.mark.parametrize(
    "step", [{"op": "sepia"}, {"op": "noise", "mode": "gray", "level": 2.0, "noise": "p0"}], ids=["operation", "array"]
)
def test_plan_that_cannot_be_applied_is_named(step):
    with pytest.raises(HlfError, match=r"sepia|p0"):
        apply_plan(gt_of(16, 16), [step])
