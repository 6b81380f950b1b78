"""PASD's degradation removal: the image embedding at the head of its ControlNet (PASD paper, section 3.2)."""

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

from hlf.nets import basicsr_adapter


class ConditionEmbedding(nn.Module):
    """LR image to features of a latent's size; drop-in for the embedding of diffusers' ControlNet.

    Args:
        out_channels: width of the result.
        channels: widths; between two of them the picture halves.
        rrdb: put two RRDB blocks behind the first convolution.
        heads: build the convolutions that show a clean picture at each halved size. Training compares them with the GT;
            inference never reads them, but the published files hold them.
    """

    def __init__(self, out_channels: int, channels: tuple[int, ...], rrdb: bool, heads: bool) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(3, channels[0], 3, padding=1)
        # the misspelt name is the official one; each convolution of these blocks adds as many channels as there are
        block = {"num_feat": channels[0], "num_grow_ch": channels[0]}
        self.preprocesser = nn.Sequential(*(basicsr_adapter.rrdb(**block) for _ in range(2 if rrdb else 0)))
        self.blocks = nn.ModuleList()
        for width, wider in itertools.pairwise(channels):
            self.blocks.append(nn.Conv2d(width, width, 3, padding=1))
            self.blocks.append(nn.Conv2d(width, wider, 3, padding=1, stride=2))
        self.to_rgbs = nn.ModuleList(nn.Conv2d(wide, 3, 3, padding=1) for wide in channels[1:]) if heads else None
        self.conv_out = nn.Conv2d(channels[-1], out_channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Features (N, out_channels, H/f, W/f) of RGB (N, 3, H, W) in [0, 1]."""
        features: Tensor = self.conv_out(self._levels(image)[-1])
        return features

    def restored(self, image: Tensor) -> list[Tensor]:
        """What the heads see in RGB (N, 3, H, W) in [0, 1]: RGB near [-1, 1] at 1/2, 1/4, ... of its size."""
        if self.to_rgbs is None:
            return []
        return [head(level) for head, level in zip(self.to_rgbs, self._levels(image), strict=True)]

    def _levels(self, image: Tensor) -> list[Tensor]:
        """Features after each halving."""
        x, levels = self.preprocesser(F.silu(self.conv_in(image))), []
        for i, layer in enumerate(self.blocks):
            x = F.silu(layer(x))
            if i % 2:
                levels.append(x)
        return levels
