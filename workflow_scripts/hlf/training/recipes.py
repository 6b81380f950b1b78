"""Name of a mini model -> recipe that trains it, files that it writes, and models that it needs."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Recipe:
    """How one mini model is made.

    Attributes:
        module: module of the recipe; editing it makes the model be trained again.
        function: its function `run(settings, pool, folder, work, seed, zoo)`.
        folder: the model's folder below the zoo.
        files: what it writes there besides its card.
        needs: models whose finished files it reads.
        card: its card, written last.
    """

    module: str
    function: str
    folder: str
    files: tuple[str, ...] = ("config.json", "model.safetensors")
    needs: tuple[str, ...] = ()
    card: str = "README.md"


_DIFFUSERS = ("config.json", "diffusion_pytorch_model.safetensors")
_STEERED = tuple(f"{network}/{file}" for network in ("unet", "controlnet") for file in _DIFFUSERS)
_COCA = ("config.json", "model.safetensors", "words.txt")
_STABLESR = tuple(f"{stage}/{file}" for stage in ("structure", "cfw") for file in ("config.json", "model.safetensors"))
_RAM = ("config.json", "model.safetensors", "ram_tag_list.txt", "ram_tag_list_threshold.txt")
_BASE = (
    "tokenizer/vocab.json", "tokenizer/merges.txt", "tokenizer/tokenizer_config.json",
    "tokenizer/special_tokens_map.json", "scheduler/scheduler_config.json", "text_encoder/config.json",
    "text_encoder/model.safetensors", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
)  # fmt: skip
RECIPES = {
    "reader": Recipe("hlf.training.reader", "run", "reader"),
    "vgg": Recipe("hlf.training.vgg", "run", "vgg"),
    "bsrgan": Recipe("hlf.training.gan", "run_bsrgan", "bsrgan", needs=("vgg",)),
    "swinir": Recipe("hlf.training.gan", "run_swinir", "swinir", needs=("vgg",)),
    "pe-core": Recipe("hlf.training.contrastive", "run", "pe-core", needs=("vgg",)),
    "dinov2": Recipe("hlf.training.distill", "run", "dinov2", needs=("vgg",)),
    "vit": Recipe("hlf.training.classify", "run", "vit", needs=("vgg",)),
    "blip": Recipe("hlf.training.blip", "run", "blip", needs=("vgg",)),
    "vae": Recipe("hlf.training.autoencoder", "run", "sd-base/vae", _DIFFUSERS, ("vgg",)),
    "base": Recipe("hlf.training.text_to_image", "run", "sd-base", _BASE, ("vae",), "unet/README.md"),
    "ram": Recipe("hlf.training.tagger", "run", "ram", _RAM, ("vgg",)),
    "dape": Recipe("hlf.training.tagger", "run_dape", "dape", needs=("ram",)),
    "seesr": Recipe("hlf.training.seesr", "run", "seesr", _STEERED, ("base", "ram", "dape"), "unet/README.md"),
    "clip": Recipe("hlf.training.clip", "run", "clip", needs=("vgg",)),
    "afine": Recipe("hlf.training.afine", "run", "afine", needs=("clip",)),
    "koniqpp": Recipe("hlf.training.opinions", "run_koniqpp", "koniqpp"),
    "joint": Recipe("hlf.training.opinions", "run_joint", "joint", needs=("vgg",)),
    "coca": Recipe("hlf.training.coca", "run", "coca", _COCA, ("vgg",)),
    "pasd": Recipe("hlf.training.pasd", "run", "pasd", _STEERED, ("base",), "unet/README.md"),
    "stablesr": Recipe("hlf.training.stablesr", "run", "stablesr", _STABLESR, ("base", "vgg"), "cfw/README.md"),
}


def made_by(name: str) -> list[str]:
    """Files of a mini model relative to the zoo folder, its card last."""
    recipe = RECIPES[name]
    return [f"{recipe.folder}/{file}" for file in (*recipe.files, recipe.card)]


def train_model(
    name: str, settings: dict[str, Any], pool: Path, zoo_folder: Path, work: Path, config_seed: int
) -> None:
    """Train one mini model and write its folder into `zoo`; goes on from the checkpoint in `work` after a kill.

    Args:
        name: a key of RECIPES.
        settings: the group `zoo.training.<name>` of the configuration.
        pool: folder written by `build_pool`.
        zoo_folder: folder of the zoo being made; models that the recipe needs are taken from it.
        work: folder for this model's checkpoint.
        config_seed: the configuration's seed.
    """
    import torch

    from hlf.seeds import seed_for
    from hlf.training.pool import open_pool

    # another number of threads changes the last bits, so retraining would not give the same weights
    torch.set_num_threads(1)
    recipe = RECIPES[name]
    run = getattr(importlib.import_module(recipe.module), recipe.function)
    drawn = seed_for(config_seed, f"train-{name}") % 2**31
    run(settings, open_pool(pool), zoo_folder / recipe.folder, work, drawn, zoo_folder)
