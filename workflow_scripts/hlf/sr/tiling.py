"""Large inputs in tiles whose overlaps are blended, so that memory stays bounded and no seam shows.

The official scripts of BSRGAN and SwinIR run the whole image (SwinIR's optional tiles are averaged without weights);
a ramp is our choice, because plain averages leave a visible step at the border of an overlap.
"""

from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.sr.base import Descriptor, Upscaler

if TYPE_CHECKING:
    from torch import Tensor

AUTO = -1
# "auto" looks at the picture only, never at free memory, so that a result does not depend on the machine:
# BSRGAN takes about 20 kB per LR pixel, 1.4 GB at this size
AUTO_PIXELS = 256 * 256
AUTO_TILE = 192


def check_tile(rule: Descriptor, tile: int, overlap: int) -> None:
    """Raise HlfError unless a model can run tiles of side `tile` (0: whole image, AUTO) sharing `overlap` pixels.

    Models that tile on their own have options for it and never see these.
    """
    if tile == 0 or rule.tiles_itself:
        return
    tile = AUTO_TILE if tile == AUTO else tile
    if tile < rule.min_side or tile % rule.multiple_of or not 0 <= overlap < tile:
        raise HlfError(
            f"tile {tile} with overlap {overlap} does not fit model '{rule.name}', expected 0 (whole image) or at "
            f"least {rule.min_side} pixels, a multiple of {rule.multiple_of}, and an overlap from 0 to below the tile"
        )


def positions(side: int, tile: int, overlap: int) -> list[int]:
    """Left (or top) ends of the tiles that cover `side` pixels; the last tile ends at the border."""
    if tile >= side:
        return [0]
    return [*range(0, side - tile, tile - overlap), side - tile]


def ramp(length: int, overlap: int, first: bool, last: bool) -> "Tensor":
    """Blending weights (length,) in (0, 1]: rising and falling over `overlap` pixels, flat at the picture's border."""
    import torch

    rise = (torch.arange(length, dtype=torch.float32) + 1) / (overlap + 1)
    ones = torch.ones(length)
    return torch.minimum(ones if first else rise.clamp(max=1), ones if last else rise.flip(0).clamp(max=1))


def upscale_tiled(
    upscaler: Upscaler, lr: "Tensor", seeds: list[int], tile: int, overlap: int, precision: str | None = None
) -> "Tensor":
    """As `Upscaler.upscale`, in tiles where `lr` is larger than one; each tile is computed once.

    Args:
        upscaler: the model.
        lr: float32 RGB (N, 3, h, w) in [0, 1].
        seeds: one per image, used for each of its tiles.
        tile: LR side of a tile in pixels, 0 for the whole image, AUTO to choose by size.
        overlap: LR pixels that neighbouring tiles share.
        precision: see `Upscaler.upscale`.

    Returns:
        float32 RGB (N, 3, scale*h, scale*w) in [0, 1].
    """
    import torch

    check_tile(upscaler.descriptor, tile, overlap)
    height, width = lr.shape[-2:]
    if tile == AUTO:
        tile = AUTO_TILE if height * width > AUTO_PIXELS else 0
    if tile == 0 or upscaler.descriptor.tiles_itself or (tile >= height and tile >= width):
        return upscaler.upscale(lr, seeds, precision)
    scale = upscaler.descriptor.scale
    total = torch.zeros(len(lr), 3, height * scale, width * scale)
    weight = torch.zeros(height * scale, width * scale)
    tops, lefts = positions(height, tile, overlap), positions(width, tile, overlap)
    for top in tops:
        for left in lefts:
            part = upscaler.upscale(lr[..., top : top + tile, left : left + tile], seeds, precision).cpu()
            rows = ramp(part.shape[-2], overlap * scale, top == tops[0], top == tops[-1])
            mask = rows[:, None] * ramp(part.shape[-1], overlap * scale, left == lefts[0], left == lefts[-1])
            area = (slice(top * scale, (top + tile) * scale), slice(left * scale, (left + tile) * scale))
            total[..., area[0], area[1]] += part * mask
            weight[area] += mask
    return (total / weight).clamp(0.0, 1.0).to(lr.device)
