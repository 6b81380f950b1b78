"""The recipe of SeeSR against recorded runs of the official program, step by step."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hlf.files import write_json
from hlf.images import from_tensor
from hlf.nets import seesr as nets
from hlf.sr.diffusion import sampling, sizes, vae, vae_tiling
from hlf.sr.diffusion.colour import FIXES, fix_colours
from hlf.sr.diffusion.prompts import join_prompt
from hlf.sr.diffusion.tiles import boxes, gaussian_weights
from hlf.sr.registry import load_upscaler, model_module
from seesr_helpers import CASES, CONFIG, close, controlnet_config, image, read, tiny_seesr_zoo, write_unet
from seesr_helpers import vae as vae_net


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Zoo folder with the networks of the vectors; text encoder and tagger are tiny and stay unused."""
    torch.set_num_threads(1)
    root = tiny_seesr_zoo(tmp_path_factory.mktemp("zoo"))
    write_unet(root, "seesr", CONFIG["unet"], read("unet"), nets.ADDED)
    for name, folder, config in [
        ("controlnet", "seesr/controlnet", controlnet_config()),
        ("vae", "sd-base/vae", CONFIG["vae"]),
    ]:
        write_json(root / folder / "config.json", config)
        save_file(read(name), root / folder / "diffusion_pytorch_model.safetensors")
    # the base model's file names another scheduler class
    write_json(
        root / "sd-base/scheduler/scheduler_config.json", {**CONFIG["scheduler"], "_class_name": "PNDMScheduler"}
    )
    return root


