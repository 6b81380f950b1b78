"""One step of a fine-tuning on whatever memory there is: number format, micro-batches, gradient checkpointing.

Float32 weights are what the optimiser changes, in every number format: rounding a step of 1e-5 to half precision would
lose it. Sums and cosines stay float32 as well (`hlf.backbones.base`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from hlf.backbones.base import Backbone
from hlf.errors import HlfError
from hlf.metric.pairs import PairSet, View

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Stepper:
    """A backbone with its optimiser: `step` changes its weights by one batch of pairs.

    Args:
        backbone: all weights are trained, in place.
        settings: of the group `metric`: learning_rate, precision, accumulation, gradient_checkpointing.

    Raises:
        HlfError: an unknown precision, or gradient checkpointing asked of a backbone that has none.
    """

    def __init__(self, backbone: Backbone, settings: dict[str, Any]):
        if settings["precision"] not in PRECISIONS:
            raise HlfError(f"metric.precision '{settings['precision']}' is unknown, expected {', '.join(PRECISIONS)}")
        self.backbone, self.precision = backbone, PRECISIONS[settings["precision"]]
        self.parts = int(settings["accumulation"])
        self.checkpointing = bool(settings["gradient_checkpointing"])
        self.optimizer = torch.optim.Adam(backbone.parameters(), lr=float(settings["learning_rate"]))
        self.device = next(backbone.parameters()).device
        # small gradients vanish in float16 unless they are scaled up; the other formats have float32's range
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == torch.float16)

    def prepare(self) -> None:
        """Put the backbone into the mode for training; to be called after it was used otherwise."""
        # without dropout or batch statistics train and eval mode differ in nothing; eval keeps it so
        self.backbone.eval()
        if self.checkpointing:
            checkpoint_layers(self.backbone, "metric.gradient_checkpointing")

    def step(self, pairs: PairSet, index: np.ndarray, views: Sequence[View] | None = None) -> np.ndarray:
        """One step on the pairs with these numbers; what the backbone said of them before it, shape (N,).

        The batch goes through in `accumulation` parts, whose gradients add up to that of the whole batch.

        Raises:
            HlfError: the loss is not finite.
        """
        self.optimizer.zero_grad()
        said = []
        for places in np.array_split(np.arange(len(index)), min(self.parts, len(index))):
            looks = None if views is None else [views[i] for i in places]
            sr, gt, score = pairs.batch(index[places], self.device, looks)
            with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
                predicted = self.backbone.distance(*self.backbone(torch.cat([sr, gt])).chunk(2))
            loss = nn.functional.mse_loss(predicted, score) * (len(places) / len(index))
            if not torch.isfinite(loss):
                name = self.backbone.description.name
                raise HlfError(f"fine-tuning of {name} diverged; lower metric.learning_rate")
            self.scaler.scale(loss).backward()
            said.append(predicted.detach().double().cpu().numpy())
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return np.concatenate(said)

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs to go on with the same bits."""
        parts: dict[str, Any] = {"weights": self.backbone, "optimizer": self.optimizer, "scaler": self.scaler}
        return {name: part.state_dict() for name, part in parts.items()}

    def load(self, saved: dict[str, Any]) -> None:
        """The reverse of `state`."""
        self.backbone.load_state_dict(saved["weights"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.scaler.load_state_dict(saved["scaler"])


def checkpoint_layers(backbone: Backbone, setting: str) -> None:
    """Let the layers of the tower forget what they can compute again in the backward pass: less memory, a third slower.

    Args:
        backbone: whose tower it is.
        setting: configuration key that asks for it, for the sentence.

    Raises:
        HlfError: the tower is of no library that can do so.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    # the outermost part that has the switch: some towers are a library's network with a projection behind it
    for part in backbone.tower.modules():
        # transformers, by its new and its old name
        old = getattr(part, "gradient_checkpointing_enable", None)
        enable: Any = getattr(part, "activation_checkpointing_enable", old)
        if enable is not None:
            # the reentrant kind gives no gradient where the input needs none, as pictures do
            enable({"use_reentrant": False})
            for layer in part.modules():
                if isinstance(layer, GradientCheckpointingLayer):
                    # it asks its own flag only; what it consists of stays in eval mode, dropout above all
                    layer.training = True
            return
        if hasattr(part, "set_grad_checkpointing"):  # timm and open_clip
            switch: Any = part.set_grad_checkpointing
            switch(True)
            return
    raise HlfError(f"backbone {backbone.description.name} knows no gradient checkpointing; set {setting}: false")
