"""The recipe of StableSR against recorded runs of the official test programs, and its parts against recorded parts."""

import pytest
import torch

from hlf.sr.diffusion import sampling
from hlf.sr.diffusion.colour import FIXES, adain, wavelet
from hlf.sr.diffusion.tiles import boxes, boxes_by_side, gaussian_weights, predict_tiled, starts
from hlf.sr.stablesr import OPTIONS, SCHEDULE
from hlf.sr.stablesr_networks import Networks
from hlf.sr.stablesr_upscaler import Predictor
from stablesr_helpers import (
    CASES,
    MANIFEST,
    close,
    golden_configs,
    noise,
    prefixed,
    read,
    recorded,
    structure_encoder,
    unet,
)

CONFIG = golden_configs()


def scheduler(kind="epsilon"):
    from diffusers import DDPMScheduler

    return DDPMScheduler(**SCHEDULE, prediction_type=kind)


# --- schedule, loop, tiles, colours ---


@pytest.mark.parametrize("steps", CASES["schedule"]["steps"])
def test_golden_stablesr_schedule(steps):
    case = CASES["schedule"]
    io, tolerance = read(case["file"]), {name: case[name] for name in ("atol", "rtol")}
    own, times = scheduler(), sampling.respaced(steps)
    assert times[::-1] == io[f"ori_timesteps_{steps}"].tolist()
    own.set_timesteps(timesteps=times)
    kept = own.alphas_cumprod[times[::-1]]
    before = torch.cat([torch.ones(1), kept[:-1]])
    betas = 1 - kept / before
    for name, value in {
        "betas": betas,
        "alphas_cumprod": kept,
        "alphas_cumprod_prev": before,
        "sqrt_recip_alphas_cumprod": kept.rsqrt(),
        "sqrt_recipm1_alphas_cumprod": (1 / kept - 1).sqrt(),
        "posterior_mean_coef1": betas * before.sqrt() / (1 - kept),
        "posterior_mean_coef2": (1 - before) * (1 - betas).sqrt() / (1 - kept),
        "posterior_variance": torch.stack([own._get_variance(t) for t in times[::-1]]),
    }.items():
        close(f"{name}_{steps}", value, io[f"{name}_{steps}"], **tolerance)
    logs = torch.stack([own._get_variance(t).log() for t in times[::-1]])
    name = f"posterior_log_variance_clipped_{steps}"
    close(name, logs[1:], io[name][1:], **tolerance)
    close("base", own.alphas_cumprod.sqrt(), io["base_sqrt_alphas_cumprod"], **tolerance)
    close("base", (1 - own.alphas_cumprod).sqrt(), io["base_sqrt_one_minus_alphas_cumprod"], **tolerance)


@pytest.mark.parametrize("steps", MANIFEST["extra_timesteps"])
def test_golden_stablesr_extra_timesteps(steps):
    assert sampling.respaced(int(steps))[::-1] == MANIFEST["extra_timesteps"][steps]


def golden_networks(context):
    """Denoiser, structure encoder and text; the VAEs stay unused."""
    nothing = torch.nn.Identity()
    return Networks(unet(CONFIG, prefixed("unet")), structure_encoder(CONFIG, prefixed("structcond")), nothing, nothing,
                    context)  # fmt: skip


def loop(io, steps, kind="epsilon", tile=16, overlap=0):
    """Predictions, latents of every step."""
    predict, seen = Predictor(golden_networks(io["context"]), io["struct_latent"], tile, overlap), []
    with torch.inference_mode():
        sampling.sample(
            predict, scheduler(kind), io["x_T"], steps, sampling.seeded([0]), lambda *step: seen.append(step),
            sampling.respaced(steps),
        )  # fmt: skip
    return torch.cat([p for _, p, _ in seen]), torch.cat([x for _, _, x in seen])


def test_golden_stablesr_sampling_eps(monkeypatch):
    case = CASES["sampling_eps"]
    io, tolerance = read(case["file"]), {name: case[name] for name in ("atol", "rtol")}
    recorded(monkeypatch, io["noises"][:, None])
    predicted, latents = loop(io, case["steps"])
    close("eps_per_step", predicted, io["eps_per_step"], **tolerance)
    close("x_per_step", latents, io["x_per_step"], **tolerance)
    close("samples", latents[-1:], io["samples"], **tolerance)


def test_golden_stablesr_sampling_200(monkeypatch):
    case = CASES["sampling_200"]
    io, tolerance = read(case["file"]), {name: case[name] for name in ("atol", "rtol")}
    recorded(monkeypatch, (noise(12100 + k, (1, 4, 16, 16)) for k in range(200)))
    _, latents = loop(io, case["steps"])
    close("x_after_100_of_200", latents[99:100], io["x_after_100_of_200"], **tolerance)
    close("samples_200", latents[-1:], io["samples_200"], **tolerance)


