"""Command `hlf sr`: a file or a folder of pictures in, four times larger PNG files at the same relative paths out."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError
from hlf.files import write_table
from hlf.images import list_images
from hlf.seeds import seed_for
from hlf.sr.base import Upscaler
from hlf.sr.engine import Item, Settings, upscale_items
from hlf.sr.tables import result_tables

if TYPE_CHECKING:
    import pandas as pd

# a folder of pictures says nothing of how they were degraded
UNKNOWN_LEVEL = math.nan


@dataclass(frozen=True)
class FolderRun:
    """Settings of one call of the command.

    Attributes:
        seed: base seed.
        batch_size: images of equal size per forward.
        tile: LR side of a tile, 0 or `hlf.sr.tiling.AUTO`.
        tile_overlap: LR pixels that neighbouring tiles share.
        resume: keep outputs that stand complete and were made from the same input, weights and settings.
        limit: make only the first so many images; None: all.
        shard: (i, n) with i from 1: make every n-th image, starting with the i-th.
        suffix: appended to the stem of each output.
        options: settings that only this model reads.
    """

    seed: int = 42
    batch_size: int = 1
    tile: int = 0
    tile_overlap: int = 16
    resume: bool = True
    limit: int | None = None
    shard: tuple[int, int] = (1, 1)
    suffix: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def upscale_folder(
    source: Path, target: Path, upscaler: Upscaler, how: FolderRun
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Super-resolve a picture or all pictures under a folder; writes sr.parquet and failures.csv into `target`.

    A picture gets the same seed alone or in any folder, order or shard: it depends on the stem of its file.

    Args:
        source: a picture, or a folder that is searched recursively.
        target: folder of the outputs; an output lies at the relative path of its input, as .png.
        upscaler: see `hlf.sr.registry.load_upscaler`.
        how: see `FolderRun`. With n > 1 shards the tables are sr.<i>of<n>.parquet and failures.<i>of<n>.csv.

    Returns:
        The two tables, `image_id` being the relative path without suffix and `level` NaN: unknown.

    Raises:
        HlfError: nothing to do, two inputs with one output, an output on top of an input, an unwritable folder.
    """
    source, target = Path(source), Path(target)
    rule = upscaler.descriptor
    items = _share(_plan(source, target, rule.name, how), how)
    key = hashlib.sha256(json.dumps([how.tile, how.tile_overlap, sorted(how.options.items())]).encode()).hexdigest()
    settings = Settings(key, how.batch_size, how.tile, how.tile_overlap, how.resume)
    made, failed = upscale_items(items, upscaler, settings)
    table, _, failures = result_tables(made, failed, rule, "folder", target)
    part = "" if how.shard[1] == 1 else f".{how.shard[0]}of{how.shard[1]}"
    write_table(failures, target / f"failures{part}.csv")
    write_table(table, target / f"sr{part}.parquet")
    return table, failures


def _plan(source: Path, target: Path, model: str, how: FolderRun) -> list[Item]:
    """All items of a call, sorted by path; every clash of names is found before the first image is made."""
    if not source.exists():
        raise HlfError(f"input {source} does not exist; check its path")
    root = source if source.is_dir() else source.parent
    if source.is_dir() and target.resolve() == source.resolve():
        raise HlfError(f"input and output are both {source}; choose another output folder")
    files = [source] if source.is_file() else list_images(source)
    # outputs of an earlier call that lie inside the input folder are no inputs
    files = [f for f in files if f == source or target.resolve() not in f.resolve().parents]
    taken = {path.resolve(): path for path in files}
    outputs: dict[Path, Path] = {}
    items = []
    for path in files:
        name = path.relative_to(root).with_suffix("")
        output = target / name.with_name(f"{name.name}{how.suffix}.png")
        if output in outputs:
            raise HlfError(f"{outputs[output]} and {path} would both be written to {output}; rename one of them")
        if output.resolve() in taken:
            raise HlfError(f"{path} would be written over the input {taken[output.resolve()]}; choose another folder")
        outputs[output] = path
        seed = seed_for(how.seed, "sr", model, path.stem, UNKNOWN_LEVEL)
        items.append(Item(name.as_posix(), UNKNOWN_LEVEL, path, output, seed))
    return items


def _share(items: list[Item], how: FolderRun) -> list[Item]:
    """The items that this call makes: the first `limit`, of which every n-th."""
    index, count = how.shard
    if not 1 <= index <= count:
        raise HlfError(f"shard is {index}/{count}, expected i/n with i from 1 to n")
    if how.limit is not None and how.limit < 1:
        raise HlfError(f"limit is {how.limit}, expected at least 1")
    return items[: how.limit][index - 1 :: count]
