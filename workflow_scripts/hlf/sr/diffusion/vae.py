"""The VAE around a latent diffusion model: pixels to scaled latents and back, image by image, in tiles when large."""

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn

from hlf.sr.diffusion.vae_tiling import decode_tiled, encode_tiled


def factor(vae: AutoencoderKL) -> int:
    """Pixels per latent pixel: 8 for Stable Diffusion."""
    return 2 ** (len(vae.config["block_out_channels"]) - 1)


def encode(vae: AutoencoderKL, images: Tensor, noise: Tensor, tile: int) -> Tensor:
    """Sample of the posterior, times the scaling factor.

    Args:
        vae: in any float type.
        images: float32 RGB (N, 3, H, W) in [0, 1], H and W multiples of `factor`.
        noise: standard normal (N, 4, H/f, W/f); the official programs sample, they do not take the mean.
        tile: side of an encoder tile in pixels; 0: never tile.

    Returns:
        float32 latents (N, 4, H/f, W/f).
    """
    rows = [moments(vae, image[None], tile) for image in images]
    mean, log_variance = torch.cat(rows).float().chunk(2, 1)
    return (mean + (0.5 * log_variance.clamp(-30, 20)).exp() * noise) * vae.config["scaling_factor"]


def moments(vae: AutoencoderKL, image: Tensor, tile: int) -> Tensor:
    """Mean and log variance (1, 8, H/f, W/f) of one image (1, 3, H, W) in [0, 1]."""
    pixels = (image * 2 - 1).to(vae.dtype)
    return _optional(vae.quant_conv, encode_tiled(vae, pixels, tile))


def decode(vae: AutoencoderKL, latents: Tensor, tile: int) -> Tensor:
    """Pictures of scaled latents.

    Args:
        vae: in any float type.
        latents: (N, 4, h, w), scaled.
        tile: side of a decoder tile in latent pixels; 0: never tile.

    Returns:
        float32 RGB (N, 3, f*h, f*w), [0, 1] where the model keeps to it; not clamped.
    """
    scaled = (latents / vae.config["scaling_factor"]).to(vae.dtype)
    # one at a time: bounds memory, and the decoder fills a GPU with one image
    rows = [decode_tiled(vae, _optional(vae.post_quant_conv, latent[None]), tile) for latent in scaled]
    return torch.cat(rows).float() / 2 + 0.5


def _optional(layer: nn.Module | None, x: Tensor) -> Tensor:
    """`layer` of `x`; some VAEs go without it."""
    return x if layer is None else layer(x)
