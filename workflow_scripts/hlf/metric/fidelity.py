"""The metric as people take it home: a module that scores pairs, or serves as a loss (paper 4.2, Equation 1)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hlf.backbones.base import Backbone
from hlf.errors import HlfError
from hlf.images import check_batch, rgb_batch
from hlf.metric.batches import check_sizes, raw_scores, resized
from hlf.metric.calibration import Calibration
from hlf.metric.model import Origin, read_metric, save_metric
from hlf.metric.pictures import Pictures, as_list

REDUCTIONS: dict[str, Callable[[Tensor], Tensor]] = {"mean": torch.mean, "sum": torch.sum, "none": torch.clone}


class HighLevelFidelity(nn.Module):
    """Share of viewers who would say that the content of SR differs from its GT: 0 = nobody, 1 = everybody.

    Lower is better. `metric(sr, gt)` takes batches and gives one value per pair; with `as_loss=True` it gives the
    reduced raw distance, with gradients to SR alone. `metric.score(sr=..., gt=...)` takes files and pictures. The
    backbone is frozen and stays in eval mode, whatever `train()` says.

    Attributes:
        backbone: the frozen tower.
        calibration: map from the raw distance to a share of viewers, None without.
        calibrated: whether scores go through it.
        as_loss: whether `forward` is a loss.
        loss_reduction: "mean", "sum" or "none".
        resize_ref: whether a GT of another size is resized to that of SR.
        origin: tuned or zero-shot, digest of the weights, facts of the run.
        lower_better: True.
    """

    lower_better = True

    def __init__(
        self,
        backbone: Backbone,
        calibration: Calibration | None = None,
        *,
        as_loss: bool = False,
        loss_reduction: str = "mean",
        resize_ref: bool = False,
        calibrated: bool | None = None,
        origin: Origin | None = None,
    ):
        """Wrap a backbone, which is frozen in place.

        Args:
            backbone: tuned or as published.
            calibration: stored with a tuned backbone.
            as_loss: `forward` gives a loss: the raw distance, reduced, without range check, differentiable in SR.
            loss_reduction: "mean", "sum" or "none", for the loss.
            resize_ref: resize a GT of another size to that of SR (bicubic, antialiased); False: refuse it.
            calibrated: scores are calibrated; None: if there is a calibration. The loss never is.
            origin: where the backbone comes from.

        Raises:
            HlfError: an unknown reduction, or calibrated scores without a calibration.
        """
        super().__init__()
        if loss_reduction not in REDUCTIONS:
            raise HlfError(f"loss_reduction '{loss_reduction}' is unknown, expected one of {', '.join(REDUCTIONS)}")
        if calibrated and calibration is None:
            raise HlfError(
                "calibrated=True was asked for, but this metric has no calibration; fine-tuned model folders hold one, "
                "calibrated=False gives the raw distance"
            )
        self.backbone = backbone.requires_grad_(False).eval()
        self.calibration = calibration
        self.calibrated = calibration is not None and calibrated is not False
        self.as_loss, self.loss_reduction, self.resize_ref = as_loss, loss_reduction, resize_ref
        self.origin = origin or Origin(weights_sha256=backbone.description.weights_sha256)

    @property
    def device(self) -> torch.device:
        """Where the backbone is."""
        return next(self.backbone.parameters()).device

    @property
    def note(self) -> str:
        """What a reader of the scores must be told; "" for an official backbone tuned on people's votes."""
        description, parts = self.backbone.description, []
        if description.zoo != "official":
            parts.append(f"its {description.zoo} backbone knows procedural scenes only and tests the software")
        if not self.origin.tuned:
            parts.append("it is not fine-tuned on human scores, so its value is a distance and no share of viewers")
        elif self.origin.stamp:
            parts.append(self.origin.stamp)
        return f"metric on {description.name}: {'; '.join(parts)}" if parts else ""

    def train(self, mode: bool = True) -> "HighLevelFidelity":
        """Set the mode of the wrapper; the backbone stays in eval mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Score of each pair, or the loss.

        Args:
            sr: (N, 3, H, W) float RGB in [0, 1], or (N, 1, H, W) grey.
            gt: as `sr`; no gradient reaches it.

        Returns:
            (N,) in [0, 1] when calibrated, raw distance in [0, 2] when not; with `as_loss` the raw distance, reduced.
            Lower is better.

        Raises:
            HlfError: wrong shapes or types, alpha; off the loss path also NaN or values beyond [0, 1].
        """
        if self.as_loss:
            return REDUCTIONS[self.loss_reduction](self.distance(sr, gt))
        for images, name in ((sr, "SR"), (gt, "GT")):
            check_batch(rgb_batch(images.detach(), name), name)
        with torch.inference_mode():
            raw = self.distance(sr, gt).clamp(min=0)
            return self.calibration(raw) if self.calibration and self.calibrated else raw

    def distance(self, sr: Tensor, gt: Tensor) -> Tensor:
        """Raw distance (N,) with gradients to `sr` alone, values clamped to [0, 1] first; arguments as `forward`."""
        sr, gt = rgb_batch(sr, "SR"), rgb_batch(gt, "GT")
        if len(sr) != len(gt):
            raise HlfError(f"SR holds {len(sr)} images, GT {len(gt)}, expected as many")
        with torch.no_grad():
            reference = resized(gt.detach().float(), sr.shape[-2:], self.resize_ref)
            check_sizes(sr.shape[-2:], reference.shape[-2:])
            target = self.embed(reference)
        return self.backbone.distance(self.embed(sr), target)

    def embed(self, images: Tensor) -> Tensor:
        """What the backbone makes of images (N, 3, H, W), clamped to [0, 1], on its device."""
        weight = next(self.backbone.parameters())
        return self.backbone(images.to(weight.device, weight.dtype).clamp(0, 1))

    def score(self, *, sr: Pictures, gt: Pictures, batch_size: int = 8) -> "float | np.ndarray":
        """Score files, Pillow pictures or tensors against their ground truths; always a score, never a loss.

        Args:
            sr: a path, a Pillow picture, a tensor (3, H, W) in [0, 1]; or a list of these, or a batch (N, 3, H, W).
            gt: the ground truth of each, in the same order; each distinct one is embedded once.
            batch_size: pictures per forward; changes at most the last digits.

        Returns:
            A number for one pair, an array (N,) of float64 for many; range as `forward`.

        Raises:
            HlfError: what is wrong with which pair.

        >>> metric.score(sr="sr.png", gt="gt.png")  # doctest: +SKIP
        0.31
        """
        (ours, one), (theirs, single) = as_list(sr, "SR"), as_list(gt, "GT")
        if len(ours) != len(theirs):
            raise HlfError(f"SR holds {len(ours)} pictures, GT {len(theirs)}, expected a GT for each")
        found = raw_scores(self, ours, theirs, batch_size)
        for number, value in enumerate(found):
            if isinstance(value, HlfError):
                raise HlfError(str(value) if one and single else f"pair {number}: {value}") from value
        shares = self.to_score([value for value in found if isinstance(value, float)])
        return float(shares[0]) if one and single else shares

    def to_score(self, raw: Sequence[float]) -> np.ndarray:
        """Raw distances as scores (N,), float64: not below 0, calibrated to [0, 1] if this metric's scores are."""
        values = np.maximum(np.asarray(raw, dtype=np.float64), 0.0)
        return self.calibration(values) if self.calibration and self.calibrated else values

    @classmethod
    def from_pretrained(
        cls, path_or_id: str | Path, *, revision: str | None = None, local_files_only: bool = True, **options: Any
    ) -> "HighLevelFidelity":
        """Metric of a model folder, on the CPU.

        Args:
            path_or_id: folder that `save_pretrained` or the workflow wrote; or an id of a model hub, "owner/name".
            revision: branch, tag or commit on the hub.
            local_files_only: take hub files from the local cache only; False allows the network.
            options: as_loss, loss_reduction, resize_ref, calibrated.

        Raises:
            HlfError: no such folder or no such files in the cache, damaged files, a missing package.
        """
        from hlf.metric.hub import fetch

        folder = Path(path_or_id)
        if not folder.is_dir():
            folder = fetch(str(path_or_id), revision, local_files_only)
        stored = read_metric(folder)
        return cls(stored.backbone, stored.calibration, origin=stored.origin, **options)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json, model.safetensors and the card README.md, which `from_pretrained` reads."""
        origin = self.origin
        save_metric(Path(folder), self.backbone, origin.facts, origin.stamp, self.calibration, origin.tuned)

    def push_to_hub(self, repo_id: str, *, private: bool | None = None, token: str | None = None) -> str:
        """Publish what `save_pretrained` writes as `repo_id` ("owner/name"); returns the address of the commit."""
        from hlf.metric.hub import push

        return push(self.save_pretrained, repo_id, private, token)
