"""Draws of single degradation steps, shared by the two variants; ranges from the official BSRGAN repository.

A step is a dict of JSON values: `op`, what to do, and the numbers that do it. Noise is recorded as the seed of a
generator that serves that step alone, so a picture can be made again from its plan.
"""

import math
from typing import TYPE_CHECKING, Any

from hlf.degradation.noise import covariance
from hlf.degradation.resize import Interpolation
from hlf.degradation.strength import Strength

if TYPE_CHECKING:
    import numpy as np

Step = dict[str, Any]

SHIFTED_KSIZE = 25
NOISE_LEVELS = (2, 25)  # grey levels, both ends included
JPEG_QUALITIES = (30, 95)  # both ends included


def interpolation(rng: "np.random.Generator") -> int:
    """One of OpenCV's three interpolations, equally likely."""
    return int(rng.integers(Interpolation.BILINEAR, Interpolation.AREA + 1))


def blur(rng: "np.random.Generator", sf: int, strength: Strength) -> Step:
    """Oriented or isotropic Gaussian (1/2 each) on a kernel of 7, 9, ... 25 pixels; `sf` sets the widths."""
    oriented = rng.random() < 0.5
    ksize = 2 * int(rng.integers(2, 12)) + 3
    if not oriented:
        sigma = strength.blur((2 + 0.2 * sf) * rng.random())
        return {"op": "blur", "kind": "iso", "ksize": ksize, "sigma": sigma}
    l1, l2 = (strength.blur((4 + sf) * rng.random()) for _ in range(2))
    theta = math.pi * rng.random()
    return {"op": "blur", "kind": "aniso", "ksize": ksize, "theta": theta, "l1": l1, "l2": l2}


def shifted_kernel(rng: "np.random.Generator", sf: int, strength: Strength) -> Step:
    """Blur with a shifted Gaussian, then every `sf`-th pixel."""
    sigma = strength.blur(rng.uniform(0.1, 0.6 * sf))
    return {"op": "down2", "mode": "shifted_kernel", "ksize": SHIFTED_KSIZE, "sigma": sigma, "sf": sf}


def resize(rng: "np.random.Generator", op: str, width: int, height: int) -> Step:
    """OpenCV resize to the given size with a random interpolation."""
    # the full shuffle of BSRGAN-plus can shrink a small picture twice by 8: never below one pixel
    dsize = [max(1, width), max(1, height)]
    return {"op": op, "mode": "cv2", "dsize": dsize, "interp": interpolation(rng)}


def noise(rng: "np.random.Generator", strength: Strength, op: str = "noise") -> Step:
    """Gaussian noise: independent per channel (0.4), grey (0.4) or correlated between channels (0.2).

    Correlated noise does not use the drawn level: its scale is always the top of the range.
    """
    level = float(rng.integers(NOISE_LEVELS[0], NOISE_LEVELS[1] + 1))
    kind = rng.random()
    step: Step = {"op": op, "mode": "color" if kind > 0.6 else "gray" if kind < 0.4 else "cov"}
    if step["mode"] == "cov":
        diagonal, matrix = rng.random(3), rng.random((3, 3))
        step["cov"] = covariance(matrix, diagonal, strength.noise(NOISE_LEVELS[1] / 255)).tolist()
    else:
        step["level"] = strength.noise(level)
    return step | {"seed": noise_seed(rng)}


def jpeg(rng: "np.random.Generator", strength: Strength) -> Step:
    """JPEG compression with a uniform integer quality."""
    return {"op": "jpeg", "quality": strength.quality(int(rng.integers(JPEG_QUALITIES[0], JPEG_QUALITIES[1] + 1)))}


def noise_seed(rng: "np.random.Generator") -> int:
    """Seed in [0, 2**64) for the noise of one step."""
    return int(rng.integers(0, 2**64, dtype="uint64"))
