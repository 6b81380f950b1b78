"""The metrics that can be measured, each with its direction, range and conventions: the only place that names them.

Paper 4.1 names the metrics but no options. Earlier public code of its authors calls pyiqa with default options on RGB
images in [0, 1], and the VIF values of Table 4 fit pyiqa's wavelet VIF; so the defaults of pyiqa are used here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError

if TYPE_CHECKING:
    import numpy as np


def _vif64(sr: "np.ndarray", gt: "np.ndarray") -> float:
    """VIF in float64, imported only when it is needed."""
    from hlf.iqa.vif64 import vif64

    return vif64(sr, gt)


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: as in configuration and tables; also its name in pyiqa.
        kind: "FR" (compares SR with GT) or "NR" (sees the SR image only).
        lower_better: direction.
        range: lowest and highest value that usual images reach.
        min_side: smallest image side in pixels that it works on.
        convention: colour space, border, value range; written into every row.
        rescue: function of uint8 SR and GT (H, W, 3) that is used when pyiqa gives no number, and the name it leaves in
            the column `version`; None when there is none.
    """

    name: str
    kind: str
    lower_better: bool
    range: tuple[float, float]
    min_side: int
    convention: str
    rescue: tuple[str, Callable[["np.ndarray", "np.ndarray"], float]] | None = None

    def build(self) -> Callable[..., Any]:
        """The pyiqa metric on the CPU: called with (sr, gt) float tensors (1, 3, H, W) in [0, 1], gives one number."""
        import pyiqa

        metric: Callable[..., Any] = pyiqa.create_metric(self.name, device="cpu", as_loss=False)
        return metric


_ALL = (
    Metric("psnr", "FR", False, (0.0, 80.0), 1, "pyiqa-default: RGB, no border, [0,1], unrounded, 80 = identical"),
    Metric("psnry", "FR", False, (0.0, 80.0), 1, "pyiqa-default: Y of YIQ, no border, [0,1], unrounded"),
    Metric("ssim", "FR", False, (0.0, 1.0), 11, "pyiqa-default: Y of YIQ, rounded to 0..255, valid region, no border"),
    Metric("ssimc", "FR", False, (0.0, 1.0), 11, "pyiqa-default: mean of R, G, B, rounded to 0..255, valid region"),
    Metric(
        "vif", "FR", False, (0.0, 1.0), 33,
        "pyiqa-default: wavelet VIF (steerable pyramid), Y of YIQ, rounded to 0..255, noise variance 0.4",
        ("hlf vif64", _vif64),
    ),
)  # fmt: skip

METRICS = {metric.name: metric for metric in _ALL}


def get_metric(name: str) -> Metric:
    """The metric called `name`; HlfError lists the known ones when there is none.

    >>> get_metric("vif").kind
    'FR'
    """
    if name not in METRICS:
        raise HlfError(f"iqa.metrics names {name!r}, expected some of {', '.join(METRICS)}")
    return METRICS[name]
