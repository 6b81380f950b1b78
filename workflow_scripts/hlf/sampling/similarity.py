"""PE-core cosine of GT and SR for every candidate pair (paper 3.1): each GT and each SR is embedded once."""

from pathlib import Path
from typing import TYPE_CHECKING

from hlf.columns import conform, pair_id
from hlf.images import read_image, to_tensor

if TYPE_CHECKING:
    import pandas as pd
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


def pair_similarity(
    manifest: "pd.DataFrame",
    lr: "pd.DataFrame",
    sr: "pd.DataFrame",
    results: Path,
    run: str,
    backbone: "Backbone",
    batch_size: int = 1,
    device: str = "cpu",
) -> "pd.DataFrame":
    """Table `similarity` of all SR images of the given GT images.

    Args:
        manifest: rows of the GT images to treat.
        lr: table `lr`, for the path of each LR image.
        sr: table `sr`; images of other GTs are left out.
        results: folder of the run.
        run: name of the run.
        backbone: the one that `sampling.backbone` names, frozen.
        batch_size: images per forward, see `embed_files`.
        device: where the backbone runs.
    """
    import torch

    columns = ["image_id", "level", "model", "path"]
    joined = sr[sr["image_id"].isin(manifest["image_id"])][columns].rename(columns={"path": "sr_path"})
    joined = joined.merge(manifest[["image_id", "path"]].rename(columns={"path": "gt_path"}), on="image_id")
    joined = joined.merge(
        lr[["image_id", "level", "path"]].rename(columns={"path": "lr_path"}), on=["image_id", "level"]
    )
    joined = joined.sort_values(["image_id", "level", "model"]).reset_index(drop=True)
    gt_paths = sorted(set(joined["gt_path"]))
    gt = dict(zip(gt_paths, embed_files([results / p for p in gt_paths], backbone, batch_size, device), strict=True))
    own = embed_files([results / p for p in joined["sr_path"]], backbone, batch_size, device)
    reference = torch.stack([gt[p] for p in joined["gt_path"]])
    cosine = torch.nn.functional.cosine_similarity(own.double(), reference.double(), dim=-1)
    joined["similarity"] = cosine.numpy()
    names = zip(joined["image_id"], joined["level"], joined["model"], strict=True)
    facts = {"run": run, "backbone": backbone.description.name, "weights_sha256": backbone.description.weights_sha256}
    return conform(joined.assign(pair_id=[pair_id(*n) for n in names], **facts), "similarity")
