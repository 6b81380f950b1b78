"""Distortions of known strength: what the mini quality measures learn from, as the official ones learned from ratings.

A strength is a number in [0, 1]: 0 leaves the picture alone, 1 is as bad as the degradation stage makes it.
"""

import io

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

# each of them alone brings the quality down by its weight; our choice
WEIGHTS = {"blur": 1.0, "noise": 0.8, "compression": 0.8, "contrast": 0.4, "colour": 0.4, "warp": 0.6}
ALONE = 0.35  # share of pictures that have one distortion only; the rest have each with a chance of one half


def draw_strengths(count: int, rng: np.random.Generator, kinds: tuple[str, ...] = tuple(WEIGHTS)) -> dict[str, Tensor]:
    """Strengths by kind, (count,) each; a tenth of the pictures is left alone."""
    drawn = {kind: rng.uniform(0, 1, count) * (rng.random(count) < 0.5) for kind in kinds}
    for i in range(count):
        choice = rng.random()
        if choice < 0.1 + ALONE:
            only = kinds[int(rng.integers(len(kinds)))]
            for kind in kinds:
                drawn[kind][i] = rng.uniform(0, 1) if choice >= 0.1 and kind == only else 0.0
    return {kind: torch.from_numpy(values).float() for kind, values in drawn.items()}


def quality(strengths: dict[str, Tensor]) -> Tensor:
    """Quality in [0, 1] (N,): 1 without distortion; every distortion takes its share of what the others left."""
    left = torch.ones_like(next(iter(strengths.values())))
    for kind, strength in strengths.items():
        left = left * (1 - 0.9 * WEIGHTS[kind] * strength)
    return left


def distort(images: Tensor, strengths: dict[str, Tensor], rng: np.random.Generator) -> Tensor:
    """Pictures (N, 3, H, W) in [0, 1] with distortions of the given strengths, (N,) each."""
    done = []
    for i, image in enumerate(images):
        x = image[None]
        for kind, action in _ACTIONS.items():
            if kind in strengths and float(strengths[kind][i]) > 0:
                x = action(x, float(strengths[kind][i]), rng)
        done.append(x.clamp(0, 1))
    return torch.cat(done)


def _warp(x: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Smooth displacement by up to 12 % of the side: outlines stay sharp and lose their shape."""
    coarse = torch.from_numpy(rng.standard_normal((1, 2, 7, 7), dtype=np.float32))
    shift = F.interpolate(coarse, x.shape[-2:], mode="bicubic", align_corners=True)[0].permute(1, 2, 0)
    grid = F.affine_grid(torch.eye(2, 3)[None], [1, 3, *x.shape[-2:]], align_corners=False)
    return F.grid_sample(x, grid + 0.12 * strength * shift, padding_mode="reflection", align_corners=False)


def _blur(x: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """Fewer pixels, up to a sixth of the side, enlarged again."""
    size = x.shape[-2:]
    small = [max(4, round(side / (1 + 5 * strength))) for side in size]
    return F.interpolate(F.interpolate(x, small, mode="area"), size, mode="bicubic", align_corners=False)


def _noise(x: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    return x + 0.2 * strength * torch.from_numpy(rng.standard_normal(tuple(x.shape), dtype=np.float32))


def _compression(x: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """JPEG, from quality 60 down to 5."""
    from PIL import Image

    from hlf.images import from_tensor, to_tensor

    file = io.BytesIO()
    Image.fromarray(from_tensor(x[0].clamp(0, 1))).save(file, "JPEG", quality=round(60 - 55 * strength))
    with Image.open(file) as picture:
        return to_tensor(np.asarray(picture.convert("RGB")))[None]


def _contrast(x: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (1 - 0.8 * strength) + mean


def _colour(x: Tensor, strength: float, rng: np.random.Generator) -> Tensor:
    """A cast: each channel gets a gain of its own."""
    gain = torch.from_numpy(rng.uniform(-0.5, 0.5, (1, 3, 1, 1)).astype(np.float32))
    return x * (1 + strength * gain)


# in the order in which they happen to a picture
_ACTIONS = {
    "warp": _warp, "blur": _blur, "contrast": _contrast, "colour": _colour, "noise": _noise,
    "compression": _compression,
}  # fmt: skip
