"""The two images that JOINT looks at: a structure image and a patch-shuffled one."""

import random
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

MOSAIC, PATCH = 224, 32  # pixels: side of the shuffled image, and of its 7 x 7 patches (official)
# mean and standard deviation of ImageNet in grey levels, as the detector was trained
DETECTOR_MEAN, DETECTOR_STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
# Ambrosio-Tortorelli functional (official): weights alpha and beta, width of edges epsilon, weight of smoothness
ALPHA, BETA, EPSILON, SMOOTHNESS = 1000.0, 0.01, 0.01, 2000.0
TOLERANCE, ITERATIONS = 0.1, 6  # of each conjugate gradient run (official)

Plane = np.ndarray
_DX = np.array([[-1.0, 0.0, 1.0]])
_LAPLACE = np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


def structure_image(image: np.ndarray) -> np.ndarray:
    """Piecewise smooth picture with the edges of `image` ("LFM"), each channel stretched to 0..255.

    One round of the Ambrosio-Tortorelli minimisation, edges first and then the picture.

    Args:
        image: uint8 (H, W, 3).

    Returns:
        uint8 (H, W, 3); a channel of one value becomes all zeros.
    """
    return np.stack([_structure(image[:, :, channel]) for channel in range(3)], -1)


def _structure(channel: Plane) -> Plane:
    """One channel, uint8 (H, W)."""
    if not channel.any():  # the official program divides by zero
        return np.zeros_like(channel)
    g = channel / float(channel.max())
    steep = _correlate(g, _DX) ** 2 + _correlate(g, _DX.T) ** 2
    rest = BETA / (4 * EPSILON)
    edges = _solve(
        lambda v: (ALPHA * steep + rest) * v - EPSILON * BETA * _correlate(v, _LAPLACE), np.full(g.shape, rest)
    )
    edges = edges**2
    smooth = _solve(lambda f: f - SMOOTHNESS * sum(_flow(f, edges, d) for d in (_DX, _DX.T)), g)
    low, high = smooth.min(), smooth.max()
    if high - low <= np.finfo(float).eps:  # OpenCV's rule of stretching
        return np.zeros_like(channel)
    return ((smooth - low) / (high - low) * 255).astype(np.uint8)  # truncated (official)


def _flow(f: Plane, edges: Plane, d: Plane) -> Plane:
    """D(edges * D f) along one axis."""
    return _correlate(edges * _correlate(f, d), d)


def _correlate(plane: Plane, kernel: Plane) -> Plane:
    """Correlation, borders reflected without repeating the edge pixel; float64."""
    return cv2.filter2D(plane, cv2.CV_64F, kernel, borderType=cv2.BORDER_REFLECT_101)


def _solve(apply: Callable[[Plane], Plane], right: Plane) -> Plane:
    """A few conjugate gradient steps from zero towards `apply(x) = right`, both (H, W)."""
    from scipy.sparse.linalg import LinearOperator, cg

    operator = LinearOperator(
        (right.size, right.size), matvec=lambda x: apply(x.reshape(right.shape)).ravel(), dtype=np.float64
    )
    solution, _ = cg(operator, right.ravel(), rtol=TOLERANCE, atol=0.0, maxiter=ITERATIONS)
    return solution.reshape(right.shape)


def detector_input(image: np.ndarray) -> np.ndarray:
    """uint8 RGB (H, W, 3) to float32 (1, 3, 224, 224) for the artifact detector; bicubic, antialiased."""
    resized = np.asarray(Image.fromarray(image).resize((MOSAIC, MOSAIC)), dtype=np.float32)
    scaled = (resized - np.array(DETECTOR_MEAN, np.float32)) / np.array(DETECTOR_STD, np.float32)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None])


def shuffle_patches(image: np.ndarray, mask: np.ndarray, seed: int) -> np.ndarray:
    """Mosaic of `image` whose patches swapped places with neighbours; patches with artifacts stay.

    Row by row, each patch that has not moved swaps with a neighbour drawn from those that have not moved either; both
    have moved then.

    Args:
        image: uint8 RGB (H, W, 3).
        mask: (224, 224), nonzero where the detector sees an artifact.
        seed: of the draws. The official program leaves them to chance, so its T differs from run to run.

    Returns:
        uint8 (224, 224, 3).
    """
    mosaic = cv2.resize(image, (MOSAIC, MOSAIC), interpolation=cv2.INTER_LINEAR)
    count = MOSAIC // PATCH
    spoiled = np.asarray(mask != 0).reshape(count, PATCH, count, PATCH).any((1, 3))
    free = {(int(row), int(column)) for row, column in np.argwhere(~spoiled)}
    rng = random.Random(seed)
    for row in range(count):
        for column in range(count):
            around = [(row + dy, column + dx) for dy, dx in _NEIGHBOURS if (row + dy, column + dx) in free]
            if (row, column) in free and around:
                other = rng.choice(around)
                free -= {(row, column), other}
                _swap(mosaic, (row, column), other)
    return mosaic


def _swap(mosaic: np.ndarray, one: tuple[int, int], other: tuple[int, int]) -> None:
    """Exchange two patches in place."""
    first, second = (tuple(slice(n * PATCH, (n + 1) * PATCH) for n in place) for place in (one, other))
    kept = mosaic[first].copy()
    mosaic[first] = mosaic[second]
    mosaic[second] = kept
