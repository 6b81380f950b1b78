"""SSIM by FFT with the GT's share of the work kept: pyiqa's values at a fraction of its time.

Wang et al., "Image quality assessment: from error visibility to structural similarity", IEEE TIP 2004. pyiqa filters
with its 11x11 window directly in float64, which makes SSIM the slowest measure without weights. Same window, constants,
rounding, valid region and clamp of the contrast-structure term as pyiqa's `ssim`.
"""

from typing import TYPE_CHECKING

from hlf.iqa.picture import Picture

if TYPE_CHECKING:
    import numpy as np

SIDE, SIGMA = 11, 1.5  # of the Gaussian window, pixels
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


class Ssim:
    """SSIM of pictures against a GT whose own statistics are computed once.

    Args:
        colour: mean over R, G and B instead of Y of YIQ.
    """

    def __init__(self, colour: bool) -> None:
        self.colour = colour
        self.gt: tuple[Picture, tuple[np.ndarray, np.ndarray, np.ndarray]] | None = None

    def __call__(self, sr: Picture, gt: Picture) -> float:
        """SSIM in [0, 1]: 1 = identical."""
        if self.gt is None or self.gt[0] is not gt:
            self.gt = gt, self._statistics(gt)
        (x, mean_x, square_x), (y, mean_y, square_y) = self._statistics(sr), self.gt[1]
        both = mean_x * mean_y
        covariance = _blur(x * y) - both
        variances = square_x - mean_x**2 + square_y - mean_y**2
        # a negative contrast-structure term would make two wrongs right
        structure = ((2 * covariance + C2) / (variances + C2)).clip(0)
        luminance = (2 * both + C1) / (mean_x**2 + mean_y**2 + C1)
        return float((luminance * structure).mean())

    def _statistics(self, picture: Picture) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
        """Grey levels (C, H, W) in float64, and the windows' means of them and of their squares."""
        x = picture.rgb.transpose(2, 0, 1).astype(float) if self.colour else picture.luma[0].numpy()
        return x, _blur(x), _blur(x * x)


def _blur(x: "np.ndarray") -> "np.ndarray":
    """Means under the Gaussian window, (C, H, W) to (C, H - 10, W - 10)."""
    from pyiqa.matlab_utils import fspecial
    from scipy.signal import oaconvolve

    # pyiqa's own taps: they were rounded to float32, which moves a score by 4e-7; the window is symmetric
    window = fspecial(SIDE, SIGMA, 1)[0].double().numpy()
    means: np.ndarray = oaconvolve(x, window, mode="valid", axes=(1, 2))
    return means
