"""DINOv2 through transformers: the class token after the final LayerNorm is the embedding."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hlf.backbones.base import Backbone, Description, Preprocess
from hlf.zoo.load import read_config, read_state
from hlf.zoo.registry import find_weights, weights_sha256

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OFFICIAL = Preprocess(224, 256, "bicubic", *IMAGENET)  # image processor of facebook/dinov2-base
# entries of a published config.json that describe the file and are no arguments of Dinov2Config
NOT_ARGUMENTS = ("architectures", "torch_dtype", "dtype", "transformers_version", "model_type")


class Dinov2Backbone(Backbone):
    """Embedding (N, hidden_size): `pooler_output`, equal to the class token of the last hidden state."""

    @staticmethod
    def build_tower(network: dict[str, Any]) -> nn.Module:
        """Dinov2Model from the arguments of a transformers config.json."""
        from transformers import Dinov2Config, Dinov2Model

        return Dinov2Model(Dinov2Config(**{k: v for k, v in network.items() if k not in NOT_ARGUMENTS}))

    def embed(self, pixels: Tensor) -> Tensor:
        """See Backbone."""
        return self.tower(pixel_values=pixels).pooler_output

    def patch_tokens(self, pixels: Tensor) -> Tensor:
        """See Backbone; after the final LayerNorm."""
        return self.tower(pixel_values=pixels).last_hidden_state[:, 1:]


def build(description: Description) -> Dinov2Backbone:
    """Backbone without trained weights."""
    return Dinov2Backbone(description)


def read(zoo: str, folder: Path) -> tuple[Description, dict[str, Tensor], Path]:
    """Description and weights: `dinov2/` of the mini zoo, or the hub folder `dinov2-base/` as published."""
    paths = find_weights(zoo, folder, "dinov2")
    network = read_config(paths[0], ("image_size",))
    preprocess = Preprocess(network["image_size"], None, "bicubic", *IMAGENET) if zoo == "mini" else OFFICIAL
    return Description("dinov2", network, preprocess, zoo, weights_sha256(paths)), read_state(paths[1]), paths[1]
