"""SeeSR: options, weights, seeds, tiles, texts, and what goes into the result table."""

import functools

import pytest
import torch

import diffusion_helpers
from diffusion_helpers import lr_batch
from hlf.errors import HlfError
from hlf.sr.diffusion import sampling, vae_tiling
from hlf.sr.diffusion.tiles import predict_tiled
from hlf.sr.options import Option, resolve
from hlf.sr.run import upscale_images
from hlf.sr.seesr import OPTIONS
from hlf.sr.tiling import upscale_tiled
from seesr_helpers import tiny_seesr_zoo
from sr_helpers import lr_table

load = functools.partial(diffusion_helpers.load, "seesr")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_seesr_zoo(tmp_path_factory.mktemp("zoo"))


# --- options ---


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"step": 5}, "model 'seesr' has no option 'step', expected one of steps, guidance_scale"),
        ({"steps": 0}, r"sr.seesr.steps is 0, expected a whole number from 1 to 1000"),
        ({"steps": "many"}, r"sr.seesr.steps is 'many', expected a whole number"),
        ({"steps": 2.5}, r"sr.seesr.steps is 2\.5, expected a whole number"),
        ({"steps": True}, r"sr.seesr.steps is True, expected a whole number"),
        ({"guidance_scale": float("nan")}, r"sr.seesr.guidance_scale is nan, expected a number"),
        ({"color_fix": "lab"}, r"sr.seesr.color_fix is 'lab', expected adain or wavelet or none"),
        ({"truncate": "perhaps"}, r"sr.seesr.truncate is 'perhaps', expected true or false"),
        ({"negative_prompt": 3}, r"sr.seesr.negative_prompt is 3, expected a text"),
        ({"steps": None}, r"sr.seesr.steps has no value"),
    ],
)
def test_wrong_options_are_one_sentence(zoo, options, words):
    with pytest.raises(HlfError, match=words):
        load(zoo, **options)


def test_options_from_a_command_line_are_read_as_their_type():
    given = {"steps": "20", "guidance_scale": "7", "truncate": "True", "process_size": "64", "user_prompt": "a dog"}
    values = resolve("seesr", OPTIONS, given)
    assert (values["steps"], values["guidance_scale"], values["truncate"]) == (20, 7.0, True)
    assert (values["process_size"], values["user_prompt"], values["official_seed"]) == (64, "a dog", None)
    assert resolve("toy", {"a": Option(None, kind=int)}, {"a": None}) == {"a": None}


# --- one image, many images ---


def test_draws_depend_on_the_seed_alone():
    alone, batch = sampling.seeded([7]), sampling.seeded([5, 7, 2**64 - 1])
    for draw in ("normal", "posterior_normal"):
        mine = getattr(alone, draw)((4, 3, 2), "cpu")
        assert torch.equal(mine[0], getattr(batch, draw)((4, 3, 2), "cpu")[1])


def test_official_order_goes_on_from_image_to_image(zoo):
    lr = lr_batch(2)
    options = {"official_order": True, "official_seed": 9}
    first, second = load(zoo, **options), load(zoo, **options)
    forward = [first.upscale(one[None], [0]) for one in lr]
    again = [second.upscale(one[None], [77]) for one in lr]
    assert all(map(torch.equal, forward, again)), "the seeds of the images must not matter"
    third = load(zoo, **options)
    assert not torch.equal(third.upscale(lr[1:], [0]), forward[1]), "the order must matter"
    with pytest.raises(HlfError, match=r"set sr\.batch_size to 1"):
        first.upscale(lr, [0, 0])


def test_options_change_the_picture(zoo):
    lr = lr_batch(1)
    plain = load(zoo).upscale(lr, [1])
    for name, value in {
        "guidance_scale": 1.0, "conditioning_scale": 0.0, "start_point": "noise", "user_prompt": "dog",
        "negative_prompt": "x", "color_fix": "wavelet", "truncate": True, "process_size": 64, "steps": 3,
    }.items():  # fmt: skip
        changed = load(zoo, **{name: value}).upscale(lr, [1])
        assert changed.shape == plain.shape and not torch.equal(changed, plain), name


