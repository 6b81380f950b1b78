"""StableSR from LR file to SR file against recorded runs of the three official test programs."""

import shlex

import numpy as np
import pytest
import torch
from PIL import Image

from hlf.images import from_tensor, read_image, to_tensor
from hlf.sr import stablesr_networks
from hlf.sr.diffusion import sampling
from hlf.sr.diffusion.tiles import boxes_by_side
from hlf.sr.registry import load_upscaler
from hlf.sr.stablesr_programs import prepare
from stablesr_helpers import (
    CASES,
    FOLDER,
    close,
    golden_configs,
    read,
    recorded,
    write_official,
)

CONFIG = golden_configs()
PROGRAMS = {
    "sr_val_ddpm_text_T_vqganfin_old.py": "plain",
    "sr_val_ddpm_text_T_vqganfin_oldcanvas.py": "canvas",
    "sr_val_ddpm_text_T_vqganfin_oldcanvas_tile.py": "tile",
}
E2E = [name for name in CASES if name.startswith("e2e_")]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Official zoo of small networks, read as the published files are."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stablesr_networks, "OFFICIAL", CONFIG)
        yield write_official(tmp_path_factory.mktemp("zoo"))


def options_of(case):
    """Our options for the arguments of an official call."""
    words = shlex.split(case["args"])
    given = dict(zip(words[::2], words[1::2], strict=True))
    names = {
        "--ddpm_steps": "steps", "--dec_w": "decoder_weight", "--colorfix_type": "color_fix",
        "--input_size": "process_size", "--tile_overlap": "latent_overlap", "--upscale": "upscale",
        "--vqgantile_size": "image_tile", "--vqgantile_stride": "image_stride",
    }  # fmt: skip
    options = {names[word]: value for word, value in given.items()}
    options.setdefault("latent_overlap", 8)
    return {**options, "program": PROGRAMS[case["script"]], "truncate": True}


@pytest.mark.parametrize("name", E2E)
def test_golden_stablesr_e2e(name, zoo, monkeypatch):
    case, limit = CASES[name], CASES[name]["tolerance"]
    io = read(case["file"])
    model = load_upscaler("stablesr", "official", zoo, "cpu", "fp32", options_of(case))
    networks, lr = model.networks("fp32"), to_tensor(read_image(FOLDER / case["lr_png"]))
    noises = [io[f"noise_{k:02d}"] for k in range(case["n_noises_per_patch"])]
    # the program for one size draws once in vain; the last step of a patch needs no noise and draws none here
    first, steps = (2, noises[3:-1]) if name == "e2e_plain" else (1, noises[2:-1])
    queue = iter(steps * case["n_patches"])
    recorded(monkeypatch, queue, posterior_normal=noises[0], normal=noises[first])
    seen = watch(model, monkeypatch)
    ours = model.program(networks, lr, 0)
    assert next(queue, None) is None and len(seen["latent_out"]) == case["n_patches"]
    # the official program goes through picture tiles column by column
    places = boxes_by_side(*seen["upsampled_input"][0].shape[-2:], *image_tiles(model.options))
    order = sorted(range(len(places)), key=lambda k: (places[k][1].start, places[k][0].start))
    for patch in range(case["n_patches"]):
        for part in ("init_latent", "latent_out"):
            close(f"{part}_{patch}", seen[part][order[patch]], io[f"{part}_{patch}"], limit[part])
    for part in ("upsampled_input", "x_T", "decoded"):
        if f"{part}_0" in io:
            close(part, seen[part][0], io[f"{part}_0"], limit[part])
    with Image.open(FOLDER / case["out_png"]) as picture:
        theirs = np.asarray(picture.convert("RGB"))
    assert list(theirs.shape[1::-1]) == case["out_size_wh"]
    if name == "e2e_small":  # the official one has mirrored borders, which are cut off here
        theirs = theirs[: 4 * lr.shape[-2], : 4 * lr.shape[-1]]
    levels = from_tensor(ours)
    off = np.abs(levels.astype(int) - theirs.astype(int))
    print(f"{name}: {(off == 0).mean():.4%} of the values equal, others off by at most {off.max()}")
    assert off.max() <= 1 and (off == 0).mean() >= 0.995


def image_tiles(options):
    return options["image_tile"], options["image_tile"] - options["image_stride"]


def watch(model, monkeypatch):
    """What goes through the recipe, in the official scale of [-1, 1]."""
    seen = {name: [] for name in ("upsampled_input", "init_latent", "x_T", "latent_out", "decoded")}

    def listen(owner, name, before=None, after=None):
        original = getattr(owner, name)

        def call(*args, **kwargs):
            result = original(*args, **kwargs)
            if before:
                before(*args)
            if after:
                after(result)
            return result

        monkeypatch.setattr(owner, name, call)

    from hlf.sr import stablesr_upscaler
    from hlf.sr.diffusion import vae

    listen(stablesr_upscaler, "prepare", after=lambda prepared: seen["upsampled_input"].append(prepared.image * 2 - 1))
    listen(vae, "encode", after=seen["init_latent"].append)
    listen(sampling, "start", after=seen["x_T"].append)
    listen(model, "sample", after=seen["latent_out"].append)
    listen(model.networks("fp32").vae, "decode_fused", after=seen["decoded"].append)
    return seen


def test_golden_stablesr_small_inputs_are_mirrored_only_outside():
    """The official size of e2e_small, before the mirrored border is cut off."""
    case = CASES["e2e_small"]
    lr = to_tensor(read_image(FOLDER / case["lr_png"]))
    prepared = prepare("tile", lr, 4, 128)
    assert list(prepared.resized[::-1]) == case["out_size_wh"]
    assert prepared.out == (4 * lr.shape[-2], 4 * lr.shape[-1])
