"""Writing a finished mini model: config.json, model.safetensors, and a card that says what it is and reaches."""

from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from hlf.files import atomic, write_json, write_text

Net = TypeVar("Net", bound=torch.nn.Module)

CARD = """# Mini {name}

{what}

Trained by this project on procedural scenes (`snakemake train_zoo`); it stands in for an official model so that the
workflow runs anywhere. Nothing it gives says anything about the official model of that name.

| fact | value |
|---|---|
{rows}
| licence | Apache-2.0 |
"""


def save_model(
    folder: Path,
    name: str,
    what: str,
    config: dict[str, Any],
    state: dict[str, Tensor],
    facts: dict[str, Any],
    weights: str = "model.safetensors",
) -> None:
    """Write the three files of a mini model; weights in half precision, which is ample for models of this size.

    Args:
        folder: of the model.
        name: title of its card.
        what: a sentence or two for the card.
        config: arguments of the network's class.
        state: its state dict.
        facts: rows of the card: steps, minutes, losses, what it reaches.
        weights: name of the weights file; diffusers expects another one than transformers.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    # whole numbers are places in small tables
    half = {k: v.to(torch.half if v.is_floating_point() else torch.int32).contiguous().cpu() for k, v in state.items()}
    with atomic(folder / weights) as tmp:
        tmp.write_bytes(save(half))
    write_json(folder / "config.json", config)
    parameters = sum(v.numel() for v in state.values() if v.is_floating_point())
    rows = {"parameters": f"{parameters:,}", "data": "procedural scenes, role train", **facts}
    write_text(
        folder / "README.md",
        CARD.format(name=name, what=what, rows="\n".join(f"| {k} | {v} |" for k, v in rows.items())),
    )


def rounded(module: Net) -> Net:
    """The module with its weights rounded as `save_model` stores them, for measuring what users will get."""
    module.load_state_dict(
        {k: (v.half().to(v.dtype) if v.is_floating_point() else v) for k, v in module.state_dict().items()}
    )
    return module
