"""Mini latent diffusion base: text encoder and UNet trained together on scenes, captions and tags.

Latent diffusion's recipe in small (Rombach et al. 2022, section 4.3), in the classes and folders of Stable Diffusion 2,
so that SeeSR, PASD and StableSR build on it as they build on the official base. Prompts are captions or lists of tags,
with words for quality after them: some scenes are blurred or noisy and say so, which is what negative prompts need.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.files import write_json
from hlf.training.latents import Latents, load_vae
from hlf.training.loop import Average, batch_of, cosine_rate, set_rate, train
from hlf.training.pool import Pool
from hlf.training.save import save_model
from hlf.training.tags import tags_of
from hlf.training.tokenizer import BAD, GOOD, LENGTH, open_tokenizer, write_tokenizer
from hlf.zoo.registry import weights_sha256

WHAT = "Text encoder and UNet (classes of Stable Diffusion 2 at small width) of the mini latent diffusion base."
NULL, TAGS, QUALITY = 0.1, 0.5, 0.5  # shares of prompts that are empty, tags instead of a caption, followed by quality
WEIGHTS = "diffusion_pytorch_model.safetensors"
# the published scheduler of Stable Diffusion 2 base
SCHEDULER = {
    "_class_name": "DDPMScheduler", "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "clip_sample": False, "prediction_type": "epsilon", "steps_offset": 1,
    "timestep_spacing": "leading", "variance_type": "fixed_small",
}  # fmt: skip


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


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo: Path) -> None:
    """Train both networks on noise prediction at uniform timesteps; the averaged weights are kept."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(seed)
    vae_folder = zoo / "sd-base/vae"
    vae, sha = load_vae(vae_folder), weights_sha256([vae_folder / WEIGHTS])[:8]
    spoiled, words = spoiled_pool(pool, settings["spoiled"], seed)
    sets = [
        (Latents(pool, vae, work.parent / f"latents-{sha}.npy"), pool.captions, [GOOD] * len(pool.captions)),
        (Latents(spoiled, vae, work.parent / f"spoiled-{sha}.npy"), spoiled.captions, words),
    ]
    tags = tags_of(pool)
    write_tokenizer(folder / "tokenizer")
    tokenizer = open_tokenizer(folder / "tokenizer")
    sizes = {"vocab_size": len(tokenizer), "max_position_embeddings": LENGTH}
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text_config = {**settings["text"], **sizes, **ends, "pad_token_id": tokenizer.pad_token_id}
    text, unet = CLIPTextModel(CLIPTextConfig(**text_config)), UNet2DConditionModel(**settings["network"])
    model = nn.ModuleDict({"text": text, "unet": unet})
    average, scheduler = Average(model, settings["ema"]), DDPMScheduler.from_config(SCHEDULER)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["learning_rate"], weight_decay=0.01)
    share = len(words) / (len(words) + len(pool.captions))

    def draw(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Latents (N, C, h, w) and token ids (N, 77)."""
        count = settings["batch_size"]
        bad = int(rng.binomial(count, share))
        latents, prompts = [], []
        for (source, captions, quality), number in zip(sets, (count - bad, bad), strict=True):
            index = np.sort(rng.choice(len(captions), number, replace=False))
            latents.append(source.sample(index, rng))
            prompts += [prompt(captions[i], tags[i], quality[i], rng) for i in index]
        ids = tokenizer(prompts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
        return torch.cat(latents), ids.input_ids

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        latents, ids = draw(rng)
        noise = torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32))
        times = torch.from_numpy(rng.integers(0, scheduler.config["num_train_timesteps"], len(latents)))
        noisy = scheduler.add_noise(latents, noise, times)
        predicted = unet(noisy, times, text(input_ids=ids).last_hidden_state).sample
        loss = F.mse_loss(predicted, noise)
        set_rate(optimizer, cosine_rate(settings["learning_rate"], i, settings["steps"]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update(model, min(settings["ema"], (i + 1) / (i + 10)))
        return {"loss": float(loss.detach())}

    parts = {"model": model, "average": average, "optimizer": optimizer}
    facts = train("base", parts, step, settings["steps"], work, seed) | {"seed": seed, "batch": settings["batch_size"]}
    kept = average.module
    state = {name: kept.get_submodule(name).state_dict() for name in ("text", "unet")}
    write_json(folder / "scheduler/scheduler_config.json", SCHEDULER)
    save_model(folder / "text_encoder", "text encoder", WHAT, text_config, state["text"], facts)
    save_model(folder / "unet", "text-to-image UNet", WHAT, settings["network"], state["unet"], facts, WEIGHTS)
