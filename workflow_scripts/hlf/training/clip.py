"""Mini CLIP: contrastive training on scenes, single objects and words for quality (CLIP's recipe, open_clip's class).

Its state dict has the names of OpenAI's files, which pyiqa's CLIP-IQA and A-FINE build their networks from.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hlf.backbones.base import clip_preprocess
from hlf.scenes import quality
from hlf.training.contrastive import matching_loss
from hlf.training.distortions import distort
from hlf.training.loop import cosine_rate, train
from hlf.training.optim import BlockMuon
from hlf.training.pool import Pool
from hlf.training.save import save_model
from hlf.training.teacher import PatchTeacher
from hlf.training.views import ObjectViews

WHAT = "CLIP ViT's architecture at small width (open_clip); captions of scenes, and words for the quality of a picture."
CONTEXT = 32
SCENES = 0.3  # share of a batch that whole scenes take; the rest are views of one object
CLEAN = 0.5  # share of pictures that are left alone
QUALITY_ONLY, CONTENT_ONLY = 0.35, 0.2  # shares of texts that speak of one of both; the rest of both


def config(settings: dict[str, Any]) -> dict[str, Any]:
    """open_clip configuration of the mini model."""
    text = {"context_length": CONTEXT, "vocab_size": quality.vocabulary_size(), **settings["text"]}
    return {"embed_dim": settings["embed_dim"], "vision_cfg": settings["vision"], "text_cfg": text, "quick_gelu": True}


def _spoiled(images: Tensor, rng: np.random.Generator) -> tuple[Tensor, list[str]]:
    """Pictures, half of them with one distortion one sees, and a phrase that is true of each."""
    kinds = rng.choice(list(quality.BAD), len(images))
    clean = rng.random(len(images)) < CLEAN
    strengths = {
        kind: torch.from_numpy(np.where((kinds == kind) & ~clean, rng.uniform(0.4, 1, len(images)), 0)).float()
        for kind in quality.BAD
    }
    phrases = [
        str(rng.choice(quality.GOOD if ok else quality.BAD[kind])) for kind, ok in zip(kinds, clean, strict=True)
    ]
    return distort(images, strengths, rng), phrases


def _text(caption: str, phrase: str, rng: np.random.Generator) -> str:
    choice = rng.random()
    if choice < QUALITY_ONLY:
        return phrase
    return caption if choice < QUALITY_ONLY + CONTENT_ONLY else f"{caption} {phrase}"


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train both towers; patch tokens are taught by the mini VGG."""
    from open_clip.model import CLIP

    torch.manual_seed(seed)
    cfg = config(settings)
    model = CLIP(**cfg)
    side, count = cfg["vision_cfg"]["image_size"], settings["batch_size"]
    preprocess = clip_preprocess(side)
    teacher, objects = PatchTeacher(cfg["vision_cfg"]["width"], zoo_folder), ObjectViews(pool)
    optimizer = BlockMuon([model, teacher], settings["learning_rate"], weight_decay=0.01)
    seen: list[Tensor] = []  # tokens of the last forward, which the network itself does not return
    model.visual.transformer.register_forward_hook(lambda _module, _inputs, tokens: seen.append(tokens))

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on pictures with captions: contrast in both directions, and the teacher."""
        images, captions = objects.mixed(count, SCENES, side, rng)
        images, phrases = _spoiled(images, rng)
        texts = [_text(caption, phrase, rng) for caption, phrase in zip(captions, phrases, strict=True)]
        seen.clear()
        image = model.encode_image(preprocess(images), normalize=True)
        text = model.encode_text(torch.tensor(quality.tokenize(texts, CONTEXT)), normalize=True)
        logits = model.logit_scale.exp().clamp(max=100) * image @ text.T
        loss, taught = matching_loss(logits, texts), teacher(seen[0][:, 1:], images)
        rate = cosine_rate(settings["learning_rate"], i, settings["steps"])
        optimizer.step(loss + settings["teacher_weight"] * taught, rate)
        right = np.mean([texts[k] == texts[j] for k, j in enumerate(logits.argmax(1).tolist())])
        return {"loss": float(loss.detach()), "batch_accuracy": float(right), "teacher": float(taught.detach())}

    parts = {"model": model, "teacher": teacher, "optimizer": optimizer}
    facts = train("clip", parts, step, settings["steps"], work, seed)
    facts |= {"seed": seed, "batch": count}
    save_model(folder, "CLIP", WHAT, cfg, model.state_dict(), facts)
