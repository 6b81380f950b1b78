"""Changes that leave all content: texture-only edits, and the invariances that a metric of content should have."""

from collections.abc import Callable

import numpy as np

from hlf.degradation import kernels, noise
from hlf.degradation.jpeg import jpeg
from hlf.images import to_float, to_uint8

GRAIN = (3.0, 7.0)  # standard deviation of film grain in grey levels of 255; our choice, seen only from near
SHARPENING = (0.5, 1.2)  # share of the difference from a blurred picture that is added
CONTRAST = 0.15  # largest relative change
BLUR_SIGMA = 1.2  # pixels, of the blurred picture that sharpening starts from


def grained(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The picture with film grain, and with grain of the same strength drawn anew; uint8 (H, W, 3) each."""
    level = rng.uniform(*GRAIN)
    before, after = (noisy(image, level, rng) for _ in range(2))
    return before, after


def sharpened(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The picture, uint8 (H, W, 3), and the same after an unsharp mask."""
    return image, _by(lambda x: x + rng.uniform(*SHARPENING) * (x - _gauss(x, BLUR_SIGMA)), image)


def contrasted(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The picture, uint8 (H, W, 3), and the same with more or less contrast around its mean."""
    gain = 1 + CONTRAST * rng.uniform(0.5, 1) * (1 if rng.random() < 0.5 else -1)
    return image, _by(lambda x: x.mean() + np.float32(gain) * (x - x.mean()), image)


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of uint8 (H, W, 3) with a standard deviation in pixels."""
    return _by(lambda x: _gauss(x, sigma), image)


def noisy(image: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Uint8 (H, W, 3) with grey Gaussian noise of a standard deviation in grey levels of 255."""
    field = noise.gaussian_field(image.shape, {"mode": "gray", "level": level}, rng)
    return _by(lambda x: noise.add(x, field), image)


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    """JPEG of uint8 (H, W, 3) in a quality from 1 to 100, decoded again."""
    return _by(lambda x: jpeg(x, quality), image)


def moved(image: np.ndarray, pixels: int) -> np.ndarray:
    """Picture (H, W, 3) moved to the right and down by `pixels` each; the border is mirrored."""
    padded = np.pad(image, ((pixels, 0), (pixels, 0), (0, 0)), mode="reflect")
    return padded[: image.shape[0], : image.shape[1]]


def _by(change: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """A function of float pictures in [0, 1] on uint8."""
    return to_uint8(change(to_float(image)))


def _gauss(image: np.ndarray, sigma: float) -> np.ndarray:
    return kernels.blur(image, kernels.gaussian_profile(2 * int(np.ceil(3 * sigma)) + 1, sigma))
