"""The recipe of PASD against recorded runs of the official program, step by step."""

import numpy as np
import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer
from safetensors.torch import save_file

from hlf.files import write_json
from hlf.images import from_tensor
from hlf.nets import pasd as nets
from hlf.sr.diffusion import captioner, sampling, sizes, vae
from hlf.sr.diffusion.captions import caption_prompt
from hlf.sr.diffusion.colour import FIXES, fix_colours
from hlf.sr.diffusion.tiles import gaussian_weights
from hlf.sr.pasd import OPTIONS
from hlf.sr.registry import load_upscaler
from hlf.zoo.load import load_strict
from pasd_helpers import (
    CASES,
    CONFIG,
    FOLDER,
    MANIFEST,
    close,
    close_levels,
    keys,
    read,
    shapes,
    tiny_pasd_zoo,
    tolerance,
    write_unet,
)

PIPELINES = [name for name in CASES if not name.startswith("prepost.")]
FILES = {
    "unet_pasd_weights", "unet_light_weights", "controlnet_weights", "cond_embedding_other_weights", "vae_weights",
    "modules", "pipeline", "schedule", "colorfix", "prepost", "captioner_weights", "captioner",
}  # fmt: skip


@pytest.fixture(scope="module")
def zoos(tmp_path_factory):
    """Zoo folders with the networks of the vectors, by variant; text encoder and captioner stay unused."""
    torch.set_num_threads(1)
    folders = {}
    for kind in ("full", "light"):
        root = folders[kind] = tiny_pasd_zoo(tmp_path_factory.mktemp(kind))
        weights = f"unet_{'pasd' if kind == 'full' else 'light'}_weights"
        write_unet(root, "pasd", CONFIG["unet"], read(weights), nets.ADDED)
        for weights, folder, config in [
            ("controlnet_weights", "pasd/controlnet", CONFIG["controlnet"]),
            ("vae_weights", "sd-base/vae", CONFIG["vae"]),
        ]:
            write_json(root / folder / "config.json", config)
            save_file(read(weights), root / folder / "diffusion_pytorch_model.safetensors")
        write_json(root / "sd-base/scheduler/scheduler_config.json", CONFIG["scheduler"]["from_config"])
    return folders


def image(array):
    """uint8 (H, W, 3) to float (1, 3, H, W) in [0, 1]."""
    return (array.float() / 255).permute(2, 0, 1)[None]


@pytest.mark.parametrize("name", PIPELINES)
def test_golden_pasd_pipeline(name, zoos, monkeypatch):
    case, allowed = CASES[name], tolerance("pipeline")
    io = {k.removeprefix(f"{name}."): v for k, v in read("pipeline").items() if k.startswith(f"{name}.")}
    model = load_upscaler("pasd", "mini", zoos[case["unet"]], "cpu", "fp32", {
        "steps": case["steps"], "guidance_scale": case["guidance_scale"],
        "added_noise_level": case["added_noise_level"],
        "conditioning_scale": case["conditioning_scale"], "latent_tile": case["latent_tile"],
        "latent_overlap": case["latent_overlap"], "negative_prompt": "negative", "information": "none",
        "start_point": "noise" if case["init_latent_with_noise"] else "lr",
    })  # fmt: skip
    networks, pixels = model.networks("fp32"), image(io["image_u8"])
    embedded = {"negative": io["negative_prompt_embeds"], "positive": io["prompt_embeds"]}
    networks.text = lambda texts: torch.cat([embedded[text] for text in texts])
    # recorded draws instead of a generator's, in the official order
    draws = iter([io["noise_init"]] if "noise_init" in io else [io["noise_first"], io["noise_added"]])
    monkeypatch.setattr(sampling.Draws, "normal", lambda *_: next(draws))
    monkeypatch.setattr(sampling.Draws, "posterior_normal", lambda *_: io["noise_vae"])
    raw, steps = [], []

    def step(index, predicted, made):
        """Keep what the step gave, and go on from what the official one gave.

        Guidance of 9 makes rounding grow from step to step: from its own latents even float64 ends 1.9e-3 away in case
        light, and how far float32 does hangs on the processor. Each step alone is far closer than the manifest allows.
        """
        steps.append((index, predicted, made.clone()))
        made.copy_(io["latents_steps"][index])

    unet = networks.unet.forward
    monkeypatch.setattr(networks.unet, "forward", lambda *inputs: raw.append(unet(*inputs)) or raw[-1])
    starts = []
    own_start = model.start
    monkeypatch.setattr(model, "start", lambda *inputs: starts.append(own_start(*inputs)) or starts[-1])
    with torch.inference_mode():
        latents = model.sample(networks, pixels, ["positive"], sampling.seeded([0]), step)
        decoded = vae.decode(networks.vae, latents, model.options["vae_decoder_tile"]).clamp(0, 1)
        if "vae_mean" in io:
            mean, log_variance = vae.moments(networks.vae, pixels, 0).chunk(2, 1)
            close("vae_mean", mean, io["vae_mean"], allowed)
            close("vae_std", (0.5 * log_variance).exp(), io["vae_std"], allowed)
    assert model.scheduler.timesteps.tolist() == io["timesteps"].tolist()
    close("sigmas", model.scheduler.sigmas, io["sigmas"], tolerance("schedule"))
    close("latents_init", starts[0], io["latents_init"], allowed)
    close("unet_call0", raw[0], io["unet_call0"], allowed)
    assert len(raw) == int(io["n_unet_calls"])
    close("guided_eps", torch.stack([p for _, p, _ in steps]), io["guided_eps"], allowed)
    close("latents_steps", torch.stack([x for _, _, x in steps]), io["latents_steps"], allowed)
    close("output_image", decoded.permute(0, 2, 3, 1), io["output_image"], allowed)


