"""Name of a backbone -> its class; the only line another backbone needs outside its own file."""

import importlib
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from hlf.errors import HlfError

if TYPE_CHECKING:
    from hlf.backbones.base import Backbone, Description

# in the order of the paper's Table 3
BACKBONES = {
    "vit": "hlf.backbones.vit",
    "clip": "hlf.backbones.clip",
    "blip": "hlf.backbones.blip",
    "dinov2": "hlf.backbones.dinov2",
    "pe-core": "hlf.backbones.pe_core",
}


def _module(name: str) -> ModuleType:
    if name not in BACKBONES:
        raise HlfError(f"backbone '{name}' is unknown, expected one of {', '.join(BACKBONES)}")
    return importlib.import_module(BACKBONES[name])


def build_backbone(description: "Description") -> "Backbone":
    """Backbone with the library's own initial weights, for weights that the caller loads next."""
    return _module(description.name).build(description)


def load_backbone(
    name: str, zoo: str, folder: str | Path, resize_mode: str = "library", pooling: str = "", variant: str = ""
) -> "Backbone":
    """Backbone with the weights of a zoo, in eval mode on the CPU, float32.

    Args:
        name: a key of BACKBONES.
        zoo: "mini" or "official"; never the other one when a file is missing.
        folder: folder of that zoo.
        resize_mode: "library" keeps the preprocessing of the backbone's own library, "squash" drops its centre crop.
        pooling: what of the tower's output is compared, one of its class's POOLINGS; "": the first of them.
        variant: another size, such as "B" of pe-core, where the zoo has an entry for it; "": the default.

    Raises:
        HlfError: unknown name, mode, pooling or variant, missing or wrong weights.
    """
    from hlf.zoo.load import load_strict

    if resize_mode not in ("library", "squash"):
        raise HlfError(f"metric.resize_mode '{resize_mode}' is unknown, expected library or squash")
    module = _module(name)
    entry = f"{name}-{variant.lower()}" if variant else name
    description, state, path = module.read(zoo, Path(folder), entry)
    description = replace(description.squashed() if resize_mode == "squash" else description, pooling=pooling)
    backbone = build_backbone(description)
    load_strict(backbone.tower, state, path)
    return backbone.eval()
