"""Names of the SR models and the modules that load them. A new model adds one line here and nothing elsewhere."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from hlf.errors import HlfError
from hlf.sr.base import PRECISIONS, Upscaler, pick_device
from hlf.sr.options import resolve

# Each module has OPTIONS (name in group sr.<model> of the configuration -> hlf.sr.options.Option) and
# load(zoo, folder, device, precision, options) -> Upscaler.
MODELS: dict[str, str] = {
    "bsrgan": "hlf.sr.bsrgan",
    "swinir": "hlf.sr.swinir",
    "stablesr": "hlf.sr.stablesr",
    "seesr": "hlf.sr.seesr",
    "pasd": "hlf.sr.pasd",
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
