"""Measures without weights: PSNR and VIF by pyiqa, SSIM by `hlf.iqa.ssim`."""

import math
from collections.abc import Callable
from typing import Any

from hlf.iqa.picture import Picture
from hlf.iqa.registry import Source
from hlf.iqa.ssim import Ssim
from hlf.version import __version__


def pyiqa_version() -> str:
    """Pyiqa and its version, as result rows name it."""
    from importlib.metadata import version

    return f"pyiqa {version('pyiqa')}"


class Formula:
    """One of psnr, psnry, ssim, ssimc, vif.

    Args:
        name: which.
    """

    def __init__(self, name: str) -> None:
        self.name, self.version = name, pyiqa_version()
        if name in ("ssim", "ssimc"):
            self.version = f"hlf {__version__}"
            self._measure: Callable[[Picture, Picture], Any] = Ssim(colour=name == "ssimc")
            return
        import pyiqa

        metric = pyiqa.create_metric(name, device="cpu", as_loss=False)
        self._measure = lambda sr, gt: metric(sr.tensor, gt.tensor)

    def __call__(self, sr: Picture, gt: Picture) -> dict[str, float]:
        """The value by name, NaN or infinite where there is none; see `hlf.iqa.registry` for ranges."""
        return {self.name: float(self._measure(sr, gt))}


class Vif(Formula):
    """VIF by pyiqa, and in float64 where its float32 fails: references whose block covariance is nearly singular."""

    def __call__(self, sr: Picture, gt: Picture) -> dict[str, float]:
        """See `Formula`; `version` tells which way the last value came."""
        from hlf.iqa.vif64 import vif64

        (value,) = super().__call__(sr, gt).values()
        self.version = pyiqa_version()
        if not math.isfinite(value):
            self.version, value = f"hlf vif64 ({self.version} gave {value})", vif64(sr.rgb, gt.rgb)
        return {self.name: value}


def load(name: str, source: Source) -> Formula:
    """The measure called `name`; it reads nothing of a zoo."""
    return Vif(name) if name == "vif" else Formula(name)
