"""Muon for the matrices inside transformer blocks, AdamW for all else: fewer steps than AdamW alone on a CPU."""

from typing import Any

import torch
from torch import nn

MUON_RATE = 0.02  # Jordan et al. 2024, the usual rate of orthogonalised updates


class BlockMuon:
    """Two optimisers that step as one.

    Args:
        modules: networks to train; two-dimensional weights below a name part of `parts` get Muon.
        rate: AdamW's learning rate; Muon's is in a fixed proportion to the schedule.
        weight_decay: of both.
        parts: names of modules that hold transformer blocks.
    """

    PARTS = frozenset({"blocks", "layer", "resblocks", "attn_pool", "technical_feature_extraction"})

    def __init__(self, modules: list[nn.Module], rate: float, weight_decay: float, parts: frozenset[str] = PARTS):
        named = [(n, p) for m in modules for n, p in m.named_parameters() if p.requires_grad]
        matrices = [p for n, p in named if p.ndim == 2 and parts & set(n.split("."))]
        known = {id(p) for p in matrices}
        rest = [p for _, p in named if id(p) not in known]
        self.muon = torch.optim.Muon(matrices, lr=MUON_RATE, weight_decay=weight_decay, momentum=0.95)
        self.adamw = torch.optim.AdamW(rest, lr=rate, weight_decay=weight_decay, betas=(0.9, 0.98))
        self.rate, self.rest = rate, rest

    def step(self, loss: torch.Tensor, rate: float) -> None:
        """Backward pass and one update at the schedule's `rate`; gradients of AdamW's share are clipped to norm 1."""
        for group, value in ((self.muon, MUON_RATE * rate / self.rate), (self.adamw, rate)):
            for one in group.param_groups:
                one["lr"] = value
            group.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.rest, 1.0)
        self.muon.step()
        self.adamw.step()

    def state_dict(self) -> dict[str, Any]:
        """State of both."""
        return {"muon": self.muon.state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Fill both."""
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])
