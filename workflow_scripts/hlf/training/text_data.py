"""Latents and prompts that the mini base learns from: scenes, spoiled scenes, and windows around their objects.

Prompts are captions or lists of tags, with words for quality after them: some scenes are blurred or noisy and say so,
which is what negative prompts need.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hlf.training.latents import Latents, load_vae
from hlf.training.loop import batch_of
from hlf.training.pool import Pool
from hlf.training.tags import tags_of
from hlf.training.tokenizer import BAD, GOOD
from hlf.training.views import ObjectWindows
from hlf.zoo.registry import weights_sha256

NULL, TAGS, QUALITY = 0.1, 0.5, 0.5  # shares of prompts that are empty, tags instead of a caption, followed by quality
WEIGHTS = "diffusion_pytorch_model.safetensors"


def spoil(images: Tensor, kind: str, rng: np.random.Generator) -> Tensor:
    """Scenes (N, 3, H, W) in [0, 1] made blurred or noisy."""
    if kind == "noise":
        noise = torch.from_numpy(rng.standard_normal(images.shape, dtype=np.float32))
        return (images + float(rng.uniform(0.06, 0.2)) * noise).clamp(0, 1)
    side, small = images.shape[-1], int(images.shape[-1] / rng.uniform(2.5, 5))
    low = F.interpolate(images, (small, small), mode="area")
    return F.interpolate(low, (side, side), mode="bicubic", align_corners=False).clamp(0, 1)


def spoiled_pool(pool: Pool, count: int, seed: int) -> tuple[Pool, list[str]]:
    """The first `count` scenes spoiled, and the words that say how."""
    rng, kinds = np.random.default_rng(seed), list(BAD)
    chosen = [kinds[i % len(kinds)] for i in range(count)]
    parts = [spoil(batch_of(pool.images, np.array([i])), kind, rng)[0] for i, kind in enumerate(chosen)]
    images = (torch.stack(parts).permute(0, 2, 3, 1) * 255).round().byte().numpy()
    return Pool(images, pool.captions[:count], pool.content), [BAD[kind] for kind in chosen]


def prompt(caption: str, tags: list[str], quality: str, rng: np.random.Generator) -> str:
    """One training prompt of a scene."""
    if rng.random() < NULL:
        return ""
    text = ", ".join(rng.permutation(tags)) if rng.random() < TAGS else caption
    return f"{text}, {quality}" if rng.random() < QUALITY else text


class _Source:
    """Scenes of one kind with the words for their quality."""

    def __init__(self, pool: Pool, latents: Latents, quality: list[str]):
        self.pool, self.latents, self.quality, self.tags = pool, latents, quality, tags_of(pool)
        self.objects = ObjectWindows(pool, pool.images.shape[1] // latents.posterior.shape[-1])

    def scenes(self, number: int, rng: np.random.Generator) -> tuple[Tensor, list[str]]:
        """Latents (number, 4, h, w) of whole scenes, with a prompt each."""
        index = np.sort(rng.choice(len(self.quality), number, replace=False))
        texts = [prompt(self.pool.captions[i], self.tags[i], self.quality[i], rng) for i in index]
        return self.latents.sample(index, rng), texts

    def windows(self, number: int, side: int, rng: np.random.Generator) -> tuple[Tensor, list[str]]:
        """Latents (number, 4, side, side) around one object each, with a prompt that names it."""
        chosen = rng.choice(len(self.objects.rows), number, replace=False)
        seen = [self.objects.draw(int(i), rng, side) for i in chosen]
        texts = [prompt(w.caption, w.tags, self.quality[w.index], rng) for w in seen]
        return self.latents.windows([(w.index, w.top, w.left) for w in seen], side, rng), texts


class BaseData:
    """What the base learns from.

    Args:
        pool: the scenes.
        spoiled: how many of them are there once more, blurred or noisy.
        vae: folder of the autoencoder.
        work: folder where encoded latents are kept for every recipe that needs them.
        seed: of the spoiling.
    """

    def __init__(self, pool: Pool, spoiled: int, vae: Path, work: Path, seed: int):
        network, name = load_vae(vae), weights_sha256([vae / WEIGHTS])[:8]
        bad, words = spoiled_pool(pool, spoiled, seed)
        self.sources = (
            _Source(pool, Latents(pool, network, work / f"latents-{name}.npy"), [GOOD] * len(pool.captions)),
            _Source(bad, Latents(bad, network, work / f"spoiled-{name}.npy"), words),
        )
        self.share = len(words) / (len(words) + len(pool.captions))

    def draw(self, count: int, side: int | None, rng: np.random.Generator) -> tuple[Tensor, list[str]]:
        """Scaled latents (count, C, side, side) of windows, or of whole scenes without `side`, and their prompts."""
        bad = int(rng.binomial(count, self.share))
        parts = []
        for source, number in zip(self.sources, (count - bad, bad), strict=True):
            if number:
                parts.append(source.scenes(number, rng) if side is None else source.windows(number, side, rng))
        return torch.cat([latents for latents, _ in parts]), [text for _, texts in parts for text in texts]
