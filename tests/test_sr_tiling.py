"""Tiles of large inputs: everything covered once, blended without a seam, and impossible ones refused."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hlf.errors import HlfError
from hlf.images import to_tensor
from hlf.sr.registry import load_upscaler
from hlf.sr.run import upscale_images
from hlf.sr.tiling import AUTO, AUTO_TILE, positions, ramp, upscale_tiled
from sr_helpers import Toy, lr_table, picture, tiny_zoo


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    return tiny_zoo(tmp_path_factory.mktemp("zoo"))


@settings(deadline=None)  # the first call warms torch up
@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 63))
def test_tiles_cover_everything_and_share_at_least_the_overlap(side, tile, overlap):
    overlap = min(overlap, tile - 1)
    starts = positions(side, tile, overlap)
    ends = [min(start + tile, side) for start in starts]
    assert starts[0] == 0 and ends[-1] == side and starts == sorted(set(starts))
    assert all(end - start >= overlap for end, start in zip(ends, starts[1:], strict=False))


@settings(deadline=None)  # the first call warms torch up
@given(st.integers(2, 80), st.integers(0, 79), st.booleans(), st.booleans())
def test_two_ramps_add_up_to_one_and_stay_positive(length, overlap, first, last):
    weight = ramp(length, overlap, first, last)
    assert (weight > 0).all() and (weight <= 1).all()
    if overlap < length:
        left, right = ramp(length, overlap, True, False), ramp(length, overlap, False, True)
        torch.testing.assert_close(left[length - overlap :] + right[:overlap], torch.ones(overlap))


@pytest.mark.parametrize(("tile", "overlap"), [(8, 0), (8, 3), (16, 8), (7, 6), (64, 16), (20, 19)])
def test_tiles_of_a_model_without_context_change_nothing(tile, overlap):
    lr = to_tensor(picture(21, 34))[None]
    model = Toy()
    tiled = upscale_tiled(model, lr, [0], tile, overlap)
    torch.testing.assert_close(tiled, Toy().upscale(lr, [0]), atol=1e-6, rtol=0)
    rows, columns = positions(21, tile, overlap), positions(34, tile, overlap)
    assert len(model.calls) == (1 if tile == 64 else len(rows) * len(columns)), "each tile is computed once"


@pytest.mark.parametrize("name", ["bsrgan", "swinir"])  # the diffusion models divide on their own, see their tests
def test_no_seam_shows(zoo, name):
    """Bound: one grey level for the tiny random networks, and a fifth of what tiles without overlap do."""
    model = load_upscaler(name, "mini", zoo, "cpu", "fp32", {})
    lr = to_tensor(picture(40, 56))[None]
    whole = model.upscale(lr, [0])
    hard, blended = ((upscale_tiled(model, lr, [0], 32, overlap) - whole).abs() for overlap in (0, 16))
    print(f"{name}: largest difference to the whole, hard {float(hard.max()):.3g}, blended {float(blended.max()):.3g}")
    # a seam is a step that only the tiled picture has
    steps = [float((d[..., 1:] - d[..., :-1]).abs().max()) for d in (hard, blended)]
    assert blended.max() < 1 / 255 and steps[1] < steps[0] / 5
    assert hard.max() > 2 / 255, "the networks must look beyond a tile, or nothing is tested"


def test_auto_looks_at_the_size_only():
    for size, calls in [((256, 256), 1), ((257, 256), 4)]:
        model = Toy()
        upscale_tiled(model, torch.full((1, 3, *size), 0.5), [0], AUTO, 16)
        assert len(model.calls) == calls
        assert calls == 1 or model.calls[0][0][-2:] == (AUTO_TILE, AUTO_TILE)


@pytest.mark.parametrize(("tile", "overlap"), [(3, 1), (-2, 0), (8, 8), (8, -1), (AUTO, AUTO_TILE)])
def test_impossible_tiles_are_refused(tile, overlap, tmp_path):
    with pytest.raises(HlfError, match="does not fit model 'toy'"):
        upscale_images(lr_table(tmp_path, ["a"]), tmp_path, Toy(min_side=4), 42, "t", "k", 1, tile, overlap)
