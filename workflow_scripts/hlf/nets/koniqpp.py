"""KonIQ++ (Su et al., "KonIQ++: Boosting No-Reference Image Quality Assessment in the Wild", BMVC 2021).

One trunk and two side networks on the same eight taps of it, one for quality, one for four defects. Written from a
description of the official program; parameter names are the official ones.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.errors import HlfError
from hlf.nets.resnet import trunk

OUTPUTS = ("quality_raw", "artifacts", "blur", "contrast", "color")
# ResNeXt-101 32x8d, and the channels of the side networks by stage
OFFICIAL: dict[str, Any] = {
    "stem": 64, "planes": 64, "blocks": [3, 4, 23, 3], "groups": 32, "width_per_group": 8, "side": [64, 64, 128, 256],
}  # fmt: skip


def soft_weights(x: Tensor) -> Tensor:
    """Weights of soft pooling, (N, C, H, W) to (N, 1, H, W): one map for all channels."""
    return x.exp().sum(1, keepdim=True)


def local_soft_pool(x: Tensor) -> Tensor:
    """Halves a map (N, C, H, W): means of 2x2 places, weighted."""
    weights = soft_weights(x)
    return F.avg_pool2d(x * weights, 2) / F.avg_pool2d(weights, 2)


def global_soft_pool(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, C): weighted mean, times H / W.

    The factor is a quirk of the official program (0.75 at 640x480); its last layers were trained with it.
    """
    weights = soft_weights(x)
    return (x * weights).mean((2, 3)) / weights.mean((2, 3)) * (x.shape[2] / x.shape[3])


class Fusion(nn.Module):
    """Adds the finer map, brought to the coarser one's channels, and gates the sum by channel and by place.

    Args:
        fine: channels of the first input.
        coarse: channels of the second input and of the output.
        pool: end with `local_soft_pool`.
    """

    def __init__(self, fine: int, coarse: int, pool: bool):
        super().__init__()
        self.conv1 = _convolution(fine, coarse)
        self.attn = nn.ModuleDict({"conv_ca": _gate(coarse), "conv_pa": _gate(coarse)})
        self.pool = pool

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        """(N, fine, H, W) and (N, coarse, H, W) to (N, coarse, H, W), or half of H and W with `pool`."""
        z = self.conv1(fine) + coarse
        by_channel = self.attn["conv_ca"](F.adaptive_avg_pool2d(z, 1))  # (N, C, 1, 1)
        # both gates end in a sigmoid already; the third one is official
        z = z * torch.sigmoid(by_channel * self.attn["conv_pa"](z))
        return local_soft_pool(z) if self.pool else z


class SideNetwork(nn.Module):
    """Reads the eight taps from fine to coarse.

    Args:
        taps: their channels.
        side: channels of the four pairs of taps.
        outputs: numbers per image.
    """

    def __init__(self, taps: Sequence[int], side: Sequence[int], outputs: int):
        super().__init__()
        for number, channels in enumerate(taps):
            setattr(self, f"head{number}", _convolution(channels, side[number // 2]))
        self.fusion_block1 = Fusion(side[0], side[0], pool=True)
        for number, (finer, coarser) in enumerate(pairwise(side), start=2):
            setattr(self, f"fusion_block{number}", Fusion(finer + coarser, coarser, pool=number < 4))
        self.fc_q = nn.Linear(side[3], outputs)

    def forward(self, taps: list[Tensor]) -> Tensor:
        """Eight maps to (N, outputs)."""
        heads: list[Tensor] = [getattr(self, f"head{number}")(tap) for number, tap in enumerate(taps)]
        y = self.fusion_block1(heads[0], heads[1])
        for number in (2, 3, 4):
            block = getattr(self, f"fusion_block{number}")
            y = block(torch.cat([y, heads[2 * number - 2]], 1), heads[2 * number - 1])
        return self.fc_q(global_soft_pool(y))


class KonIQpp(nn.Module):
    """Quality and four defects of an image.

    Args:
        stem: see `hlf.nets.resnet.trunk`, as the next four.
        planes: of the trunk.
        blocks: of the trunk.
        groups: of the trunk.
        width_per_group: of the trunk.
        side: channels of the side networks, by stage.
    """

    def __init__(
        self, stem: int, planes: int, blocks: Sequence[int], groups: int, width_per_group: int, side: Sequence[int]
    ):
        super().__init__()
        self.features = nn.Sequential(*trunk(stem, planes, blocks, groups, width_per_group).values())
        taps = [4 * planes * 2**stage for stage in range(4) for _ in range(2)]
        self.sub_q = SideNetwork(taps, side, 1)
        self.sub_dist = SideNetwork(taps, side, 4)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (N, 3, H, W), H and W multiples of 32, to (N, 5) in the order of OUTPUTS.

        quality_raw becomes a mean opinion score by a factor and an offset that stand in the weights file; a larger
        defect is more of it, on a scale without meaning.
        """
        if pixels.shape[-2] % 32 or pixels.shape[-1] % 32:
            raise HlfError(
                f"KonIQ++ got {pixels.shape[-1]}x{pixels.shape[-2]} pixels, expected multiples of 32; resize first"
            )
        taps = self._taps(pixels)
        return torch.cat([self.sub_q(taps), self.sub_dist(taps)], 1)

    def _taps(self, x: Tensor) -> list[Tensor]:
        """Outputs of the first and of the last block of each stage."""
        found = []
        for module in self.features[:4]:
            x = module(x)
        for stage in self.features[4:]:
            first, *rest = stage.children()
            x = first(x)
            found.append(x)
            for block in rest:
                x = block(x)
            found.append(x)
        return found


def build(config: dict[str, Any]) -> KonIQpp:
    """Network with initial weights, from the group `network` of its config.json.

    A network of 214,000 parameters, 0.47 MB in half precision, has stem 16, planes 6, blocks [2, 2, 2, 2], groups 2,
    width_per_group 32 (inner channels then equal planes) and side [8, 8, 8, 8]; size [96, 128] keeps the official
    aspect, hence H / W.
    """
    return KonIQpp(**config["network"])


def _convolution(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out))


def _gate(channels: int) -> nn.Sequential:
    half = channels // 2
    return nn.Sequential(nn.Conv2d(channels, half, 1), nn.ReLU(), nn.Conv2d(half, channels, 1), nn.Sigmoid())
