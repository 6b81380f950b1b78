"""Second-order degradation of Real-ESRGAN at scale 4, with which SeeSR, PASD and StableSR make their training pairs.

Source: Wang et al., "Real-ESRGAN", 2021, section 3; SeeSR's `make_paired_data.py` for the numbers. Not the degradation
of the paper's dataset, which is BSRGAN's (`hlf.degradation.degrade`).
"""

import contextlib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.nets import basicsr_adapter
from hlf.seeds import seed_for

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

SCALE = 4
KERNEL_SIZES = tuple(range(7, 22, 2))
PADDED = 21  # kernels of all sizes are padded to this side
MIN_SIDE = (
    80  # shrunk by 0.15, an image must still be larger than half a kernel, or it cannot be mirrored at its border
)
KINDS = ("iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso")
KIND_SHARES = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
BETA_GENERALIZED, BETA_PLATEAU = (0.5, 4), (1, 2)
SINC_SHARE = 0.1
_MODES = ("area", "bilinear", "bicubic")


@dataclass(frozen=True)
class Order:
    """Numbers of one of the two rounds.

    Attributes:
        sigma: width range of the blur kernels in pixels.
        blur_share: how often the round blurs at all.
        resize_shares: how often it enlarges, shrinks, keeps the size.
        resize_range: smallest and largest factor.
        gaussian_share: how often the noise is Gaussian; else Poisson.
        sigma_noise: range of the Gaussian's standard deviation in grey levels.
        poisson_scale: range of the Poisson noise's scale.
        gray_share: how often the noise is grey.
        jpeg: range of the quality.
    """

    sigma: tuple[float, float] = (0.2, 3)
    blur_share: float = 1.0
    resize_shares: tuple[float, float, float] = (0.2, 0.7, 0.1)
    resize_range: tuple[float, float] = (0.15, 1.5)
    gaussian_share: float = 0.5
    sigma_noise: tuple[float, float] = (1, 30)
    poisson_scale: tuple[float, float] = (0.05, 3)
    gray_share: float = 0.4
    jpeg: tuple[float, float] = (30, 95)


@dataclass(frozen=True)
class Settings:
    """Both rounds, and how often a sinc filter ends the second."""

    first: Order = field(default_factory=Order)
    second: Order = field(
        default_factory=lambda: Order(
            sigma=(0.2, 1.5),
            blur_share=0.8,
            resize_shares=(0.3, 0.4, 0.3),
            resize_range=(0.3, 1.2),
            sigma_noise=(1, 25),
            poisson_scale=(0.05, 2.5),
        )
    )
    final_sinc_share: float = 0.8


@contextlib.contextmanager
def global_draws(seed: int) -> Iterator[None]:
    """Seed the global generators of Python, numpy and torch's CPU, which basicsr draws from; put back afterwards."""
    import numpy as np
    import torch

    python, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy_state)  # noqa: NPY002


def make_pairs(gt: "Tensor", seeds: list[int], settings: Settings = Settings()) -> "tuple[Tensor, Tensor]":
    """Training pairs of a batch. The images share each branch, factor and mode; kernels and JPEG quality are their own.

    Args:
        gt: float32 RGB (N, 3, H, W) in [0, 1] on the CPU (noise is drawn on the device of the images), sides at least
            80 and multiples of 4.
        seeds: one per image for its kernels; all of them together seed the rest, so a pair depends on its batch, as in
            the official program. Batches of one make pairs that depend on their own seed only.
        settings: see `Settings`.

    Returns:
        LR (N, 3, H/4, W/4) in [0, 1], multiples of 1/255; and the sharpened GT (N, 3, H, W), the target that the
        official training set stores.

    Raises:
        HlfError: too small or no multiples of 4, wrong number of seeds, or basicsr is not installed.

    >>> import torch
    >>> lr, target = make_pairs(torch.full((1, 3, 96, 96), 0.5), [1])
    >>> tuple(lr.shape), tuple(target.shape)
    ((1, 3, 24, 24), (1, 3, 96, 96))
    """
    import torch

    height, width = gt.shape[-2:]
    if height % SCALE or width % SCALE or min(height, width) < MIN_SIDE or len(seeds) != len(gt):
        raise HlfError(
            f"make_pairs got {len(gt)} images of {width}x{height} and {len(seeds)} seeds, expected sides of at least "
            f"{MIN_SIDE} that are multiples of {SCALE}, and one seed each"
        )
    kernels = []
    for seed in seeds:
        with global_draws(seed):
            kernels.append(draw_kernels(settings))
    first, second, sinc = (torch.stack(parts).to(gt.device) for parts in zip(*kernels, strict=True))
    with torch.no_grad(), global_draws(_one_seed(seeds)):
        target = basicsr_adapter.usm_sharp().to(gt.device)(gt.contiguous())
        lr = degrade_batch(target, (first, second, sinc), settings)
    return (lr * 255).round() / 255, target


def _one_seed(seeds: list[int]) -> int:
    """One seed of several, equal on every machine."""
    return seeds[0] if len(seeds) == 1 else seed_for(0, "realesrgan", *map(str, seeds))


