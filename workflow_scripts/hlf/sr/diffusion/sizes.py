"""Sizes and resampling around a latent diffusion model: Pillow's filters, as the official scripts do.

Arrays here are uint8 RGB (H, W, 3), because Pillow rounds to 8 bit after each resize and the next step sees that.
"""

from typing import TYPE_CHECKING

from hlf.errors import HlfError

if TYPE_CHECKING:
    import numpy as np


def sizes(width: int, height: int, upscale: int, process_size: int, multiple: int) -> list[tuple[int, int]]:
    """The sizes (width, height) that an LR image goes through before the model.

    An image with a side below process_size // upscale is enlarged to have it as its shorter side; then it is enlarged
    by `upscale`; then both sides are cut down to multiples of the VAE's factor.

    >>> sizes(100, 90, 4, 512, 8)
    [(142, 128), (568, 512), (568, 512)]
    """
    least = process_size // upscale
    steps = [(width, height)]
    if width < least or height < least:
        scale = least / min(width, height)
        steps.append((int(scale * width), int(scale * height)))
    steps.append((steps[-1][0] * upscale, steps[-1][1] * upscale))
    steps.append((steps[-1][0] // multiple * multiple, steps[-1][1] // multiple * multiple))
    return steps[1:]


def processed(lr: "np.ndarray", upscale: int, process_size: int, multiple: int) -> "np.ndarray":
    """LR image, uint8 (h, w, 3), at the size the model works at: its condition, source of its latent and colours."""
    import numpy as np
    from PIL import Image

    picture = Image.fromarray(lr)
    for size in sizes(*picture.size, upscale, process_size, multiple):
        picture = picture.resize(size)
    return np.asarray(picture)


def enlarged(lr: "np.ndarray", upscale: int, process_size: int, multiple: int) -> "np.ndarray":
    """As `processed`, but in PASD's order: enlarged by `upscale` first, then bilinearly to at least `process_size`."""
    import numpy as np
    from PIL import Image

    picture = Image.fromarray(lr)
    width, height = picture.size
    picture = picture.resize((width * upscale, height * upscale))
    short, long = sorted(picture.size)
    if short < process_size:
        long = int(process_size * long / short)
        size = (process_size, long) if picture.width < picture.height else (long, process_size)
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(picture.resize((picture.width // multiple * multiple, picture.height // multiple * multiple)))


def cut_to_multiple(lr: "np.ndarray", multiple: int) -> "np.ndarray":
    """Image (h, w, 3) shrunk to the next smaller multiples by Pillow's Lanczos: how StableSR's programs read files.

    Raises:
        HlfError: a side below the multiple.
    """
    import numpy as np
    from PIL import Image

    height, width = (side // multiple * multiple for side in lr.shape[:2])
    if not height or not width:
        raise HlfError(
            f"image of {lr.shape[1]}x{lr.shape[0]} is smaller than {multiple} pixels along a side; enlarge it first"
        )
    if (height, width) == lr.shape[:2]:
        return lr
    return np.asarray(Image.fromarray(lr).resize((width, height), Image.Resampling.LANCZOS))


def finished(sr: "np.ndarray", width: int, height: int) -> "np.ndarray":
    """Model result, uint8 (H, W, 3), at the size that is saved: `upscale` times the original."""
    import numpy as np
    from PIL import Image

    return np.asarray(Image.fromarray(sr).resize((width, height)))
