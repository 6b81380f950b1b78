"""Views of training scenes around one object, as curated data are: an object, its surroundings, and what it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hlf.scenes.scene import SceneObject, caption
from hlf.training.loop import batch_of
from hlf.training.pool import Pool
from hlf.training.tags import in_order, tags_of_object

SHOWN = 0.7  # share of an object inside a window from which on the window's caption names it; our choice
LARGEST, SMALLEST = 0.85, 0.3  # share of a view's side that its object takes; our choice, spans the chain's scenes


class ObjectViews:
    """Every object of a pool with its caption; `cut` draws views of them."""

    def __init__(self, pool: Pool):
        self.pool = pool
        self.rows: list[Any] = list(pool.content.itertuples(index=False))
        self.captions = [caption([_thing(row)], _place(pool, row.index)) for row in self.rows]

    def cut(self, number: int, rng: np.random.Generator, side: int) -> Tensor:
        """One view of object `number`, (3, side, side) in [0, 1]: random zoom, the object a little off its centre."""
        row, image = self.rows[number], self.pool.images[self.rows[number].index]
        size, extent = image.shape[0], max(row.right - row.left, row.bottom - row.top)
        crop = min(size, int(extent / rng.uniform(SMALLEST, LARGEST)))
        shift = rng.uniform(-0.5, 0.5, 2) * (crop - extent)
        left, top = (
            int(np.clip((low + high - crop) / 2 + move, 0, size - crop))
            for low, high, move in ((row.left, row.right, shift[0]), (row.top, row.bottom, shift[1]))
        )
        cut = np.ascontiguousarray(image[top : top + crop, left : left + crop].transpose(2, 0, 1))
        view = torch.from_numpy(cut).float()[None] / 255
        return F.interpolate(view, (side, side), mode="bilinear", antialias=True, align_corners=False)[0]

    def mixed(self, count: int, scenes: float, side: int, rng: np.random.Generator) -> tuple[Tensor, list[str]]:
        """Pictures (count, 3, side, side) in [0, 1] and captions: a share `scenes` of whole ones, the rest views."""
        whole = np.sort(rng.choice(len(self.pool.captions), int(scenes * count), replace=False))
        single = rng.choice(len(self.captions), count - len(whole), replace=False)
        views = torch.stack([self.cut(int(number), rng, side) for number in single])
        captions = [*(self.pool.captions[k] for k in whole), *(self.captions[k] for k in single)]
        return torch.cat([batch_of(self.pool.images, whole), views]), captions


@dataclass(frozen=True)
class Window:
    """A square part of scene `index`: its first row and column in cells of a latent, and what it shows."""

    index: int
    top: int
    left: int
    caption: str
    tags: list[str]


class ObjectWindows:
    """Windows of a pool's latents, each around one object.

    A quarter of a scene costs a quarter of the time, so a denoiser sees four times as many objects.

    Args:
        pool: the scenes.
        cell: pixels a side of one latent cell.
    """

    def __init__(self, pool: Pool, cell: int):
        self.pool, self.cell, self.cells = pool, cell, pool.images.shape[1] // cell
        rows: list[Any] = list(pool.content.itertuples(index=False))
        self.rows = [row for row in rows if row.index < len(pool.captions)]
        self.scenes: dict[int, list[SceneObject]] = {}
        for row in self.rows:
            self.scenes.setdefault(row.index, []).append(_thing(row))

    def draw(self, number: int, rng: np.random.Generator, side: int) -> Window:
        """A window of `side` cells around object `number`, the object a little off its centre."""
        row, shift = self.rows[number], rng.uniform(-0.15, 0.15, 2) * side
        top, left = (
            int(np.clip(round((low + high) / 2 / self.cell + move - side / 2), 0, self.cells - side))
            for low, high, move in ((row.top, row.bottom, shift[0]), (row.left, row.right, shift[1]))
        )
        box = (left * self.cell, top * self.cell, (left + side) * self.cell, (top + side) * self.cell)
        own = (row.left, row.top, row.right, row.bottom)
        seen = [o for o in self.scenes[row.index] if o.box == own or _share(o.box, box) >= SHOWN]
        place = _place(self.pool, row.index)
        tags = set().union({place}, *(tags_of_object(o.kind, o.label) for o in seen))
        return Window(row.index, top, left, caption(seen, place), in_order(tags))


def _thing(row: Any) -> SceneObject:
    return SceneObject(row.kind, row.label, (row.left, row.top, row.right, row.bottom), row.detail)


def _place(pool: Pool, index: int) -> str:
    return pool.captions[index].split()[-1]  # the last word of a scene's caption


def _share(inner: tuple[int, int, int, int], outer: tuple[int, int, int, int]) -> float:
    """Share of the box `inner` that lies in `outer`."""
    width = max(0, min(inner[2], outer[2]) - max(inner[0], outer[0]))
    height = max(0, min(inner[3], outer[3]) - max(inner[1], outer[1]))
    return width * height / ((inner[2] - inner[0]) * (inner[3] - inner[1]))
