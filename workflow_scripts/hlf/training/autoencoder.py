"""Autoencoder of the mini latent diffusion base: pixels, perceptual distance, a little KL (latent diffusion's recipe).

Rombach et al. 2022, section 3.1, in small: diffusers' own AutoencoderKL class at factor 4, so that words on signs stay
legible at 128 pixels. There is no adversarial term: at this size it costs more than it gives (our choice).
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from hlf.nets import vgg
from hlf.training.loop import Average, batch_of, cosine_rate, descend, train
from hlf.training.perceptual import perceptual_network
from hlf.training.pool import Pool
from hlf.training.save import save_model

WHAT = "Variational autoencoder (diffusers' AutoencoderKL at small width, factor 4) of the mini latent diffusion base."


def crops(pool: Pool, rng: np.random.Generator, count: int, side: int) -> torch.Tensor:
    """Random square crops of random scenes, (count, 3, side, side) in [-1, 1]."""
    images = batch_of(pool.images, rng.choice(len(pool.captions), count, replace=False))
    room = images.shape[-1] - side + 1
    places = rng.integers(0, room, (count, 2))
    cut = [image[:, y : y + side, x : x + side] for image, (y, x) in zip(images, places, strict=True)]
    return torch.stack(cut) * 2 - 1


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train, measure the spread of the latents, and write the averaged network with its scaling factor."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    torch.manual_seed(seed)
    model = AutoencoderKL(**settings["network"])
    average = Average(model, settings["ema"])
    features = perceptual_network(zoo_folder)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["learning_rate"], weight_decay=0.0, betas=(0.9, 0.99))

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on crops: L1, perceptual distance, and divergence from a normal distribution."""
        x = crops(pool, rng, settings["batch_size"], settings["crop"])
        posterior = model.encode(x).latent_dist
        y = model.decode(posterior.sample()).sample
        pixel, kl = F.l1_loss(y, x), posterior.kl().sum() / x.numel()
        perceptual = vgg.perceptual_distance(features, (y + 1) / 2, (x + 1) / 2)
        loss = pixel + settings["perceptual_weight"] * perceptual + settings["kl_weight"] * kl
        rate = cosine_rate(settings["learning_rate"], i, settings["steps"])
        descend(optimizer, loss, list(model.parameters()), rate)
        average.update(model)
        return {"pixel": float(pixel.detach()), "perceptual": float(perceptual.detach()), "kl": float(kl.detach())}

    facts = train(
        "vae", {"model": model, "average": average, "optimizer": optimizer}, step, settings["steps"], work, seed
    )
    kept: Any = average.module
    held = batch_of(pool.images, np.arange(min(64, len(pool.captions)))) * 2 - 1
    with torch.inference_mode():
        latents = torch.cat([kept.encode(part).latent_dist.mean for part in held.split(8)])
    # as in latent diffusion: latents are divided by their spread, so that noise of unit variance fits them
    config = {**settings["network"], "scaling_factor": round(1 / float(latents.std()), 5)}
    facts |= {"seed": seed, "batch": settings["batch_size"], "latent factor": 4}
    save_model(folder, "VAE", WHAT, config, kept.state_dict(), facts, "diffusion_pytorch_model.safetensors")
