"""Mini PE-core: contrastive training of open_clip's own model class on scenes and their captions (CLIP's recipe)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import hlf.nets.pe_mini as pe_mini
from hlf.backbones.base import Preprocess
from hlf.backbones.pe_core import HALF
from hlf.scenes.vocabulary import tokenize, vocabulary_size
from hlf.training.augment import augment
from hlf.training.loop import cosine_rate, train
from hlf.training.optim import BlockMuon
from hlf.training.pool import Pool
from hlf.training.save import save_model
from hlf.training.teacher import PatchTeacher
from hlf.training.views import ObjectViews

WHAT = (
    "PE-core's architecture at small width (open_clip + timm), contrastive with captions, patch tokens taught by the "
    "mini VGG."
)
CONTEXT = 40
SCENES = 0.25  # share of a batch that whole scenes with whole captions take; the rest are views of one object


def config(settings: dict[str, Any]) -> dict[str, Any]:
    """open_clip configuration of the mini model."""
    vision = {"image_size": 128, "timm_model_name": pe_mini.NAME, "timm_pool": "map", "timm_proj": None}
    text = {"context_length": CONTEXT, "vocab_size": vocabulary_size(), **settings["text"]}
    return {"embed_dim": settings["embed_dim"], "vision_cfg": vision, "text_cfg": text}


def towers(model: Any, pixels: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Unit embeddings of images and texts (N, D) each, and the patch tokens (N, g * g, width)."""
    trunk = model.visual.trunk
    features = trunk.forward_features(pixels)
    image = model.visual.head(trunk.forward_head(features))
    patches = features[:, trunk.num_prefix_tokens :]
    return F.normalize(image, dim=-1), F.normalize(model.encode_text(tokens), dim=-1), patches


def matching_loss(logits: Tensor, texts: list[str]) -> Tensor:
    """Symmetric cross-entropy of logits (N, N), images by texts, in which equal texts all count as right."""
    same = torch.tensor([[a == b for b in texts] for a in texts]).float()
    wanted = same / same.sum(1, keepdim=True)
    return (F.cross_entropy(logits, wanted) + F.cross_entropy(logits.T, wanted)) / 2


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train both towers with the symmetric cross-entropy over a batch."""
    from open_clip.model import CustomTextCLIP

    torch.manual_seed(seed)
    cfg = config(settings)
    model = CustomTextCLIP(**cfg)
    teacher = PatchTeacher(model.visual.trunk.embed_dim, zoo_folder)
    optimizer = BlockMuon([model, teacher], settings["learning_rate"], weight_decay=0.01)
    side, count = cfg["vision_cfg"]["image_size"], settings["batch_size"]
    preprocess, objects = Preprocess(side, None, "bilinear", *HALF), ObjectViews(pool)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on pictures with captions: contrast in both directions, and the teacher."""
        images, captions = objects.mixed(count, SCENES, side, rng)
        images = augment(images, rng)
        image, text, patches = towers(model, preprocess(images), torch.tensor(tokenize(captions, CONTEXT)))
        logits = model.logit_scale.exp().clamp(max=100) * image @ text.T
        own = torch.arange(count)
        loss = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
        taught = teacher(patches, images)
        rate = cosine_rate(settings["learning_rate"], i, settings["steps"])
        optimizer.step(loss + settings["teacher_weight"] * taught, rate)
        right = float((logits.argmax(1) == own).float().mean())
        return {"loss": float(loss.detach()), "batch_accuracy": right, "teacher": float(taught.detach())}

    parts = {"model": model, "teacher": teacher, "optimizer": optimizer}
    facts = train("pe-core", parts, step, settings["steps"], work, seed)
    facts |= {"seed": seed, "batch": settings["batch_size"]}
    # the text tower has done its work: whoever reads the model wants images
    state = {key: value for key, value in model.state_dict().items() if key.startswith("visual.")}
    save_model(folder, "PE-core", WHAT, cfg, state, facts)
