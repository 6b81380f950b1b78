"""The plan of one degradation: every random number of BSRGAN resolved, before any pixel is touched.

Source: paper section 3.1; function `degradation_bsrgan` of the official BSRGAN repository, whole images, no camera
ISP model (the public release ships none).
"""

from typing import TYPE_CHECKING

from hlf.degradation import steps
from hlf.degradation.plus import draw_plus
from hlf.degradation.steps import Step
from hlf.degradation.strength import Strength
from hlf.errors import HlfError

if TYPE_CHECKING:
    import numpy as np

SCALE = 4
VARIANTS = ("bsrgan", "bsrgan_plus")
MIN_SIDE = 16  # pixels; the strongest intermediate reduction then still leaves a picture

# labels of the seven operations whose order is shuffled
BLUR_A, BLUR_B, DOWN2, DOWN3, NOISE, JPEG, CAMERA = range(7)


def draw_plan(
    rng: "np.random.Generator", height: int, width: int, level: float = 1.0, variant: str = "bsrgan"
) -> list[Step]:
    """Draw the steps that turn a GT of the given size into an LR image of a quarter of its sides.

    Args:
        rng: the only source of randomness.
        height: rows of the GT, at least 16; rows beyond a multiple of 4 are not used.
        width: columns of the GT, likewise.
        level: strength in (0, 1], see `Strength`; 1.0 is the official pipeline.
        variant: `bsrgan`, or `bsrgan_plus` (see `hlf.degradation.plus`).

    Returns:
        Steps in the order in which they are applied; JSON values only.

    Raises:
        HlfError: unknown variant, level out of range, or image too small.
    """
    if variant not in VARIANTS:
        raise HlfError(f"degradation.variant is '{variant}', expected one of {', '.join(VARIANTS)}")
    if min(height, width) < MIN_SIDE:
        raise HlfError(f"a GT of {width}x{height} cannot be degraded, expected at least {MIN_SIDE} pixels on each side")
    size = (width - width % SCALE, height - height % SCALE)
    draw = draw_plus if variant == "bsrgan_plus" else draw_bsrgan
    return draw(rng, size, Strength(level))


def draw_bsrgan(rng: "np.random.Generator", size: tuple[int, int], strength: Strength) -> list[Step]:
    """Steps of the official BSRGAN pipeline for a GT of `size` (width, height), both multiples of 4."""
    plan: list[Step] = []
    sf = SCALE
    if rng.random() < 0.25:
        # everything after the first halving works with a divisor of 2, blur widths included
        sf = SCALE // 2
        plan.append(first_halving(rng, size))
        size = (size[0] // 2, size[1] // 2)
    before_down2 = size
    for label in draw_order(rng):
        if label in (BLUR_A, BLUR_B):
            plan.append(steps.blur(rng, sf, strength))
        elif label == DOWN2:
            before_down2 = size
            plan.append(down2(rng, size, sf, strength))
            size = size_after(plan[-1], size)
        elif label == DOWN3:
            size = (before_down2[0] // sf, before_down2[1] // sf)
            plan.append(steps.resize(rng, "down3", *size))
        elif label == NOISE:
            plan.append(steps.noise(rng, strength))
        elif label == JPEG and rng.random() < 0.9:
            plan.append(steps.jpeg(rng, strength))
        # CAMERA: no ISP model, no operation
    return [*plan, steps.jpeg(rng, strength)]


def first_halving(rng: "np.random.Generator", size: tuple[int, int]) -> Step:
    """OpenCV resize or antialiased bicubic by 1/2, equally likely."""
    if rng.random() < 0.5:
        return steps.resize(rng, "scale2", size[0] // 2, size[1] // 2)
    return {"op": "scale2", "mode": "matlab_bicubic", "scale": 0.5}


def draw_order(rng: "np.random.Generator") -> list[int]:
    """Uniform order of the seven labels, in which the two downsamplings swap places when down3 came first."""
    order = rng.permutation(7).tolist()
    first, second = order.index(DOWN2), order.index(DOWN3)
    if first > second:
        order[first], order[second] = DOWN3, DOWN2
    return order


def down2(rng: "np.random.Generator", size: tuple[int, int], sf: int, strength: Strength) -> Step:
    """First downsampling: a resize by a random factor (3/4), or shifted blur and every `sf`-th pixel."""
    if rng.random() < 0.75:
        share = 1 / strength.factor(rng.uniform(1, 2 * sf))
        return steps.resize(rng, "down2", int(size[0] * share), int(size[1] * share))
    return steps.shifted_kernel(rng, sf, strength)


def size_after(step: Step, size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) after a downsampling step."""
    if step["mode"] == "shifted_kernel":
        return -(-size[0] // step["sf"]), -(-size[1] // step["sf"])
    return step["dsize"][0], step["dsize"][1]
