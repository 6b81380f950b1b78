"""The trunk that KonIQ++ and JOINT share: torchvision's bottleneck ResNets of any width, without weights.

torchvision's own `ResNet` fixes the widths of its stages, so the stages are put together here from its blocks, under
its names; the full-size key lists of both official files are the test.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import nn


def trunk(
    stem: int = 64, planes: int = 64, blocks: Sequence[int] = (3, 4, 6, 3), groups: int = 1, width_per_group: int = 64
) -> "OrderedDict[str, nn.Module]":
    """Modules of a ResNet up to its last stage, by torchvision's names; the defaults are those of ResNet-50.

    Args:
        stem: channels of the first convolution.
        planes: inner channels of the first stage; each later stage has twice as many, and gives 4 * planes.
        blocks: bottlenecks of the four stages.
        groups: of the 3x3 convolutions.
        width_per_group: inner channels of a group where planes is 64, in proportion elsewhere (torchvision's rule).

    Returns:
        conv1, bn1, relu, maxpool, layer1 .. layer4: (N, 3, H, W) to (N, 32 * planes, H / 32, W / 32).
    """
    modules: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Conv2d(3, stem, 7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(stem),
        relu=nn.ReLU(inplace=True),
        maxpool=nn.MaxPool2d(3, stride=2, padding=1),
    )
    channels = stem
    for stage, count in enumerate(blocks):
        layer = _stage(channels, planes * 2**stage, count, 1 if stage == 0 else 2, groups, width_per_group)
        modules[f"layer{stage + 1}"] = layer
        channels = 4 * planes * 2**stage
    for module in modules.values():
        for part in module.modules():
            if isinstance(part, nn.Conv2d):  # torchvision's start of training
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
    return modules


def _stage(channels: int, planes: int, count: int, stride: int, groups: int, width_per_group: int) -> nn.Sequential:
    """Bottlenecks of one stage; the first changes size and channels."""
    from torchvision.models.resnet import Bottleneck

    shortcut = nn.Sequential(nn.Conv2d(channels, 4 * planes, 1, stride=stride, bias=False), nn.BatchNorm2d(4 * planes))
    first = Bottleneck(channels, planes, stride, shortcut, groups, width_per_group)
    rest = [Bottleneck(4 * planes, planes, 1, None, groups, width_per_group) for _ in range(count - 1)]
    return nn.Sequential(first, *rest)