def recorded(monkeypatch, io):
    """Draws of a recorded run instead of a generator's, those of the scheduler included."""
    noises = iter(io["step_noise"])
    monkeypatch.setattr("diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *_, **__: next(noises))
    monkeypatch.setattr(sampling.Draws, "normal", lambda *_: io["init_noise"])
    monkeypatch.setattr(sampling.Draws, "posterior_normal", lambda *_: io["vae_noise"][:1])
    return sampling.seeded([0])


@pytest.mark.parametrize("name", ["loop_noise", "loop_lr", "loop_nocfg", "loop_tiled", "loop_narrow"])
def test_golden_seesr_loop(name, zoo, monkeypatch):
    io, case = read(name), CASES[name]
    tile, overlap = case["latent_tile"] or (96, 4)
    model = load_upscaler("seesr", "mini", zoo, "cpu", "fp32", {
        "steps": case["steps"], "guidance_scale": case["guidance_scale"], "start_point": case["start_point"],
        "conditioning_scale": case["conditioning_scale"], "latent_tile": tile, "latent_overlap": overlap,
        "negative_prompt": "negative",
    })  # fmt: skip
    networks = model.networks("fp32")
    networks.text = lambda texts: torch.cat([io["neg" if text == "negative" else "pos"] for text in texts])
    draws, steps = recorded(monkeypatch, io), []
    with torch.inference_mode():
        latents = model.sample(
            networks, image(io["image_uint8"]), io["ram"], ["positive"], draws, lambda *step: steps.append(step)
        )
        decoded = vae.decode(networks.vae, latents, 0).clamp(0, 1) if "image_out" in io else None
    assert model.scheduler.timesteps.tolist() == io["timesteps"].tolist()
    tolerance = case["tolerance"]
    close("noise_pred", torch.stack([p for _, p, _ in steps]), io["noise_pred"], tolerance["noise_pred_atol"])
    close("latents", torch.stack([x for _, _, x in steps]), io["latents"], tolerance["latents_atol"])
    if decoded is not None:
        close("image_out", decoded, io["image_out"], tolerance["image_out_atol"])


def test_golden_seesr_schedule_and_tile_weights(zoo):
    io, tolerance = read("schedule_and_tile_weights"), CASES["schedule_and_tile_weights"]["tolerance"]
    model = load_upscaler("seesr", "mini", zoo, "cpu", "fp32", {})
    close("alphas_cumprod", model.scheduler.alphas_cumprod, io["alphas_cumprod"], tolerance["alphas_cumprod_atol"])
    for steps in (50, 7, 2):
        model.scheduler.set_timesteps(steps)
        assert model.scheduler.timesteps.tolist() == io[f"timesteps_{steps}"].tolist()
    for tile in (16, 96):
        close(f"w_{tile}", gaussian_weights(tile), io[f"w_{tile}"], tolerance["atol"], tolerance["rtol"])


def test_golden_seesr_color_fix():
    io, tolerance = read("color_fix"), CASES["color_fix"]["tolerance"]
    target, source = image(io["target_uint8"]), image(io["source_uint8"])
    for name, fix in FIXES.items():
        close(name, fix(target, source), io[f"{name}_float"], tolerance["float_atol"])
        levels = from_tensor(fix_colours(target, source, name, truncate=True)[0])
        off = np.abs(levels.astype(int) - io[f"{name}_uint8"].numpy().transpose(1, 2, 0).astype(int))
        print(f"{name}: {(off > 0).mean():.3%} of the levels differ, by at most {off.max()}")
        assert off.max() <= 1 and (off > 0).mean() <= 0.001
        # rounding, our default, is half a level brighter on average
        rounded = from_tensor(fix_colours(target, source, name, truncate=False)[0])
        assert 0.4 < (rounded.astype(float) - levels).mean() < 0.6


def test_golden_seesr_resize():
    io = read("resize")
    lr = io["lr_uint8"].numpy().transpose(1, 2, 0)
    cond = sizes.processed(lr, 4, 512, 8)
    saved = sizes.finished(cond, 4 * lr.shape[1], 4 * lr.shape[0])
    for name, ours in (("cond", cond), ("saved", saved)):
        ours = ours.transpose(2, 0, 1)
        assert list(ours.shape) == io[f"{name}_uint8_shape"].tolist()
        for corner, part in (("top_left", ours[:, :96, :96]), ("bottom_right", ours[:, -96:, -96:])):
            theirs = io[f"{name}_uint8_{corner}_96"].numpy()
            print(f"{name} {corner}: largest difference {np.abs(part.astype(int) - theirs).max()}")
            assert np.array_equal(part, theirs)


@pytest.mark.parametrize("row", CASES["size_handling"]["rows"], ids=lambda row: "x".join(map(str, row["lr_wh"])))
def test_golden_seesr_size_handling(row):
    ours = sizes.sizes(*row["lr_wh"], row["upscale"], row["process_size"], 8)[-1]
    assert list(ours) == row["processed_wh"]
    assert [side * row["upscale"] for side in row["lr_wh"]] == row["saved_wh"]


@pytest.mark.parametrize("case", CASES["prompt"]["cases"], ids=lambda case: case["full_prompt"])
def test_golden_seesr_prompt(case):
    assert join_prompt(case["tags"], case["user_prompt"], case["added_prompt"]) == case["full_prompt"]
    assert model_module("seesr").OPTIONS["negative_prompt"].default == CASES["prompt"]["negative_prompt_default"]
    assert model_module("seesr").OPTIONS["added_prompt"].default == CASES["prompt"]["cases"][0]["added_prompt"]


def test_golden_seesr_vae_tiling():
    io, case = read("vae_tiling"), CASES["vae_tiling"]
    network, pixels, atol = vae_net(), image(io["image_uint8"]), case["tolerance"]["atol"]
    height, width = pixels.shape[-2:]
    # the manifest's boxes are x0 x1 y0 y1
    for kind, side, tile, pad in [
        ("encoder", (height, width), case["encoder_tile"], vae_tiling.ENCODER_PAD),
        ("decoder", io["latent"].shape[-2:], case["decoder_tile"], vae_tiling.DECODER_PAD),
    ]:
        seen = [[left, right, top, bottom] for (top, bottom, left, right), _ in vae_tiling.tile_boxes(*side, tile, pad)]
        assert seen == case[f"{kind}_in_boxes_x0x1y0y1"]
    with torch.inference_mode():
        close("encoder, plain", vae.moments(network, pixels, 0), io["enc_moments_plain"], atol)
        close("encoder, tiled", vae.moments(network, pixels, case["encoder_tile"]), io["enc_moments_tiled"], atol)
        latent = network.post_quant_conv(io["latent"])
        plain, tiled = network.decoder(latent), vae_tiling.decode_tiled(network, latent, case["decoder_tile"])
    close("decoder, plain", plain[:, :, ::4, ::4], io["dec_plain_sub"], atol)
    if "dec_tiled" in io:  # the whole picture stands in the full set of vectors only
        close("decoder, tiled", tiled, io["dec_tiled"], atol)
    else:
        close("decoder, tiled", tiled[:, :, ::4, ::4], io["dec_tiled_sub"], atol)


def test_golden_seesr_manifest_has_a_test_for_every_entry():
    here = {
        "forward", "loop_noise", "loop_lr", "loop_nocfg", "loop_tiled", "loop_narrow", "schedule_and_tile_weights",
        "vae_tiling", "train_step", "color_fix", "ram", "prompt", "size_handling", "degradation",
    }  # fmt: skip
    assert set(CASES) == here


def test_latent_tiles_follow_the_rule_by_area():
    assert boxes(96, 64, 96, 4) == [(slice(0, 96), slice(0, 64))]
    assert len(boxes(200, 40, 96, 4)) == 1  # longer than a tile, smaller in area
    assert len(boxes(96, 128, 96, 4)) == 2  # KonIQ
