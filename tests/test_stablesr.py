"""StableSR: options, seeds, tiles, programs, and what its files must hold."""

import functools

import pytest
import torch

import diffusion_helpers
from diffusion_helpers import lr_batch
from hlf.errors import HlfError
from hlf.sr.diffusion.tiles import boxes_by_side
from hlf.sr.registry import load_upscaler
from hlf.sr.stablesr_programs import choose, prepare
from stablesr_helpers import tiny_stablesr_zoo

load = functools.partial(diffusion_helpers.load, "stablesr")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_stablesr_zoo(tmp_path_factory.mktemp("zoo"))


# --- options ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"step": 5}, "model 'stablesr' has no option 'step', expected one of variant, steps"),
        ({"steps": 0}, r"sr.stablesr.steps is 0, expected a whole number from 1 to 1000"),
        ({"decoder_weight": -1}, r"sr.stablesr.decoder_weight is -1, expected a number from 0 to 10"),
        ({"color_fix": "lab"}, r"sr.stablesr.color_fix is 'lab', expected adain or wavelet or none"),
        ({"program": "script"}, r"sr.stablesr.program is 'script', expected auto or plain or tile or canvas"),
        ({"variant": "face"}, r"sr.stablesr.variant is 'face', expected 512 or turbo or 768v"),
        ({"process_size": 100}, r"sr.stablesr.process_size is 100, expected a multiple of 32"),
        ({"latent_tile": 9}, r"sr.stablesr.latent_tile is 9, expected a multiple of 2"),
        ({"latent_overlap": 16}, r"sr.stablesr.latent_overlap is 16, expected less than the latent tile of 16"),
        ({"image_tile": 100}, r"sr.stablesr.image_tile is 100, expected a multiple of 32 from 64"),
        ({"process_size": 128, "image_tile": 96}, r"image_tile is 96, expected a multiple of 32 from 128"),
        ({"image_tile": 64, "image_stride": 65}, r"sr.stablesr.image_stride is 65, expected at most image_tile, 64"),
    ],
)
def test_wrong_options_are_one_sentence(zoo, options, words):
    with pytest.raises(HlfError, match=words):
        load(zoo, **options)


def test_the_official_overlap_does_not_fit_small_tiles(zoo):
    with pytest.raises(HlfError, match=r"sr.stablesr.latent_overlap is 32, expected less than the latent tile of 16"):
        load_upscaler("stablesr", "mini", zoo, "cpu", "fp32", {})


def test_every_option_changes_the_picture(zoo):
    lr = lr_batch(1, 24, 28)
    plain = load(zoo).upscale(lr, [1])
    for name, value in {
        "steps": 3, "decoder_weight": 0.0, "program": "canvas", "process_size": 128, "latent_tile": 8,
        "latent_overlap": 8, "color_fix": "wavelet", "truncate": True,
    }.items():  # fmt: skip
        changed = load(zoo, **{name: value}).upscale(lr, [1])
        assert changed.shape == plain.shape and not torch.equal(changed, plain), name
    parts = load(zoo, image_tile=64, image_stride=32).upscale(lr, [1])
    assert not torch.equal(parts, plain)
    assert not torch.equal(parts, load(zoo, image_tile=64, image_stride=64).upscale(lr, [1]))


# --- one image, many images ---


# --- programs and tiles ---


@pytest.mark.parametrize(
    ("height", "width", "expected"), [(16, 16, "plain"), (16, 17, "tile"), (32, 32, "tile"), (8, 8, "tile")]
)
def test_the_program_for_one_size_is_taken_for_that_size_only(height, width, expected):
    lr = lr_batch(1, height, width)[0]
    assert choose("auto", lr, 4, 64) == expected
    assert choose("canvas", lr, 4, 64) == "canvas"
    if expected != "plain":
        with pytest.raises(
            HlfError, match=rf"'plain' of StableSR would crop an image of {width}x{height}, expected 16"
        ):
            choose("plain", lr, 4, 64)


@pytest.mark.parametrize("program", ["tile", "canvas"])
@pytest.mark.parametrize(("height", "width"), [(8, 9), (13, 31), (16, 16), (25, 40), (100, 150), (127, 131), (9, 60)])
def test_what_networks_see_is_a_multiple_of_32_and_comes_back_in_size(program, height, width):
    lr = lr_batch(1, height, width)[0]
    prepared = prepare(program, lr, 4, 64)
    sides = prepared.image.shape[-2:]
    assert min(sides) >= 64 and not any(side % 32 for side in sides)
    sr = prepared.finished(prepared.reference)
    full = (4 * height, 4 * width) if program == "tile" else (height // 8 * 32, width // 8 * 32)
    assert tuple(sr.shape[-2:]) == full
    # the enlarged picture itself comes back where nothing but its size was changed
    if program == "tile":
        exact = torch.nn.functional.interpolate(lr[None], full, mode="bicubic").clamp(0, 1)
        assert (sr - exact).abs().mean() < 0.02


def test_inputs_too_small_for_a_program_are_refused(zoo):
    with pytest.raises(HlfError, match="image of 9x7, expected sides of at least 8"):
        load(zoo).upscale(lr_batch(1, 7, 9), [0])


def test_each_latent_tile_has_its_own_features(zoo, monkeypatch):
    model, seen = load(zoo), {"structure": [], "unet": []}
    for name, network in (("structure", model.networks("fp32").structure), ("unet", model.networks("fp32").unet)):
        original = type(network).forward
        monkeypatch.setattr(
            type(network), "forward",
            lambda self, part, *rest, name=name, original=original: (
                seen[name].append(part.shape) or original(self, part, *rest)
            ),
        )  # fmt: skip
    model.upscale(lr_batch(1, 24, 36), [1])
    # 96x144 pixels, padded to 128x160, latent 32x40 in tiles of 16 that share 4: 3 x 3, 2 steps
    assert seen["unet"] == seen["structure"] == [(1, 4, 16, 16)] * 18


def test_pictures_are_divided_along_the_sides_that_exceed_a_tile(zoo, monkeypatch):
    assert len(boxes_by_side(2048, 600, 1280, 280)) == 2 and len(boxes_by_side(1280, 1280, 1280, 280)) == 1
    model, seen = load(zoo, image_tile=96, image_stride=64), []
    original = model.restore
    monkeypatch.setattr(model, "restore", lambda *rest: seen.append(rest[2].image.shape[-2:]) or original(*rest))
    sr = model.upscale(lr_batch(1, 24, 40), [1])
    assert seen == [(96, 96)] * 2 and sr.shape == (1, 3, 96, 160)


def test_blended_picture_tiles_leave_no_seam(zoo, monkeypatch):
    """Each tile comes back in a grey of its own: blended they meet gently, side by side with a step."""
    seams = []
    for stride in (96, 32):
        model, greys = load(zoo, image_tile=96, image_stride=stride), iter((0.3, 0.6, 0.3, 0.6))
        monkeypatch.setattr(model, "restore", lambda _n, _p, one, _s, greys=greys: one.image * 0 + next(greys))
        sr = model.upscale(lr_batch(1, 24, 48), [1])[0]
        seams.append(float(sr.diff(dim=2).abs().max()))
    print(f"largest step from column to column: side by side {seams[0]:.3f}, blended {seams[1]:.3f}")
    assert seams[0] > 0.29 and seams[1] < 0.05
