"""The SR models as plain programs: one picture after the other through the networks, as their authors' scripts do.

BSRGAN is basicsr's network and no more, SwinIR is loaded and run by spandrel, another library. Of the diffusion models
the networks are ours, and the loop around them is written anew in the manner of diffusers' pipelines: nothing
remembered from picture to picture, no tiles, no checks, no records, float32.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from hlf.images import from_tensor, to_tensor

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from hlf.sr.diffusion.networks import Networks
    from hlf.sr.diffusion.prompts import TextEncoder

Plain = Callable[["Tensor", int], "Tensor"]  # LR (3, h, w) in [0, 1] and a seed; SR (3, 4h, 4w) in [0, 1]


def bsrgan(folder: "Path") -> Plain:
    """BSRGAN from the folder of its entry in the mini zoo, by basicsr."""
    from safetensors.torch import load_file

    from hlf.files import read_json
    from hlf.nets.basicsr_adapter import rrdbnet
    from hlf.sr.bsrgan import from_official

    network = rrdbnet(**read_json(folder / "config.json")).eval()
    network.load_state_dict(from_official(load_file(folder / "model.safetensors")))
    return torch.no_grad()(lambda lr, _: network(lr[None])[0].clamp(0, 1))


def swinir(folder: "Path") -> Plain:
    """SwinIR from the folder of its entry in the mini zoo, by spandrel; the padding is that of the official script."""
    import spandrel

    from hlf.sr.swinir import pad

    network = spandrel.ModelLoader("cpu").load_from_file(folder / "model.safetensors").model.eval()

    @torch.no_grad()
    def upscale(lr: "Tensor", _: int) -> "Tensor":
        height, width = (4 * side for side in lr.shape[-2:])
        sr: Tensor = network(pad(lr[None], network.window_size))[0, :, :height, :width].clamp(0, 1)
        return sr

    return upscale


def diffusion(name: str, model: Any) -> Plain:
    """StableSR, SeeSR or PASD by the networks of a loaded model."""
    from hlf.sr.diffusion import sampling

    loop = {"stablesr": stablesr, "seesr": seesr, "pasd": pasd}[name]

    @torch.no_grad()
    def upscale(lr: "Tensor", seed: int) -> "Tensor":
        draws = sampling.seeded([seed])
        return loop(model, model.networks("fp32"), lr, draws)[0].clamp(0, 1).cpu()

    return upscale


def encoded(text: "TextEncoder", prompt: str) -> "Tensor":
    """Hidden states (1, 77, D) of a prompt, encoded anew."""
    length = text.model.config.max_position_embeddings
    ids = text.tokenizer(prompt, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    hidden: Tensor = text.model(ids.input_ids.to(text.model.device))[0]
    return hidden


def steered(
    model: Any, networks: "Networks", start: "Tensor", image: "Tensor", prompt: str, draws: Any, *context: "Tensor"
) -> "Tensor":
    """Guided steps of ControlNet and UNet, both branches in one call; then decoder and colours."""
    from hlf.sr.diffusion import vae
    from hlf.sr.diffusion.colour import fix_colours

    opt, scheduler = model.options, model.scheduler
    text = torch.cat([encoded(networks.text, one) for one in (opt["negative_prompt"], prompt)])
    given = (text, *(torch.cat([one, one]) for one in context))
    latents, more = start, {"generator": draws.noise} if model.descriptor.name == "seesr" else {}
    scheduler.set_timesteps(opt["steps"])
    for timestep in scheduler.timesteps:
        doubled, time = torch.cat([latents, latents]), timestep.to(latents.device)
        residuals = networks.controlnet(doubled, time, *given, torch.cat([image, image]), opt["conditioning_scale"])
        negative, positive = networks.unet(doubled, time, *given, residuals).chunk(2)
        predicted = negative + opt["guidance_scale"] * (positive - negative)
        latents = scheduler.step(predicted, int(timestep), latents, return_dict=False, **more)[0]
    sr = (vae.decode(networks.vae, latents, 0).clamp(0, 1) * 255).round() / 255
    return fix_colours(sr, image, opt["color_fix"], opt["truncate"])


def seesr(model: Any, networks: "Networks", lr: "Tensor", draws: Any) -> "Tensor":
    """SeeSR of one picture (3, h, w); (1, 3, H, W)."""
    from hlf.nets import ram
    from hlf.sr.diffusion import sampling, vae
    from hlf.sr.diffusion.prompts import join_prompt

    opt, tagger = model.options, model.tagger
    image = to_tensor(model.enlarge(from_tensor(lr), networks))[None].to(model.device)
    context, logits = tagger.network(ram.preprocess(lr[None].to(model.device), tagger.network.image_size))
    prompt = join_prompt(tagger.tags.read(logits)[0], opt["user_prompt"], opt["added_prompt"])
    factor = vae.factor(networks.vae)
    shape = (networks.unet.config["in_channels"], *(side // factor for side in image.shape[-2:]))
    noise, posterior = draws.normal(shape, model.device), draws.posterior_normal(shape, model.device)
    start = sampling.start(model.scheduler, vae.encode(networks.vae, image, posterior, 0), noise)
    return steered(model, networks, start, image, prompt, draws, context)


def pasd(model: Any, networks: "Networks", lr: "Tensor", draws: Any) -> "Tensor":
    """PASD of one picture (3, h, w); (1, 3, H, W)."""
    from hlf.sr.diffusion.captions import caption_prompt

    opt = model.options
    image = to_tensor(model.enlarge(from_tensor(lr), networks))[None].to(model.device)
    caption = model.captions.captioner(lr)
    prompt = caption_prompt(caption, opt["user_prompt"], opt["added_prompt"], opt["caption_style"])
    return steered(model, networks, model.start(networks, image, draws), image, prompt, draws)


def stablesr(model: Any, networks: Any, lr: "Tensor", draws: Any) -> "Tensor":
    """StableSR of one square picture (3, h, w) of the size that it was trained at; (1, 3, H, W)."""
    from torch.nn import functional as F

    from hlf.sr.diffusion import sampling, vae
    from hlf.sr.diffusion.colour import FIXES

    opt, scheduler = model.options, model.scheduler
    image = F.interpolate(lr[None], scale_factor=4, mode="bilinear", antialias=True).clamp(0, 1).to(model.device)
    shape = (networks.unet.config["in_channels"], *(side // model.factor for side in image.shape[-2:]))
    low = vae.encode(networks.vae, image, draws.posterior_normal(shape, model.device), 0)
    latents = draws.normal(shape, model.device)
    scheduler.set_timesteps(timesteps=sampling.respaced(opt["steps"], scheduler.config["num_train_timesteps"]))
    for timestep in scheduler.timesteps:
        time = timestep.to(latents.device)
        predicted = networks.unet(latents, time, networks.text, networks.structure(low, time))
        latents = scheduler.step(predicted, int(timestep), latents, return_dict=False, generator=draws.noise)[0]
    features = networks.vae.features(image * 2 - 1)
    scaled = latents / networks.vae.config["scaling_factor"]
    sr = networks.vae.decode_fused(scaled, features, opt["decoder_weight"])
    return FIXES[opt["color_fix"]](sr, image * 2 - 1) / 2 + 0.5
