"""How a metric behaves on pairs with a known answer: planted edits, mild changes, and where its change map lies.

No SR model takes part: the pairs are scenes and their edits (`hlf.scenes.edits`), drawn from the run's seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlf.columns import conform
from hlf.scenes import texture
from hlf.scenes.edits import KINDS, SINGLE, planted_edit, planted_edits
from hlf.scenes.scene import scene_for
from hlf.seeds import generator

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from hlf.backbones.base import Backbone
    from hlf.metric.model import StoredMetric
    from hlf.scenes.scene import Box

BATCH = 8  # pictures per forward; always the same ones together, so the grouping changes no value between runs
EDIT, MILD, MAP = "edit", "mild", "map"  # groups of pairs
SAME, UNRELATED = "same", "unrelated"
# mild change -> its strength; our choice, each is seen only from near
MILDS = {
    "blur": 0.8,  # standard deviation in pixels
    "noise": 4.0,  # standard deviation in grey levels of 255
    "jpeg": 75,  # quality
    "shift_1": 1, "shift_2": 2, "shift_3": 3, "shift_4": 4,  # pixels to the right and down each
}  # fmt: skip
# side of pictograms of pairs for the map, as a share of the picture's: a box of a third of the area or more could not
# hold three times its share of the map; our choice
MAP_SHARE = (0.2, 0.4)


@dataclass(frozen=True)
class Pair:
    """A pair with a known answer.

    Attributes:
        group: EDIT, MILD or MAP.
        kind: a key of `edits.KINDS`; the group again for MILD.
        way: of the edit, or a key of MILDS, SAME or UNRELATED.
        number: from 0 within a group and kind.
        gt: uint8 (H, W, 3).
        sr: the same with the edit.
        box: of the edit; None where it has no single one.
    """

    group: str
    kind: str
    way: str
    number: int
    gt: np.ndarray
    sr: np.ndarray
    box: "Box | None" = None


def draw_pairs(
    config_seed: int, edits: int, scenes: int, maps: int, size: int, share: tuple[float, float]
) -> list[Pair]:
    """All pairs of the suite.

    Args:
        config_seed: the run's seed; equal arguments give equal pairs.
        edits: planted edits of each kind.
        scenes: scenes that get every mild change.
        maps: edits of one object for the change map.
        size: side of the pictures in pixels.
        share: side of pictograms as a share of the picture's, for all but the map.
    """
    found = [
        Pair(EDIT, kind, edit.way, i, edit.before, edit.after)
        for kind in KINDS
        for i, edit in enumerate(planted_edits(config_seed, kind, edits, size, share))
    ]
    found += [pair for i in range(scenes) for pair in _mild_pairs(config_seed, i, scenes, size, share)]
    for i in range(maps):
        # numbers of their own: these scenes have other sizes and are no second sight of the same edits
        edit = planted_edit(config_seed, SINGLE[i % len(SINGLE)], edits + i // len(SINGLE), size, MAP_SHARE)
        found.append(Pair(MAP, edit.kind, edit.way, i, edit.before, edit.after, edit.boxes[0]))
    return found


def _mild_pairs(config_seed: int, number: int, scenes: int, size: int, share: tuple[float, float]) -> Iterator[Pair]:
    """Scene `number` with itself, with each mild change of itself, and with the next scene."""
    gt = scene_for(config_seed, "mild", number, size, share).image
    other = scene_for(config_seed, "mild", (number + 1) % max(2, scenes), size, share).image
    made = {
        SAME: gt,
        "blur": texture.blurred(gt, MILDS["blur"]),
        "noise": texture.noisy(gt, MILDS["noise"], generator(config_seed, "mild", "noise", number)),
        "jpeg": texture.compressed(gt, int(MILDS["jpeg"])),
        **{way: texture.moved(gt, int(by)) for way, by in MILDS.items() if way.startswith("shift")},
        UNRELATED: other,
    }
    for way, sr in made.items():
        yield Pair(MILD, MILD, way, number, gt, sr)


def measure(pairs: list[Pair], metric: "StoredMetric", run: str, device: str = "cpu") -> "pd.DataFrame":
    """Table `behaviour` of one metric.

    Args:
        pairs: of `draw_pairs`.
        metric: fine-tuned, or `untouched`; without calibration the share is the raw value, cut at 1.
        run: name of the run.
        device: where the backbone runs.
    """
    import pandas as pd

    from hlf.metric.calibration import Calibration

    backbone, share = metric.backbone.to(device), metric.calibration or Calibration("none")
    values = _distances(pairs, backbone, device)
    columns = {name: [getattr(pair, name) for pair in pairs] for name in ("group", "kind", "way", "number")}
    table = pd.DataFrame(columns).assign(value=values, share=share(values), mass=np.nan, area=np.nan, hit=np.nan)
    for index, pair in enumerate(pairs):
        if pair.box is not None:
            table.loc[index, ["mass", "area", "hit"]] = _where(pair, backbone, device)
    facts = {"run": run, "backbone": backbone.description.name, "zoo": backbone.description.zoo}
    table = table.assign(tuned=metric.origin.tuned, weights_sha256=metric.origin.weights_sha256, **facts)
    return conform(table, "behaviour")


def untouched(backbone: "Backbone") -> "StoredMetric":
    """A backbone as published, as a metric without calibration."""
    from hlf.metric.model import Origin, StoredMetric

    return StoredMetric(backbone, None, Origin(weights_sha256=backbone.description.weights_sha256))


def _distances(pairs: list[Pair], backbone: "Backbone", device: str) -> np.ndarray:
    """Raw values (n,), float64; every picture goes through the backbone once."""
    import torch

    from hlf.images import to_tensor

    pictures = {id(p): p for pair in pairs for p in (pair.gt, pair.sr)}
    names = list(pictures)
    known: dict[int, Tensor] = {}
    with torch.inference_mode():
        for start in range(0, len(names), BATCH):
            some = names[start : start + BATCH]
            found = backbone(torch.stack([to_tensor(pictures[n]) for n in some]).to(device))
            known.update(zip(some, found.cpu(), strict=True))
        values = []
        for start in range(0, len(pairs), BATCH):
            sides = zip(*((known[id(p.sr)], known[id(p.gt)]) for p in pairs[start : start + BATCH]), strict=True)
            sr, gt = (torch.stack(side) for side in sides)
            values.append(backbone.distance(sr, gt).double())
    return torch.cat(values).numpy()


def _where(pair: Pair, backbone: "Backbone", device: str) -> tuple[float, float, float]:
    """Shares of the map's mass and of its area inside the box, and 1 when its peak lies there; NaN: box not seen.

    A map that is 0 everywhere has found nothing: mass 0 and no hit.
    """
    from hlf.images import to_tensor
    from hlf.metric.change_map import change_map

    assert pair.box is not None
    sr, gt = (to_tensor(p)[None].to(device) for p in (pair.sr, pair.gt))
    heat = change_map(backbone, sr, gt)[0].double().cpu().numpy()
    left, top, right, bottom = pair.box
    inside = np.zeros(heat.shape, dtype=bool)
    inside[top:bottom, left:right] = True
    inside &= np.isfinite(heat)
    total = np.nansum(heat)
    if not inside.any():
        return float("nan"), float("nan"), float("nan")
    area = float(inside.sum() / np.isfinite(heat).sum())
    if total <= 0:
        return 0.0, area, 0.0
    return float(heat[inside].sum() / total), area, float(inside.flat[np.nanargmax(heat)])


def example_pairs(config_seed: int, size: int, share: tuple[float, float]) -> list[Pair]:
    """Pairs to show: one single-object edit of each way, a texture-only edit, and two mild changes of one scene."""
    pairs = draw_pairs(config_seed, 2, 2, len(SINGLE), size, share)
    wanted = [(MAP, way) for way in SINGLE] + [(EDIT, "sharpening"), (MILD, "jpeg"), (MILD, "shift_2")]
    return [next(p for p in pairs if (p.group, p.way) == each) for each in wanted]
