"""Patch tokens taught by a small convolutional network: what makes a tiny vision transformer learn on a CPU.

A transformer learns locality and shape only from many images: with 20,000 views a supervised mini PE-core was still at
chance. Official small models have a teacher too: those of PE-core and DINOv2 are distilled from the largest ones. Here
the teacher is the mini VGG, whose features each patch token has to predict beside the method's own loss.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.training.perceptual import perceptual_network


class PatchTeacher(nn.Module):
    """A linear map from patch tokens to the teacher's features; the teacher itself is not part of the state.

    Args:
        width: of the tokens.
        zoo_folder: folder with the mini VGG.
    """

    def __init__(self, width: int, zoo_folder: Path):
        super().__init__()
        self._teacher = [perceptual_network(zoo_folder)]  # in a list: frozen, so it belongs into no checkpoint
        with torch.inference_mode():
            channels = self._teacher[0].taps(torch.zeros(1, 3, 64, 64))[-1].shape[1]
        self.map = nn.Linear(width, channels)

    def forward(self, tokens: Tensor, images: Tensor) -> Tensor:
        """Mean squared distance of unit features, in [0, 4].

        Args:
            tokens: patch tokens (N, g * g, width), row by row.
            images: what they were made from, (N, 3, H, W) in [0, 1].
        """
        side = round(tokens.shape[1] ** 0.5)
        with torch.no_grad():
            wanted = F.normalize(F.adaptive_avg_pool2d(self._teacher[0].taps(images)[-1], side), dim=1)
        found = F.normalize(self.map(tokens), dim=-1)
        return (found - wanted.flatten(2).transpose(1, 2)).square().sum(-1).mean()
