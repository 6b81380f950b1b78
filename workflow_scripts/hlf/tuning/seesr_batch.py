"""What goes into a training step of SeeSR: condition, dropped prompts, noise and timesteps.

Source: training script and data set of cswry/SeeSR. The target is the noise, at timesteps drawn uniformly; tags come
from the clean picture, the image context from the degraded one, so that the model learns to trust tags.
Only the ControlNet and the UNet's image attention are trained (`hlf.nets.seesr.trainable`).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

NULL_TEXT = 0.5  # official share of prompts that become empty; image context and condition are never dropped


@dataclass(frozen=True)
class Batch:
    """Inputs of one step.

    Attributes:
        latents: scaled posterior samples of the GT, (B, C, h, w).
        condition: enlarged LR pictures, RGB in [0, 1], (B, 3, H, W).
        context: RAM sequences of the same pictures, (B, tokens, 512).
        prompts: one a picture, "" where dropped.
    """

    latents: Tensor
    condition: Tensor
    context: Tensor
    prompts: list[str]


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