def test_golden_stablesr_sampling_v(monkeypatch):
    case = CASES["sampling_v"]
    io, tolerance = read(case["file"]), {name: case[name] for name in ("atol", "rtol")}
    recorded(monkeypatch, io["v_noises"][:, None])
    _, latents = loop(io, case["steps"], "v_prediction")
    close("v_x_per_step", latents, io["v_x_per_step"], **tolerance)
    close("v_samples", latents[-1:], io["v_samples"], **tolerance)


def test_golden_stablesr_x_T_from_latent():
    case = CASES["x_T_from_latent"]
    io, tolerance = read(case["file"]), {name: case[name] for name in ("atol", "rtol")}
    close("x_T", sampling.start(scheduler(), io["struct_latent"], io["x_T"]), io["x_T_from_latent"], **tolerance)


def test_golden_stablesr_canvas(monkeypatch):
    case = CASES["canvas"]
    io, tolerance = read(case["file"]), {name: case[name] for name in ("atol", "rtol")}
    recorded(monkeypatch, io["noises"][:, None])
    _, latents = loop(io, case["steps"], tile=case["tile_size"], overlap=case["tile_overlap"])
    close("x_per_step", latents, io["x_per_step"], **tolerance)
    close("samples", latents[-1:], io["samples"], **tolerance)
    for name in (name for name in io if name.startswith("latent_weights_")):
        close(name, gaussian_weights(int(name.rsplit("_", 1)[1])), io[name], **tolerance)


@pytest.mark.parametrize("row", MANIFEST["tile_coordinates"], ids=lambda r: f"{r['h']}x{r['w']}-{r['tile']}")
def test_golden_stablesr_tile_coordinates(row):
    """The same tiles; the official program runs them column by column, which shows in rounding only."""
    ours = boxes(row["h"], row["w"], row["tile"], row["overlap"])
    assert all(rows.stop - rows.start == columns.stop - columns.start == row["tile"] for rows, columns in ours)
    assert sorted((rows.start, columns.start) for rows, columns in ours) == sorted(map(tuple, row["yx_in_call_order"]))


@pytest.mark.parametrize("row", MANIFEST["splitter"]["cases"], ids=lambda r: f"{r['h']}x{r['w']}")
def test_golden_stablesr_splitter(row):
    case = CASES["splitter"]
    io, tolerance = read(case["file"]), {name: case[name] for name in ("atol", "rtol")}
    patch, name = row["patch"], f"{row['h']}x{row['w']}"
    places = [tuple(place) for place in row["h0h1w0w1"]]

    def changed(part, box):
        # patch k in the official order, height fastest, is marked as the manifest says
        k = places.index((box[0].start, box[0].stop, box[1].start, box[1].stop))
        return part * (1 + 0.1 * k) + 0.01 * k

    assert len(boxes_by_side(row["h"], row["w"], patch, patch - row["stride"])) == len(places)
    merged = predict_tiled(io[f"in_{name}"], changed, patch, patch - row["stride"], boxes_by_side)
    close(f"merged_{name}", merged, io[f"merged_{name}"], **tolerance)
    close(f"weights_{patch}", gaussian_weights(patch), io[f"weights_{patch}"], **tolerance)


@pytest.mark.parametrize("row", MANIFEST["splitter"]["starts"], ids=lambda r: f"{r['length']}-{r['patch']}")
def test_golden_stablesr_patch_starts(row):
    rows = boxes_by_side(row["length"], 100, row["patch"], row["patch"] - row["stride"])
    assert [box[0].start for box in rows] == row["starts"]
    assert starts(row["length"], row["patch"], row["patch"] - row["stride"]) == row["starts"]


def test_golden_stablesr_color_fix():
    case = CASES["color_fix"]
    io, tolerance = read(case["file"]), {name: case[name] for name in ("atol", "rtol")}
    close("adain", adain(io["content"], io["style"]), io["adain"], **tolerance)
    close("wavelet", wavelet(io["content"], io["style"]), io["wavelet"], **tolerance)
    low = wavelet(torch.zeros_like(io["content"]), io["content"])
    close("content_low", low, io["content_low"], **tolerance)
    close("content_high", io["content"] - low, io["content_high"], **tolerance)
    assert set(FIXES) | {"none"} == set(OPTIONS["color_fix"].choices)


def test_golden_stablesr_manifest_has_a_test_for_every_entry():
    here = {
        "text_encoder", "structcond_and_unet", "topology_sd21", "vae_cfw", "schedule", "sampling_eps", "sampling_200",
        "sampling_v", "x_T_from_latent", "canvas", "splitter", "color_fix",
    }  # fmt: skip
    programs = set(CASES) - here
    assert here < set(CASES) and len(programs) == 7
    assert all(name.startswith("e2e_") for name in programs)  # test_golden_stablesr_e2e.py runs each
