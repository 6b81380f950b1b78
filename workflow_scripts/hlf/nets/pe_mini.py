"""A PE-core of mini size, registered with timm so that open_clip builds it as it builds the official ones."""

from typing import Any

from timm.models import register_model
from torch import nn

NAME = "vit_pe_core_hlf_mini"


@register_model
def vit_pe_core_hlf_mini(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """The official tiny PE-core architecture (attention pooling, 2D rotary positions) for 128-pixel scenes."""
    import timm

    small = {"patch_size": 16, "img_size": 128, "embed_dim": 96, "depth": 4, "num_heads": 4, "attn_pool_num_heads": 4}
    return timm.create_model(
        "vit_pe_core_tiny_patch16_384", pretrained=False, ref_feat_shape=(8, 8), **{**small, **kwargs}
    )
