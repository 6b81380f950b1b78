"""Mini BSRGAN and SwinIR: pixel + perceptual loss first, then the adversarial loss as well.

Recipe of both official repositories in small (BSRGAN paper section 4, SwinIR real-world training): generator pretrained
on pixels, then L1 + perceptual + GAN with a U-Net discriminator, inputs from the BSRGAN degradation. Levels are drawn
from those of the chain, since tiny networks learn little from full-strength degradation alone (our choice).
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.degradation import degrade
from hlf.images import to_float
from hlf.nets import basicsr_adapter, vgg
from hlf.sr import bsrgan
from hlf.training.loop import Average, cosine_rate, set_rate, train
from hlf.training.perceptual import perceptual_network
from hlf.training.pool import Pool
from hlf.training.save import save_model

WHAT = {
    "bsrgan": "RRDBNet at small width (basicsr's class), x4, trained with BSRGAN's losses and degradation.",
    "swinir": "SwinIR at small width (basicsr's class), x4, trained with the losses of its real-world GAN version.",
}
BUILD = {"bsrgan": basicsr_adapter.rrdbnet, "swinir": basicsr_adapter.swinir}


def degraded(pool: Pool, index: np.ndarray, rng: np.random.Generator, levels: list[float]) -> tuple[Tensor, Tensor]:
    """Scenes `index` degraded whole: LR (N, 3, H/4, W/4) and GT (N, 3, H, W) in [0, 1]."""
    lows, highs = [], []
    for number in index:
        gt = to_float(pool.images[number])
        lows.append(degrade(gt, rng, level=float(rng.choice(levels)))[0])
        highs.append(gt)
    stack = [torch.from_numpy(np.stack(x).transpose(0, 3, 1, 2).copy()) for x in (lows, highs)]
    return stack[0], stack[1]


def batch(pool: Pool, rng: np.random.Generator, count: int, crop: int, levels: list[float]) -> tuple[Tensor, Tensor]:
    """Random scenes degraded whole, then cut: LR (count, 3, crop/4, crop/4) and GT (count, 3, crop, crop)."""
    lows, highs = [], []
    for low, high in zip(*degraded(pool, rng.integers(0, len(pool.captions), count), rng, levels), strict=True):
        top, left = (4 * int(rng.integers(0, (side - crop) // 4 + 1)) for side in high.shape[1:])
        highs.append(high[:, top : top + crop, left : left + crop])
        lows.append(low[:, top // 4 : (top + crop) // 4, left // 4 : (left + crop) // 4])
    return torch.stack(lows), torch.stack(highs)


class _Recipe:
    """State of one GAN training: generator, its average, discriminator, optimisers, perceptual network."""

    def __init__(self, name: str, settings: dict[str, Any], zoo_folder: Path):
        self.settings = settings
        self.generator = BUILD[name](**settings["network"])
        self.average = Average(self.generator, settings["ema"])
        self.discriminator = basicsr_adapter.unet_discriminator(num_in_ch=3, num_feat=settings["discriminator_width"])
        rate = settings["learning_rate"]
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), lr=rate, betas=(0.9, 0.99))
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=settings["gan_rate"], betas=(0.9, 0.99))
        self.features = perceptual_network(zoo_folder)

    def parts(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        names = ("generator", "average", "discriminator", "g_optimizer", "d_optimizer")
        return {name: getattr(self, name) for name in names}

    def content_loss(self, sr: Tensor, gt: Tensor) -> Tensor:
        """L1 plus weighted perceptual distance of RGB (N, 3, H, W) in [0, 1]."""
        return F.l1_loss(sr, gt) + self.settings["perceptual_weight"] * vgg.perceptual_distance(self.features, sr, gt)

    def step(self, lr: Tensor, gt: Tensor, adversarial: bool) -> dict[str, float]:
        """One step of the generator on RGB (N, 3, h, w) and, in the second stage, one of the discriminator."""
        self.discriminator.requires_grad_(False)
        sr = self.generator(lr)
        content = self.content_loss(sr, gt)
        fooled = _bce(self.discriminator(sr), 1.0) if adversarial else content.new_zeros(())
        self.g_optimizer.zero_grad()
        (content + self.settings["gan_weight"] * fooled).backward()
        nn.utils.clip_grad_norm_(self.generator.parameters(), 1.0)
        self.g_optimizer.step()
        losses = {"content": float(content.detach())}
        if adversarial:
            self.discriminator.requires_grad_(True)
            judged = _bce(self.discriminator(gt), 1.0) + _bce(self.discriminator(sr.detach()), 0.0)
            self.d_optimizer.zero_grad()
            judged.backward()
            self.d_optimizer.step()
            losses |= {"adversarial": float(fooled.detach()), "discriminator": float(judged.detach())}
        self.average.update(self.generator)
        return losses


def _bce(logits: Tensor, real: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, real))


def run(name: str, settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train mini BSRGAN or SwinIR; the averaged generator is kept."""
    torch.manual_seed(seed)
    recipe, steps, alone = _Recipe(name, settings, zoo_folder), settings["steps"], settings["pixel_steps"]

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step: on pixels alone at first, then against the discriminator too."""
        lr, gt = batch(pool, rng, settings["batch_size"], settings["crop"], settings["levels"])
        adversarial = i >= alone
        first, last = (alone, steps) if adversarial else (0, alone)
        rate = settings["gan_rate"] if adversarial else settings["learning_rate"]
        set_rate(recipe.g_optimizer, cosine_rate(rate, i - first, last - first, warmup=20))
        return recipe.step(lr, gt, adversarial)

    facts = train(name, recipe.parts(), step, steps, work, seed)
    facts |= {"seed": seed, "batch": settings["batch_size"], "levels": settings["levels"]}
    state = recipe.average.state_dict()
    if name == "bsrgan":
        state = bsrgan.to_official(state)
    save_model(folder, name, WHAT[name], settings["network"], state, facts)


def run_bsrgan(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train mini BSRGAN."""
    run("bsrgan", settings, pool, folder, work, seed, zoo_folder)


def run_swinir(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train mini SwinIR."""
    run("swinir", settings, pool, folder, work, seed, zoo_folder)
