"""A training loop that can be killed at any step and goes on as if nothing had happened."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hlf.errors import HlfError
from hlf.files import atomic
from hlf.seeds import generator, seed_for

log = logging.getLogger(__name__)
Step = Callable[[int, np.random.Generator], dict[str, float]]


def train(
    name: str, parts: dict[str, Any], step: Step, steps: int, work: Path, seed: int, every: int = 100
) -> dict[str, Any]:
    """Run `step(i, rng)` for i in 0..steps-1, with a checkpoint in `work` every `every` steps.

    All randomness of step i comes from a generator seeded by (seed, name, i) and from torch's generator seeded alike,
    so a resumed run equals an unbroken one to the bit.

    Args:
        name: name of the model, part of every seed.
        parts: what a checkpoint holds: modules, optimisers, moving averages; each with state_dict and load_state_dict.
        step: one optimiser step; returns the losses to log.
        steps: number of steps in all.
        work: folder of the checkpoint; removed files start the training anew.
        seed: the configuration's seed.
        every: steps between checkpoints and log lines.

    Returns:
        steps, minutes of computing (over all sittings), and the mean of each loss over the last `every` steps.

    Raises:
        HlfError: a loss is not finite.
    """
    work.mkdir(parents=True, exist_ok=True)
    path, start, minutes, recent = work / "checkpoint.pt", 0, 0.0, {}
    if path.is_file():
        saved = torch.load(path, weights_only=False)  # our own file of this work folder, holds optimiser state
        for key, part in parts.items():
            part.load_state_dict(saved["parts"][key])
        start, minutes, recent = saved["step"], saved["minutes"], saved["recent"]
        log.info("%s: resumed at step %d", name, start)
    began, window = time.monotonic(), []
    for i in range(start, steps):
        torch.manual_seed(seed_for(seed, f"train-{name}-torch", i) % 2**63)
        losses = step(i, generator(seed, f"train-{name}", i))
        if not all(np.isfinite(v) for v in losses.values()):
            raise HlfError(
                f"training of {name} diverged at step {i}: {losses}; lower its learning rate in zoo.training"
            )
        window.append(losses)
        if (i + 1) % every == 0 or i + 1 == steps:
            recent = {k: float(np.mean([w[k] for w in window if k in w])) for k in window[-1]}
            minutes, began, window = minutes + (time.monotonic() - began) / 60, time.monotonic(), []
            log.info("%s: step %d of %d, %.1f min, %s", name, i + 1, steps, minutes, _text(recent))
            with atomic(path) as tmp:
                state = {key: part.state_dict() for key, part in parts.items()}
                torch.save({"step": i + 1, "minutes": minutes, "recent": recent, "parts": state}, tmp)
    return {"steps": steps, "minutes": round(minutes, 1), **{k: round(v, 5) for k, v in recent.items()}}


def _text(losses: dict[str, float]) -> str:
    return ", ".join(f"{k} {v:.4f}" for k, v in losses.items())


class Average:
    """Exponential moving average of a module's weights; what the GAN and distillation recipes keep."""

    def __init__(self, module: torch.nn.Module, decay: float):
        import copy

        self.module, self.decay = copy.deepcopy(module).requires_grad_(False), decay

    @torch.no_grad()
    def update(self, module: torch.nn.Module, decay: float | None = None) -> None:
        """Move towards the weights of `module`; buffers are copied."""
        keep = self.decay if decay is None else decay
        for mine, theirs in zip(self.module.parameters(), module.parameters(), strict=True):
            mine.lerp_(theirs, 1 - keep)
        for own, other in zip(self.module.buffers(), module.buffers(), strict=True):
            own.copy_(other)

    def follow(self, module: torch.nn.Module, step: int) -> None:
        """`update` after step number `step` from 0, faster at the beginning, where old weights are worth little."""
        self.update(module, min(self.decay, (step + 1) / (step + 10)))

    def state_dict(self) -> dict[str, Any]:
        """State of the averaged module."""
        return self.module.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Fill the averaged module."""
        self.module.load_state_dict(state)


def cosine_rate(base: float, step: int, steps: int, warmup: int = 100) -> float:
    """Learning rate of a step: linear warm-up, then half a cosine down to 2 % of `base`."""
    if step < warmup:
        return base * (step + 1) / warmup
    return base * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * (step - warmup) / max(1, steps - warmup))))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group the learning rate `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def descend(
    optimizer: torch.optim.Optimizer, loss: torch.Tensor, parameters: list[torch.nn.Parameter], rate: float
) -> None:
    """One update at the learning rate `rate`; the gradient of `parameters` is clipped to norm 1."""
    set_rate(optimizer, rate)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()


def batch_of(images: np.ndarray, index: np.ndarray) -> torch.Tensor:
    """Rows `index` of a uint8 pool (count, H, W, 3) as a float tensor (N, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images[np.sort(index)].transpose(0, 3, 1, 2))).float() / 255
