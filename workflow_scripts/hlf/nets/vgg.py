"""Mini VGG: torchvision's own feature stack at small width, with taps for the perceptual loss of the mini GANs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


class MiniVGG(nn.Module):
    """VGG features (torchvision `make_layers`, with batch norm) and a head over scene content.

    Args:
        cfg: torchvision VGG configuration, numbers are channels, "M" a pooling.
        classes: outputs of the head; None for a network without one, which gives features only.
    """

    def __init__(self, cfg: Sequence[int | str], classes: int | None):
        super().__init__()
        from torchvision.models.vgg import make_layers

        self.features = make_layers(list(cfg), batch_norm=True)
        if classes is not None:
            self.head = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(16 * int(cfg[-2]), classes))

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) in [0, 1] to logits (N, classes); trained on 64-pixel crops of single objects."""
        return self.head(self.features(images * 2 - 1))

    def raw_taps(self, images: Tensor) -> list[Tensor]:
        """Activations before each pooling, finest first, of images (N, 3, H, W) in [0, 1]."""
        found, x = [], images * 2 - 1
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                found.append(x)
            x = layer(x)
        return found

    def taps(self, images: Tensor) -> list[Tensor]:
        """`raw_taps` of unit length over channels."""
        return [x / (x.square().sum(1, keepdim=True) + 1e-6).sqrt() for x in self.raw_taps(images)]


def build(config: dict[str, Any]) -> MiniVGG:
    """Network from the arguments in its config.json."""
    return MiniVGG(**config)


def load(paths: Sequence[Path]) -> MiniVGG:
    """The mini VGG of its config.json and weights, frozen, in eval mode; HlfError when they do not fit."""
    from hlf.zoo.load import build_mini, read_config, read_state

    return build_mini(build, read_config(paths[0]), read_state(paths[1]), paths[0], paths[1])


def perceptual_distance(net: MiniVGG, sr: Tensor, gt: Tensor) -> Tensor:
    """Mean squared difference of unit-length features, summed over taps (LPIPS without its learned weights)."""
    with torch.no_grad():
        reference = net.taps(gt)
    return torch.stack([(a - b).square().sum(1).mean() for a, b in zip(net.taps(sr), reference, strict=True)]).sum()