def test_golden_pasd_schedule(zoos):
    io, allowed = read("schedule"), tolerance("schedule")
    scheduler = load_upscaler("pasd", "mini", zoos["full"], "cpu", "fp32", {"information": "none"}).scheduler
    close("alphas_cumprod", scheduler.alphas_cumprod, io["alphas_cumprod"], allowed)
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    for steps in (5, 16, 20, 50):
        scheduler.set_timesteps(steps)
        assert scheduler.timesteps.tolist() == io[f"timesteps.{steps}"].tolist()
        close(f"sigmas.{steps}", scheduler.sigmas, io[f"sigmas.{steps}"], allowed)
        first = sampling.start_twice(scheduler, one, zero, zero, 999, True) / scheduler.alphas_cumprod[999].sqrt()
        rows = []
        for level in io[f"add_noise.{steps}"][:, 0].int().tolist():
            parts = [
                sampling.start_twice(scheduler, *inputs, level, False)
                for inputs in ((one, zero, zero), (zero, zero, one))
            ]
            rows.append([level, *(float(part) for part in parts)])
        ours = torch.tensor(rows, dtype=torch.float64)
        ours[:, 1] /= float(first)  # the factor of the first noise's timestep, which every row holds
        close(f"add_noise.{steps}", ours, io[f"add_noise.{steps}"], allowed)
    for tile in (5, 8, 12, 13):
        close(f"tile_weights.{tile}", gaussian_weights(tile), io[f"tile_weights.{tile}"], allowed)


def test_both_readings_of_the_noise_level(zoos):
    """The table of signal and noise shares in the specification; 400 is a timestep of 20 steps, 900 is none."""
    scheduler = load_upscaler("pasd", "mini", zoos["full"], "cpu", "fp32", {"information": "none"}).scheduler
    scheduler.set_timesteps(20)
    one, zero = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    for level, exact, noise, signal in [
        (900, False, 0.2201, 0.0666), (900, True, 0.9929, 0.0081),
        (400, False, 0.7586, 0.0445), (400, True, 0.7586, 0.0445),
    ]:  # fmt: skip
        kept = float(sampling.start_twice(scheduler, one, zero, zero, level, exact))
        added = float(sampling.start_twice(scheduler, zero, zero, one, level, exact))
        assert (round(kept, 4), round(added, 4)) == (signal, noise)


@pytest.mark.parametrize("number", [0, 1])
def test_golden_pasd_color_fix(number):
    io, allowed = read("colorfix"), tolerance("colorfix")
    target, source = (image(io[f"{number}.{name}_u8"]) for name in ("target", "source"))
    for name in ("wavelet", "adain"):
        close(name, FIXES[name](target, source), io[f"{number}.{name}_float"], allowed)
        cut = fix_colours(target, source, name, truncate=True)[0]
        ours = torch.from_numpy(from_tensor(cut))
        close_levels(f"{name}, cut", ours, io[f"{number}.{name}_u8"], allowed)
        # rounding, our default, is half a level brighter on average
        rounded = from_tensor(fix_colours(target, source, name, truncate=False)[0])
        assert 0.4 < (rounded.astype(float) - ours.numpy()).mean() < 0.6


@pytest.mark.parametrize("number", [0, 1, 2])
def test_golden_pasd_prepost(number):
    io, allowed, case = read("prepost"), tolerance("prepost"), CASES[f"prepost.{number}"]
    lr = io[f"{number}.lq_u8"].numpy()
    given = sizes.enlarged(lr, case["upscale"], case["process_size"], 8)
    assert list(given.shape[1::-1]) == case["pipeline_wh"]
    close_levels("to_pipeline", torch.from_numpy(given.copy()), io[f"{number}.to_pipeline_u8"], allowed)
    made, reference = image(io[f"{number}.from_pipeline_u8"]), image(torch.from_numpy(given.copy()))
    fixed = from_tensor(fix_colours(made, reference, OPTIONS["color_fix"].default, truncate=True)[0])
    saved = sizes.finished(fixed, *(side * case["upscale"] for side in lr.shape[1::-1]))
    assert list(saved.shape[1::-1]) == case["saved_wh"]
    close_levels("saved", torch.from_numpy(saved.copy()), io[f"{number}.saved_u8"], allowed)
    assert OPTIONS["added_prompt"].default == case["prompt"]


