"""Pictures inside the report: figures, and the pairs of the viewer, each embedded once and without loss."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.paper.pairs import MEASURES

if TYPE_CHECKING:
    import pandas as pd

# Characters of the whole page, and of the pictures of pairs in it, at most. Pictures whose fidelity is judged are
# embedded as the PNG files they are, never recompressed; so at 512 x 512 pixels fewer pairs fit, 10 to 20. The page
# stays below 30 MB beside all figures, and opens without a wait.
PAGE, BUDGET = 28_000_000, 16_000_000


@dataclass(frozen=True)
class Picture:
    """A picture as the page holds it.

    Attributes:
        uri: data URI of the PNG file, byte for byte.
        width: pixels.
        height: pixels.
    """

    uri: str
    width: int
    height: int


@dataclass(frozen=True)
class Scene:
    """A GT and the shown pairs made of it.

    Attributes:
        key: id of the GT's picture in the page.
        image_id: of the GT.
        gt: its picture.
        pairs: rows of `pairs.pair_table` (missing values None) with key (id in the page) and picture.
    """

    key: str
    image_id: str
    gt: Picture
    pairs: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Album:
    """Pairs of the viewer.

    Attributes:
        scenes: by image id; pairs by pair id.
        shown: pairs in the page.
        total: pairs that were to be shown.
        measures: those of `pairs.MEASURES` that have values.
    """

    scenes: list[Scene]
    shown: int
    total: int
    measures: list[str]


def left_for_pairs(figures: Sequence[Path]) -> int:
    """Characters that pictures of pairs may take beside these figures; a missing one counts nothing."""
    taken = sum(-(-path.stat().st_size // 3) * 4 for path in figures if path.is_file())
    return max(0, min(BUDGET, PAGE - taken))


def embed(path: Path) -> Picture:
    """A PNG file as data URI.

    Raises:
        HlfError: the file is missing or no PNG.
    """
    from PIL import Image

    try:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            width, height = picture.size
    except OSError as error:
        raise HlfError(f"report: picture {path} is missing or no PNG ({error}); make it again") from error
    return Picture("data:image/png;base64," + base64.b64encode(data).decode(), width, height)


def album(table: "pd.DataFrame", order: Sequence[int], root: Path, budget: int = BUDGET) -> Album:
    """As many pairs as the budget holds, in the given order; a GT counts once.

    Args:
        table: of `pairs.pair_table`.
        order: its rows, those to take first in front; see `pairs.in_turn`.
        root: results folder of the run, to which the paths are relative.
        budget: characters that the pictures may take.

    Raises:
        HlfError: a picture is missing or no PNG.
    """
    scenes: dict[str, Scene] = {}
    left = budget
    records: Mapping[Any, Any] = table.to_dict("index")
    for row in order:
        record: dict[str, Any] = {str(k): (None if v != v else v) for k, v in records[row].items()}
        known = scenes.get(record["gt_path"])
        scene = known or Scene("", record["image_id"], embed(root / record["gt_path"]))
        picture = embed(root / record["sr_path"])
        left -= len(picture.uri) + (0 if known else len(scene.gt.uri))
        if left < 0:
            break
        scenes[record["gt_path"]] = scene
        scene.pairs.append(record | {"picture": picture})
    return Album(_numbered(scenes), sum(len(s.pairs) for s in scenes.values()), len(order), _measured(table))


def _numbered(scenes: Mapping[str, Scene]) -> list[Scene]:
    """Scenes and pairs by id, with keys for the page."""
    ordered, count = [], 0
    for number, scene in enumerate(sorted(scenes.values(), key=lambda one: one.image_id), start=1):
        pairs = []
        for pair in sorted(scene.pairs, key=lambda one: one["pair_id"]):
            count += 1
            pairs.append(pair | {"key": f"pair-{count}"})
        ordered.append(Scene(f"gt-{number}", scene.image_id, scene.gt, pairs))
    return ordered


def _measured(table: "pd.DataFrame") -> list[str]:
    return [name for name in MEASURES if name in table]
