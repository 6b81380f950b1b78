"""Measures without weights: PSNR and VIF by pyiqa, SSIM by `hlf.iqa.ssim`."""

import math
from typing import Any

from hlf.errors import HlfError
from hlf.iqa.picture import Picture
from hlf.iqa.registry import Source
from hlf.iqa.ssim import Ssim


def pyiqa_version() -> str:
    """Pyiqa and its version, as result rows name it."""
    from importlib.metadata import version

    return f"pyiqa {version('pyiqa')}"


class Formulas:
    """One of psnr, psnry, ssim, ssimc, vif.

    Args:
        name: which.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = pyiqa_version()
        self._measure: Any = None

    def __call__(self, sr: Picture, gt: Picture) -> dict[str, float]:
        """The value by name; HlfError when no number comes out."""
        if self._measure is None:
            self._measure = self._build()
        self.version, value = pyiqa_version(), float(self._measure(sr, gt))
        if self.name == "vif" and not math.isfinite(value):
            # float32 fails on references whose block covariance is nearly singular
            from hlf.iqa.vif64 import vif64

            self.version, value = f"hlf vif64 ({pyiqa_version()} gave {value})", vif64(sr.rgb, gt.rgb)
        return {self.name: value}

    def _build(self) -> Any:
        if self.name in ("ssim", "ssimc"):
            return Ssim(colour=self.name == "ssimc")
        import pyiqa

        metric = pyiqa.create_metric(self.name, device="cpu", as_loss=False)
        return lambda sr, gt: metric(sr.tensor, gt.tensor)


def load(name: str, source: Source) -> Formulas:
    """The measure called `name`; it reads nothing of a zoo."""
    if name not in ("psnr", "psnry", "ssim", "ssimc", "vif"):
        raise HlfError(f"'{name}' is no measure without weights")
    return Formulas(name)
