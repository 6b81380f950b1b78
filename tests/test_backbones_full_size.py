"""Backbones at full size with random weights: built offline, and embeddings of the published width."""

import gc

import pytest
import torch

from hlf.backbones.base import CLIP_STATISTICS, Description, Preprocess
from hlf.backbones.registry import build_backbone

# width of the representation of one image, and parameters of the image tower in millions (docs/metric.md)
SIZES = {
    "vit": ((196, 768), 85.8),
    "clip": ((512,), 87.85),
    "blip": ((256,), 86.3),
    "dinov2": ((768,), 86.6),
    "pe-core": ((1024,), 317.2),
}


def network(name):
    """Arguments of the checkpoint behind each row of Table 3: the library's own defaults where they are its sizes."""
    import open_clip
    from transformers import BlipVisionConfig, CLIPVisionConfig, ViTConfig

    if name == "pe-core":
        return open_clip.get_model_config("PE-Core-L-14-336")
    return {
        "vit": ViTConfig().to_dict(),
        "clip": CLIPVisionConfig().to_dict(),
        "blip": {"vision_config": BlipVisionConfig().to_dict(), "image_text_hidden_size": 256},
        "dinov2": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "image_size": 518,
                   "patch_size": 14},
    }[name]  # fmt: skip


@pytest.mark.parametrize("name", list(SIZES))
def test_full_size_backbones_construct_offline_and_embed(name, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    size = {"blip": 384, "pe-core": 336}.get(name, 224)
    preprocess = Preprocess(size, None, "bicubic", *CLIP_STATISTICS)
    backbone = build_backbone(Description(name, network(name), preprocess, "official", "")).eval()
    width, millions = SIZES[name]
    assert sum(p.numel() for p in backbone.parameters()) / 1e6 == pytest.approx(millions, abs=0.3)
    with torch.inference_mode():
        found = backbone(torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(0)))
    assert found.shape == (1, *width) and torch.isfinite(found).all() and found.std() > 0
    del backbone
    gc.collect()
