"""PASD: options, seeds, sizes and tiles."""

import functools

import pytest
import torch

import diffusion_helpers
from diffusion_helpers import lr_batch
from hlf.errors import HlfError
from hlf.sr.diffusion import sizes
from pasd_helpers import tiny_pasd_zoo
from sr_helpers import picture

load = functools.partial(diffusion_helpers.load, "pasd")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_pasd_zoo(tmp_path_factory.mktemp("zoo"))


# --- options ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"step": 5}, "model 'pasd' has no option 'step', expected one of steps, guidance_scale"),
        ({"steps": 0}, r"sr.pasd.steps is 0, expected a whole number from 1 to 1000"),
        ({"added_noise_level": 1000}, r"sr.pasd.added_noise_level is 1000, expected a whole number from 0 to 999"),
        ({"noise_level_reading": "both"}, r"sr.pasd.noise_level_reading is 'both', expected grid or exact"),
        ({"information": "tags"}, r"sr.pasd.information is 'tags', expected caption or none"),
        ({"caption_style": "long"}, r"sr.pasd.caption_style is 'long', expected coca or blip or words"),
        ({"color_fix": "lab"}, r"sr.pasd.color_fix is 'lab', expected adain or wavelet or none"),
        ({"captions": 3}, r"sr.pasd.captions is 3, expected a text"),
        ({"captions": "none/such.csv"}, r"table none/such.csv does not exist"),
        ({"process_size": None}, r"sr.pasd.process_size has no value"),
    ],
)
def test_wrong_options_are_one_sentence(zoo, options, words):
    with pytest.raises(HlfError, match=words):
        load(zoo, **options)


# --- one image, many images ---


def test_official_order_goes_on_from_image_to_image(zoo):
    lr, options = lr_batch(2), {"official_order": True, "official_seed": 9}
    first, second, third = (load(zoo, **options) for _ in range(3))
    forward = [first.upscale(one[None], [0]) for one in lr]
    assert all(map(torch.equal, forward, [second.upscale(one[None], [77]) for one in lr])), "seeds must not matter"
    assert not torch.equal(third.upscale(lr[1:], [0]), forward[1]), "the order must matter"
    # one generator gives the draws of one image in the order posterior, first noise, added noise, as its own seed does
    assert torch.equal(forward[0], load(zoo).upscale(lr[:1], [9]))
    with pytest.raises(HlfError, match=r"sr\.pasd\.official_order .*set sr\.batch_size to 1"):
        first.upscale(lr, [0, 0])


def test_options_change_the_picture(zoo):
    lr = lr_batch(1)
    plain = load(zoo).upscale(lr, [1])
    for name, value in {
        "guidance_scale": 1.0, "conditioning_scale": 0.0, "start_point": "noise", "user_prompt": "dog",
        "negative_prompt": "x", "color_fix": "adain", "truncate": True, "process_size": 64, "steps": 3,
        "added_noise_level": 999, "noise_level_reading": "exact", "information": "none", "caption_style": "words",
    }.items():  # fmt: skip
        changed = load(zoo, **{name: value}).upscale(lr, [1])
        assert changed.shape == plain.shape and not torch.equal(changed, plain), name


@pytest.mark.parametrize(
    ("size", "process_size", "wanted"),
    [
        ((256, 192), 768, (1024, 768)),
        ((128, 128), 768, (768, 768)),
        ((101, 77), 8, (400, 304)),
        ((20, 60), 96, (96, 288)),
    ],
)
def test_sizes(size, process_size, wanted):
    """An image of at least the process size is only cut to the VAE's cells; a smaller one is enlarged further."""
    width, height = size
    assert sizes.enlarged(picture(height, width), 4, process_size, 8).shape[1::-1] == wanted


def test_tiles_hold_both_branches_and_a_thin_image_is_tiled_too(zoo, monkeypatch):
    model = load(zoo, steps=1, latent_tile=12, latent_overlap=4)
    calls = []
    network = model.networks("fp32").unet
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda sample, *rest: calls.append(sample.shape) or forward(sample, *rest))
    model.upscale(lr_batch(1, 8, 24), [1])
    # 32x96 pixels, latent 8x24: more than 12 * 12 in area, so tiles as high as the image, at 0, 4, 8, 12 and 16
    assert calls == [(2, 4, 8, 8)] * 5
