"""Label-keeping changes of training scenes: what a viewer would still call the same content."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


def augment(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Shift, brightness, contrast, mild blur and noise, drawn per batch or per image; (N, 3, H, W) in [0, 1]."""
    count = len(images)
    dy, dx = (int(v) for v in rng.integers(-8, 9, 2))
    images = torch.roll(F.pad(images, (8, 8, 8, 8), mode="reflect"), (dy, dx), (2, 3))[..., 8:-8, 8:-8]
    gain = torch.from_numpy(rng.uniform(0.75, 1.25, (count, 1, 1, 1)).astype(np.float32))
    offset = torch.from_numpy(rng.uniform(-0.1, 0.1, (count, 1, 1, 1)).astype(np.float32))
    images = (images - 0.5) * gain + 0.5 + offset
    if rng.random() < 0.4:
        side, small = images.shape[-1], int(images.shape[-1] / rng.uniform(1, 2.5))
        images = F.interpolate(images, (small, small), mode="area")
        images = F.interpolate(images, (side, side), mode="bilinear", align_corners=False)
    noise = torch.from_numpy(rng.standard_normal(images.shape, dtype=np.float32)) * float(rng.uniform(0, 0.04))
    return (images + noise).clamp(0, 1)


def random_crops(images: Tensor, rng: np.random.Generator, share: tuple[float, float], side: int) -> Tensor:
    """(N, 3, side, side): one square crop per call, of a random share of the area, half of the time mirrored."""
    size = images.shape[-1]
    crop = max(16, int(size * np.sqrt(rng.uniform(*share))))
    top, left = (int(v) for v in rng.integers(0, size - crop + 1, 2))
    cut = images[..., top : top + crop, left : left + crop]
    if rng.random() < 0.5:
        cut = cut.flip(-1)
    return F.interpolate(cut, (side, side), mode="bilinear", antialias=True, align_corners=False)
