"""Names of the SR models and the modules that load them. A new model adds one line here and nothing elsewhere."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from hlf.errors import HlfError
from hlf.sr.base import PRECISIONS, Upscaler, pick_device

# Each module has OPTIONS (name in the configuration -> default) and
# load(zoo, folder, device, precision, options) -> Upscaler.
MODELS: dict[str, str] = {
    "bsrgan": "hlf.sr.bsrgan",
    "swinir": "hlf.sr.swinir",
}


def model_module(name: str) -> ModuleType:
    """Module of SR model `name`; HlfError lists the names when it is unknown."""
    if name not in MODELS:
        raise HlfError(f"SR model '{name}' is unknown, expected one of {', '.join(MODELS)}")
    return importlib.import_module(MODELS[name])


def load_upscaler(
    name: str, zoo: str, folder: str | Path, device: str, precision: str, options: Mapping[str, Any]
) -> Upscaler:
    """Load one SR model with its weights.

    Args:
        name: key of `MODELS`.
        zoo: mini or official.
        folder: folder of that zoo.
        device: auto, cpu or cuda.
        precision: fp32, fp16 or bf16, as far as the model allows.
        options: settings by name, such as the group `sr` of the configuration; the model takes those it knows.

    Raises:
        HlfError: unknown name, missing or wrong weights, no GPU, precision that the model cannot run in.
    """
    module = model_module(name)
    if precision not in PRECISIONS:
        raise HlfError(f"precision '{precision}' is unknown, expected one of {', '.join(PRECISIONS)}")
    own = {key: options.get(key, default) for key, default in module.OPTIONS.items()}
    upscaler: Upscaler = module.load(zoo, Path(folder), pick_device(device), precision, own)
    return upscaler
