"""An image as the measures see it: decoded once, turned into what each of them reads at most once."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True)
class Picture:
    """One decoded image.

    Attributes:
        rgb: uint8 (H, W, 3).
        name: what sentences call it, such as its path.
    """

    rgb: "np.ndarray"
    name: str = ""

    @cached_property
    def tensor(self) -> "Tensor":
        """RGB (1, 3, H, W) float32 in [0, 1]; shared by all measures, so none may write into it."""
        from hlf.images import to_tensor

        return to_tensor(self.rgb)[None]

    @cached_property
    def luma(self) -> "Tensor":
        """Y of YIQ in whole grey levels, (1, 1, H, W) float64 in 0..255, rounded as pyiqa does."""
        from pyiqa.utils.color_util import to_y_channel

        return to_y_channel(self.tensor, 255).double()
