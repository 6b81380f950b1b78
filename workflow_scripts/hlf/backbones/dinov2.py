"""DINOv2 through transformers: the class token after the final LayerNorm, or the mean of the patch tokens."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hlf.backbones.base import Backbone, Description, Preprocess
from hlf.backbones.hub import arguments, hub_state
from hlf.zoo.load import read_config, read_state
from hlf.zoo.registry import find_weights, weights_sha256

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OFFICIAL = Preprocess(224, 256, "bicubic", *IMAGENET)  # image processor of facebook/dinov2-base


class Dinov2Backbone(Backbone):
    """Pooling "class": the class token; "mean": the mean of the patch tokens; "both": one behind the other.

    Embeddings are (N, hidden_size), twice as wide with "both".
    """

    POOLINGS = ("class", "mean", "both")

    @staticmethod
    def build_tower(network: dict[str, Any]) -> nn.Module:
        """Dinov2Model from the arguments of a transformers config.json."""
        from transformers import Dinov2Config, Dinov2Model

        return Dinov2Model(Dinov2Config(**arguments(network)))

    def embed(self, pixels: Tensor) -> Tensor:
        """See Backbone."""
        hidden = self.tower(pixel_values=pixels).last_hidden_state
        if self.pooling == "class":
            return hidden[:, 0]
        mean = hidden[:, 1:].mean(1)
        return mean if self.pooling == "mean" else torch.cat([hidden[:, 0], mean], -1)

    def patch_tokens(self, pixels: Tensor) -> Tensor:
        """See Backbone; after the final LayerNorm."""
        return self.tower(pixel_values=pixels).last_hidden_state[:, 1:]


def build(description: Description) -> Dinov2Backbone:
    """Backbone without trained weights."""
    return Dinov2Backbone(description)


def read(zoo: str, folder: Path, entry: str) -> tuple[Description, dict[str, Tensor], Path]:
    """Description and weights: `dinov2/` of the mini zoo, or a hub folder such as `dinov2-base/` as published."""
    paths = find_weights(zoo, folder, entry)
    network = read_config(paths[0], ("image_size",))
    if zoo == "mini":
        preprocess, state = Preprocess(network["image_size"], None, "bicubic", *IMAGENET), read_state(paths[1])
    else:
        from transformers import Dinov2Model

        preprocess, state = OFFICIAL, hub_state(Dinov2Model, paths[0].parent)
    return Description("dinov2", network, preprocess, zoo, weights_sha256(paths)), state, paths[1]
