"""Latents of the training scenes, encoded once and shared by every recipe in the latent space of the mini base."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from hlf.files import atomic, read_json
from hlf.training.loop import batch_of
from hlf.training.pool import Pool
from hlf.zoo.load import load_strict, read_state

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL


def load_vae(folder: Path) -> "AutoencoderKL":
    """The frozen autoencoder in a folder of diffusers' layout."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    vae = AutoencoderKL(**read_json(folder / "config.json"))
    path = folder / "diffusion_pytorch_model.safetensors"
    load_strict(vae, read_state(path), path)
    return vae.eval().requires_grad_(False)


class Latents:
    """Posterior of every scene of a pool; `sample` draws scaled latents.

    Args:
        pool: the scenes.
        vae: their autoencoder.
        cache: file of the encoded posteriors, made on first use; it belongs to one pool and one autoencoder.
    """

    def __init__(self, pool: Pool, vae: "AutoencoderKL", cache: Path):
        self.scale = float(vae.config["scaling_factor"])
        if not cache.is_file():
            _encode(pool, vae, cache)
        self.posterior = np.load(cache, mmap_mode="r")  # float16 (count, 2, C, h, w): mean and standard deviation

    def sample(self, index: np.ndarray, rng: np.random.Generator) -> Tensor:
        """Scaled posterior samples (N, C, h, w) of the scenes `index`."""
        return self._draw(self.posterior[index], rng)

    def windows(self, places: list[tuple[int, int, int]], side: int, rng: np.random.Generator) -> Tensor:
        """Scaled posterior samples (N, C, side, side) of parts of scenes, each given as scene, first row and column."""
        parts = [self.posterior[scene, :, :, y : y + side, x : x + side] for scene, y, x in places]
        return self._draw(np.stack(parts), rng)

    def _draw(self, posterior: np.ndarray, rng: np.random.Generator) -> Tensor:
        mean, std = posterior.astype(np.float32).swapaxes(0, 1)
        return torch.from_numpy((mean + std * rng.standard_normal(mean.shape, dtype=np.float32)) * self.scale)


@torch.inference_mode()
def _encode(pool: Pool, vae: "AutoencoderKL", cache: Path) -> None:
    parts = []
    for start in range(0, len(pool.captions), 16):
        index = np.arange(start, min(start + 16, len(pool.captions)))
        posterior = vae.encode(batch_of(pool.images, index) * 2 - 1).latent_dist
        parts.append(torch.stack([posterior.mean, posterior.std], 1).half().numpy())
    with atomic(cache) as tmp, tmp.open("wb") as handle:
        np.save(handle, np.concatenate(parts))
