"""Tiles of latents or pictures, blended with Gaussian weights (StableSR paper section 3.3; SeeSR pipeline)."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from hlf.errors import HlfError

_VARIANCE = 0.01  # of the Gaussian, in squared tile sides


def gaussian_weights(height: int, width: int | None = None) -> Tensor:
    """Weights [y, x] (height, width) in float64; without `width` those of a square.

    Centred at (width - 1) / 2 along x, but at height / 2 along y: a quirk of the official programs, kept.
    """

    def bell(side: int, centre: float) -> Tensor:
        """Gaussian (side,) around `centre`, as the official programs have it."""
        place = torch.arange(side, dtype=torch.float64)
        return torch.exp(-(((place - centre) / side) ** 2) / (2 * _VARIANCE)) / math.sqrt(2 * math.pi * _VARIANCE)

    width = width or height
    return bell(height, height / 2)[:, None] * bell(width, (width - 1) / 2)[None, :]


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
    return _grid(height, width, tile, tile, overlap)


def boxes_by_side(height: int, width: int, tile: int, overlap: int) -> list[tuple[slice, slice]]:
    """Tiles (rows, columns), no longer than `tile` along either axis: StableSR's rule for pictures.

    A picture that exceeds the tile along one axis only is divided along that one; `overlap` must be below `tile`.

    >>> [(rows.start, rows.stop) for rows, _ in boxes_by_side(2048, 1000, 1280, 280)]
    [(0, 1280), (768, 2048)]
    """
    return _grid(height, width, min(tile, height), min(tile, width), overlap)


def _grid(height: int, width: int, rows: int, columns: int, overlap: int) -> list[tuple[slice, slice]]:
    """Tiles of `rows` times `columns`; an axis as long as its tile is not divided, whatever the overlap."""
    tops = starts(height, rows, overlap) if height > rows else [0]
    lefts = starts(width, columns, overlap) if width > columns else [0]
    return [(slice(top, top + rows), slice(left, left + columns)) for top in tops for left in lefts]


def predict_tiled(
    latents: Tensor,
    predict: Callable[[Tensor, tuple[slice, slice]], Tensor],
    tile: int,
    overlap: int,
    divide: Callable[[int, int, int, int], list[tuple[slice, slice]]] = boxes,
) -> Tensor:
    """Network output for a latent of any size; memory grows with the tile, and each tile is computed once.

    Args:
        latents: (N, C, h, w); each tile is run for all N at once.
        predict: of a tile (N, C, t, t) and its box, in latent pixels; any float type.
        tile: side of a tile; a latent of at most tile * tile pixels is one tile.
        overlap: latent pixels that neighbouring tiles share.
        divide: rule for the tiles, of (height, width, tile, overlap); all tiles have one shape.

    Returns:
        float32 (N, C, h, w).
    """
    places = divide(latents.shape[-2], latents.shape[-1], tile, overlap)
    if len(places) == 1:
        return predict(latents, places[0]).float()
    rows, columns = places[0]
    weights = gaussian_weights(rows.stop - rows.start, columns.stop - columns.start).to(latents.device)
    total, weight = (
        torch.zeros_like(latents, dtype=torch.float32),
        torch.zeros_like(latents[:1, :1], dtype=torch.float32),
    )
    for rows, columns in places:
        part = predict(latents[..., rows, columns], (rows, columns))
        total[..., rows, columns] += part * weights
        weight[..., rows, columns] += weights
    return total / weight
