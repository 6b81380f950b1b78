"""Gaussian blur kernels of BSRGAN in closed form, and the convolution with them.

Source: the official BSRGAN repository (cszn/BSRGAN), functions `fspecial_gaussian`, `anisotropic_Gaussian` and
`shift_pixel`, which the paper's section 3.1 follows. Isotropic and shifted kernels are products of a one-dimensional
profile with itself, so they are kept as profiles: two short passes are about five times faster than one 25x25 pass.
"""

import numpy as np

# a width drawn as 0 would divide by 0; anything this narrow is a single pixel to the last bit already
SMALLEST_SIGMA = 1e-6
SMALLEST_VARIANCE = SMALLEST_SIGMA**2
NEGLIGIBLE_TAP = 1e-20
LARGEST_DIRECT = 11  # side up to which a direct filter is the faster one


def gaussian_profile(ksize: int, sigma: float) -> np.ndarray:
    """Profile of an isotropic Gaussian at integer offsets from the centre.

    Args:
        ksize: odd number of taps.
        sigma: standard deviation in pixels, 0 or more.

    Returns:
        float64 of shape (ksize,), sum 1; the two-dimensional kernel is its outer product with itself.
    """
    offsets = np.arange(ksize) - (ksize - 1) / 2
    profile = np.exp(-(offsets**2) / (2 * max(sigma, SMALLEST_SIGMA) ** 2))
    # the official kernel drops what is below the float64 resolution of its peak
    profile[profile < np.finfo(np.float64).eps * profile.max()] = 0
    return profile / profile.sum()


def shifted_profile(ksize: int, sigma: float, sf: int) -> np.ndarray:
    """Profile of the kernel that stands before taking every `sf`-th pixel.

    The Gaussian is read at i + (sf - 1) / 2 (linear interpolation, last tap repeated), which moves its centroid by
    -(sf - 1) / 2 pixels; after the flip of a true convolution, pixel 0 of every block averages around the block's
    centre and the picture does not drift.

    Args:
        ksize: odd number of taps.
        sigma: standard deviation in pixels.
        sf: divisor of the size, 4 or 2.

    Returns:
        float64 of shape (ksize,), sum 1.
    """
    profile = gaussian_profile(ksize, sigma)
    positions = np.clip(np.arange(ksize) + (sf - 1) / 2, 0, ksize - 1)
    moved = np.interp(positions, np.arange(ksize), profile)
    return moved / moved.sum()


def anisotropic(ksize: int, theta: float, l1: float, l2: float) -> np.ndarray:
    """Oriented Gaussian kernel.

    Args:
        ksize: odd side.
        theta: angle of the first axis in radians, from the x axis.
        l1: eigenvalue of the covariance along that axis: a variance in pixels squared, not a standard deviation.
        l2: the same across that axis.

    Returns:
        float64 of shape (ksize, ksize), sum 1.
    """
    offsets = np.arange(ksize) - (ksize - 1) / 2
    x, y = offsets[None, :], offsets[:, None]
    along = (x * np.cos(theta) + y * np.sin(theta)) ** 2 / max(l1, SMALLEST_VARIANCE)
    across = (x * np.sin(theta) - y * np.cos(theta)) ** 2 / max(l2, SMALLEST_VARIANCE)
    kernel = np.exp(-0.5 * (along + across))
    return kernel / kernel.sum()


def blur(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """True convolution of every channel, borders mirrored without repeating the edge pixel.

    Args:
        image: float32 (H, W, 3).
        kernel: (k, k) with odd k, or a profile (k,) that stands for its outer product with itself.

    Returns:
        float32 (H, W, 3), not clipped.
    """
    import cv2

    kernel = _without_negligible(kernel)
    if kernel.ndim == 1:
        # OpenCV correlates: the flip makes it a convolution
        flipped = np.ascontiguousarray(kernel[::-1])
        return cv2.sepFilter2D(image, -1, flipped, flipped)
    if len(kernel) <= LARGEST_DIRECT:
        return cv2.filter2D(image, -1, np.ascontiguousarray(kernel[::-1, ::-1]))
    return _blur_by_spectrum(image, kernel)


def _blur_by_spectrum(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """`blur` through Fourier transforms: half the time of OpenCV's own large filters, equal to about 4e-7."""
    import cv2

    height, width = image.shape[:2]
    side = len(kernel)
    half = side // 2
    padded = cv2.copyMakeBorder(image, half, half, half, half, cv2.BORDER_REFLECT_101)
    rows, columns = (cv2.getOptimalDFTSize(n + side - 1) for n in (height, width))
    plane = np.zeros((rows, columns), np.float32)
    plane[:side, :side] = kernel
    spectrum = cv2.dft(plane)
    out = np.empty_like(image)
    plane[:side, :side] = 0
    for channel in range(image.shape[2]):
        plane[: height + side - 1, : width + side - 1] = padded[:, :, channel]
        product = cv2.mulSpectrums(cv2.dft(plane), spectrum, 0)
        whole = cv2.dft(product, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
        # the first side - 1 rows and columns hold what the transform wraps around
        out[:, :, channel] = whole[side - 1 : side - 1 + height, side - 1 : side - 1 + width]
    return out


def shifted_downsample(image: np.ndarray, profile: np.ndarray, sf: int) -> np.ndarray:
    """Convolve with a shifted profile and take every `sf`-th pixel from index 0.

    Args:
        image: float32 (H, W, 3).
        profile: (k,), see `shifted_profile`.
        sf: divisor of the size.

    Returns:
        float32 (ceil(H / sf), ceil(W / sf), 3), clipped to [0, 1].
    """
    import cv2

    # flip and borders as in `blur`; rows are dropped between the passes, so the second does 1/sf of the work
    flipped = np.ascontiguousarray(_without_negligible(profile)[::-1])
    rows = np.ascontiguousarray(cv2.filter2D(image, -1, flipped[:, None])[::sf])
    return np.clip(cv2.filter2D(rows, -1, flipped[None, :])[:, ::sf], 0.0, 1.0)


def _without_negligible(kernel: np.ndarray) -> np.ndarray:
    """Kernel as float32 without taps far below what its sums can see: as denormal numbers they cost ten times more."""
    return np.where(np.abs(kernel) < NEGLIGIBLE_TAP, 0, kernel).astype(np.float32)
