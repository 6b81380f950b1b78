"""Mini SeeSR: its own training step on scenes, starting from the mini base (SeeSR paper, section 3.3)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hlf.nets import seesr as nets
from hlf.sr.diffusion.tagger import Tagger, load_tagger
from hlf.training.gan import degraded
from hlf.training.latents import Latents
from hlf.training.pool import Pool
from hlf.training.steered import fit, networks, open_base, save, window
from hlf.tuning.noising import draw_noise, drop_prompts, enlarged, noise_loss
from hlf.tuning.seesr_batch import Batch, described, predict_noise
from hlf.zoo.registry import find_weights

WHAT = "SeeSR's networks at small width on the mini base, trained with SeeSR's own step."


class _Data:
    """Batches of scenes: latents of the GT, condition and context of the LR picture, tags of the GT or the LR one."""

    def __init__(self, settings: dict[str, Any], pool: Pool, latents: Latents, zoo_folder: Path):
        self.settings, self.pool, self.latents = settings, pool, latents
        ram, dape = find_weights("mini", zoo_folder, "ram"), find_weights("mini", zoo_folder, "dape")
        self.clean = load_tagger("mini", ram, [], "cpu", False) if settings["tags_from"] == "gt" else None
        self.degraded: Tagger = load_tagger("mini", ram, dape, "cpu", False)

    @torch.no_grad()
    def draw(self, rng: np.random.Generator) -> Batch:
        """One batch."""
        index = np.sort(rng.choice(len(self.pool.captions), self.settings["batch_size"], replace=False))
        lr, gt = degraded(self.pool, index, rng, self.settings["levels"])
        condition = enlarged(lr)
        context, tags = described(condition, gt, self.degraded, self.clean)
        prompts = drop_prompts(tags, self.settings["null_text"], rng)
        return Batch(self.latents.sample(index, rng), condition, context, prompts)


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train ControlNet and image attention; the averaged weights are kept."""
    torch.manual_seed(seed)
    base = open_base(zoo_folder, pool, work)
    data = _Data(settings, pool, base.latents, zoo_folder)
    unet, controlnet, config, control = networks(
        nets, base.unet, settings["condition_channels"], {"use_image_cross_attention": True}
    )

    def loss(side: int | None, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Noise loss of a batch, on whole latents or on windows of `side` cells."""
        batch = data.draw(rng)
        if side:  # tags and context stay those of the whole picture
            latents, condition = window((batch.latents, batch.condition), side, rng)
            batch = replace(batch, latents=latents, condition=condition)
        noise, times = draw_noise(batch.latents, base.scheduler.config["num_train_timesteps"], rng)
        noisy = base.scheduler.add_noise(batch.latents, noise, times)
        text = base.encode(batch.prompts)
        missed = noise_loss(predict_noise(unet, controlnet, noisy, times, text, batch), noise)
        return missed, {"loss": missed}

    both = nn.ModuleDict({"unet": unet, "controlnet": controlnet})
    kept, facts = fit("seesr", settings, both, nets.trainable(unet, controlnet), loss, work, seed)
    facts |= {"tags from": settings["tags_from"]}
    save(folder, "SeeSR", WHAT, kept, {"controlnet": control, "unet": config}, facts, base.unet, nets.ADDED)
