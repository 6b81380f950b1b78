"""LR images of a manifest: one file per image and level, and the table that can make each of them again."""

import hashlib
import json
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.columns import TABLES, conform, level_name
from hlf.errors import HlfError
from hlf.files import sha256
from hlf.images import decode_image, to_float, to_uint8, write_png
from hlf.resume import kept, record_path, remember
from hlf.seeds import seed_for

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setting:
    """What holds for every image of one call of `degrade_images`."""

    results: Path
    levels: tuple[float, ...]
    config_seed: int
    run: str
    variant: str
    key: str


def degrade_images(
    manifest: "pd.DataFrame",
    results: Path,
    levels: Iterable[float],
    config_seed: int,
    run: str,
    variant: str,
    key: str = "",
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Degrade every GT of a manifest at every level (paper section 3.1).

    The draws depend on (config_seed, image id, level) alone. A file already there and whole is kept (`hlf.resume`).

    Args:
        manifest: rows of table `manifest` of `hlf.columns`.
        results: results folder of the run; GT paths are relative to it, LR files go to
            `degradation/<level>/[<folder>/]<image_id>.png` in it.
        levels: strengths in (0, 1].
        config_seed: `seed` of the configuration.
        run: name of the run, a column of the table.
        variant: `bsrgan` or `bsrgan_plus`.
        key: digest of whatever else the images depend on; another key makes them all again.

    Returns:
        Table `lr`, and (image_id, level, seconds) of the images made by this call, reading excluded.

    Raises:
        HlfError: a GT that is missing, unreadable, changed since its row or under 16 pixels; a wrong level or variant.
    """
    import cv2
    import pandas as pd

    cv2.setNumThreads(1)  # the workflow divides the jobs; threads inside one would only wait for each other
    setting = Setting(Path(results), tuple(float(level) for level in levels), config_seed, run, variant, key)
    done = [degrade_image({str(c): v for c, v in row.items()}, setting) for row in manifest.to_dict("records")]
    rows = [row for made, _ in done for row in made]
    times = [row for _, spent in done for row in spent]
    log.info("degradation: %d LR images, %d of them made now, the others kept", len(rows), len(times))
    timing = pd.DataFrame(times, columns=["image_id", "level", "seconds"])
    return conform(pd.DataFrame(rows, columns=list(TABLES["lr"])), "lr"), timing


def degrade_image(image: dict[str, Any], setting: Setting) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of table `lr` and of the timing table for one manifest row, every level."""
    rows, times = [], []
    gt: np.ndarray | None = None
    for level in setting.levels:
        seed = seed_for(setting.config_seed, "degradation", image["image_id"], level)
        path = Path("degradation", level_name(level), image["folder"], f"{image['image_id']}.png")
        target = setting.results / path
        facts = {
            "gt_sha256": image["sha256"], "seed": seed, "level": level, "variant": setting.variant, "key": setting.key,
        }  # fmt: skip
        plan = recorded_plan(image, seed, level, setting.variant)
        if kept(target, record_path(target), facts):
            digest = sha256(target)
        else:
            gt = read_gt(image, setting.results) if gt is None else gt
            start = time.perf_counter()
            digest = write_lr(gt, plan, target)
            times.append({"image_id": image["image_id"], "level": level, "seconds": time.perf_counter() - start})
            remember(digest, record_path(target), facts)
        rows.append(
            {
                "run": setting.run, "image_id": image["image_id"], "level": level, "path": path.as_posix(),
                "width": int(image["width"]) // 4, "height": int(image["height"]) // 4, "sha256": digest,
                "seed": seed, "variant": setting.variant, "plan": plan,
            }
        )  # fmt: skip
    return rows, times


def recorded_plan(image: dict[str, Any], seed: int, level: float, variant: str) -> str:
    """Plan of one image and level as it stands in the table: compact JSON, keys sorted."""
    import numpy as np

    from hlf.degradation.plan import draw_plan

    rng = np.random.Generator(np.random.PCG64(seed))
    try:
        plan = draw_plan(rng, int(image["height"]), int(image["width"]), level, variant)
    except HlfError as error:
        raise HlfError(f"image {image['path']}: {error}") from error
    return json.dumps(plan, sort_keys=True, separators=(",", ":"))


def read_gt(image: dict[str, Any], results: Path) -> "np.ndarray":
    """GT of a manifest row as float32 (H, W, 3) in [0, 1], checked against the row's hash and size."""
    path = results / image["path"]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise HlfError(f"GT image {path} cannot be opened: {error.strerror}; run the images stage again") from error
    array = decode_image(data, str(path))
    size = (int(image["height"]), int(image["width"]))
    if hashlib.sha256(data).hexdigest() != image["sha256"] or array.shape[:2] != size:
        raise HlfError(f"GT image {path} is not the file of its manifest row any more; run the images stage again")
    return to_float(array)


def write_lr(gt: "np.ndarray", plan: str, target: Path) -> str:
    """Apply a recorded plan to RGB (H, W, 3) in [0, 1], write the LR image as PNG, return the SHA-256 of its bytes."""
    from hlf.degradation.apply import apply_plan

    # from the text, not from the drawn numbers: what is recorded is what was done
    lr = apply_plan(gt, json.loads(plan))
    return hashlib.sha256(write_png(target, to_uint8(lr))).hexdigest()
