"""Where a pair differs: disagreement of corresponding patch tokens of SR and GT, brought back onto the picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hlf.errors import HlfError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from hlf.backbones.base import Backbone, Preprocess


@dataclass(frozen=True)
class Region:
    """One place of a change map.

    Attributes:
        box: left, top, right, bottom in pixels, right and bottom excluded.
        mass: its share of the map's sum.
        area: its share of the map's pixels.
    """

    box: tuple[int, int, int, int]
    mass: float
    area: float


def change_map(backbone: "Backbone", sr: "Tensor", gt: "Tensor", radius: int = 0, floor: float = 0.0) -> "Tensor":
    """1 - cosine of corresponding patch tokens, one value a pixel.

    A token sees its patch and, through attention, a little of everything, so a map is no sharper than a patch and has a
    weak glow around every change.

    Args:
        backbone: zero-shot or tuned.
        sr: (N, 3, H, W) float RGB in [0, 1].
        gt: the same shape.
        radius: each SR token is compared with the GT tokens up to this many tokens away and the best match counts, so
            that things which only moved light up less; 0, the default, compares the same place only. On planted edits
            a radius of 1 dimmed true changes more than shifts of 2 pixels (docs/metric_behaviour.md).
        floor: subtracted from every value, what is below becomes 0; such as the value that mild noise gives.

    Returns:
        (N, H, W) float32, from 0 (same) to 2 (opposite); bilinear between the centres of tokens. NaN outside the centre
        crop of a backbone that has one: it did not see those pixels. No gradient.

    Raises:
        HlfError: a shape or range that is wrong, or tokens that form no square.
    """
    import torch

    from hlf.images import check_batch

    check_batch(sr, "sr")
    check_batch(gt, "gt")
    if sr.shape != gt.shape:
        raise HlfError(f"change map: expected sr and gt of one shape, got {tuple(sr.shape)} and {tuple(gt.shape)}")
    if radius < 0 or floor < 0:
        raise HlfError(f"change map: radius is {radius} tokens, floor {floor}; expected 0 or more of both")
    with torch.inference_mode():
        grid = (disagreement(backbone.tokens(sr), backbone.tokens(gt), radius) - floor).clamp_min(0)
        return to_picture(grid, backbone.description.preprocess, sr.shape[-2], sr.shape[-1])


def disagreement(sr: "Tensor", gt: "Tensor", radius: int = 0) -> "Tensor":
    """Tokens (N, g * g, width), row by row, to 1 - cosine with the best match within `radius`, (N, g, g) in [0, 2]."""
    import torch
    from torch.nn import functional as F

    count, tokens, width = sr.shape
    side = round(tokens**0.5)
    if side * side != tokens:
        raise HlfError(f"change map: expected a square grid of patch tokens, got {tokens} of them")
    a, b = (F.normalize(t.float(), dim=-1).reshape(count, side, side, width) for t in (sr, gt))
    best = torch.full((count, side, side), -1.0, device=sr.device)
    for down in range(-radius, radius + 1):
        for along in range(-radius, radius + 1):
            rows, columns = _overlap(side, down), _overlap(side, along)
            other = b[:, _overlap(side, -down)][:, :, _overlap(side, -along)]
            cosine = (a[:, rows][:, :, columns] * other).sum(-1)
            best[:, rows, columns] = torch.maximum(best[:, rows, columns], cosine)
    return (1 - best).clamp_min(0)


def _overlap(side: int, step: int) -> slice:
    """Positions p of a row of `side` for which p - step lies in the row too."""
    return slice(max(0, step), side + min(0, step))


def to_picture(grid: "Tensor", preprocess: "Preprocess", height: int, width: int) -> "Tensor":
    """(N, g, g) over the tower's input to (N, height, width) over the picture, NaN where the tower sees nothing."""
    from torch.nn import functional as F

    top, left, bottom, right = seen(preprocess, height, width)
    inside = F.interpolate(grid[:, None], (bottom - top, right - left), mode="bilinear", align_corners=False)[:, 0]
    out = grid.new_full((len(grid), height, width), float("nan"))
    out[:, top:bottom, left:right] = inside
    return out


def seen(preprocess: "Preprocess", height: int, width: int) -> tuple[int, int, int, int]:
    """Top, left, bottom, right of the pixels of a picture that a backbone looks at; all of it without a centre crop."""
    if preprocess.short_side is None:
        return 0, 0, height, width
    scale = min(height, width) / preprocess.short_side  # pixels of the picture in one of the resized one
    edges = []
    for side in (height, width):
        resized = int(side / scale)
        start = round((resized - preprocess.size) / 2)
        edges.append((round(start * scale), min(side, round((start + preprocess.size) * scale))))
    (top, bottom), (left, right) = edges
    return top, left, bottom, right


def changed_area(heat: "np.ndarray", level: float) -> float:
    """Share of the pixels of a map (H, W) that are above `level`; pixels that were not seen (NaN) do not count."""
    import numpy as np

    seen_pixels = np.isfinite(heat)
    if not seen_pixels.any():
        raise HlfError("change map: expected a map with values, got NaN only")
    return float((heat[seen_pixels] > level).mean())


def top_regions(heat: "np.ndarray", count: int = 3, share: float = 0.5) -> list[Region]:
    """The places that changed most: connected pixels above `share` of the map's maximum, by their mass, largest first.

    Args:
        heat: map (H, W); NaN counts as 0.
        count: regions at most.
        share: in (0, 1).

    Returns: no region for a map that is 0 everywhere.
    """
    import numpy as np
    from scipy import ndimage

    values = np.nan_to_num(np.asarray(heat, dtype=np.float64))
    total = values.sum()
    if total <= 0:
        return []
    labels, _ = ndimage.label(values > share * values.max())
    found = []
    for index, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels == index
        box = (columns.start, rows.start, columns.stop, rows.stop)
        found.append(Region(box, float(values[inside].sum() / total), float(inside.mean())))
    return sorted(found, key=lambda region: -region.mass)[:count]
