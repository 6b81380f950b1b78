"""Bicubic interpolation, which an SR model has to beat: a baseline without weights, and the shortest recipe."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.sr.base import Descriptor, FeedForward
from hlf.sr.options import Option

if TYPE_CHECKING:
    from torch import Tensor

OPTIONS: dict[str, Option] = {}
WEIGHTS = False  # reads no file of a zoo


class Bicubic(FeedForward):
    """Cubic convolution with a = -0.5: what Pillow computes, without its rounding between rows and columns."""

    def forward(self, lr: "Tensor") -> "Tensor":
        """LR (N, 3, h, w) to (N, 3, 4h, 4w), beyond [0, 1] at edges."""
        from torch.nn import functional as F

        # the kernel of Pillow is torch's for antialiasing; without it torch takes a = -0.75, which rings more
        return F.interpolate(lr, scale_factor=self.descriptor.scale, mode="bicubic", antialias=True)


def load(zoo: str, folder: Path, device: str, precision: str, options: dict[str, Any]) -> Bicubic:
    """Make the interpolation, the same in both zoos.

    Args:
        zoo: written into tables; nothing is read.
        folder: not looked at.
        device: cpu or cuda.
        precision: fp32, fp16 or bf16; the arithmetic is float32 in each.
        options: none.
    """
    from torch import nn

    descriptor = Descriptor("bicubic", zoo, weights_sha256="")
    return Bicubic(descriptor, nn.Identity(), device, precision)
