"""Stage sr of the workflow: a table of LR images in, SR images and their table out (paper 3.1)."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hlf.columns import conform, level_name
from hlf.errors import HlfError
from hlf.files import write_table
from hlf.seeds import seed_for
from hlf.sr.base import Upscaler
from hlf.sr.engine import Item, Settings, upscale_items
from hlf.sr.tables import result_tables

if TYPE_CHECKING:
    import pandas as pd


def upscale_images(
    lr_table: "pd.DataFrame",
    results: Path,
    upscaler: Upscaler,
    config_seed: int,
    run: str,
    key: str,
    batch_size: int = 1,
    tile: int = 0,
    tile_overlap: int = 16,
    folder: str = "",
) -> "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]":
    """Super-resolve every LR image of a table and write `<folder>/<level>/[<sub-folder>/]<image_id>.png`.

    Images that an earlier run made from the same input, weights, seed and key are kept.

    Args:
        lr_table: table `lr` of `hlf.columns`.
        results: results/<run>, the folder that paths in tables are relative to.
        upscaler: see `hlf.sr.registry.load_upscaler`.
        config_seed: seed of the configuration.
        run: name of the run.
        key: digest of the settings and code that the images depend on.
        batch_size: images of equal size per forward; above 1 the last bit of a result may change on a CPU.
        tile: LR side of a tile in pixels, 0 for whole images, `hlf.sr.tiling.AUTO` to choose by size.
        tile_overlap: LR pixels that neighbouring tiles share.
        folder: below `results`; "": sr/<model>.

    Returns:
        Table `sr`; timing of the images made now; failures, one row for each image without a row in `sr`.

    Raises:
        HlfError: a table that does not fit, or a folder that cannot be written.
    """
    name, items = upscaler.descriptor.name, []
    for row in conform(lr_table, "lr").to_dict("records"):
        image_id, level, path = str(row["image_id"]), float(row["level"]), str(row["path"])
        seed = seed_for(config_seed, "sr", name, image_id, level)
        target = results / (folder or f"sr/{name}") / _below_degradation(path, level)
        items.append(Item(image_id, level, results / path, target, seed, str(row["sha256"])))
    made, failed = upscale_items(items, upscaler, Settings(key, batch_size, tile, tile_overlap))
    return result_tables(made, failed, upscaler.descriptor, run, results)


def _below_degradation(path: str, level: float) -> PurePosixPath:
    """`<level>/[<sub-folder>/]<image_id>.png` of an LR path; SR files mirror the place of their LR."""
    parts = PurePosixPath(path).parts
    if parts[:2] != ("degradation", level_name(level)) or len(parts) < 3:
        raise HlfError(f"table 'lr' holds the path '{path}', expected degradation/{level_name(level)}/.../name.png")
    return PurePosixPath(*parts[1:]).with_suffix(".png")


def refuse_failures(failures: "pd.DataFrame", path: Path) -> None:
    """Fail a stage that could not make every image, after all others were made and kept.

    Args:
        failures: images without an output, with reasons, as `upscale_images` gives them.
        path: CSV file that lists them; an old one is removed when there is none.

    Raises:
        HlfError: at least one failure; names the first and the file with all.
    """
    if failures.empty:
        path.unlink(missing_ok=True)
        return
    write_table(failures, path)
    first = failures.iloc[0]
    raise HlfError(
        f"{len(failures)} images could not be upscaled, first {first['image_id']} at level {first['level']}: "
        f"{first['reason']}; all are listed in {path}"
    )
