"""Optimisers of the fine-tuning by name: AdamW as the official program has it, in the ways that exist of it."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from hlf.errors import HlfError
from hlf.extras import needed_for

# train_seesr.py
BETAS, EPS, WEIGHT_DECAY = (0.9, 0.999), 1e-8, 1e-2
NAMES = ("adamw", "adamw_fused", "adamw_8bit")


def build_optimizer(name: str, parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """AdamW.

    Args:
        name: "adamw"; "adamw_fused", one kernel for all tensors; "adamw_8bit", of bitsandbytes, which saves 4.5 GB of
            the 6 GB that full-size states take.
        parameters: that learn.
        rate: learning rate.

    Raises:
        HlfError: unknown name, or bitsandbytes is not installed.
    """
    how: dict[str, Any] = {"lr": rate, "betas": BETAS, "eps": EPS, "weight_decay": WEIGHT_DECAY}
    if name == "adamw_8bit":
        with needed_for("tuning.optimizer adamw_8bit", "bitsandbytes"):
            import bitsandbytes
        eight: torch.optim.Optimizer = bitsandbytes.optim.AdamW8bit(parameters, **how)
        return eight
    if name not in NAMES:
        raise HlfError(f"tuning.optimizer '{name}' is unknown, expected one of {', '.join(NAMES)}")
    return torch.optim.AdamW(parameters, fused=name == "adamw_fused", **how)
