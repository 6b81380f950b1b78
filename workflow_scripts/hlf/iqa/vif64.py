"""VIF in float64: for the references whose block covariance is nearly singular, where float32 gives NaN.

Sheikh and Bovik, "Image information and visual quality", IEEE TIP 2006: vector Gaussian scale mixture on the bands of a
steerable pyramid (4 levels, 6 orientations). Same constants as pyiqa's `vif`, from which the filter taps
and the rounding to grey levels are taken.
"""

import math
from typing import TYPE_CHECKING

import numpy as np

from hlf.errors import HlfError
from hlf.images import to_tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

LEVELS, ORIENTATIONS = 4, 6
# two orientations of each level, counted from the low-pass end (1 = low-pass rest)
SUBBANDS = (4, 7, 10, 13, 16, 19, 22, 25)
BLOCK = 3  # side of the blocks whose 9 coefficients make a vector
NOISE = 0.4  # variance of the visual noise, in squared grey levels
TINY = 1e-12
MIN_SIDE = 33


def vif64(sr: "NDArray[np.uint8]", gt: "NDArray[np.uint8]") -> float:
    """Visual information fidelity of `sr` given `gt`, not symmetric.

    Args:
        sr: uint8 (H, W, 3), the judged image.
        gt: uint8 (H, W, 3), the reference.

    Returns:
        0 = nothing of the reference is left, 1 = identical, above 1 = sharper than the reference; 0 for a reference
        without any structure.

    Raises:
        HlfError: shapes differ or a side is below 33 pixels.
    """
    if sr.shape != gt.shape or min(gt.shape[:2]) < MIN_SIDE:
        raise HlfError(f"VIF needs two images of one size, sides >= {MIN_SIDE}, got SR {sr.shape} and GT {gt.shape}")
    bands_sr, bands_gt = _pyramid(_luma(sr)), _pyramid(_luma(gt))
    kept = seen = 0.0
    for number in SUBBANDS:
        window = 2 ** math.ceil((number - 1) / ORIENTATIONS) + 1
        reference, judged = _whole_blocks(bands_gt[-number]), _whole_blocks(bands_sr[-number])
        gain, noise = _channel(reference, judged, window)
        energy, eigenvalues = _source(reference)
        edge = math.ceil((window - 1) / 2 / BLOCK)
        inner = tuple(slice(edge, size - edge) for size in energy.shape)
        signal = energy[inner][..., None] * eigenvalues  # (rows, columns, 9)
        kept += float(np.log2(1 + gain[inner][..., None] ** 2 * signal / (noise[inner][..., None] + NOISE)).sum())
        seen += float(np.log2(1 + signal / NOISE).sum())
    return kept / (seen + TINY)


def _luma(image: "NDArray[np.uint8]") -> "Array":
    """Y of YIQ in whole grey levels, (H, W)."""
    from pyiqa.utils.color_util import to_y_channel

    # pyiqa's own float32 rounding, which decides ties such as 100.5: another one moves VIF by up to 3e-5
    luma: Array = to_y_channel(to_tensor(image)[None], 255)[0, 0].double().numpy()
    return luma


def _pyramid(luma: "Array") -> "list[Array]":
    """High-pass rest, 24 oriented bands from fine to coarse, low-pass rest."""
    from pyiqa.archs.vif_arch import sp5_filters
    from scipy.ndimage import correlate

    taps = sp5_filters()
    side = math.isqrt(taps["bfilts"].shape[0])
    oriented = [taps["bfilts"][:, i].reshape(side, side).T for i in range(ORIENTATIONS)]
    # "mirror" reflects without repeating the edge pixel
    bands, low = [correlate(luma, taps["hi0filt"], mode="mirror")], correlate(luma, taps["lo0filt"], mode="mirror")
    for _ in range(LEVELS):
        bands += [correlate(low, kernel, mode="mirror") for kernel in oriented]
        low = correlate(low, taps["lofilt"], mode="mirror")[::2, ::2]
    return [*bands, low]


def _whole_blocks(band: "Array") -> "Array":
    """The band without the last rows and columns that fill no block."""
    height, width = (size // BLOCK * BLOCK for size in band.shape)
    return band[:height, :width]


def _channel(reference: "Array", judged: "Array", window: int) -> tuple["Array", "Array"]:
    """Gain and noise variance of the distortion around each block's middle, both (rows, columns) of blocks."""
    from scipy.ndimage import uniform_filter

    def mean(values: "Array") -> "Array":
        """Mean of the window around the middle of every block, (rows, columns) of blocks."""
        return uniform_filter(values, window, mode="mirror")[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK]

    area = float(window * window)
    mean_r, mean_j = mean(reference), mean(judged)
    both = area * (mean(reference * judged) - mean_r * mean_j)
    own_r = np.maximum(area * (mean(reference**2) - mean_r**2), 0.0)
    own_j = np.maximum(area * (mean(judged**2) - mean_j**2), 0.0)
    gain = both / (own_r + TINY)
    noise = (own_j - gain * both) / area
    flat_r, flat_j = own_r < TINY, own_j < TINY
    gain, noise = np.where(flat_r, 0.0, gain), np.where(flat_r, own_j, noise)
    gain, noise = np.where(flat_j, 0.0, gain), np.where(flat_j, 0.0, noise)
    # a reversed contrast carries nothing of the reference: all of it is noise
    noise = np.where(gain < 0, own_j, noise)
    return np.maximum(gain, 0.0), np.maximum(noise, TINY)


def _source(reference: "Array") -> tuple["Array", "Array"]:
    """Local energy of each block (rows, columns), and the 9 eigenvalues of the covariance of all blocks."""
    overlapping = np.lib.stride_tricks.sliding_window_view(reference, (BLOCK, BLOCK))
    vectors = overlapping.reshape(-1, BLOCK * BLOCK)
    covariance = np.cov(vectors, rowvar=False, bias=True)
    blocks = overlapping[::BLOCK, ::BLOCK].reshape(-1, BLOCK * BLOCK)
    energy = ((blocks @ np.linalg.pinv(covariance, hermitian=True)) * blocks).sum(axis=1) / BLOCK**2
    rows, columns = (size // BLOCK for size in reference.shape)
    # rounding can push what is zero in theory below it, which the logarithms cannot take
    return np.maximum(energy.reshape(rows, columns), 0.0), np.maximum(np.linalg.eigvalsh(covariance), 0.0)
