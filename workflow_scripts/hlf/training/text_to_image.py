"""Mini latent diffusion base: text encoder and UNet trained together on scenes, captions and tags.

Latent diffusion's recipe in small (Rombach et al. 2022, section 4.3), in the classes and folders of Stable Diffusion 2,
so that SeeSR, PASD and StableSR build on it as they build on the official base. As Stable Diffusion went from 256 to
512 pixels, most steps see a quarter of a scene around one object and the last ones whole scenes; the loss is weighted
by Min-SNR (Hang et al. 2023, equation 8), without which a training this short spends itself on nearly clean latents.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hlf.files import write_json
from hlf.training.loop import Average, cosine_rate, descend, train
from hlf.training.pool import Pool
from hlf.training.save import save_model
from hlf.training.text_data import WEIGHTS, BaseData
from hlf.training.tokenizer import LENGTH, open_tokenizer, write_tokenizer

WHAT = "Text encoder and UNet (classes of Stable Diffusion 2 at small width) of the mini latent diffusion base."
GAMMA = 5.0  # of Min-SNR, the paper's
# the published scheduler of Stable Diffusion 2 base
SCHEDULER = {
    "_class_name": "DDPMScheduler", "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012,
    "beta_schedule": "scaled_linear", "clip_sample": False, "prediction_type": "epsilon", "steps_offset": 1,
    "timestep_spacing": "leading", "variance_type": "fixed_small",
}  # fmt: skip


def min_snr(alphas_cumprod: Tensor, times: Tensor) -> Tensor:
    """Weight of each noise prediction in a batch, (N, 1, 1, 1) in (0, 1]: min(SNR, gamma) / SNR."""
    kept = alphas_cumprod[times]
    ratio = kept / (1 - kept)
    return (ratio.clamp(max=GAMMA) / ratio)[:, None, None, None]


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train both networks on noise prediction at uniform timesteps; the averaged weights are kept."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(seed)
    data = BaseData(pool, settings["spoiled"], zoo_folder / "sd-base/vae", work.parent, seed)
    write_tokenizer(folder / "tokenizer")
    tokenizer = open_tokenizer(folder / "tokenizer")
    sizes = {"vocab_size": len(tokenizer), "max_position_embeddings": LENGTH}
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    text_config = {**settings["text"], **sizes, **ends, "pad_token_id": tokenizer.pad_token_id}
    text, unet = CLIPTextModel(CLIPTextConfig(**text_config)), UNet2DConditionModel(**settings["network"])
    model = nn.ModuleDict({"text": text, "unet": unet})
    average, scheduler = Average(model, settings["ema"]), DDPMScheduler.from_config(SCHEDULER)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["learning_rate"], weight_decay=0.01)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step: noise loss weighted by Min-SNR, on windows at first."""
        whole = i >= settings["window_steps"]
        count, side = (settings["batch_size"], None) if whole else (settings["window_batch"], settings["window"])
        latents, prompts = data.draw(count, side, rng)
        ids = tokenizer(prompts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt")
        noise = torch.from_numpy(rng.standard_normal(latents.shape, dtype=np.float32))
        times = torch.from_numpy(rng.integers(0, scheduler.config["num_train_timesteps"], count))
        noisy = scheduler.add_noise(latents, noise, times)
        predicted = unet(noisy, times, text(input_ids=ids.input_ids).last_hidden_state).sample
        error = (predicted - noise).square()
        loss = (min_snr(scheduler.alphas_cumprod, times) * error).mean()
        rate = cosine_rate(settings["learning_rate"], i, settings["steps"])
        descend(optimizer, loss, list(model.parameters()), rate)
        average.follow(model, i)
        return {"loss": float(loss.detach()), "noise error": float(error.detach().mean())}

    parts = {"model": model, "average": average, "optimizer": optimizer}
    facts = train("base", parts, step, settings["steps"], work, seed) | {"seed": seed, "batch": settings["batch_size"]}
    kept = average.module
    state = {name: kept.get_submodule(name).state_dict() for name in ("text", "unet")}
    write_json(folder / "scheduler/scheduler_config.json", SCHEDULER)
    save_model(folder / "text_encoder", "text encoder", WHAT, text_config, state["text"], facts)
    save_model(folder / "unet", "text-to-image UNet", WHAT, settings["network"], state["unet"], facts, WEIGHTS)