def draw_kernels(settings: Settings) -> "tuple[Tensor, Tensor, Tensor]":
    """Kernels (21, 21) of the first blur, the second blur and the final sinc filter, from the global generators."""
    import numpy as np
    import torch

    parts = [_blur_kernel(settings.first), _blur_kernel(settings.second), _final_sinc(settings.final_sinc_share)]
    return tuple(torch.from_numpy(np.float32(part)) for part in parts)  # type: ignore[return-value]


def _uniform(low: float, high: float) -> float:
    """Number from numpy's global generator: the official program draws kernels from it, and branches from Python's."""
    import numpy as np

    return float(np.random.uniform(low, high))  # noqa: NPY002


def _blur_kernel(order: Order) -> "np.ndarray":
    """Sinc or one of six Gaussian kinds, padded to 21x21."""
    import numpy as np

    size = random.choice(KERNEL_SIZES)
    with np.errstate(divide="ignore", invalid="ignore"):
        if _uniform(0, 1) < SINC_SHARE:
            lowest = math.pi / 3 if size < 13 else math.pi / 5  # small kernels with a low cutoff ring visibly
            cutoff = _uniform(lowest, math.pi)
            kernel = basicsr_adapter.degradation("circular_lowpass_kernel")(cutoff, size, pad_to=False)
        else:
            kernel = basicsr_adapter.degradation("random_mixed_kernels")(
                KINDS,
                KIND_SHARES,
                size,
                order.sigma,
                order.sigma,
                [-math.pi, math.pi],
                BETA_GENERALIZED,
                BETA_PLATEAU,
                noise_range=None,
            )
    pad = (PADDED - size) // 2
    return np.pad(kernel, pad)


def _final_sinc(share: float) -> "np.ndarray":
    """Sinc filter, or with probability 1 - `share` the kernel that changes nothing."""
    import numpy as np

    if _uniform(0, 1) < share:
        size = random.choice(KERNEL_SIZES)
        with np.errstate(divide="ignore", invalid="ignore"):
            cutoff = _uniform(math.pi / 3, math.pi)
            kernel: np.ndarray = basicsr_adapter.degradation("circular_lowpass_kernel")(cutoff, size, pad_to=PADDED)
        return kernel
    pulse = np.zeros((PADDED, PADDED))
    pulse[PADDED // 2, PADDED // 2] = 1
    return pulse


def degrade_batch(sharp: "Tensor", kernels: "tuple[Tensor, Tensor, Tensor]", settings: Settings) -> "Tensor":
    """LR images (N, 3, H/4, W/4) in [0, 1], not rounded, of sharpened GT; draws from the global generators.

    Args:
        sharp: (N, 3, H, W) in [0, 1].
        kernels: of `draw_kernels`, stacked (N, 21, 21).
        settings: see `Settings`.
    """
    from torch.nn import functional as F

    height, width = sharp.shape[-2:]
    small = (height // SCALE, width // SCALE)
    jpeg = basicsr_adapter.diff_jpeg().to(sharp.device)
    first, second = settings.first, settings.second

    x = basicsr_adapter.filter2d(sharp, kernels[0])
    x = F.interpolate(x, scale_factor=_factor(first), mode=random.choice(_MODES))
    x = _compress(_noise(x, first), first, jpeg)

    if random.random() < second.blur_share:
        x = basicsr_adapter.filter2d(x, kernels[1])
    factor = _factor(second)
    x = F.interpolate(x, (int(height / SCALE * factor), int(width / SCALE * factor)), mode=random.choice(_MODES))
    x = _noise(x, second)
    if random.random() < 0.5:
        x = basicsr_adapter.filter2d(F.interpolate(x, small, mode=random.choice(_MODES)), kernels[2])
        x = _compress(x, second, jpeg)
    else:
        x = _compress(x, second, jpeg)
        x = basicsr_adapter.filter2d(F.interpolate(x, small, mode=random.choice(_MODES)), kernels[2])
    return x.clamp(0, 1)


def _factor(order: Order) -> float:
    """Resize factor of one round."""
    kind = random.choices(("up", "down", "keep"), order.resize_shares)[0]
    low, high = order.resize_range
    return {"up": lambda: random.uniform(1, high), "down": lambda: random.uniform(low, 1), "keep": lambda: 1.0}[kind]()


def _noise(x: "Tensor", order: Order) -> "Tensor":
    gaussian = random.random() < order.gaussian_share
    name = "random_add_gaussian_noise_pt" if gaussian else "random_add_poisson_noise_pt"
    add = basicsr_adapter.degradation(name)
    span = order.sigma_noise if gaussian else order.poisson_scale
    noisy: Tensor = add(x, span, gray_prob=order.gray_share, clip=True, rounds=False)
    return noisy


def _compress(x: "Tensor", order: Order, jpeg: "nn.Module") -> "Tensor":
    quality = x.new_zeros(len(x)).uniform_(*order.jpeg)
    compressed: Tensor = jpeg(x.clamp(0, 1), quality=quality)
    return compressed
