"""Mini SeeSR: its own training step on scenes, starting from the mini base (SeeSR paper, section 3.3).

Two things a training of minutes needs and the official one of 150,000 steps does not: most steps see a window of the
latents and of the condition, which costs a quarter; and the last layer of the condition's embedding starts as any other
layer, since behind the ControlNet's own zero layers a zero start of that one too holds the condition back for long.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hlf.files import read_json
from hlf.nets import ram as ram_net
from hlf.nets import seesr as nets
from hlf.sr.diffusion.base_model import BaseFiles, load_scheduler, load_text_encoder
from hlf.sr.diffusion.tagger import Tagger, load_tagger
from hlf.training.gan import degraded
from hlf.training.latents import Latents, load_vae
from hlf.training.loop import Average, cosine_rate, set_rate, train
from hlf.training.pool import Pool
from hlf.training.save import save_model
from hlf.tuning.seesr_batch import Batch, draw_noise, drop_prompts, enlarged, predict_noise
from hlf.tuning.seesr_loss import noise_loss
from hlf.zoo.load import check_state, read_state
from hlf.zoo.registry import find_weights, weights_sha256

WHAT = "SeeSR's networks at small width on the mini base, trained with SeeSR's own step."
WEIGHTS = "diffusion_pytorch_model.safetensors"
# of the denoiser's arguments, those that its ControlNet shares
SHARED = (
    "in_channels", "block_out_channels", "layers_per_block", "down_block_types", "cross_attention_dim",
    "attention_head_dim", "norm_num_groups", "use_linear_projection",
)  # fmt: skip


def networks(base: Path, condition_channels: list[int]) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """UNet and ControlNet that start from the base's UNet, and their configs.

    Args:
        base: folder `unet` of the mini base.
        condition_channels: widths of the ControlNet's image embedding; each step halves the picture.
    """
    config = {**read_json(base / "config.json"), "use_image_cross_attention": True}
    control = {name: config[name] for name in SHARED} | {
        "conditioning_embedding_out_channels": condition_channels,
        "use_image_cross_attention": True,
    }
    unet, controlnet = nets.unet(config), nets.controlnet(control)
    state = read_state(base / WEIGHTS)
    plain = {k: v for k, v in unet.state_dict().items() if ".image_attentions." not in k}
    check_state(plain, state, base / WEIGHTS)
    unet.load_state_dict(state, strict=False)  # all but the image attention, as just checked
    nets.copy_encoder(controlnet, unet)
    controlnet.controlnet_cond_embedding.conv_out.reset_parameters()
    return unet, controlnet, config, control


class _Data:
    """Batches of scenes: latents of the GT, condition and context of the LR picture, tags of the GT or the LR one."""

    def __init__(self, settings: dict[str, Any], pool: Pool, latents: Latents, zoo: Path):
        self.settings, self.pool, self.latents = settings, pool, latents
        ram, dape = find_weights("mini", zoo, "ram"), find_weights("mini", zoo, "dape")
        self.clean: Tagger = load_tagger("mini", ram, [], "cpu", False)
        self.degraded: Tagger = load_tagger("mini", ram, dape, "cpu", False)

    @torch.no_grad()
    def draw(self, rng: np.random.Generator) -> Batch:
        """One batch."""
        index = np.sort(rng.choice(len(self.pool.captions), self.settings["batch_size"], replace=False))
        lr, gt = degraded(self.pool, index, rng, self.settings["levels"])
        condition, reader = enlarged(lr), self.degraded.network
        context, logits = reader(ram_net.preprocess_training(condition, reader.image_size))
        if self.settings["tags_from"] == "gt":
            logits = self.clean.network(ram_net.preprocess(gt, reader.image_size))[1]
        prompts = drop_prompts(self.clean.tags.read(logits), self.settings["null_text"], rng)
        return Batch(self.latents.sample(index, rng), condition, context, prompts)


def window(batch: Batch, side: int, rng: np.random.Generator) -> Batch:
    """One part of `side` x `side` latent cells of all pictures and their conditions; tags and context stay whole."""
    cells = batch.latents.shape[-1]
    scale = batch.condition.shape[-1] // cells
    top, left = (int(v) for v in rng.integers(0, cells - side + 1, 2))
    latents = batch.latents[:, :, top : top + side, left : left + side]
    y, x, size = top * scale, left * scale, side * scale
    return replace(batch, latents=latents, condition=batch.condition[:, :, y : y + size, x : x + size])


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo: Path) -> None:
    """Train ControlNet and image attention; the averaged weights are kept."""
    torch.manual_seed(seed)
    base = zoo / "sd-base"
    files = BaseFiles(*find_weights("mini", zoo, "sd-base"))
    scheduler: Any = load_scheduler(files)
    encode = load_text_encoder(files, torch.float32, "cpu")
    sha = weights_sha256([base / "vae" / WEIGHTS])[:8]
    data = _Data(settings, pool, Latents(pool, load_vae(base / "vae"), work.parent / f"latents-{sha}.npy"), zoo)
    unet, controlnet, config, control = networks(base / "unet", settings["condition_channels"])
    trained = nets.trainable(unet, controlnet)
    both: Any = nn.ModuleDict({"unet": unet, "controlnet": controlnet})
    average = Average(both, settings["ema"])
    optimizer = torch.optim.AdamW(trained, lr=settings["learning_rate"], weight_decay=0.01)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        batch = data.draw(rng)
        if i < settings["window_steps"]:
            batch = window(batch, settings["window"], rng)
        noise, times = draw_noise(batch.latents, scheduler.config["num_train_timesteps"], rng)
        noisy = scheduler.add_noise(batch.latents, noise, times)
        text = encode(batch.prompts)
        loss = noise_loss(predict_noise(unet, controlnet, noisy, times, text, batch), noise)
        set_rate(optimizer, cosine_rate(settings["learning_rate"], i, settings["steps"]))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        average.update(both, min(settings["ema"], (i + 1) / (i + 10)))
        return {"loss": float(loss.detach())}

    parts = {"networks": both, "average": average, "optimizer": optimizer}
    facts = train("seesr", parts, step, settings["steps"], work, seed) | {"seed": seed, "batch": settings["batch_size"]}
    facts |= {"levels": settings["levels"], "tags from": settings["tags_from"]}
    for name, values in (("controlnet", control), ("unet", config)):
        state = average.module.get_submodule(name).state_dict()
        save_model(folder / name, f"SeeSR {name}", WHAT, values, state, facts, WEIGHTS)
