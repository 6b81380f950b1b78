"""What a training step of every SR model on a diffusion base draws and minimises.

Source: training scripts of cswry/SeeSR, which PASD's and StableSR's equal here. The target is the noise, at timesteps
drawn uniformly.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def enlarged(lr: Tensor, scale: int = 4) -> Tensor:
    """Condition of LR pictures (B, 3, h, w) in [0, 1]: torch's bicubic without antialias, at 8-bit levels.

    The official data are stored so, while inference enlarges with Pillow; both are kept.
    """
    large = F.interpolate(lr, scale_factor=scale, mode="bicubic", align_corners=False)
    return (large.clamp(0, 1) * 255).round() / 255


def drop_prompts(prompts: list[str], share: float, rng: np.random.Generator) -> list[str]:
    """The prompts, each empty with probability `share`."""
    return ["" if gone else text for text, gone in zip(prompts, rng.random(len(prompts)) < share, strict=True)]


def draw_noise(latents: Tensor, steps: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Standard normal noise like `latents`, and uniform timesteps (B,) in 0..steps-1."""
    noise = torch.from_numpy(rng.standard_normal(tuple(latents.shape), dtype=np.float32)).to(latents.device)
    return noise, torch.from_numpy(rng.integers(0, steps, len(latents))).to(latents.device)


def noise_loss(predicted: Tensor, noise: Tensor) -> Tensor:
    """L_ori: mean squared error between predicted and true noise (N, 4, h, w), in float32, unweighted; scalar."""
    return F.mse_loss(predicted.float(), noise.float())