@pytest.mark.parametrize("case", MANIFEST["prompts"], ids=lambda case: f"{case['mode']}: {case['result']}")
def test_golden_pasd_prompt(case):
    mode, added = case["mode"], OPTIONS["added_prompt"].default
    style = {"caption_coca": "coca", "caption_blip": "blip", "none": "coca"}.get(mode, "words")
    if mode.startswith("caption"):
        caption = captioner.repaired(case["caption"]) + (" " if style == "coca" else "")
    elif mode == "classification":  # of the official classifier, which names nothing below a probability of 0.1
        caption = case["top_name"] if case["top_probability"] >= 0.1 else ""
    else:
        found = case.get("detections", [])
        caption = ", ".join(f"{found.count(name)} {name}" for name in dict.fromkeys(found))
    assert caption_prompt(caption, case["prompt"], added, style) == case["result"]


def test_golden_pasd_clip_tokens(tmp_path):
    """Stable Diffusion 1.5's tokenizer: CLIP's words, padded with the end token."""
    from transformers import CLIPTokenizer

    clip = SimpleTokenizer()
    vocabulary = {{"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}.get(k, k): v
                  for k, v in clip.encoder.items()}  # fmt: skip
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=list(clip.bpe_ranks))
    assert tokenizer.pad_token == "<|endoftext|>"
    for case in MANIFEST["clip_tokens"]:
        ids = tokenizer(case["prompt"], padding="max_length", truncation=True, max_length=77).input_ids
        assert ids == case["ids"], case["prompt"]
    assert OPTIONS["negative_prompt"].default in [case["prompt"] for case in MANIFEST["clip_tokens"]]


def test_captions_of_the_official_captioner_end_with_a_blank():
    """Its tokens are CLIP's, which hold the blank after each word; prompts rely on that."""
    sentence = "a close up of a frog on a leaf ."
    (case,) = (one for one in MANIFEST["clip_tokens"] if one["prompt"] == f"{sentence} clean, high-resolution, 8k")
    ids = case["ids"][1 : 1 + len(sentence.split())]
    assert captioner.clip_text(ids) == f"{sentence} "


def coca():
    """Tiny CoCa of the vectors with its start and end ids."""
    config = {k: v for k, v in CONFIG["coca"].items() if k not in ("sot", "eos")}
    network = captioner.build(config)
    load_strict(network, read("captioner_weights"), "captioner_weights")
    ends = CONFIG["coca"]["sot"], CONFIG["coca"]["eos"]
    return captioner.Captioner(network.eval(), config["vision_cfg"]["image_size"], ends, str, "cpu")


def test_golden_pasd_captioner():
    io, allowed, model = read("captioner"), tolerance("captioner"), coca()
    with torch.no_grad():
        logits = model.network(io["image"], io["prefix"], output_labels=False)["logits"]
    close("prefix_logits", logits, io["prefix_logits"], allowed)
    for one, ids, length in zip(io["image"], io["generated"].tolist(), io["generated_len"].tolist(), strict=True):
        assert model.tokens(one[None]) == ids[:length]


def test_log_probabilities_would_give_other_captions():
    """That scores are raw logits is no detail: the vectors tell it."""
    io, model = read("captioner"), coca()
    same = []
    for one, ids, length in zip(io["image"], io["generated"].tolist(), io["generated_len"].tolist(), strict=True):
        with torch.no_grad():
            found = captioner.search(
                lambda beams, one=one: model.network(one[None].expand(len(beams), -1, -1, -1), beams,
                                                     output_labels=False)["logits"][:, -1].log_softmax(1),
                *model.ends,
            )  # fmt: skip
        same.append(found == ids[:length])
    assert not all(same)


def test_golden_pasd_full_size_captioner_keys():
    import open_clip

    with torch.device("meta"):
        network = captioner.build(open_clip.get_model_config(captioner.OFFICIAL))
    assert shapes(network) == keys("captioner_coca")


def test_golden_pasd_manifest_has_a_test_for_every_entry():
    assert {name.removesuffix(".safetensors") for name in MANIFEST["files"]} == FILES
    assert {path.stem for path in FOLDER.glob("*.safetensors")} == FILES
    assert set(PIPELINES) == {"default", "on_grid", "pure_noise", "light", "tiled", "tiled_thin"}
    assert {name for name in CASES if name.startswith("prepost.")} == {f"prepost.{i}" for i in range(3)}
    assert np.sum([len(MANIFEST[name]) for name in ("prompts", "clip_tokens")]) > 16
