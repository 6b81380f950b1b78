"""The training scenes, drawn once and shared by every recipe."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hlf.files import atomic, read_table, write_table
from hlf.scenes.scene import scene_for

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Pool:
    """Scenes of role "train".

    Attributes:
        images: uint8 (count, size, size, 3), memory-mapped.
        captions: one per scene.
        content: rows of the table `content` with a column `index`.
    """

    images: np.ndarray
    captions: list[str]
    content: "pd.DataFrame"


def _draw(task: tuple[int, int, int]) -> tuple[np.ndarray, str, list[dict[str, object]]]:
    seed, index, size = task
    scene = scene_for(seed, "train", index, size)
    rows = [
        {"index": index, "kind": o.kind, "label": o.label, "detail": o.detail}
        | dict(zip(("left", "top", "right", "bottom"), o.box, strict=True))
        for o in scene.objects
    ]
    return scene.image, scene.caption, rows


def build_pool(folder: Path, count: int, size: int, config_seed: int, processes: int) -> None:
    """Draw `count` scenes of side `size` and write images.npy, captions.parquet, content.parquet into `folder`.

    The result does not depend on `processes`.
    """
    from multiprocessing import get_context

    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    images = np.empty((count, size, size, 3), dtype=np.uint8)
    captions, content = [], []
    with get_context("spawn").Pool(processes) as workers:
        tasks = [(config_seed, i, size) for i in range(count)]
        for index, (image, caption, rows) in enumerate(workers.imap(_draw, tasks, chunksize=64)):
            images[index] = image
            captions.append(caption)
            content += rows
    with atomic(folder / "images.npy") as tmp:
        np.save(tmp, images)
    write_table(pd.DataFrame({"caption": captions}), folder / "captions.parquet")
    write_table(pd.DataFrame(content), folder / "content.parquet")


def open_pool(folder: Path) -> Pool:
    """The pool that `build_pool` wrote."""
    captions = read_table(folder / "captions.parquet")["caption"].tolist()
    return Pool(np.load(folder / "images.npy", mmap_mode="r"), captions, read_table(folder / "content.parquet"))
