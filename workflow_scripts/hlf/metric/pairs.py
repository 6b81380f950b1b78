"""Pairs that a backbone is fine-tuned on: which of them choose the epoch, their pictures, how they are seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hlf.errors import HlfError
from hlf.images import read_image, to_tensor
from hlf.seeds import seed_for

if TYPE_CHECKING:
    import pandas as pd

AUGMENTATIONS = ("none", "flip", "flip_crop")
KEPT_SIDE = 0.875  # share of each side that a crop of `flip_crop` keeps; our choice


@dataclass(frozen=True)
class View:
    """One way of looking at both pictures of a pair.

    Attributes:
        flip: mirrored left to right.
        top: place of the crop between top (0) and bottom (1).
        left: place of the crop between left (0) and right (1).
        side: share of each side that is kept, 1: the whole picture.
    """

    flip: bool = False
    top: float = 0.0
    left: float = 0.0
    side: float = 1.0

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The view of a picture (H, W, 3); equal sizes give equal sizes."""
        height, width = (round(self.side * n) for n in image.shape[:2])
        places = ((self.top, self.left), image.shape[:2], (height, width))
        top, left = (round(at * (n - m)) for at, n, m in zip(*places, strict=True))
        seen = image[top : top + height, left : left + width]
        return seen[:, ::-1] if self.flip else seen


def draw_views(kind: str, many: int, random: np.random.Generator) -> list[View]:
    """A view for each of `many` pairs; with "none" the whole picture and no draw.

    Raises:
        HlfError: `kind` is none of AUGMENTATIONS.
    """
    if kind not in AUGMENTATIONS:
        raise HlfError(f"metric.augmentation '{kind}' is unknown, expected one of {', '.join(AUGMENTATIONS)}")
    if kind == "none":
        return [View()] * many
    side = KEPT_SIDE if kind == "flip_crop" else 1.0
    flips, places = random.random(many) < 0.5, random.random((many, 2))
    return [View(bool(f), float(y), float(x), side) for f, (y, x) in zip(flips, places, strict=True)]


@dataclass
class PairSet:
    """Pairs in memory: uint8 images by path, and the score of each pair in [0, 1]."""

    images: dict[str, np.ndarray]
    gt: list[str]
    sr: list[str]
    score: np.ndarray

    def batch(
        self, index: np.ndarray, device: torch.device, views: Sequence[View] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """SR (N, 3, H, W), GT (N, 3, H, W), score (N,) of the pairs with these numbers, on `device`.

        Args:
            index: numbers of the pairs.
            device: where the tensors go.
            views: one per pair, the same for its SR and GT; None: whole pictures.
        """
        looks = views or [View()] * len(index)
        sr, gt = (
            torch.stack([to_tensor(look(self.images[names[i]])) for look, i in zip(looks, index, strict=True)])
            for names in (self.sr, self.gt)
        )
        return sr.to(device), gt.to(device), torch.from_numpy(self.score[index]).float().to(device)


def validation_groups(split: "pd.DataFrame", share: float, config_seed: int) -> set[str]:
    """GT images of the training part that serve for validation: about `share` of its pairs, in seeded order.

    Raises:
        HlfError: fewer than two GT images in the training part.
    """
    train = split[split["part"] == "train"]
    counts = train["image_id"].value_counts()
    if len(counts) < 2:
        raise HlfError(
            f"the training part has pairs of {len(counts)} GT images, expected at least 2; choose more pairs"
        )
    chosen: set[str] = set()
    taken = 0
    for name in sorted(counts.index, key=lambda n: (seed_for(config_seed, "metric-validation", n), n)):
        if taken >= share * len(train) or len(chosen) == len(counts) - 1:
            break
        chosen.add(name)
        taken += int(counts[name])
    return chosen


def load_pairs(pairs: "pd.DataFrame", split: "pd.DataFrame", results: Path) -> PairSet:
    """The pairs of `split` (columns pair_id, score) with every image decoded once."""
    joined = split[["pair_id", "score"]].merge(pairs[["pair_id", "gt_path", "sr_path"]], on="pair_id")
    joined = joined.sort_values("pair_id")
    paths = sorted({*joined["gt_path"], *joined["sr_path"]})
    images = {path: read_image(results / path) for path in paths}
    return PairSet(images, joined["gt_path"].tolist(), joined["sr_path"].tolist(), joined["score"].to_numpy())
