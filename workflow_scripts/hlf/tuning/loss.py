"""Image loss of SeeSR's fine-tuning as functions of tensors: the image that a noisy latent stands for, and its weight.

L = L_ori + alpha * L_HLF (paper 5, equation 1). L_ori is the plain noise error of the official `train_seesr.py`
(`hlf.tuning.noising.noise_loss`).
Through which image L_HLF sees the model the paper does not say, and the official program decodes none in training: a
single step to x0 at the timestep of L_ori, decoded by the frozen VAE, is our reading.
"""

from typing import Any

import torch
from torch import Tensor


def predicted_x0(noisy: Tensor, predicted: Tensor, timesteps: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """Clean latents (N, 4, h, w) that noisy ones stand for if the predicted noise is right, in one step.

    x0 = (x_t - sqrt(1 - abar_t) eps) / sqrt(abar_t). An error of eps grows by sqrt((1 - abar_t) / abar_t): 0.34 at
    t = 100, 1.6 at 500, 14.6 at 999; see `image_weight`.

    Args:
        noisy: x_t (N, 4, h, w).
        predicted: eps (N, 4, h, w).
        timesteps: integers (N,).
        alphas_cumprod: of the scheduler (1000,).
    """
    abar = alphas_cumprod.to(noisy.device, torch.float32)[timesteps].view(-1, 1, 1, 1)
    return (noisy - (1 - abar).sqrt() * predicted) / abar.sqrt()


def image_weight(timesteps: Tensor, alphas_cumprod: Tensor, largest: int = 999) -> Tensor:
    """Weights (N,) of the image loss: abar_t, and 0 beyond timestep `largest`; our choice, the paper gives none.

    >>> image_weight(torch.tensor([0, 1, 2]), torch.tensor([1.0, 0.5, 0.25]), largest=1)
    tensor([1.0000, 0.5000, 0.0000])
    """
    return alphas_cumprod.to(timesteps.device)[timesteps] * (timesteps <= largest)


def decoded_image(vae: Any, latents: Tensor) -> Tensor:
    """Picture (N, 3, f*h, f*w) of scaled latents, [0, 1] where the model keeps to it, not clamped; differentiable.

    A hard clamp would cut the gradient of every pixel beyond the range, which early in training are many. The VAE is
    run whole: its tiling shares statistics between tiles and knows no gradient.

    Args:
        vae: frozen AutoencoderKL; float32 or bfloat16, since float16 overflows in its gradients.
        latents: (N, 4, h, w) in the scale of the VAE's scaling_factor.
    """
    scaled = (latents / vae.config["scaling_factor"]).to(vae.dtype)
    picture: Tensor = vae.decode(scaled, return_dict=False)[0]
    return picture.float() / 2 + 0.5
