"""Many pairs through one metric: batches of one size, each distinct GT embedded once, failures in their places."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from hlf.backbones.base import Backbone
from hlf.errors import HlfError
from hlf.metric.pictures import One, as_tensor, identity


class Embedder(Protocol):
    """What of a metric is needed here (`HighLevelFidelity` has it)."""

    backbone: Backbone
    resize_ref: bool

    def embed(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] to what the backbone compares."""


@dataclass
class _Reference:
    """A GT (3, H, W); the picture goes when its embedding is there."""

    size: tuple[int, int]
    picture: Tensor | None
    embedding: Tensor | None = None


@dataclass
class _Pair:
    """Number in the list, SR (3, H, W) and its GT."""

    number: int
    sr: Tensor
    gt: _Reference


class _References:
    """GTs that later pairs will need again; a folder of thousands keeps only these in memory."""

    def __init__(self, pictures: Sequence[One], names: Sequence[Hashable]):
        self.pictures, self.names = pictures, names
        self.left = Counter(names)
        # by name, then by the size that the SR asks for
        self.kept: dict[Hashable, dict[tuple[int, int] | None, _Reference]] = defaultdict(dict)

    def get(self, number: int, size: tuple[int, int], resize: bool) -> _Reference:
        """GT of a pair; HlfError when it cannot be read or its size is not that of the SR."""
        known, wanted = self.kept[self.names[number]], size if resize else None
        if wanted not in known:
            picture = resized(as_tensor(self.pictures[number], "GT"), size, resize)
            known[wanted] = _Reference(_size(picture), picture)
        check_sizes(size, known[wanted].size)
        return known[wanted]

    def done(self, number: int) -> None:
        """A pair has got its GT; forget the GT when it was the last to need it."""
        name = self.names[number]
        self.left[name] -= 1
        if not self.left[name]:
            self.kept.pop(name, None)


def raw_scores(metric: Embedder, sr: Sequence[One], gt: Sequence[One], batch_size: int) -> list[float | HlfError]:
    """Raw distance of every pair, in order; a pair that cannot be scored has its error instead.

    Args:
        metric: on its device.
        sr: pictures.
        gt: as many pictures; entries that are the same picture are embedded once.
        batch_size: pictures per forward.
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise HlfError(f"batch_size: expected a whole number from 1, got {batch_size!r}")
    found: list[float | HlfError] = [0.0] * len(sr)
    waiting: dict[tuple[int, int], list[_Pair]] = defaultdict(list)
    references = _References(gt, [identity(picture) for picture in gt])
    for number, picture in enumerate(sr):
        try:
            image = as_tensor(picture, "SR")
            size = _size(image)
            pair = _Pair(number, image, references.get(number, size, metric.resize_ref))
        except HlfError as error:
            found[number] = error
            continue
        finally:
            references.done(number)
        waiting[size].append(pair)
        if len(waiting[size]) == batch_size:
            _score(metric, waiting.pop(size), found)
    for pairs in waiting.values():
        _score(metric, pairs, found)
    return found


def check_sizes(sr: Sequence[int], gt: Sequence[int]) -> None:
    """HlfError unless SR and GT have one (height, width)."""
    if tuple(sr) != tuple(gt):
        raise HlfError(
            f"SR is {sr[1]}x{sr[0]} pixels, GT is {gt[1]}x{gt[0]}, expected the same size; resize_ref=True or "
            "--resize-ref resizes the GT"
        )


def resized(gt: Tensor, size: Sequence[int], resize: bool) -> Tensor:
    """GT (..., 3, H, W) at the size (height, width) of the SR if asked for: bicubic, antialiased, within [0, 1]."""
    if not resize or _size(gt) == tuple(size):
        return gt
    batch = gt if gt.ndim == 4 else gt[None]
    batch = torch.nn.functional.interpolate(batch, tuple(size), mode="bicubic", antialias=True, align_corners=False)
    return batch.clamp(0, 1).reshape(*gt.shape[:-2], *size)


def _size(picture: Tensor) -> tuple[int, int]:
    return picture.shape[-2], picture.shape[-1]


@torch.inference_mode()
def _score(metric: Embedder, pairs: list[_Pair], found: list[float | HlfError]) -> None:
    """Embed the SRs and the GTs that are new, and write the distances into their places."""
    new = {id(p.gt): p.gt for p in pairs if p.gt.embedding is None}
    if new:
        pictures = torch.stack([gt.picture for gt in new.values() if gt.picture is not None])
        for gt, embedding in zip(new.values(), metric.embed(pictures), strict=True):
            gt.embedding, gt.picture = embedding, None
    references = torch.stack([p.gt.embedding for p in pairs if p.gt.embedding is not None])
    values = metric.backbone.distance(metric.embed(torch.stack([p.sr for p in pairs])), references)
    for pair, value in zip(pairs, values.tolist(), strict=True):
        found[pair.number] = value
