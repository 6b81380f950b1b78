"""Colour fixes: give an SR image the colours of the image that it was made from. Float RGB (N, 3, H, W) in [0, 1].

Source: `wavelet_color_fix.py` of StableSR, used unchanged by SeeSR and PASD.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_EPS = 1e-5  # added to the variance
_LEVELS = 5
_KERNEL = ((1, 2, 1), (2, 4, 2), (1, 2, 1))  # over 16


def adain(sr: "Tensor", reference: "Tensor") -> "Tensor":
    """`sr` (N, 3, H, W) with mean and standard deviation (unbiased) of `reference` by channel; may leave [0, 1]."""
    mean, std = _moments(sr)
    wanted_mean, wanted_std = _moments(reference)
    return (sr - mean) / std * wanted_std + wanted_mean


def _moments(image: "Tensor") -> "tuple[Tensor, Tensor]":
    pixels = image.flatten(2)
    std = (pixels.var(2) + _EPS).sqrt()
    return pixels.mean(2)[..., None, None], std[..., None, None]


def wavelet(sr: "Tensor", reference: "Tensor") -> "Tensor":
    """Details of `sr` (N, 3, H, W) over the blurred colours of `reference`; may leave [0, 1]."""
    return sr - _low(sr) + _low(reference)


def _low(image: "Tensor") -> "Tensor":
    """Image after five blurs, each twice as wide as the one before (à trous wavelet)."""
    import torch
    from torch.nn import functional as F

    kernel = torch.tensor(_KERNEL, dtype=image.dtype, device=image.device).expand(3, 1, 3, 3) / 16
    for level in range(_LEVELS):
        radius = 2**level
        padded = F.pad(image, [radius] * 4, mode="replicate")
        image = F.conv2d(padded, kernel, groups=3, dilation=radius)
    return image


FIXES = {"adain": adain, "wavelet": wavelet}


def fix_colours(sr: "Tensor", reference: "Tensor", name: str, truncate: bool) -> "Tensor":
    """Apply a colour fix and bring the result to 8-bit levels.

    Args:
        sr: (N, 3, H, W) in [0, 1].
        reference: likewise.
        name: adain, wavelet or none.
        truncate: cut to the grey level below instead of rounding, as the official program does by a plain cast.

    Returns:
        (N, 3, H, W) in [0, 1], multiples of 1/255.
    """
    if name != "none":
        sr = FIXES[name](sr, reference)
    levels = sr.clamp(0, 1) * 255
    # without a fix nothing is cast in the official program either
    return (levels.floor() if truncate and name != "none" else levels.round()) / 255
