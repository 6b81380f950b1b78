"""What the recipes of mini SR models on the mini base share: their start, one optimiser step, and what they write.

Two things a training of minutes needs and the official ones of 100,000 steps and more do not: most steps see a window
of the latents and of the condition, which costs a quarter; and the last layer of the condition's embedding starts as
any other layer, since behind the ControlNet's own zero layers a zero start of that one too holds the condition back for
long.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hlf.files import read_json
from hlf.nets.stock import copy_encoder
from hlf.sr.diffusion.additions import FromBase, additions, read_frozen
from hlf.sr.diffusion.base_model import BaseFiles, load_scheduler, load_text_encoder
from hlf.training.latents import Latents, load_vae
from hlf.training.loop import Average, cosine_rate, descend, train
from hlf.training.pool import Pool
from hlf.training.save import save_model
from hlf.zoo.registry import find_weights, weights_sha256

WEIGHTS = "diffusion_pytorch_model.safetensors"
REST = "Here is only what was added to the denoiser of the mini base; the rest is read from sd-base/unet."
# of the denoiser's arguments, those that its ControlNet shares
SHARED = (
    "in_channels", "block_out_channels", "layers_per_block", "down_block_types", "cross_attention_dim",
    "attention_head_dim", "norm_num_groups", "use_linear_projection",
)  # fmt: skip


@dataclass(frozen=True)
class Base:
    """What a recipe reads of the mini base.

    Attributes:
        files: of scheduler, text encoder, tokenizer and autoencoder.
        unet: folder of the denoiser.
        scheduler: its noise schedule.
        encode: prompts to embeddings (N, 77, D).
        vae: its frozen autoencoder.
        latents: of the scenes.
    """

    files: BaseFiles
    unet: Path
    scheduler: Any
    encode: Any
    vae: Any
    latents: Latents


def open_base(zoo_folder: Path, pool: Pool, work: Path) -> Base:
    """The mini base in the zoo, and the latents of a pool, which all recipes share in the folder above `work`."""
    files = BaseFiles(*find_weights("mini", zoo_folder, "sd-base"))
    vae, name = load_vae(zoo_folder / "sd-base/vae"), weights_sha256([files.vae_weights])[:8]
    latents = Latents(pool, vae, work.parent / f"latents-{name}.npy")
    encode = load_text_encoder(files, torch.float32, "cpu")
    return Base(files, zoo_folder / "sd-base/unet", load_scheduler(files), encode, vae, latents)


def fill_from_base(unet: nn.Module, base: Path, added: tuple[str, ...]) -> None:
    """Give a denoiser the weights of the base in the folder `base`; modules named `added` stay as drawn.

    Raises:
        HlfError: keys or shapes that do not fit.
    """
    frozen = read_frozen(unet, FromBase(base / WEIGHTS, added))
    unet.load_state_dict(frozen, strict=False)  # all but what was added, as just checked


def networks(
    nets: ModuleType, base: Path, condition_channels: list[int], own: dict[str, Any]
) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """UNet and ControlNet that start from the base's UNet, and their configs.

    Args:
        nets: module of the networks, with functions `unet` and `controlnet` of a config; what it says that they added
            starts as drawn.
        base: folder `unet` of the mini base.
        condition_channels: widths of the ControlNet's image embedding; each step halves the picture.
        own: what both configs hold beyond diffusers' arguments.
    """
    config = {**read_json(base / "config.json"), **own}
    control = {name: config[name] for name in SHARED}
    control |= {"conditioning_embedding_out_channels": condition_channels, **own}
    unet, controlnet = nets.unet(config), nets.controlnet(control)
    fill_from_base(unet, base, nets.ADDED)
    copy_encoder(controlnet, unet)
    controlnet.controlnet_cond_embedding.conv_out.reset_parameters()
    return unet, controlnet, config, control


def window(pictures: tuple[Tensor, ...], side: int, rng: np.random.Generator) -> tuple[Tensor, ...]:
    """One part of all pictures of a batch.

    Args:
        pictures: latents (N, C, h, h), then whatever shows the same at a multiple of that size, (N, C, k * h, k * h).
        side: of the part, in cells of the latents.
        rng: draws where it lies.

    Returns:
        The same part of each, (N, C, side, side) and (N, C, k * side, k * side).
    """
    cells = pictures[0].shape[-1]
    top, left = (int(v) for v in rng.integers(0, cells - side + 1, 2))
    parts = []
    for picture in pictures:
        k = picture.shape[-1] // cells
        parts.append(picture[:, :, k * top : k * (top + side), k * left : k * (left + side)])
    return tuple(parts)


def fit(
    name: str,
    settings: dict[str, Any],
    both: Any,
    trained: list[nn.Parameter],
    loss: Callable[[int | None, np.random.Generator], tuple[Tensor, dict[str, Tensor]]],
    work: Path,
    seed: int,
) -> tuple[nn.Module, dict[str, Any]]:
    """Train with AdamW and a moving average.

    Args:
        name: of the model.
        settings: steps, window_steps, window, batch_size, learning_rate, ema, levels.
        both: module that holds UNet and ControlNet.
        trained: the parameters that learn.
        loss: of one batch, cut to windows of the given side or whole (None): what is minimised, what the log shows.
        work: folder of the checkpoint.
        seed: of the training.

    Returns:
        The averaged networks, and facts for their cards.
    """
    average = Average(both, settings["ema"])
    optimizer = torch.optim.AdamW(trained, lr=settings["learning_rate"], weight_decay=0.01)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step: whatever the model's own `loss` says, on windows at first."""
        total, shown = loss(settings["window"] if i < settings["window_steps"] else None, rng)
        descend(optimizer, total, trained, cosine_rate(settings["learning_rate"], i, settings["steps"]))
        average.follow(both, i)
        return {word: float(value.detach()) for word, value in shown.items()}

    parts = {"networks": both, "average": average, "optimizer": optimizer}
    facts = train(name, parts, step, settings["steps"], work, seed) | {"seed": seed, "batch": settings["batch_size"]}
    return average.module, facts | {"levels": settings["levels"]}


def save(
    folder: Path,
    title: str,
    what: str,
    kept: nn.Module,
    configs: dict[str, dict[str, Any]],
    facts: dict[str, Any],
    base: Path,
    added: tuple[str, ...],
) -> None:
    """Write the trained networks with their configs and cards: the ControlNet whole, of the UNet what it added.

    Args:
        folder: of the model.
        title: its name.
        what: one sentence for the cards.
        kept: module that holds `unet` and `controlnet`.
        configs: of both.
        facts: rows of the cards.
        base: folder `unet` of the mini base.
        added: names of the UNet's modules that the base does not have.

    Raises:
        HlfError: training changed a tensor of the base.
    """
    control, unet = kept.get_submodule("controlnet"), kept.get_submodule("unet")
    stored = additions(unet, FromBase(base / WEIGHTS, added))
    save_model(
        folder / "controlnet", f"{title} controlnet", what, configs["controlnet"], control.state_dict(), facts, WEIGHTS
    )
    save_model(folder / "unet", f"{title} unet", f"{what}\n{REST}", configs["unet"], stored, facts, WEIGHTS)
