"""Mini PE-core: contrastive training of open_clip's own model class on scenes and their captions (CLIP's recipe)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

import hlf.nets.pe_mini as pe_mini
from hlf.backbones.base import Preprocess
from hlf.backbones.pe_core import HALF
from hlf.scenes.vocabulary import tokenize, vocabulary_size
from hlf.training.augment import augment
from hlf.training.loop import batch_of, cosine_rate, set_rate, train
from hlf.training.pool import Pool
from hlf.training.save import save_model

WHAT = "PE-core's architecture at small width (open_clip + timm), contrastive with captions; with text tower."
CONTEXT = 40


def config(settings: dict[str, Any]) -> dict[str, Any]:
    """open_clip configuration of the mini model."""
    vision = {"image_size": 128, "timm_model_name": pe_mini.NAME, "timm_pool": "map", "timm_proj": None}
    text = {"context_length": CONTEXT, "vocab_size": vocabulary_size(), **settings["text"]}
    return {"embed_dim": settings["embed_dim"], "vision_cfg": vision, "text_cfg": text}


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo: Path) -> None:
    """Train both towers with the symmetric cross-entropy over a batch."""
    from open_clip.model import CustomTextCLIP

    torch.manual_seed(seed)
    cfg = config(settings)
    model = CustomTextCLIP(**cfg)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings["learning_rate"], weight_decay=0.05, betas=(0.9, 0.98)
    )
    preprocess = Preprocess(cfg["vision_cfg"]["image_size"], None, "bilinear", *HALF)
    tokens = torch.tensor(tokenize(pool.captions, CONTEXT))

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        index = np.sort(rng.choice(len(tokens), settings["batch_size"], replace=False))
        pixels = preprocess(augment(batch_of(pool.images, index), rng))
        images, texts, scale = model(pixels, tokens[index])
        logits = scale.clamp(max=100) * images @ texts.T
        own = torch.arange(len(index))
        loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
        set_rate(optimizer, cosine_rate(settings["learning_rate"], i, settings["steps"]))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return {
            "loss": float(loss.detach()),
            "batch_accuracy": float((logits.argmax(1) == own).float().mean()),
        }

    facts = train("pe-core", {"model": model, "optimizer": optimizer}, step, settings["steps"], work, seed)
    facts |= {"seed": seed, "batch": settings["batch_size"]}
    save_model(folder, "PE-core", WHAT, cfg, model.state_dict(), facts)
