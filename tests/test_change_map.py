"""The change map lights where the pair differs, in the geometry of each preprocessing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from backbone_helpers import tiny_dino
from hlf.backbones.base import Preprocess
from hlf.errors import HlfError
from hlf.metric.change_map import change_map, changed_area, disagreement, seen, top_regions

PLAIN = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Patches:
    """A backbone whose tokens are the pixels of patches of 8, which nothing mixes."""

    def __init__(self, size=64, short_side=None):
        self.description = SimpleNamespace(preprocess=Preprocess(size, short_side, "bilinear", *PLAIN))

    def tokens(self, images):
        pixels = self.description.preprocess(images)
        return F.unfold(pixels, 8, stride=8).transpose(1, 2)


def picture(seed, height=64, width=64):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def planted(gt, left, top, side=8):
    sr = gt.clone()
    sr[..., top : top + side, left : left + side] = 1 - sr[..., top : top + side, left : left + side]
    return sr


@given(st.integers(0, 7), st.integers(0, 7), st.integers(0, 99))
def test_a_planted_patch_lights_its_place(column, row, seed):
    gt = picture(seed)
    heat = change_map(Patches(), planted(gt, 8 * column, 8 * row), gt)[0].numpy()
    peak_row, peak_column = np.unravel_index(heat.argmax(), heat.shape)
    assert (peak_row // 8, peak_column // 8) == (row, column)
    far = np.ones_like(heat, dtype=bool)  # bilinear between the centres of tokens: nothing beyond the next patch
    far[max(0, 8 * row - 8) : 8 * row + 16, max(0, 8 * column - 8) : 8 * column + 16] = False
    assert heat.min() >= 0 and heat[far].max(initial=0) < 1e-6
    (region,) = top_regions(heat)
    left, top, right, bottom = region.box
    assert left <= 8 * column + 4 < right and top <= 8 * row + 4 < bottom


def test_equal_pictures_give_nothing_and_pairs_are_independent():
    gt = torch.cat([picture(1), picture(2)])
    heat = change_map(tiny_dino(), gt, gt)
    assert heat.shape == (2, 64, 64) and not heat.requires_grad
    assert heat.abs().max() < 1e-6
    sr = gt.clone()
    sr[1] = 1 - sr[1]
    both = change_map(tiny_dino(), sr, gt)
    assert both[0].max() < 1e-6 and both[1].min() >= 0 and 0.01 < both[1].max() <= 2
    assert both[1] == pytest.approx(change_map(tiny_dino(), sr[1:], gt[1:])[0], abs=1e-5)


@given(st.integers(0, 50), st.integers(1, 2))
def test_a_larger_radius_lights_no_place_more(seed, radius):
    a, b = (torch.randn(1, 25, 6, generator=torch.Generator().manual_seed(s)) for s in (seed, seed + 1000))
    small, large = disagreement(a, b, radius - 1), disagreement(a, b, radius)
    assert (large <= small + 1e-6).all() and small.shape == (1, 5, 5)


@given(st.sampled_from([(1, 0), (0, 1), (-1, 0), (1, -1)]))
def test_radius_forgives_what_moved_by_one_token(step):
    tokens = torch.randn(1, 6, 6, 5, generator=torch.Generator().manual_seed(3))
    moved = torch.roll(tokens, step, (1, 2))
    flat = [t.reshape(1, 36, 5) for t in (moved, tokens)]
    assert disagreement(*flat)[0, 1:-1, 1:-1].min() > 1e-3
    assert disagreement(*flat, radius=1)[0, 1:-1, 1:-1].max() < 1e-6


def test_radius_equals_a_search_by_hand():
    a, b = (torch.randn(1, 16, 4, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    found = disagreement(a, b, 1)[0]
    x, y = (F.normalize(t[0], dim=-1).reshape(4, 4, 4) for t in (a, b))
    for i in range(4):
        for j in range(4):
            near = [
                float(x[i, j] @ y[k, m])
                for k in range(max(0, i - 1), min(4, i + 2))
                for m in range(max(0, j - 1), min(4, j + 2))
            ]
            assert float(found[i, j]) == pytest.approx(1 - max(near), abs=1e-6)


def test_a_floor_is_subtracted_from_every_token():
    gt, sr = picture(4), picture(5)
    bare = change_map(Patches(), sr, gt)
    assert bare.min() > 0.1
    assert change_map(Patches(), sr, gt, floor=0.1).numpy() == pytest.approx(bare.numpy() - 0.1, abs=1e-6)
    assert change_map(Patches(), sr, gt, floor=1.5).max() == 0


@given(st.integers(40, 160), st.integers(40, 160), st.sampled_from([(32, 40), (32, 32), (28, 64)]))
def test_seen_pixels_are_those_that_reach_the_tower(height, width, sizes):
    size, short_side = sizes
    preprocess = Preprocess(size, short_side, "bilinear", *PLAIN)
    image = torch.full((1, 3, height, width), 0.5, requires_grad=True)
    preprocess(image).sum().backward()
    reached = (image.grad[0, 0] > 1e-3 * image.grad.max()).numpy()
    rows, columns = (np.flatnonzero(reached.any(axis)) for axis in (1, 0))
    top, left, bottom, right = seen(preprocess, height, width)
    # the resize's filter reaches over the edge by one pixel of the resized picture
    slack = 1.5 + 1.5 * min(height, width) / short_side
    assert (rows[0], columns[0]) == pytest.approx((top, left), abs=slack)
    assert (rows[-1] + 1, columns[-1] + 1) == pytest.approx((bottom, right), abs=slack)


def test_what_a_centre_crop_hides_is_nan_and_the_rest_lies_where_it_should():
    backbone = Patches(32, 40)  # sees 32 of 40 resized pixels of the short side, that is 64 of 80
    gt = picture(6, 80, 160)
    sr = planted(gt, 84, 44, 8)
    heat = change_map(backbone, sr, gt)[0].numpy()
    assert seen(backbone.description.preprocess, 80, 160) == (8, 48, 72, 112)
    assert np.isfinite(heat[8:72, 48:112]).all() and np.isnan(heat).sum() == 80 * 160 - 64 * 64
    row, column = np.unravel_index(np.nanargmax(heat), heat.shape)
    assert 36 <= row < 60 and 76 <= column < 100
    whole = change_map(Patches(32), sr, gt)
    assert whole.isfinite().all()
    hidden = planted(gt, 4, 4, 8)
    assert np.nanmax(change_map(backbone, hidden, gt)[0].numpy()) < 1e-6
    assert changed_area(heat, 0.0) == pytest.approx((heat[8:72, 48:112] > 0).mean())


def test_regions_are_counted_from_the_strongest():
    heat = np.zeros((20, 30))
    heat[2:6, 3:9], heat[10:12, 20:30], heat[15:16, 2:3] = 1.0, 0.9, 0.2
    first, second = top_regions(heat)
    assert first.box == (3, 2, 9, 6) and second.box == (20, 10, 30, 12)
    assert first.mass == pytest.approx(24 / (24 + 18 + 0.2)) and first.area == pytest.approx(24 / 600)
    assert top_regions(heat, count=1) == [first] and len(top_regions(heat, share=0.1)) == 3
    assert top_regions(np.zeros((5, 5))) == []
    heat[:, 0] = np.nan
    assert top_regions(heat)[0].box == (3, 2, 9, 6)
    assert changed_area(np.array([[0.2, 0.6], [np.nan, 0.0]]), 0.5) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: change_map(tiny_dino(), picture(1), picture(1, 64, 72)), r"of one shape, got \(1, 3, 64, 64\)"),
        (lambda: change_map(tiny_dino(), picture(1) * 255, picture(1)), "sr: expected values in"),
        (lambda: change_map(tiny_dino(), picture(1), picture(1) * float("nan")), "gt: expected values in"),
        (lambda: change_map(tiny_dino(), picture(1), picture(1), radius=-1), "radius is -1 tokens"),
        (lambda: disagreement(torch.zeros(1, 7, 3), torch.zeros(1, 7, 3)), "a square grid of patch tokens, got 7"),
        (lambda: changed_area(np.full((2, 2), np.nan), 0.1), "NaN only"),
    ],
)
def test_what_has_no_map_is_told(call, says):
    with pytest.raises(HlfError, match=says):
        call()
