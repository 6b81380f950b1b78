"""The two families of resizing in BSRGAN: OpenCV's, which alias on purpose, and MATLAB's antialiased bicubic."""

from enum import IntEnum

import numpy as np


class Interpolation(IntEnum):
    """OpenCV interpolations that the degradation draws from; the numbers stand in recorded plans."""

    BILINEAR = 1
    BICUBIC = 2
    AREA = 3


def resize(image: np.ndarray, dsize: tuple[int, int], interpolation: Interpolation | int) -> np.ndarray:
    """OpenCV resize, clipped to [0, 1].

    Args:
        image: float32 (H, W, 3) in [0, 1].
        dsize: (width, height) wanted, each at least 1.
        interpolation: one of `Interpolation`. No antialiasing for bilinear and bicubic: it is part of the model.

    Returns:
        float32 (height, width, 3) in [0, 1].
    """
    import cv2

    out = cv2.resize(image, dsize, interpolation=int(Interpolation(interpolation)))
    return np.clip(out, 0.0, 1.0, out=out)


def matlab_bicubic(image: np.ndarray, scale: float) -> np.ndarray:
    """Bicubic resize as MATLAB's `imresize`: Keys kernel (a = -0.5), widened by 1/scale when shrinking.

    Source: official BSRGAN repository, `imresize_np`; the border repeats its edge pixel, rows come first.

    Args:
        image: float32 (H, W, 3).
        scale: above 0; the output has ceil(H * scale) x ceil(W * scale) pixels.

    Returns:
        float32, not clipped.
    """
    tall = _resize_rows(image, scale)
    turned = _resize_rows(np.ascontiguousarray(tall.transpose(1, 0, 2)), scale)
    return np.ascontiguousarray(turned.transpose(1, 0, 2))


def _resize_rows(image: np.ndarray, scale: float) -> np.ndarray:
    """`matlab_bicubic` along the first axis only."""
    indices, weights = _taps(image.shape[0], scale)
    out = image[indices[:, 0]] * weights[:, 0, None, None]
    for tap in range(1, indices.shape[1]):
        out += image[indices[:, tap]] * weights[:, tap, None, None]
    return out


def _taps(length: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Source index and float32 weight of every tap of every output position, both of shape (ceil(length*scale), t)."""
    stretch = max(1.0, 1.0 / scale)
    centres = (np.arange(np.ceil(length * scale)) + 0.5) / scale - 0.5
    taps = int(np.ceil(4 * stretch)) + 1
    indices = np.floor(centres - 2 * stretch)[:, None].astype(np.int64) + np.arange(1, taps + 1)
    weights = _keys((centres[:, None] - indices) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    keep = np.any(weights != 0, axis=0)
    # mirrored with the edge pixel repeated, as often as a tiny picture needs
    indices = indices % (2 * length)
    indices = np.where(indices < length, indices, 2 * length - 1 - indices)
    return indices[:, keep], weights[:, keep].astype(np.float32)


def _keys(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5."""
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))
