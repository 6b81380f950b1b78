"""Names of the SR models and the modules that load them. A new model adds one line here: docs/add_a_model.md."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from hlf.device import pick_device
from hlf.errors import HlfError
from hlf.sr.base import PRECISIONS, Upscaler
from hlf.sr.options import resolve

# Each module has OPTIONS (name in group sr.<model> of the configuration -> hlf.sr.options.Option) and
# load(zoo, folder, device, precision, options) -> Upscaler. Importing it must not import torch: the configuration is
# checked with its OPTIONS before any job.
MODELS: dict[str, str] = {
    "bsrgan": "hlf.sr.bsrgan",
    "swinir": "hlf.sr.swinir",
    "stablesr": "hlf.sr.stablesr",
    "seesr": "hlf.sr.seesr",
    "pasd": "hlf.sr.pasd",
}
# Ways of upscaling for comparison only: allowed in sr.baselines, refused in sr.models, so that no pair is made of them.
BASELINES: dict[str, str] = {
    "bicubic": "hlf.sr.bicubic",
}


def registered() -> dict[str, str]:
    """Modules of all models and baselines by name, models first."""
    return {**MODELS, **BASELINES}


def model_module(name: str) -> ModuleType:
    """Module of SR model or baseline `name`; HlfError lists the names when it is unknown."""
    known = registered()
    if name not in known:
        raise HlfError(f"SR model '{name}' is unknown, expected one of {', '.join(known)}")
    return importlib.import_module(known[name])


def has_weights(name: str) -> bool:
    """Whether SR model `name` reads files of a zoo; its module says WEIGHTS = False when it does not."""
    return bool(getattr(model_module(name), "WEIGHTS", True))


def load_upscaler(
    name: str, zoo: str, folder: str | Path, device: str, precision: str, options: Mapping[str, Any]
) -> Upscaler:
    """Load one SR model with its weights.

    Args:
        name: key of `MODELS` or `BASELINES`.
        zoo: mini or official.
        folder: folder of that zoo.
        device: auto, cpu or cuda.
        precision: fp32, fp16 or bf16, as far as the model allows.
        options: settings of this model, such as the group `sr.<name>` of the configuration; see its OPTIONS.

    Raises:
        HlfError: unknown name, unknown or wrong option, missing or wrong weights, no GPU, precision that the model
            cannot run in.
    """
    module = model_module(name)
    if precision not in PRECISIONS:
        raise HlfError(f"precision '{precision}' is unknown, expected one of {', '.join(PRECISIONS)}")
    own = resolve(name, module.OPTIONS, options)
    upscaler: Upscaler = module.load(zoo, Path(folder), pick_device(device), precision, own)
    return upscaler
