"""What the variants of SeeSR make of the evaluation images, and every measure of Table 4 on it (paper 5)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.columns import TABLES, conform, pair_id
from hlf.errors import HlfError
from hlf.images import read_image
from hlf.iqa.measure import measure_pairs
from hlf.iqa.picture import Picture
from hlf.iqa.registry import Source
from hlf.metric.score import distances
from hlf.sr.measures import READABLE, shown
from hlf.tuning.variants import CONTENT, HELD_OUT, IMAGE, IMAGE_MEASURES, READ_RIGHT, TRAINED

if TYPE_CHECKING:
    import pandas as pd

    from hlf.metric.fidelity import HighLevelFidelity
    from hlf.scenes.reader import ContentReader


def evaluation_images(sr: "pd.DataFrame", lr: "pd.DataFrame", manifest: "pd.DataFrame", variant: str) -> "pd.DataFrame":
    """Table `tuning_sr` of a variant: its pictures, each beside its LR picture and its GT.

    Args:
        sr: table `sr` of its pictures.
        lr: table `lr`.
        manifest: table `manifest`.
        variant: its name.
    """
    table = sr.merge(lr[["image_id", "level", "path"]].rename(columns={"path": "lr_path"}), on=["image_id", "level"])
    table = table.merge(manifest[["image_id", "path"]].rename(columns={"path": "gt_path"}), on="image_id")
    return conform(
        table.rename(columns={"path": "sr_path"}).assign(variant=variant)[list(TABLES["tuning_sr"])], "tuning_sr"
    )


def refuse_overlap(manifest: "pd.DataFrame", trained: "pd.DataFrame") -> None:
    """Raise HlfError unless evaluation images, the dataset's, and those trained on have nothing in common.

    Args:
        manifest: table `manifest`; one image has one role.
        trained: columns image_id, file: the training subset.
    """
    for what in ("image_id", "sha256"):
        roles = manifest.groupby(what)["role"].nunique()
        shared = manifest.loc[manifest[what].isin(roles[roles > 1].index), "image_id"]
        if len(shared):
            raise HlfError(f"image {shared.iloc[0]} stands in the dataset and among the evaluation images alike")
    both = sorted(set(manifest["image_id"]) & set(trained["image_id"]))
    if both:
        raise HlfError(
            f"{len(both)} of the run's images were trained on, such as {both[0]}; choose another tuning.folder"
        )


def evaluate(
    images: "pd.DataFrame",
    content: "pd.DataFrame",
    results: Path,
    metrics: "Mapping[str, HighLevelFidelity]",
    trained: str,
    source: Source,
    reader: "ContentReader | None",
    run: str,
    batch_size: int,
    device: str,
    work: Path,
) -> "pd.DataFrame":
    """Table `tuning_evaluation` of one variant.

    Args:
        images: table `tuning_sr` of the variant.
        content: table `content`, empty for photographs.
        results: folder of the run.
        metrics: backbone -> fine-tuned metric; raw distances in [0, 2] are compared, as in Table 3.
        trained: backbone of the metric that the loss holds.
        source: of weights of the image measures.
        reader: content reader; None where no content is known.
        run: name of the run.
        batch_size: pictures per forward of a backbone.
        device: where backbones run.
        work: folder of finished measurements.

    Raises:
        HlfError: a picture that could not be measured.
    """
    import pandas as pd

    pairs = images.assign(
        pair_id=[pair_id(*k) for k in zip(images["image_id"], images["level"], images["variant"], strict=True)]
    )
    about = pairs.rename(columns={"weights_sha256": "sr_sha256"})[["pair_id", "image_id", "level", "sr_sha256"]]
    parts = [
        about.assign(
            measure=name, group=TRAINED if name == trained else HELD_OUT, lower_better=True,
            value=distances(pairs, results, metric.backbone, batch_size, device),
            zoo=metric.backbone.description.zoo, weights_sha256=metric.origin.weights_sha256,
        )
        for name, metric in metrics.items()
    ]  # fmt: skip
    parts.append(about.merge(_measured(pairs, results, source, run, work), on="pair_id"))
    if reader is not None:
        parts.append(about.merge(_read(pairs, content, results, reader), on="pair_id"))
    table = pd.concat(parts).assign(run=run, variant=images["variant"].iloc[0])
    return conform(table.drop(columns="pair_id"), "tuning_evaluation")


def _measured(pairs: "pd.DataFrame", results: Path, source: Source, run: str, work: Path) -> "pd.DataFrame":
    """Values of the image measures by pair; HlfError when a picture could not be measured."""
    measured, _ = measure_pairs(pairs, results, list(IMAGE_MEASURES), source, run, {}, work)
    bad = measured[measured["status"] != "ok"]
    if len(bad):
        raise HlfError(f"{bad['metric'].iloc[0]} of {bad['pair_id'].iloc[0]}: {bad['status'].iloc[0]}")
    image = measured.rename(columns={"metric": "measure"}).assign(group=IMAGE)
    return image[["pair_id", "measure", "group", "value", "lower_better", "zoo", "weights_sha256"]]


def _read(pairs: "pd.DataFrame", content: "pd.DataFrame", results: Path, reader: "ContentReader") -> "pd.DataFrame":
    """Share of pictograms and words of each picture that are read right; pictures without any have no row."""
    import pandas as pd

    things = content[content["kind"].isin(READABLE)]
    rows: list[dict[str, Any]] = []
    for row in pairs.to_dict("records"):
        own: list[dict[Any, Any]] = things[things["image_id"] == row["image_id"]].to_dict("records")
        if own:
            found = shown(Picture(read_image(results / row["sr_path"]), row["sr_path"]), own, reader)
            rows.append({"pair_id": row["pair_id"], "value": found["right"] / found["things"]})
    facts: dict[str, Any] = {
        "measure": READ_RIGHT,
        "group": CONTENT,
        "lower_better": False,
        "zoo": "mini",
        "weights_sha256": "",
    }
    return pd.DataFrame(rows, columns=["pair_id", "value"]).assign(**facts)
