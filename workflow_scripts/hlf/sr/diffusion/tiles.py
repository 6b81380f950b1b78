"""Tiles in latent space, blended with Gaussian weights (SeeSR pipeline, after mixture-of-diffusers)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from hlf.errors import HlfError

_VARIANCE = 0.01  # of the Gaussian, in squared tile sides


def gaussian_weights(tile: int) -> Tensor:
    """Weights [y, x] (tile, tile) in float64.

    Centred at (tile - 1) / 2 along x, but at tile / 2 along y: a quirk of the official program, kept.
    """
    place = torch.arange(tile, dtype=torch.float64)

    def bell(centre: float) -> Tensor:
        return torch.exp(-(((place - centre) / tile) ** 2) / (2 * _VARIANCE)) / math.sqrt(2 * math.pi * _VARIANCE)

    return bell(tile / 2)[:, None] * bell((tile - 1) / 2)[None, :]


def starts(side: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along one axis; the last one ends at the border.

    >>> starts(26, 16, 4), starts(16, 16, 4)
    ([0, 10], [0])
    """
    return [*range(0, side - tile, tile - overlap), side - tile]


def boxes(height: int, width: int, tile: int, overlap: int) -> list[tuple[slice, slice]]:
    """Tiles (rows, columns) of a latent; one that holds everything when its area is at most tile * tile.

    Raises:
        HlfError: the overlap is as long as the tile, which shrinks to the latent's shorter side.
    """
    if height * width <= tile * tile:
        return [(slice(0, height), slice(0, width))]
    tile = min(tile, height, width)
    if overlap >= tile:
        raise HlfError(
            f"latent tiles of {tile} with an overlap of {overlap} never end; use an overlap below the tile, "
            f"which is at most the shorter side of the latent ({height}x{width})"
        )
    tops, lefts = starts(height, tile, overlap), starts(width, tile, overlap)
    return [(slice(top, top + tile), slice(left, left + tile)) for top in tops for left in lefts]


def predict_tiled(
    latents: Tensor, predict: Callable[[Tensor, tuple[slice, slice]], Tensor], tile: int, overlap: int
) -> Tensor:
    """Network output for a latent of any size; memory grows with the tile, and each tile is computed once.

    Args:
        latents: (N, C, h, w); each tile is run for all N at once.
        predict: of a tile (N, C, t, t) and its box, in latent pixels; any float type.
        tile: side of a tile; a latent of at most tile * tile pixels is one tile.
        overlap: latent pixels that neighbouring tiles share.

    Returns:
        float32 (N, C, h, w).
    """
    places = boxes(latents.shape[-2], latents.shape[-1], tile, overlap)
    if len(places) == 1:
        return predict(latents, places[0]).float()
    side = places[0][0].stop - places[0][0].start
    weights = gaussian_weights(side).to(latents.device)
    total, weight = (
        torch.zeros_like(latents, dtype=torch.float32),
        torch.zeros_like(latents[:1, :1], dtype=torch.float32),
    )
    for rows, columns in places:
        part = predict(latents[..., rows, columns], (rows, columns))
        total[..., rows, columns] += part * weights
        weight[..., rows, columns] += weights
    return total / weight
