"""Mini ViT: supervised classification of single objects, as the ImageNet ViT behind ViTScore was trained."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from hlf.backbones.vit import VitBackbone, preprocess
from hlf.scenes.vocabulary import WORDS, glyph_classes
from hlf.training.augment import augment
from hlf.training.loop import cosine_rate, train
from hlf.training.optim import BlockMuon
from hlf.training.pool import Pool
from hlf.training.save import rounded, save_model
from hlf.training.teacher import PatchTeacher
from hlf.training.views import ObjectViews

WHAT = (
    "ViT's architecture at small width (transformers), trained to name the pictogram or word in a view; patch tokens "
    "taught by the mini VGG."
)
LABELS = {label: i for i, label in enumerate((*glyph_classes(), *WORDS, "code"))}
HELD = 400  # objects at the end of the pool that only measure, at most a tenth of them


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train tower and classifier; the classifier is thrown away, as ViTScore wants tokens."""
    torch.manual_seed(seed)
    config, count = settings["network"], settings["batch_size"]
    tower: Any = VitBackbone.build_tower(config)
    head, teacher = nn.Linear(config["hidden_size"], len(LABELS)), PatchTeacher(config["hidden_size"], zoo_folder)
    optimizer = BlockMuon([tower, head, teacher], settings["learning_rate"], 0.01, frozenset({"layers"}))
    side, objects = config["image_size"], ObjectViews(pool)
    prepare, labels = preprocess(side), torch.tensor([LABELS[str(row.label)] for row in objects.rows])
    learned = len(objects.rows) - min(HELD, len(objects.rows) // 10)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on views of labelled objects: cross entropy, and the teacher."""
        numbers = rng.choice(learned, count, replace=False)
        images = augment(torch.stack([objects.cut(int(number), rng, side) for number in numbers]), rng)
        tokens = tower(pixel_values=prepare(images)).last_hidden_state
        loss, taught = F.cross_entropy(head(tokens[:, 0]), labels[numbers]), teacher(tokens[:, 1:], images)
        rate = cosine_rate(settings["learning_rate"], i, settings["steps"])
        optimizer.step(loss + settings["teacher_weight"] * taught, rate)
        return {"loss": float(loss.detach()), "teacher": float(taught.detach())}

    parts = {"tower": tower, "head": head, "teacher": teacher, "optimizer": optimizer}
    facts = train("vit", parts, step, settings["steps"], work, seed)
    rounded(tower).eval()
    rng, right = np.random.default_rng(seed), []
    with torch.inference_mode():
        for number in range(learned, len(objects.rows)):
            found = head(tower(pixel_values=prepare(objects.cut(number, rng, side)[None])).last_hidden_state[:, 0])
            right.append(int(found.argmax()) == int(labels[number]))
    facts |= {"held-out accuracy": round(float(np.mean(right)), 4), "seed": seed, "batch": count}
    save_model(folder, "ViT", WHAT, config, tower.state_dict(), facts)
