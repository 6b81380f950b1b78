"""From a uint8 picture to the input of a quality network, as their official programs do it: resized by Pillow."""

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from hlf.backbones.dinov2 import IMAGENET
from hlf.errors import HlfError
from hlf.images import to_tensor

if TYPE_CHECKING:
    from torch import Tensor


def check_picture(image: np.ndarray, metric: str) -> None:
    """Raise HlfError unless `image` is uint8 of shape (H, W, 3)."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise HlfError(f"{metric} got {image.dtype} of shape {image.shape}, expected uint8 RGB (H, W, 3)")


def squashed(image: np.ndarray, height: int, width: int) -> "Tensor":
    """uint8 (H, W, 3) to normalised pixels (1, 3, height, width), whatever its aspect: bilinear, antialiased."""
    return _normalised(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def centre(image: np.ndarray, short_side: int, crop: int) -> "Tensor":
    """uint8 (H, W, 3) to normalised pixels (1, 3, crop, crop): short side to `short_side`, bilinear, antialiased."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms import functional as tf

    resized = tf.resize(Image.fromarray(image), [short_side], InterpolationMode.BILINEAR)
    return _normalised(tf.center_crop(resized, [crop, crop]))


def _normalised(picture: Image.Image) -> "Tensor":
    mean, std = IMAGENET
    x = to_tensor(np.asarray(picture))[None]
    return (x - x.new_tensor(mean)[:, None, None]) / x.new_tensor(std)[:, None, None]


def denormalised(pixels: "Tensor") -> "Tensor":
    """Normalised pixels (N, 3, H, W) back to [0, 1]."""
    mean, std = IMAGENET
    return (pixels * pixels.new_tensor(std)[:, None, None] + pixels.new_tensor(mean)[:, None, None]).clamp(0, 1)
