"""Embeddings of image files."""

from pathlib import Path
from typing import TYPE_CHECKING

from hlf.images import read_image, to_tensor

if TYPE_CHECKING:
    from torch import Tensor

    from hlf.backbones.base import Backbone


def embed_files(paths: list[Path], backbone: "Backbone", batch_size: int, device: str) -> "Tensor":
    """Embeddings (N, D) of image files, on the CPU; batches hold images of one size only.

    On a CPU the batch size changes the last bit of a matrix product, so results that must not depend on how images are
    grouped want `batch_size` 1.
    """
    import torch

    found: list[Tensor] = []
    backbone.to(device)
    with torch.inference_mode():
        batch: list[Tensor] = []
        for path in paths:
            image = to_tensor(read_image(path))
            if batch and (len(batch) == batch_size or batch[0].shape != image.shape):
                found.append(backbone(torch.stack(batch).to(device)).cpu())
                batch = []
            batch.append(image)
        found.append(backbone(torch.stack(batch).to(device)).cpu())
    return torch.cat(found)
