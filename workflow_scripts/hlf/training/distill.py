"""Mini DINOv2: self-distillation without labels of transformers' own model class (DINO's recipe in small).

Student and teacher share one architecture; the teacher is the moving average of the student. Global crops go to both,
local crops to the student only; cross-entropy between centred, sharpened prototypes, and KoLeo to spread the batch.
All crops are of views of one object, as the official data are curated, and the student's patch tokens are taught by the
mini VGG as well (`hlf.training.teacher`), as official small models have a larger one as their teacher.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.backbones.base import Preprocess
from hlf.backbones.dinov2 import IMAGENET, Dinov2Backbone
from hlf.training.augment import augment, random_crops
from hlf.training.loop import Average, cosine_rate, train
from hlf.training.optim import BlockMuon
from hlf.training.pool import Pool
from hlf.training.save import save_model
from hlf.training.teacher import PatchTeacher
from hlf.training.views import ObjectViews

WHAT = (
    "DINOv2's architecture at small width (transformers), self-distillation with multi-crop, patch tokens taught by "
    "the mini VGG."
)
STUDENT_TEMPERATURE, TEACHER_TEMPERATURE = 0.1, 0.04  # DINO paper, section 3.1


class Student(nn.Module):
    """Tower with a projection head onto prototypes."""

    def __init__(self, config: dict[str, Any], prototypes: int):
        super().__init__()
        self.tower = Dinov2Backbone.build_tower(config)
        width = config["hidden_size"]
        self.head = nn.Sequential(nn.Linear(width, 256), nn.GELU(), nn.Linear(256, 96))
        self.prototypes = nn.utils.parametrizations.weight_norm(nn.Linear(96, prototypes, bias=False))
        self.centre: Tensor
        self.register_buffer("centre", torch.zeros(prototypes))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Crops in [0, 1] to prototype logits (N, K), embeddings (N, D) and patch tokens (N, g * g, D)."""
        pixels = Preprocess(images.shape[-1], None, "bicubic", *IMAGENET)(images)
        tokens = self.tower(pixel_values=pixels).last_hidden_state
        embedding = tokens[:, 0]
        return self.prototypes(F.normalize(self.head(embedding), dim=-1)), embedding, tokens[:, 1:]


def koleo(embedding: Tensor) -> Tensor:
    """Minus the mean log distance to the nearest neighbour in the batch (DINOv2 paper, section 4)."""
    unit = F.normalize(embedding, dim=-1)
    similarity = unit @ unit.T - 2 * torch.eye(len(unit))
    return -torch.log((2 - 2 * similarity.amax(1)).clamp(min=1e-6).sqrt()).mean()


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train; the teacher's tower is kept, as in the official recipe."""
    torch.manual_seed(seed)
    config = settings["network"]
    student = Student(config, settings["prototypes"])
    teacher, guide = Average(student, settings["ema"]), PatchTeacher(config["hidden_size"], zoo_folder)
    optimizer, objects = BlockMuon([student, guide], settings["learning_rate"], weight_decay=0.01), ObjectViews(pool)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step of self-distillation: narrow views are taught by wide ones of the averaged network."""
        numbers = rng.choice(len(objects.rows), settings["batch_size"], replace=False)
        images = torch.stack([objects.cut(int(number), rng, 128) for number in numbers])
        wide = [random_crops(augment(images, rng), rng, (0.6, 1.0), 96) for _ in range(2)]
        narrow = [random_crops(augment(images, rng), rng, (0.2, 0.6), 48) for _ in range(settings["local_crops"])]
        with torch.no_grad():
            outputs = [teacher.module(view)[0] for view in wide]
            goals = [((o - student.centre) / TEACHER_TEMPERATURE).softmax(-1) for o in outputs]
            student.centre.lerp_(torch.cat(outputs).mean(0), 0.1)
        views = [student(view) for view in (*wide, *narrow)]
        logs = [(logits / STUDENT_TEMPERATURE).log_softmax(-1) for logits, _, _ in views]
        terms = [-(g * p).sum(-1).mean() for a, g in enumerate(goals) for b, p in enumerate(logs) if a != b]
        distilled, spread = torch.stack(terms).mean(), koleo(views[0][1])
        taught = torch.stack([guide(views[k][2], wide[k]) for k in range(2)]).mean()
        loss = distilled + settings["koleo_weight"] * spread + settings["teacher_weight"] * taught
        optimizer.step(loss, cosine_rate(settings["learning_rate"], i, settings["steps"]))
        # the teacher follows ever more slowly, as in the official schedule
        keep = 1 - (1 - settings["ema"]) * (1 + np.cos(np.pi * i / settings["steps"])) / 2
        teacher.update(student, keep)
        return {
            "distillation": float(distilled.detach()),
            "koleo": float(spread.detach()),
            "teacher": float(taught.detach()),
        }

    parts = {"student": student, "teacher": teacher, "guide": guide, "optimizer": optimizer}
    facts = train("dinov2", parts, step, settings["steps"], work, seed)
    facts |= {"seed": seed, "batch": settings["batch_size"]}
    save_model(folder, "DINOv2", WHAT, config, teacher.module.get_submodule("tower").state_dict(), facts)
