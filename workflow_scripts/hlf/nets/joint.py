"""JOINT (Chen et al., "Exploring the Naturalness of AI-Generated Images", TCSVT 2024): two judges of naturalness.

A Swin transformer looks at a patch-shuffled image (technical), a ResNet at a structure image (rationality); how both
images are made stands in `hlf.iqa.joint_images`. Parameter names are the official ones, which are torchvision's.
"""

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from hlf.nets.resnet import trunk

# torchvision's swin_t and resnet50, the latter with its classifier
OFFICIAL: dict[str, Any] = {
    "swin": {
        "patch_size": [4, 4], "embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24],
        "window_size": [7, 7], "stochastic_depth_prob": 0.2,
    },
    "resnet": {"stem": 64, "planes": 64, "blocks": [3, 4, 6, 3]},
    "classes": 1000,
    "hidden": 128,
}  # fmt: skip


class Joint(nn.Module):
    """Both networks with their regressors; higher is more natural, without a fixed range.

    Args:
        swin: arguments of torchvision's SwinTransformer.
        resnet: arguments of `hlf.nets.resnet.trunk`.
        classes: outputs of the ResNet's own last layer.
        hidden: width of the regressors, which have no activation between their layers.
    """

    def __init__(self, swin: dict[str, Any], resnet: dict[str, Any], classes: int, hidden: int):
        super().__init__()
        from torchvision.models.swin_transformer import SwinTransformer

        width = swin["embed_dim"] * 2 ** (len(swin["depths"]) - 1)
        self.technical_feature_extraction = SwinTransformer(**swin, num_classes=1)
        self.technical_feature_extraction.head = nn.Identity()
        end: OrderedDict[str, nn.Module] = OrderedDict(avgpool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten())
        end["fc"] = nn.Linear(32 * resnet["planes"], classes)
        self.rationality_feature_extraction = nn.Sequential(trunk(**resnet) | end)
        self.quality_T = nn.Sequential(nn.Linear(width, hidden), nn.Linear(hidden, 1))
        self.quality_R = nn.Sequential(nn.Linear(classes, hidden), nn.Linear(hidden, 1))

    def technical(self, pixels: Tensor) -> Tensor:
        """T of shuffled images, normalised (N, 3, H, W), to (N,)."""
        return self.quality_T(self.technical_feature_extraction(pixels)).flatten()

    def rationality(self, pixels: Tensor) -> Tensor:
        """R of structure images, normalised (N, 3, H, W), to (N,)."""
        return self.quality_R(self.rationality_feature_extraction(pixels)).flatten()

    def forward(self, shuffled: Tensor, structure: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """T, R and naturalness, each (N,)."""
        technical, rationality = self.technical(shuffled), self.rationality(structure)
        return technical, rationality, naturalness(technical, rationality)


def naturalness(technical: Tensor, rationality: Tensor) -> Tensor:
    """0.145 T + 0.769 R of values (N,), the official weights."""
    return 0.145 * technical + 0.769 * rationality


def build(config: dict[str, Any]) -> Joint:
    """Network with initial weights, from the group `network` of its config.json.

    A network of 280,000 parameters, 0.61 MB in half precision, has a swin of patch_size [4, 4], embed_dim 8, depths
    [2, 2, 2, 2], num_heads [1, 2, 4, 8], window_size [4, 4], a resnet of stem 16, planes 7, blocks [1, 1, 2, 1],
    64 classes, hidden 32; short_side 110 and crop 64 show the official share of a picture.
    """
    return Joint(**config["network"])
