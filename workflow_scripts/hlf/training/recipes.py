"""Name of a mini model -> recipe that trains it."""

import importlib
from pathlib import Path
from typing import Any

RECIPES = {
    "reader": "hlf.training.reader:run",
    "vgg": "hlf.training.vgg:run",
    "bsrgan": "hlf.training.gan:run_bsrgan",
    "swinir": "hlf.training.gan:run_swinir",
    "pe-core": "hlf.training.contrastive:run",
    "dinov2": "hlf.training.distill:run",
}


def train_model(name: str, settings: dict[str, Any], pool: Path, zoo: Path, work: Path, config_seed: int) -> None:
    """Train one mini model and write its folder into `zoo`; goes on from the checkpoint in `work` after a kill.

    Args:
        name: a key of RECIPES.
        settings: the group `zoo.training.<name>` of the configuration.
        pool: folder written by `build_pool`.
        zoo: folder of the zoo being made; models that the recipe needs (vgg for the GANs) are taken from it.
        work: folder for this model's checkpoint.
        config_seed: the configuration's seed.
    """
    import torch

    from hlf.seeds import seed_for
    from hlf.training.pool import open_pool

    # another number of threads changes the last bits, so retraining would not give the same weights
    torch.set_num_threads(1)
    module, function = RECIPES[name].split(":")
    recipe = getattr(importlib.import_module(module), function)
    recipe(settings, open_pool(pool), zoo / name, work, seed_for(config_seed, f"train-{name}") % 2**31, zoo)
