"""A training step of SeeSR: condition, dropped prompts, noise and timesteps, and the prediction.

Source: training script and data set of cswry/SeeSR. The target is the noise, at timesteps drawn uniformly; tags come
from the clean picture, the image context from the degraded one, so that the model learns to trust tags.
Only the ControlNet and the UNet's image attention are trained (`hlf.nets.seesr.trainable`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from hlf.nets.seesr import SeeSRControlNet, SeeSRUNet


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


def predict_noise(
    unet: "SeeSRUNet", controlnet: "SeeSRControlNet", noisy: Tensor, times: Tensor, text: Tensor, batch: Batch
) -> Tensor:
    """Noise (B, C, h, w) predicted in noisy latents, ControlNet at scale 1; differentiable.

    Args:
        unet: denoiser.
        controlnet: its ControlNet.
        noisy: noisy latents of the batch.
        times: timesteps (B,).
        text: embeddings of the batch's prompts, (B, 77, D).
        batch: gives context and condition.
    """
    inputs = (noisy, times, text, batch.context)
    predicted: Tensor = unet(*inputs, controlnet(*inputs, batch.condition))
    return predicted
