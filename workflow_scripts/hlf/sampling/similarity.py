"""PE-core cosine of GT and SR for every candidate pair (paper 3.1): each GT and each SR is embedded once."""

from pathlib import Path
from typing import TYPE_CHECKING

from hlf.backbones.embed import embed_files
from hlf.columns import conform, pair_id

if TYPE_CHECKING:
    import pandas as pd

    from hlf.backbones.base import Backbone


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
