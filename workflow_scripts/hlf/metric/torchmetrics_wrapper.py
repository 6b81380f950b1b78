"""The metric for training loops that collect with torchmetrics: update per batch, compute at the end of an epoch."""

from typing import Any

import torch
from torch import Tensor

from hlf.errors import HlfError
from hlf.extras import needed_for
from hlf.metric.fidelity import HighLevelFidelity

with needed_for("hlf.metric.torchmetrics_wrapper", "torchmetrics"):
    from torchmetrics import Metric
    from torchmetrics.utilities import dim_zero_cat


class HighLevelFidelityMetric(Metric):
    """Mean score over all updates, or every score.

    Lower is better. States sum over processes (mean) or are joined in the order of processes (per sample). `forward`
    gives the value of one batch, differentiable in `sr` when the metric was loaded with `as_loss=True`.

    Attributes:
        metric: the loaded metric.
        reduction: "mean" or "none".
    """

    higher_is_better = False
    is_differentiable = True
    full_state_update = False

    def __init__(self, metric: HighLevelFidelity, reduction: str = "mean", **kwargs: Any):
        """Collect the scores of `metric`.

        Args:
            metric: from `hlf.load_metric`; with `as_loss=True` its raw distances are collected.
            reduction: "mean" gives one value, "none" those of all pairs, shape (n,).
            kwargs: of torchmetrics' base class, such as `dist_sync_on_step`.

        Raises:
            HlfError: another reduction.
        """
        super().__init__(**kwargs)
        if reduction not in ("mean", "none"):
            raise HlfError(f"reduction '{reduction}' is unknown, expected mean or none")
        self.metric, self.reduction = metric, reduction
        self.values: list[Tensor]
        self.total: Tensor
        self.count: Tensor
        if reduction == "none":
            self.add_state("values", default=[], dist_reduce_fx="cat")
        else:
            self.add_state("total", default=torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
            self.add_state("count", default=torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, sr: Tensor, gt: Tensor) -> None:
        """Score a batch; SR and GT (N, 3, H, W) in [0, 1], errors as those of the metric."""
        found = self.metric.distance(sr, gt) if self.metric.as_loss else self.metric(sr, gt)
        if self.reduction == "none":
            self.values.append(found.clone())  # an inference tensor could not be used in training code
        else:
            self.total = self.total + found.double().sum()
            self.count = self.count + len(found)

    def compute(self) -> Tensor:
        """Mean of all pairs as a scalar, or all values (n,); lower is better.

        Raises:
            HlfError: nothing was scored.
        """
        if self.reduction == "none":
            if not len(self.values):
                raise HlfError("compute was called before update, so no pair was scored; call update first")
            return dim_zero_cat(self.values)
        if not self.count:
            raise HlfError("compute was called before update, so no pair was scored; call update first")
        return self.total / self.count
