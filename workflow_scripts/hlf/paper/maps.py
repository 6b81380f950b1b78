"""Change maps of many pairs as pictures, for `hlf score --map`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.iqa.folder import Pairing

if TYPE_CHECKING:
    import pandas as pd

    from hlf.metric.fidelity import HighLevelFidelity


def save_maps(pairing: Pairing, table: "pd.DataFrame", metrics: "Mapping[str, HighLevelFidelity]", folder: Path) -> int:
    """Write GT, SR and change map of every pair that an HLF metric scored as `folder`/<metric>/<name of the pair>.png.

    Args:
        pairing: the pairs.
        table: of `score_pairing`; rows that failed, and those of other measures, have no map.
        metrics: loaded HLF metrics by name.
        folder: made when needed.

    Returns: number of pictures written. Raises HlfError when a picture cannot be written.
    """
    names = {(str(pairing.images[n]), str(pairing.refs[n])): n for n in pairing.names}
    good = table[(table["status"] == "ok") & table["metric"].isin(list(metrics))]
    for image, ref, metric in good[["image", "ref", "metric"]].itertuples(index=False):
        save_map(metrics[metric], metric, Path(image), Path(ref), folder / metric / f"{names[image, ref]}.png")
    return len(good)


def save_map(metric: "HighLevelFidelity", name: str, sr: str | Path, gt: str | Path, path: str | Path) -> None:
    """GT, SR and change map of one pair as a PNG file, its three strongest regions framed.

    Args:
        metric: the loaded metric.
        name: of the metric, for the small print.
        sr: SR picture.
        gt: its GT, resized first where the metric was loaded with `resize_ref`.
        path: the PNG file.

    Raises:
        HlfError: a picture cannot be read or written, or sizes differ.
    """
    from hlf.images import from_tensor
    from hlf.metric.batches import check_sizes, resized
    from hlf.metric.change_map import change_map, top_regions
    from hlf.metric.pictures import as_tensor
    from hlf.paper.change_figures import ModelFacts, save_overlay

    target = as_tensor(sr, "SR")
    size = (target.shape[-2], target.shape[-1])
    reference = resized(as_tensor(gt, "GT"), size, metric.resize_ref)
    check_sizes(size, reference.shape[-2:])
    ours, theirs = (picture[None].to(metric.device) for picture in (target, reference))
    heat = change_map(metric.backbone, ours, theirs)[0].cpu().numpy()
    facts = ModelFacts(name, metric.backbone.description.zoo, metric.origin.weights_sha256, metric.origin.stamp)
    save_overlay(path, from_tensor(target), from_tensor(reference), heat, facts, top_regions(heat))
