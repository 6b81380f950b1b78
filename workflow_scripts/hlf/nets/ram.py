"""RAM (Zhang et al., "Recognize Anything", 2023), the tagger of SeeSR, and DAPE, its adapter for degraded images.

Source: official recognize-anything program, model `ram`, and SeeSR's LoRA version of it. Only the parts that tagging
uses exist here: image encoder, image projection and tagging head. Parameter names are the official ones.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.errors import HlfError
from hlf.nets.swin import Swin

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet

# Swin-L at 384 with the head of RAM-14M (official ram.py and configs/swin/config_swinL_384.json)
OFFICIAL: dict[str, Any] = {
    "image_size": 384, "patch_size": 4, "window_size": 12, "embed_dim": 192, "depths": [2, 2, 18, 2],
    "num_heads": [6, 12, 24, 48], "tags": 4585,
}  # fmt: skip


class CrossAttention(nn.Module):
    """Queries of the tags attend to the image sequence; names as in BERT."""

    def __init__(self, width: int, heads: int, context: int, eps: float):
        super().__init__()
        self.heads = heads
        self.self = nn.ModuleDict({
            "query": nn.Linear(width, width), "key": nn.Linear(context, width), "value": nn.Linear(context, width),
        })  # fmt: skip
        self.output = nn.ModuleDict({"dense": nn.Linear(width, width), "LayerNorm": nn.LayerNorm(width, eps=eps)})

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Queries (B, tags, width) and context (B, tokens, C) to (B, tags, width), with residual and norm."""
        q, k, v = (
            self.self[name](source).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for name, source in (("query", x), ("key", context), ("value", context))
        )
        read = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.output["LayerNorm"](self.output["dense"](read) + x)


class HeadLayer(nn.Module):
    """Post-norm BERT layer without self-attention."""

    def __init__(self, width: int, heads: int, intermediate: int, context: int, eps: float):
        super().__init__()
        self.crossattention = CrossAttention(width, heads, context, eps)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, intermediate)})
        self.output = nn.ModuleDict({
            "dense": nn.Linear(intermediate, width), "LayerNorm": nn.LayerNorm(width, eps=eps),
        })  # fmt: skip

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """See `CrossAttention.forward`."""
        x = self.crossattention(x, context)
        return self.output["LayerNorm"](self.output["dense"](F.gelu(self.intermediate["dense"](x))) + x)


class Ram(nn.Module):
    """Tagger.

    Args:
        image_size: side of the square input, see `hlf.nets.swin.Swin` for the six arguments of the encoder.
        patch_size: side of a patch.
        window_size: side of an attention window.
        embed_dim: width of the first stage.
        depths: blocks of each stage.
        num_heads: heads of each stage.
        tags: number of tags.
        mlp_ratio: hidden width of the encoder's feed-forward layers.
        embed_width: width of the image sequence; the image attention of SeeSR needs 512.
        head_layers: layers of the tagging head.
        head_width: width of the head.
        head_heads: attention heads of the head.
        head_intermediate: hidden width of the head's feed-forward layers.
        head_eps: epsilon of the head's norms.
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        window_size: int,
        embed_dim: int,
        depths: list[int],
        num_heads: list[int],
        tags: int,
        mlp_ratio: float = 4.0,
        embed_width: int = 512,
        head_layers: int = 2,
        head_width: int = 768,
        head_heads: int = 4,
        head_intermediate: int = 3072,
        head_eps: float = 1e-12,
    ):
        super().__init__()
        self.image_size = image_size
        self.visual_encoder = Swin(image_size, patch_size, window_size, embed_dim, depths, num_heads, mlp_ratio)
        self.image_proj = nn.Linear(self.visual_encoder.width, embed_width)
        self.label_embed = nn.Parameter(torch.randn(tags, embed_width) * embed_width**-0.5)
        self.wordvec_proj = nn.Linear(embed_width, head_width)
        layers = [
            HeadLayer(head_width, head_heads, head_intermediate, embed_width, head_eps) for _ in range(head_layers)
        ]
        self.tagging_head = nn.ModuleDict({"encoder": nn.ModuleDict({"layer": nn.ModuleList(layers)})})
        self.fc = nn.Linear(head_width, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Image sequence and tag logits of `preprocess`ed pixels.

        Args:
            pixels: (B, 3, image_size, image_size), normalised.

        Returns:
            Sequence (B, 1 + tokens, embed_width), whose first element is the mean token; logits (B, tags).
        """
        embeds = self.embed(pixels)
        return embeds, self.classify(embeds)

    def embed(self, pixels: Tensor) -> Tensor:
        """The image sequence (B, 1 + tokens, embed_width) alone, which is all that the diffusion networks read."""
        return self.image_proj(self.visual_encoder(pixels))

    def classify(self, embeds: Tensor) -> Tensor:
        """Tag logits (B, tags) of image sequences."""
        x = F.relu(self.wordvec_proj(self.label_embed)).expand(len(embeds), -1, -1)
        for layer in self.tagging_head.get_submodule("encoder.layer").children():
            x = layer(x, embeds)
        return self.fc(x).squeeze(-1)


def build(config: dict[str, Any], path: str = "config.json") -> Ram:
    """Tagger of the arguments in its config.json; HlfError when they do not fit."""
    try:
        return Ram(**config)
    except (TypeError, ValueError, RuntimeError, IndexError, ZeroDivisionError) as error:
        raise HlfError(f"{path} cannot be built into RAM: {error}; retrain the mini zoo") from error


def preprocess(images: Tensor, size: int) -> Tensor:
    """Images (B, 3, h, w) in [0, 1] to normalised pixels (B, 3, size, size), aspect ratio ignored.

    Bilinear without antialias, as in the torchvision that the official program pins; today's default would differ for
    images larger than `size`.
    """
    return _normalise(F.interpolate(images, (size, size), mode="bilinear", align_corners=False))


def preprocess_training(images: Tensor, size: int) -> Tensor:
    """As `preprocess` (N, 3, size, size), the way of the official training set: bicubic without antialias, clamped."""
    return _normalise(F.interpolate(images, (size, size), mode="bicubic", align_corners=False).clamp(0, 1))


def _normalise(images: Tensor) -> Tensor:
    mean, std = (torch.tensor(v, dtype=images.dtype, device=images.device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (images - mean) / std


@dataclass(frozen=True)
class TagList:
    """Names of the tags and the probability above which (strictly) each one fires; 1.0 never fires."""

    names: tuple[str, ...]
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.thresholds):
            raise HlfError(
                f"the tag list has {len(self.names)} names and {len(self.thresholds)} thresholds, expected one each"
            )

    def read(self, logits: Tensor) -> list[str]:
        """Tags of each row of logits (B, tags), joined with ", " in list order."""
        fires = torch.sigmoid(logits.float()) > torch.tensor(self.thresholds, device=logits.device)
        return [", ".join(name for name, on in zip(self.names, row, strict=True) if on) for row in fires.tolist()]
