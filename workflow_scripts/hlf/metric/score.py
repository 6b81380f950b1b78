"""Scores of all pairs by one backbone: each GT is embedded once."""

from pathlib import Path
from typing import TYPE_CHECKING

from hlf.backbones.embed import embed_files
from hlf.columns import conform

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from hlf.backbones.base import Backbone


def score_pairs(
    pairs: "pd.DataFrame",
    split: "pd.DataFrame",
    results: Path,
    run: str,
    backbone: "Backbone",
    tuned: bool,
    weights_sha256: str,
    batch_size: int = 1,
    device: str = "cpu",
) -> "pd.DataFrame":
    """Table `metric_scores` of one backbone: 1 - cosine per pair, lower is better.

    Args:
        pairs: table `pairs`.
        split: table `split`, for the part of each pair.
        results: folder of the run.
        run: name of the run.
        backbone: zero-shot or tuned.
        tuned: which of both; goes into the table.
        weights_sha256: digest of the weights, goes into the table.
        batch_size: images per forward; 1 keeps scores independent of grouping on a CPU.
        device: where the backbone runs.
    """
    description = backbone.description
    value = distances(pairs, results, backbone, batch_size, device)
    table = pairs[["pair_id"]].assign(value=value, run=run, backbone=description.name)
    table = table.assign(tuned=tuned, zoo=description.zoo, weights_sha256=weights_sha256)
    return conform(table.merge(split[["pair_id", "part"]], on="pair_id"), "metric_scores")


def distances(
    pairs: "pd.DataFrame", results: Path, backbone: "Backbone", batch_size: int = 1, device: str = "cpu"
) -> "np.ndarray":
    """1 - cosine of each row of table `pairs`, shape (N,); arguments as `score_pairs`."""
    import torch

    paths = sorted({*pairs["gt_path"], *pairs["sr_path"]})
    embeddings = dict(zip(paths, embed_files([results / p for p in paths], backbone, batch_size, device), strict=True))
    gt, sr = (torch.stack([embeddings[p] for p in pairs[c]]) for c in ("gt_path", "sr_path"))
    return backbone.distance(sr, gt).double().numpy()
