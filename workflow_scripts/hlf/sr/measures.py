"""What each SR model does to the images: sharpness, distance from GT, and content that can still be read."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.columns import GT, TABLES, conform
from hlf.errors import HlfError
from hlf.images import read_image
from hlf.iqa.measure import check_sizes
from hlf.iqa.picture import Picture
from hlf.iqa.registry import Source, get_metric, load_measure
from hlf.iqa.sharpness import sharpness
from hlf.study.simulated.content import reads_right

if TYPE_CHECKING:
    import pandas as pd

    from hlf.scenes.reader import ContentReader

READABLE = ("glyph", "sign")  # kinds of content that the reader names


def measure_models(
    manifest: "pd.DataFrame",
    content: "pd.DataFrame",
    sr: "pd.DataFrame",
    baselines: "pd.DataFrame",
    results: Path,
    count: int,
    run: str,
    reader: "ContentReader | None",
) -> "pd.DataFrame":
    """Table `sr_measures` of the first `count` dataset images by id, each image decoded once.

    Args:
        manifest: table `manifest`.
        content: table `content`, empty for photographs.
        sr: table `sr` of the models.
        baselines: table `sr` of the baselines.
        results: results/<run>, the folder that paths in tables are relative to.
        count: images at most.
        run: name of the run.
        reader: content reader; None where no content is known.

    Raises:
        HlfError: no image of the dataset, one that cannot be read, or an SR image of another size than its GT.
    """
    import pandas as pd

    chosen = manifest[manifest["role"] == "dataset"].sort_values("image_id").head(count)
    if chosen.empty:
        raise HlfError("the manifest holds no image of role 'dataset', so there is nothing to measure")
    psnr, value = get_metric("psnr"), load_measure("psnr", Source("", results))  # a formula: no weights are looked for
    made = pd.concat([sr.assign(baseline=False), baselines.assign(baseline=True)], ignore_index=True)
    made = made.sort_values(["level", "baseline", "model"], kind="stable")
    rows = []
    for name, path in zip(chosen["image_id"], chosen["path"], strict=True):
        things = content[(content["image_id"] == name) & content["kind"].isin(READABLE)].to_dict("records")
        gt = Picture(read_image(results / path), str(path))
        about = {"run": run, "image_id": name}
        own = {"level": math.nan, "model": GT, "baseline": False, "psnr": math.nan}
        rows.append({**about, **own, **shown(gt, things, reader)})
        for row in made[made["image_id"] == name].to_dict("records"):
            picture = Picture(read_image(results / str(row["path"])), str(row["path"]))
            check_sizes(psnr, picture, gt)
            own = {key: row[key] for key in ("level", "model", "baseline")}
            own["psnr"] = value(picture, gt)["psnr"]
            rows.append({**about, **own, **shown(picture, things, reader)})
    return conform(pd.DataFrame(rows, columns=list(TABLES["sr_measures"])), "sr_measures")


def shown(picture: Picture, things: list[dict[Any, Any]], reader: "ContentReader | None") -> dict[str, float]:
    """What a picture shows, whatever GT it has.

    Args:
        picture: the picture.
        things: readable rows of table `content`: kind, label, left, top, right, bottom.
        reader: content reader; None where no content is known.

    Returns:
        sharpness (see `hlf.iqa.sharpness`), things (how many it should show), right (how many are read as they should).
    """
    right = 0
    for thing in things:
        if reader is None:
            break
        box = (int(thing["left"]), int(thing["top"]), int(thing["right"]), int(thing["bottom"]))
        right += reads_right(picture.tensor[0], thing["kind"], thing["label"], box, reader)
    return {"sharpness": sharpness(picture.rgb), "things": len(things), "right": right}
