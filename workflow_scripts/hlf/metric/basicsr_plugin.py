"""The metric inside BasicSR's option files: a metric of type `calculate_hlf`, a loss of type `HLFLoss`."""

from typing import Any

import torch
from torch import Tensor, nn

from hlf.metric.load import load_metric, score


def calculate_hlf(img: Any, img2: Any, **options: Any) -> float:
    """Score in BasicSR's form: SR and GT as uint8 BGR arrays (H, W, 3), as its test loop gives them; lower is better.

    `options` are those of `hlf.score`, `crop_border` and other keys of BasicSR's own metrics are not among them.
    """
    sr, gt = (torch.from_numpy(i[..., ::-1].copy()).permute(2, 0, 1).float() / 255 for i in (img, img2))
    return float(score(sr=sr, gt=gt, **options))


class HLFLoss(nn.Module):
    """Loss in BasicSR's form: weight times the reduced raw distance, with gradients to the first image alone."""

    def __init__(self, loss_weight: float = 1.0, reduction: str = "mean", **options: Any):
        """`options` are those of `hlf.load_metric`."""
        super().__init__()
        self.loss_weight = loss_weight
        self.metric = load_metric(as_loss=True, loss_reduction=reduction, **options)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """SR and GT (N, 3, H, W) in [0, 1]."""
        return self.loss_weight * self.metric(pred, target)


def register_basicsr() -> None:
    """Make both known to BasicSR; a second call changes nothing. HlfError when BasicSR cannot be imported."""
    from hlf.nets.basicsr_adapter import registry

    for name, thing in (("METRIC_REGISTRY", calculate_hlf), ("LOSS_REGISTRY", HLFLoss)):
        known = registry(name)
        if thing.__name__ not in known:
            known.register(thing)
