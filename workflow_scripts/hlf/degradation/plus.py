"""BSRGAN-plus, the longer chain of the official repository (not used by the paper): variant `bsrgan_plus`."""

from typing import TYPE_CHECKING

import numpy as np

from hlf.degradation import steps
from hlf.degradation.steps import Step
from hlf.degradation.strength import Strength

if TYPE_CHECKING:
    from collections.abc import Callable

SCALE = 4
ROUND = ("blur", "resize", "noise", "poisson", "speckle", "camera")
CHAIN = (*ROUND, "jpeg", *ROUND)
RARE = 0.1  # probability of Poisson noise and of speckle, each time


def draw_plus(rng: np.random.Generator, size: tuple[int, int], strength: Strength) -> list[Step]:
    """Steps of BSRGAN-plus for a GT of `size` (width, height), both multiples of 4.

    Two rounds of blur, resize and noises with a JPEG between them. With probability 1/2 all thirteen operations are
    shuffled (the JPEG in the middle then stands anywhere), otherwise only the noises inside each round. Then the final
    resize and JPEG. `Strength` scales the draws as for `bsrgan`; enlargements and photon noise likewise.
    """
    final = (size[0] // SCALE, size[1] // SCALE)
    plan: list[Step] = []
    for name in draw_order(rng):
        if name == "resize":
            share = draw_share(rng, strength)
            plan.append(steps.resize(rng, "resize", int(share * size[0]), int(share * size[1])))
            size = (plan[-1]["dsize"][0], plan[-1]["dsize"][1])
        else:
            plan += DRAWS[name](rng, strength)
    return [*plan, steps.resize(rng, "resize", *final), steps.jpeg(rng, strength)]


def draw_order(rng: np.random.Generator) -> list[str]:
    """The thirteen operations in the order in which they are applied."""
    if rng.random() < 0.5:
        return [CHAIN[i] for i in rng.permutation(len(CHAIN))]
    order = list(CHAIN)
    for start in (2, 9):
        order[start : start + 4] = [order[start + i] for i in rng.permutation(4)]
    return order


def draw_share(rng: np.random.Generator, strength: Strength) -> float:
    """Factor of a random resize: 20 % between 1 and 2, 70 % between 1/8 and 1, else 1."""
    kind = rng.random()
    if kind > 0.8:
        return strength.factor(rng.uniform(1, 2))
    if kind < 0.7:
        return 1 / strength.factor(1 / rng.uniform(0.5 / SCALE, 1))
    return 1.0


def _poisson(rng: np.random.Generator, strength: Strength) -> list[Step]:
    """Photon noise, rarely; 10^2 to 10^4 photons for white."""
    if rng.random() >= RARE:
        return []
    # the standard deviation goes with 1 / sqrt(peak): x f for the one is / f^2 for the other
    peak = 10 ** (2 * rng.random() + 2) / strength.noise(1.0) ** 2
    return [{"op": "poisson", "gray": bool(rng.random() >= 0.5), "peak": peak, "seed": steps.noise_seed(rng)}]


def _speckle(rng: np.random.Generator, strength: Strength) -> list[Step]:
    """Noise that grows with the pixel's value, rarely."""
    return [steps.noise(rng, strength, "speckle")] if rng.random() < RARE else []


DRAWS: "dict[str, Callable[[np.random.Generator, Strength], list[Step]]]" = {
    "blur": lambda rng, strength: [steps.blur(rng, SCALE, strength)],
    "noise": lambda rng, strength: [steps.noise(rng, strength)],
    "poisson": _poisson,
    "speckle": _speckle,
    "camera": lambda _rng, _strength: [],  # the public release ships no ISP model
    "jpeg": lambda rng, strength: [steps.jpeg(rng, strength)],
}


def sharpen(gt: np.ndarray, weight: float = 0.5, radius: int = 51, threshold: float = 10.0) -> np.ndarray:
    """Unsharp masking that BSRGAN-plus may apply to the GT itself, before degrading, when it makes training targets.

    Source: official BSRGAN repository, `add_sharpening`. No plan holds this step: in this project the GT is a given
    file, and sharpening only its LR side would shift every comparison. Call it on a training target first if wanted.

    Args:
        gt: float32 (H, W, 3) in [0, 1].
        weight: share of the detail that is added.
        radius: odd side of the Gaussian in pixels, its sigma chosen by OpenCV.
        threshold: detail in grey levels of 255 that counts as an edge.

    Returns:
        float32 (H, W, 3) in [0, 1].
    """
    import cv2

    detail = gt - cv2.GaussianBlur(gt, (radius, radius), 0)
    edges = (np.abs(detail) * 255 > threshold).astype(np.float32)
    share = cv2.GaussianBlur(edges, (radius, radius), 0)
    return share * np.clip(gt + weight * detail, 0.0, 1.0) + (1 - share) * gt
