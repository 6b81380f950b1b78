"""Noise of BSRGAN: Gaussian fields (grey, colour, correlated between channels), and two kinds of BSRGAN-plus."""

import numpy as np

GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def covariance(matrix: np.ndarray, diagonal: np.ndarray, sd: float) -> np.ndarray:
    """Covariance between channels of correlated noise: elementwise |sd^2 U' D U|.

    Source: official BSRGAN repository, `add_Gaussian_noise`. U holds the left singular vectors of `matrix`.

    Args:
        matrix: (3, 3), uniform draws.
        diagonal: (3,), uniform draws, the diagonal of D.
        sd: standard deviation that the strongest direction can reach, on the [0, 1] scale of pixels.

    Returns:
        float64 (3, 3), symmetric.
    """
    basis = np.linalg.svd(matrix)[0]
    return np.abs(sd**2 * (basis.T * diagonal) @ basis)


def gaussian_field(shape: tuple[int, ...], step: dict, rng: np.random.Generator) -> np.ndarray:
    """Noise to add, for a `noise` or `speckle` step.

    Args:
        shape: (H, W, 3) of the picture at that moment.
        step: mode `gray` or `color` with `level` (standard deviation in grey levels of 255), or `cov` with `cov`.
        rng: generator of this step alone.

    Returns:
        float32 (H, W, 3), or (H, W, 1) for `gray`.
    """
    import cv2

    if step["mode"] == "gray":
        return rng.standard_normal((*shape[:2], 1), dtype=np.float32) * np.float32(step["level"] / 255)
    field = rng.standard_normal(shape, dtype=np.float32)
    if step["mode"] == "color":
        return field * np.float32(step["level"] / 255)
    # the symmetric root does not depend on the signs that an eigen solver happens to choose
    values, vectors = np.linalg.eigh(np.asarray(step["cov"], dtype=np.float64))
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return cv2.transform(field, root.astype(np.float32))


def add(image: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Picture plus noise, clipped to [0, 1]; `field` is (H, W, 3) or (H, W, 1)."""
    out = image + field
    return np.clip(out, 0.0, 1.0, out=out)


def poisson(image: np.ndarray, gray: bool, peak: float, rng: np.random.Generator) -> np.ndarray:
    """Photon noise: variance of a pixel is its value / `peak` (BSRGAN-plus only).

    Args:
        image: float32 (H, W, 3); rounded to 8 bits first, as in the official repository.
        gray: one field, drawn from the luma, for the three channels.
        peak: photons of a white pixel.
        rng: generator of this step alone.

    Returns:
        float32 (H, W, 3) in [0, 1].
    """
    clean = _on_bytes(image)
    if not gray:
        return np.clip(rng.poisson(clean * peak) / peak, 0.0, 1.0).astype(np.float32)
    luma = _on_bytes(clean @ GREY_WEIGHTS)
    field = (rng.poisson(luma * peak) / peak - luma).astype(np.float32)
    return add(clean, field[:, :, None])


def _on_bytes(image: np.ndarray) -> np.ndarray:
    """The nearest multiples of 1/255 within [0, 1]."""
    return np.rint(np.clip(image, 0.0, 1.0) * 255) / np.float32(255)
