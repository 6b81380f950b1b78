"""Denoiser, ControlNet, VAE and text encoder of a diffusion model in one precision, and their guided prediction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn

from hlf.errors import HlfError
from hlf.sr.diffusion import sampling, vae
from hlf.sr.diffusion.additions import FromBase, completed
from hlf.sr.diffusion.base_model import BaseFiles, load_text_encoder, load_vae
from hlf.sr.diffusion.placing import DTYPES, placed
from hlf.sr.diffusion.prompts import TextEncoder
from hlf.sr.diffusion.tiles import predict_tiled
from hlf.zoo.load import build_filled, read_config, read_state

# of a config, the names in its weights file, and the config's path
Build = Callable[[dict[str, Any], Iterable[str], str], nn.Module]


@dataclass
class Networks:
    """The networks that run in the chosen precision."""

    unet: Any
    controlnet: Any
    vae: AutoencoderKL
    text: TextEncoder


def load_networks(
    build_unet: Build,
    build_controlnet: Build,
    own: list[Path],
    base: BaseFiles,
    rest: FromBase | None,
    device: str,
    precision: str,
    compiled: bool,
) -> Networks:
    """UNet and ControlNet of an SR model with the VAE and text encoder of its base.

    Args:
        build_unet: see `Build`.
        build_controlnet: likewise.
        own: config and weights of the UNet, then of the ControlNet.
        base: files of the base model.
        rest: what the UNet's weights leave to the base; None: they are complete.
        device: cpu or cuda.
        precision: fp32, fp16 or bf16; weights are held in it.
        compiled: compile UNet and ControlNet.

    Raises:
        HlfError: keys or shapes that do not fit.
    """
    dtype = DTYPES[precision]
    networks = Networks(
        _loaded(build_unet, own[0], own[1], rest, device, dtype, compiled),
        _loaded(build_controlnet, own[2], own[3], None, device, dtype, compiled),
        load_vae(base, dtype, device),
        load_text_encoder(base, dtype, device),
    )
    condition = 2 ** (len(networks.controlnet.config["conditioning_embedding_out_channels"]) - 1)
    if condition != vae.factor(networks.vae):
        raise HlfError(
            f"ControlNet in {own[2].parent} reads images {condition} times as large as the latent, the VAE "
            f"in {base.vae_config.parent} makes them {vae.factor(networks.vae)} times as large; "
            "they belong to other models"
        )
    return networks


def _loaded(
    build: Build, config: Path, weights: Path, rest: FromBase | None, device: str, dtype: torch.dtype, compiled: bool
) -> Any:
    """Network of a config and its weights, where and as it runs."""
    values, state = read_config(config), read_state(weights, mapped=True)
    if rest:
        with torch.device("meta"):
            empty = build(values, state, str(config))
        state = completed(empty, state, weights, rest)
    network = build_filled(lambda: build(values, state, str(config)), state, weights)
    return placed(network, device, dtype, compiled)


class Predictor:
    """Guided noise prediction for a batch; guidance acts on the text only.

    Args:
        networks: UNet and ControlNet.
        images: condition (N, 3, H, W) in [0, 1].
        text: (N, 77, D), or (2N, 77, D) with the negative rows first.
        options: of the model: guidance_scale, conditioning_scale, latent_tile, latent_overlap.
        context: (N, tokens, width), what both networks read beside the text, if they do.
    """

    def __init__(
        self, networks: Networks, images: Tensor, text: Tensor, options: dict[str, Any], context: Tensor | None = None
    ):
        dtype = next(networks.unet.parameters()).dtype
        self.networks, self.options, self.factor = networks, options, vae.factor(networks.vae)
        self.branches = len(text) // len(images)
        more = [] if context is None else [context.to(images.device)]
        self.images, *rest = (torch.cat([part.to(dtype)] * self.branches) for part in (images, *more))
        self.texts = (text.to(dtype), *rest)

    def __call__(self, latents: Tensor, timestep: Tensor) -> Tensor:
        """Prediction (N, 4, h, w) float32 for latents (N, 4, h, w) at one timestep."""
        doubled = torch.cat([latents] * self.branches).to(self.images.dtype)
        predicted = predict_tiled(
            doubled,
            lambda tile, box: self._tile(tile, box, timestep),
            self.options["latent_tile"],
            self.options["latent_overlap"],
        )
        return sampling.guide(predicted, self.options["guidance_scale"]) if self.branches == 2 else predicted

    def _tile(self, tile: Tensor, box: tuple[slice, slice], timestep: Tensor) -> Tensor:
        rows, columns = (slice(edge.start * self.factor, edge.stop * self.factor) for edge in box)
        inputs = (tile, timestep, *self.texts)
        residuals = self.networks.controlnet(
            *inputs, self.images[..., rows, columns], self.options["conditioning_scale"]
        )
        predicted: Tensor = self.networks.unet(*inputs, residuals)
        return predicted


def guided_text(networks: Networks, prompts: list[str], options: dict[str, Any]) -> Tensor:
    """Embeddings (N, 77, D) of prompts; under guidance (2N, 77, D), the negative prompt's first."""
    text = networks.text(prompts)
    if options["guidance_scale"] <= 1:
        return text
    return torch.cat([networks.text([options["negative_prompt"]]).expand(len(text), -1, -1), text])
