"""BLIP through transformers: the class token in the space of image-text contrast is the embedding."""

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hlf.backbones.base import Backbone, Description, clip_preprocess
from hlf.backbones.hub import arguments, hub_state
from hlf.zoo.load import read_config, read_state
from hlf.zoo.registry import find_weights, weights_sha256

PARTS = ("vision_model.", "vision_proj.")  # of BlipForImageTextRetrieval; texts take no part


class BlipTower(nn.Module):
    """Image half of BlipForImageTextRetrieval under its names."""

    def __init__(self, vision: dict[str, Any], width: int):
        super().__init__()
        from transformers import BlipVisionConfig
        from transformers.models.blip.modeling_blip import BlipVisionModel

        config = BlipVisionConfig(**arguments(vision))
        self.vision_model = BlipVisionModel(config)
        self.vision_proj = nn.Linear(config.hidden_size, width)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised (N, 3, size, size) to tokens (N, 1 + g * g, hidden_size), the class token first."""
        # not pooler_output: transformers puts the final LayerNorm over the class token a second time
        return self.vision_model(pixel_values=pixels).last_hidden_state


class BlipBackbone(Backbone):
    """Pooling "projection": (N, image_text_hidden_size); "class": the class token before it, (N, hidden_size)."""

    POOLINGS = ("projection", "class")

    @staticmethod
    def build_tower(network: dict[str, Any]) -> nn.Module:
        """BlipTower from a transformers config.json (`vision_config`, `image_text_hidden_size`)."""
        return BlipTower(network["vision_config"], network["image_text_hidden_size"])

    def embed(self, pixels: Tensor) -> Tensor:
        """See Backbone."""
        token = self.tower(pixels)[:, 0]
        return token if self.pooling == "class" else self.tower.get_submodule("vision_proj")(token)

    def patch_tokens(self, pixels: Tensor) -> Tensor:
        """See Backbone; after the final LayerNorm."""
        return self.tower(pixels)[:, 1:]


def build(description: Description) -> BlipBackbone:
    """Backbone without trained weights."""
    return BlipBackbone(description)


def read(zoo: str, folder: Path, entry: str) -> tuple[Description, dict[str, Tensor], Path]:
    """Description and weights: `blip/` of the mini zoo, or the hub folder `blip-itm-base-coco/` as published."""
    paths = find_weights(zoo, folder, entry)
    config = read_config(paths[0], ("vision_config",))
    network = {"image_text_hidden_size": 256, **config}  # the class's default, which published files leave out
    network = {key: network[key] for key in ("vision_config", "image_text_hidden_size")}
    if zoo == "mini":
        state = read_state(paths[1])
    else:
        from transformers import BlipForImageTextRetrieval

        whole = hub_state(BlipForImageTextRetrieval, paths[0].parent)
        state = {key: value for key, value in whole.items() if key.startswith(PARTS)}
    side = {"image_size": 384, **network["vision_config"]}["image_size"]
    return Description("blip", network, clip_preprocess(side), zoo, weights_sha256(paths)), state, paths[1]
