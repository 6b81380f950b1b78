"""Mini PASD: its own training step on scenes, starting from the mini base (PASD paper, section 3.4).

Source: `train_pasd.py` of yangxy/PASD. ControlNet and pixel-aware attention learn from the plain noise error; the heads
of the image embedding learn to show the clean picture at each size, so that the embedding removes degradation. Prompts
are captions of the clean picture, half of them dropped.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.nets import pasd as nets
from hlf.training.gan import degraded
from hlf.training.pool import Pool
from hlf.training.steered import fit, networks, open_base, save, window
from hlf.tuning.noising import draw_noise, drop_prompts, enlarged, noise_loss

WHAT = "PASD's networks at small width on the mini base, trained with PASD's own step."


def restored_loss(restored: list[Tensor], gt: Tensor) -> Tensor:
    """Sum over sizes of the mean absolute error between the heads' pictures and the GT; scalar.

    Args:
        restored: RGB (N, 3, h, w) near [-1, 1], one for each size.
        gt: RGB (N, 3, H, W) in [0, 1].
    """
    wanted = gt * 2 - 1
    sizes = [F.interpolate(wanted, one.shape[-2:], mode="bilinear", align_corners=False) for one in restored]
    return torch.stack([F.l1_loss(one, size) for one, size in zip(restored, sizes, strict=True)]).sum()


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train ControlNet and pixel attention; the averaged weights are kept."""
    torch.manual_seed(seed)
    base = open_base(zoo_folder, pool, work)
    unet, controlnet, config, control = networks(nets, base.unet, settings["condition_channels"], {})

    def loss(side: int | None, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Noise loss of a batch, on whole latents or on windows of `side` cells."""
        index = np.sort(rng.choice(len(pool.captions), settings["batch_size"], replace=False))
        lr, gt = degraded(pool, index, rng, settings["levels"])
        condition, clean = enlarged(lr), base.latents.sample(index, rng)
        if side:  # the caption stays that of the whole scene
            clean, condition, gt = window((clean, condition, gt), side, rng)
        text = base.encode(drop_prompts([pool.captions[k] for k in index], settings["null_text"], rng))
        noise, times = draw_noise(clean, base.scheduler.config["num_train_timesteps"], rng)
        inputs = (base.scheduler.add_noise(clean, noise, times), times, text)
        missed = noise_loss(unet(*inputs, controlnet(*inputs, condition)), noise)
        # the embedding runs once more for its heads, which is little beside the rest
        shown = restored_loss(controlnet.controlnet_cond_embedding.restored(condition), gt)
        return missed + shown, {"loss": missed, "restored": shown}

    both = nn.ModuleDict({"unet": unet, "controlnet": controlnet})
    kept, facts = fit("pasd", settings, both, nets.trainable(unet, controlnet), loss, work, seed)
    save(folder, "PASD", WHAT, kept, {"controlnet": control, "unet": config}, facts, base.unet, nets.ADDED)