def test_prompt_and_tags_stand_in_the_table_and_the_tagger_runs_once(zoo, tmp_path):
    table, model = lr_table(tmp_path, ["a", "b"]), load(zoo)
    sr, _, _ = upscale_images(table, tmp_path, model, 42, "t", "k")
    assert model.tagger.runs == 2
    for tags, prompt in zip(sr["tags"], sr["prompt"], strict=True):
        assert tags and prompt == f"{tags}, ,clean, high-resolution, 8k"
    again, seconds, _ = upscale_images(table, tmp_path, model, 42, "t", "k")
    assert again.equals(sr) and len(seconds) == 0 and model.tagger.runs == 2


# --- size ---


class Wide(torch.nn.Module):
    """Stands for a network that looks a few pixels around."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layer = torch.nn.Conv2d(4, 4, 5, padding=2)

    def forward(self, tile, _box):
        self.calls = getattr(self, "calls", 0) + 1
        return self.layer(tile)


def test_blended_tiles_leave_no_seam():
    """Each tile sees zeros beyond its border; Gaussian weights hide that where a plain cut shows it."""
    network, latent = Wide(), torch.randn(1, 4, 40, 56, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole = predict_tiled(latent, network, 64, 0)
        assert network.calls == 1 and torch.equal(whole, network.layer(latent))
        hard, blended = ((predict_tiled(latent, network, 16, overlap) - whole).abs().max() for overlap in (0, 8))
    print(f"largest difference to the whole: hard {hard:.3g}, blended {blended:.3g}")
    assert blended < hard / 20


def test_tiled_and_whole_agree_on_tiny_networks(zoo):
    lr = lr_batch(1, 24, 24)
    model = load(zoo, latent_tile=96)
    whole, other = model.upscale(lr, [1]), model.upscale(lr, [2])
    tiled = load(zoo, latent_tile=16, latent_overlap=8).upscale(lr, [1])
    difference, by_seed = (float((whole - sr).abs().mean()) for sr in (tiled, other))
    print(f"mean difference of tiles {difference:.4f}, of another seed {by_seed:.4f}")
    # attention over a tile is not attention over the whole, so equality cannot be asked for
    assert 0 < difference < by_seed / 5


def test_each_tile_is_computed_once_with_both_branches(zoo, monkeypatch):
    model = load(zoo, steps=2, latent_tile=16, latent_overlap=4)
    calls = []
    network = model.networks("fp32").unet
    original = type(network).forward
    monkeypatch.setattr(
        type(network),
        "forward",
        lambda self, sample, *rest: calls.append(sample.shape) or original(self, sample, *rest),
    )
    model.upscale(lr_batch(1, 20, 28), [1])
    # 80x112 pixels, latent 20x28: 2 x 2 tiles, 2 steps
    assert calls == [(2, 4, 16, 16)] * 8


def test_a_large_image_stays_within_memory(zoo):
    """512x512 LR: no tensor inside the networks may be larger than a tile makes it (upscale 2 to save time)."""
    tiles = {"latent_tile": 28, "latent_overlap": 4, "vae_encoder_tile": 128, "vae_decoder_tile": 32}
    model = load(zoo, steps=1, guidance_scale=1.0, upscale=2, **tiles)
    networks = model.networks("fp32")
    largest = {}
    hooks = [
        module.register_forward_hook(
            lambda _m, _i, out, name=name: largest.update(
                {name: max(largest.get(name, 0), out.numel() if isinstance(out, torch.Tensor) else 0)}
            )
        )
        for name, network in (("unet", networks.unet), ("vae", networks.vae.encoder), ("vae", networks.vae.decoder))
        for module in network.modules()
    ]
    sr = model.upscale(lr_batch(1, 512, 512), [1])
    for hook in hooks:
        hook.remove()
    assert sr.shape == (1, 3, 1024, 1024) and float(sr.std()) > 0.01
    print(largest)
    # feed-forward of 8 times the width, over a tile of 28 x 28
    assert largest["unet"] <= 28 * 28 * 8 * 8
    # 8 channels over a tile of 128 pixels and its pad
    assert largest["vae"] <= 8 * (128 + 2 * vae_tiling.DECODER_PAD * 4) ** 2


def test_vae_tiles_must_not_change_small_images(zoo):
    lr = lr_batch(1)
    assert torch.equal(load(zoo, vae_decoder_tile=0, vae_encoder_tile=0).upscale(lr, [1]), load(zoo).upscale(lr, [1]))


def test_general_tiling_leaves_the_model_alone(zoo):
    model, lr = load(zoo), lr_batch(1, 24, 24)
    assert model.descriptor.tiles_itself
    assert torch.equal(upscale_tiled(model, lr, [1], 8, 16), model.upscale(lr, [1]))
