"""Views of training scenes around one object, as curated data are: an object, its surroundings, and what it is."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hlf.scenes.scene import SceneObject, caption
from hlf.training.pool import Pool

LARGEST, SMALLEST = 0.85, 0.3  # share of a view's side that its object takes; our choice, spans the chain's scenes


class ObjectViews:
    """Every object of a pool with its caption; `cut` draws views of them."""

    def __init__(self, pool: Pool):
        self.pool = pool
        self.rows: list[Any] = list(pool.content.itertuples(index=False))
        self.captions = [self._caption(row) for row in self.rows]

    def _caption(self, row: Any) -> str:
        thing = SceneObject(row.kind, row.label, (row.left, row.top, row.right, row.bottom), row.detail)
        # the last word of a scene's caption is its place
        return caption([thing], self.pool.captions[row.index].split()[-1])

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
