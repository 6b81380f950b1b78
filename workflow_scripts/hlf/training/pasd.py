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

from hlf.files import read_json
from hlf.nets import pasd as nets
from hlf.sr.diffusion.base_model import BaseFiles, load_scheduler, load_text_encoder
from hlf.training.gan import degraded
from hlf.training.latents import Latents, load_vae
from hlf.training.loop import Average, cosine_rate, set_rate, train
from hlf.training.pool import Pool
from hlf.training.save import save_model
from hlf.training.seesr import SHARED, WEIGHTS
from hlf.tuning.seesr_batch import draw_noise, drop_prompts, enlarged
from hlf.tuning.seesr_loss import noise_loss
from hlf.zoo.load import check_state, read_state
from hlf.zoo.registry import find_weights, weights_sha256

WHAT = "PASD's networks at small width on the mini base, trained with PASD's own step."


def networks(base: Path, condition_channels: list[int]) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """UNet and ControlNet that start from the base's UNet, and their configs.

    Args:
        base: folder `unet` of the mini base.
        condition_channels: widths of the ControlNet's image embedding; each step halves the picture.
    """
    config = read_json(base / "config.json")
    control = {name: config[name] for name in SHARED} | {
        "conditioning_embedding_out_channels": condition_channels,
        "use_rrdb": False,
    }
    unet: Any = nets.unet(config)
    controlnet = nets.controlnet(control)
    state = read_state(base / WEIGHTS)
    plain = {k: v for k, v in unet.state_dict().items() if ".pixel_attentions." not in k}
    check_state(plain, state, base / WEIGHTS)
    unet.load_state_dict(state, strict=False)  # all but the pixel attention, as just checked
    nets.copy_encoder(controlnet, unet)
    return unet, controlnet, config, control


def restored_loss(restored: list[Tensor], gt: Tensor) -> Tensor:
    """Sum over sizes of the mean absolute error between the heads' pictures and the GT; scalar.

    Args:
        restored: RGB (N, 3, h, w) near [-1, 1], one for each size.
        gt: RGB (N, 3, H, W) in [0, 1].
    """
    wanted = gt * 2 - 1
    sizes = [F.interpolate(wanted, one.shape[-2:], mode="bilinear", align_corners=False) for one in restored]
    return torch.stack([F.l1_loss(one, size) for one, size in zip(restored, sizes, strict=True)]).sum()


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo: Path) -> None:
    """Train ControlNet and pixel attention; the averaged weights are kept."""
    torch.manual_seed(seed)
    base = zoo / "sd-base"
    files = BaseFiles(*find_weights("mini", zoo, "sd-base"))
    scheduler: Any = load_scheduler(files)
    encode = load_text_encoder(files, torch.float32, "cpu")
    sha = weights_sha256([base / "vae" / WEIGHTS])[:8]
    latents = Latents(pool, load_vae(base / "vae"), work.parent / f"latents-{sha}.npy")
    unet, controlnet, config, control = networks(base / "unet", settings["condition_channels"])
    trained = nets.trainable(unet, controlnet)
    both: Any = nn.ModuleDict({"unet": unet, "controlnet": controlnet})
    average = Average(both, settings["ema"])
    optimizer = torch.optim.AdamW(trained, lr=settings["learning_rate"], weight_decay=0.01)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        index = np.sort(rng.choice(len(pool.captions), settings["batch_size"], replace=False))
        lr, gt = degraded(pool, index, rng, settings["levels"])
        condition, clean = enlarged(lr), latents.sample(index, rng)
        text = encode(drop_prompts([pool.captions[k] for k in index], settings["null_text"], rng))
        noise, times = draw_noise(clean, scheduler.config["num_train_timesteps"], rng)
        inputs = (scheduler.add_noise(clean, noise, times), times, text)
        missed = noise_loss(unet(*inputs, controlnet(*inputs, condition)), noise)
        # the embedding runs once more for its heads, which is little beside the rest
        shown = restored_loss(controlnet.controlnet_cond_embedding.restored(condition), gt)
        set_rate(optimizer, cosine_rate(settings["learning_rate"], i, settings["steps"]))
        optimizer.zero_grad()
        (missed + shown).backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        average.update(both, min(settings["ema"], (i + 1) / (i + 10)))
        return {"loss": float(missed.detach()), "restored": float(shown.detach())}

    parts = {"networks": both, "average": average, "optimizer": optimizer}
    facts = train("pasd", parts, step, settings["steps"], work, seed) | {"seed": seed, "batch": settings["batch_size"]}
    facts |= {"levels": settings["levels"]}
    for name, values in (("controlnet", control), ("unet", config)):
        state = average.module.get_submodule(name).state_dict()
        save_model(folder / name, f"PASD {name}", WHAT, values, state, facts, WEIGHTS)
