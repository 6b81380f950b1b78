"""A training step of SeeSR: its batch, and the prediction.

Source: training script and data set of cswry/SeeSR. The target is the noise, at timesteps drawn uniformly; tags come
from the clean picture, the image context from the degraded one, so that the model learns to trust tags.
Only the ControlNet and the UNet's image attention are trained (`hlf.nets.seesr.trainable`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from hlf.nets import ram

if TYPE_CHECKING:
    from hlf.nets.seesr import SeeSRControlNet, SeeSRUNet
    from hlf.sr.diffusion.tagger import Tagger


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


def described(condition: Tensor, gt: Tensor, degraded: "Tagger", clean: "Tagger | None") -> tuple[Tensor, list[str]]:
    """What RAM says of a batch: the context (B, tokens, 512) of the degraded pictures, and tags.

    Args:
        condition: enlarged LR pictures (B, 3, H, W) in [0, 1].
        gt: their GT.
        degraded: RAM with DAPE.
        clean: RAM without, which then reads the tags from GT; None: they are those of the degraded pictures.
    """
    reader = degraded.network
    context, logits = reader(ram.preprocess_training(condition, reader.image_size))
    if clean is None:
        return context, degraded.tags.read(logits)
    return context, clean.tags.read(clean.network(ram.preprocess(gt, reader.image_size))[1])


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
