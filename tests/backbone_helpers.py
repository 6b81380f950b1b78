"""A mini zoo of tiny backbones with seeded random weights, and pairs of pictures to score with them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file

from hlf.backbones.base import Description, Preprocess
from hlf.backbones.blip import BlipBackbone
from hlf.backbones.dinov2 import IMAGENET, Dinov2Backbone
from hlf.backbones.pe_core import PeCoreBackbone
from hlf.backbones.vit import VitBackbone
from hlf.columns import conform, pair_id
from hlf.images import write_png

DINO = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 8,
    "mlp_ratio": 2,
}  # fmt: skip
PE = {
    "embed_dim": 128,
    "vision_cfg": {
        "image_size": 128, "timm_model_name": "vit_pe_core_hlf_mini", "timm_pool": "map", "timm_proj": None,
    },
    "text_cfg": {"context_length": 8},
}  # fmt: skip
# the configuration's group `metric` for tiny backbones
TUNING = {
    "learning_rate": 2e-3, "batch_size": 4, "accumulation": 1, "precision": "fp32", "gradient_checkpointing": False,
    "augmentation": "none", "epochs": 4, "patience": 9, "validation_share": 0.3, "calibration": "logistic",
    "eval_batch_size": 1,
}  # fmt: skip


VIT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32,
       "patch_size": 8}  # fmt: skip
BLIP = {"vision_config": {**VIT, "initializer_range": 0.02}, "image_text_hidden_size": 8}
CLIP = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 16, "layers": 2, "head_width": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 20, "width": 16, "heads": 2, "layers": 1},
    "quick_gelu": True,
}  # fmt: skip


def write(folder: Path, config: dict, state: dict) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "model.safetensors")


def tiny_backbones(root: Path) -> Path:
    """Mini zoo of all backbones; the files of PE and CLIP hold a text tower too, as real ones do."""
    from open_clip.model import CLIP as OpenClip

    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        dino, vision = Dinov2Backbone.build_tower(DINO), PeCoreBackbone.build_tower(PE)
        vit, blip, clip = VitBackbone.build_tower(VIT), BlipBackbone.build_tower(BLIP), OpenClip(**CLIP)
    write(root / "vit", VIT, vit.state_dict())
    write(root / "blip", BLIP, blip.state_dict())
    write(root / "clip", CLIP, clip.state_dict())
    write(root / "dinov2", DINO, dino.state_dict())
    state = {f"visual.{k}": v for k, v in vision.state_dict().items()}
    write(root / "pe-core", PE, state | {"text.embedding": torch.zeros(3, 2), "logit_scale": torch.ones(1)})
    return root


def tiny_dino(seed: int = 3) -> Dinov2Backbone:
    """The tiny DINOv2 without a file."""
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        preprocess = Preprocess(32, None, "bicubic", *IMAGENET)
        return Dinov2Backbone(Description("dinov2", DINO, preprocess, "mini", "w" * 64)).eval()


def toy_study(results: Path, images: int = 8) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables `pairs` and `split`: each GT once as it is (score 0.1) and once inverted (score 0.9)."""
    rows = []
    for i in range(images):
        rng = np.random.default_rng(i)
        gt = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        write_png(results / f"gt{i}.png", gt)
        write_png(results / f"same{i}.png", np.clip(gt.astype(int) + 9, 0, 255).astype(np.uint8))
        write_png(results / f"other{i}.png", 255 - gt)
        for model, score in (("same", 0.1), ("other", 0.9)):
            row = {"image_id": f"{i:03d}", "model": model, "score": score, "pair_id": pair_id(f"{i:03d}", 1.0, model)}
            part = "test" if i >= images - 2 else "train"
            rows.append({**row, "gt_path": f"gt{i}.png", "sr_path": f"{model}{i}.png", "part": part})
    table = pd.DataFrame(rows).assign(run="t", level=1.0, similarity=0.5, bin=0, lr_path="", seed=1)
    pairs = conform(table.drop(columns=["score", "part"]), "pairs")
    return pairs, conform(table[["pair_id", "image_id", "model", "score", "part", "seed"]], "split")
