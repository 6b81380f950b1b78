"""Equation 1 alone: the image that a noise prediction stands for, and what the metric says of it.

L = L_ori + alpha * L_HLF (paper 5, equation 1). L_ori is the plain noise error of the official `train_seesr.py`
(`hlf.tuning.noising.noise_loss`).
Through which image L_HLF sees the model the paper does not say, and the official program decodes none in training: a
single step to x0 at the timestep of L_ori, decoded by the frozen VAE, is our reading.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hlf.errors import HlfError
from hlf.metric.step import checkpoint_layers

if TYPE_CHECKING:
    from hlf.metric.fidelity import HighLevelFidelity

WEIGHTINGS = ("none", "abar")


def predicted_x0(noisy: Tensor, predicted: Tensor, timesteps: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """Clean latents (N, 4, h, w) that noisy ones stand for if the predicted noise is right, in one step.

    x0 = (x_t - sqrt(1 - abar_t) eps) / sqrt(abar_t). An error of eps grows by sqrt((1 - abar_t) / abar_t): 0.34 at
    t = 100, 1.6 at 500, 14.6 at 999; see `ImageOptions`.

    Args:
        noisy: x_t (N, 4, h, w).
        predicted: eps (N, 4, h, w).
        timesteps: integers (N,).
        alphas_cumprod: of the scheduler (1000,).
    """
    abar = alphas_cumprod.to(noisy.device, torch.float32)[timesteps].view(-1, 1, 1, 1)
    return (noisy - (1 - abar).sqrt() * predicted) / abar.sqrt()


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


@dataclass(frozen=True)
class ImageOptions:
    """How L_HLF sees the model. The defaults are the plainest reading of the paper; each option says what it is for.

    Attributes:
        timesteps: smallest and largest timestep that takes part. At large ones x0 is mostly the amplified error of the
            noise, so its picture says little; at small ones the picture is nearly the GT, whatever the model does.
        weighting: "none", or "abar": each image counts with abar_t, which undoes the amplification.
        crop: side of the part of the latents that is decoded, in cells; 0: whole. The decoder takes most of the memory.
        shrink: factor by which latents and GT are made smaller before, 1: not; cheaper, and blind to fine detail.
        checkpointing: decoder and metric compute their layers twice instead of keeping them, for small GPUs.
    """

    timesteps: tuple[int, int] = (0, 999)
    weighting: str = "none"
    crop: int = 0
    shrink: int = 1
    checkpointing: bool = False


class ImageLoss:
    """L_HLF of a batch: what the metric says of the pictures that the predicted noise stands for.

    Nothing in it learns: metric and VAE are frozen, and gradients pass through both to the prediction.

    Args:
        metric: fine-tuned metric, on the device of the training.
        vae: see `decoded_image`.
        alphas_cumprod: of the scheduler (1000,).
        options: see `ImageOptions`.

    Raises:
        HlfError: unknown weighting, or checkpointing asked of a metric that has none.
    """

    def __init__(self, metric: "HighLevelFidelity", vae: Any, alphas_cumprod: Tensor, options: ImageOptions):
        if options.weighting not in WEIGHTINGS:
            raise HlfError(
                f"tuning.loss.weighting '{options.weighting}' is unknown, expected one of {', '.join(WEIGHTINGS)}"
            )
        self.metric, self.vae, self.alphas_cumprod, self.options = metric, vae, alphas_cumprod, options
        if options.checkpointing:
            vae.enable_gradient_checkpointing()
            checkpoint_layers(metric.backbone, "tuning.loss.checkpointing")

    def __call__(self, noisy: Tensor, predicted: Tensor, timesteps: Tensor, target: Tensor, corner: Tensor) -> Tensor:
        """Mean of the metric over the batch; images whose timestep takes no part count as 0.

        Args:
            noisy: x_t (N, 4, h, w).
            predicted: eps (N, 4, h, w); the gradient goes here.
            timesteps: integers (N,).
            target: I_GT (N, 3, f*h, f*w) in [0, 1].
            corner: place of each image's crop (N, 2), rows and columns, 0 = first possible, 1 = last; unused without.
        """
        weights = image_weights(timesteps, self.alphas_cumprod, self.options)
        chosen = weights > 0
        if not chosen.any():
            return predicted.new_zeros((), dtype=torch.float32)
        x0 = predicted_x0(noisy[chosen].float(), predicted[chosen].float(), timesteps[chosen], self.alphas_cumprod)
        x0, reference = seen(x0, target[chosen], corner[chosen], self.options)
        picture = passing_clamp(decoded_image(self.vae, x0))
        found: Tensor = (weights[chosen] * self.metric.distance(picture, reference)).sum() / len(weights)
        return found


def image_weights(timesteps: Tensor, alphas_cumprod: Tensor, options: ImageOptions) -> Tensor:
    """Weights (N,) of the image loss by timestep, 0 outside of `options.timesteps`.

    >>> image_weights(torch.tensor([0, 1, 2]), torch.tensor([1.0, 0.5, 0.25]), ImageOptions((1, 9), "abar"))
    tensor([0.0000, 0.5000, 0.2500])
    """
    low, high = options.timesteps
    inside = ((timesteps >= low) & (timesteps <= high)).float()
    abar = alphas_cumprod.to(timesteps.device, torch.float32)[timesteps]
    return inside * abar if options.weighting == "abar" else inside


def seen(x0: Tensor, target: Tensor, corner: Tensor, options: ImageOptions) -> tuple[Tensor, Tensor]:
    """Part of the latents (N, 4, h, w) that is decoded and the same part of the GT (N, 3, f*h, f*w).

    Raises:
        HlfError: a part that cannot be divided by `options.shrink`: both would then show different places.
    """
    factor, side = target.shape[-1] // x0.shape[-1], options.crop
    shown = min(side, *x0.shape[-2:]) if side else min(x0.shape[-2:])
    if shown % options.shrink:
        raise HlfError(
            f"tuning.loss.shrink is {options.shrink}, expected a divisor of the {shown} cells that are decoded "
            f"({factor} pixels each; tuning.crop, tuning.loss.crop)"
        )
    if side and side < min(x0.shape[-2:]):
        starts = (corner.cpu() * torch.tensor([n - side for n in x0.shape[-2:]])).round().long().tolist()
        x0 = torch.stack([z[:, r : r + side, c : c + side] for z, (r, c) in zip(x0, starts, strict=True)])
        places = [(slice(factor * r, factor * (r + side)), slice(factor * c, factor * (c + side))) for r, c in starts]
        target = torch.stack(
            [picture[:, rows, columns] for picture, (rows, columns) in zip(target, places, strict=True)]
        )
    if options.shrink > 1:
        x0, target = (F.avg_pool2d(part, options.shrink) for part in (x0, target))
    return x0, target


def passing_clamp(picture: Tensor) -> Tensor:
    """The picture cut to [0, 1], with the gradient of every pixel as if it had not been.

    >>> x = torch.tensor([-1.0, 0.5], requires_grad=True)
    >>> passing_clamp(x).sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """
    return picture + (picture.clamp(0, 1) - picture).detach()
