"""How sharp a picture looks; no measure of quality, since noise and invented detail count like true detail."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def sharpness(image: "np.ndarray") -> float:
    """Mean absolute difference of neighbouring pixels in grey levels, the same share for rows and columns.

    Args:
        image: uint8 (H, W, 3), at least 2 pixels a side.

    Returns:
        0 (one colour) to 255.

    >>> import numpy as np
    >>> sharpness(np.array([[[0] * 3, [10] * 3], [[0] * 3, [10] * 3]], dtype=np.uint8))
    5.0
    """
    import numpy as np

    grey = image.astype(float).mean(-1)
    return float((np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()) / 2)
