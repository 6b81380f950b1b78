"""ViT through transformers, and ViTScore: patch tokens of SR and GT matched with each other.

ViTScore (Zhu et al. 2023) is to images what BERTScore is to sentences: recall is the mean over GT tokens of the best
cosine with an SR token, precision the reverse, the score their harmonic mean. No official code is known. The paper
calls the same row a cosine of image features, which is the pooling "class".
"""

from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from hlf.backbones.base import Backbone, Description, Preprocess, hlf_distance
from hlf.backbones.hub import arguments, hub_state
from hlf.zoo.load import read_config, read_state
from hlf.zoo.registry import find_weights, weights_sha256

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def preprocess(side: int) -> Preprocess:
    """Whole picture squashed, bilinear: image processor of google/vit-base-patch16-224."""
    return Preprocess(side, None, "bilinear", *HALF)


def vit_score(sr: Tensor, gt: Tensor) -> Tensor:
    """ViTScore of patch tokens (N, T, D) of SR and GT, float32 (N,) in [-1, 1], higher = more alike.

    >>> float(vit_score(torch.eye(3)[None], torch.eye(3)[None]))
    1.0
    """
    similarity = F.normalize(sr.float(), dim=-1) @ F.normalize(gt.float(), dim=-1).transpose(1, 2)
    precision, recall = similarity.amax(2).mean(1), similarity.amax(1).mean(1)
    return 2 * precision * recall / (precision + recall)


class VitBackbone(Backbone):
    """Pooling "tokens": patch tokens (N, T, D) and ViTScore; "class": class token (N, D) and its cosine."""

    POOLINGS = ("tokens", "class")

    @staticmethod
    def build_tower(network: dict[str, Any]) -> nn.Module:
        """ViTModel, without the pooler that no published file holds, from the arguments of a config.json."""
        from transformers import ViTConfig, ViTModel

        return ViTModel(ViTConfig(**arguments(network)), add_pooling_layer=False)

    def embed(self, pixels: Tensor) -> Tensor:
        """See Backbone; (N, T, D) with the pooling "tokens"."""
        hidden = self.tower(pixel_values=pixels).last_hidden_state
        return hidden[:, 0] if self.pooling == "class" else hidden[:, 1:]

    def patch_tokens(self, pixels: Tensor) -> Tensor:
        """See Backbone; after the final LayerNorm."""
        return self.tower(pixel_values=pixels).last_hidden_state[:, 1:]

    def distance(self, sr: Tensor, gt: Tensor) -> Tensor:
        """1 - ViTScore of tokens (N, T, D), or 1 - cosine of class tokens (N, D): (N,) in [0, 2]."""
        return hlf_distance(sr, gt) if self.pooling == "class" else 1 - vit_score(sr, gt)


def build(description: Description) -> VitBackbone:
    """Backbone without trained weights."""
    return VitBackbone(description)


def read(zoo: str, folder: Path, entry: str) -> tuple[Description, dict[str, Tensor], Path]:
    """Description and weights: `vit/` of the mini zoo, or the hub folder `vit-base-patch16-224/` as published."""
    paths = find_weights(zoo, folder, entry)
    network = read_config(paths[0], ("image_size",))
    if zoo == "mini":
        state = read_state(paths[1])
    else:
        from transformers import ViTModel

        state = hub_state(ViTModel, paths[0].parent, add_pooling_layer=False)
    description = Description("vit", network, preprocess(network["image_size"]), zoo, weights_sha256(paths))
    return description, state, paths[1]
