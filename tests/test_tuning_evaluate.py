"""Measuring the variants of SeeSR: every measure of Table 4 on every picture, each against its own GT."""

import numpy as np
import pandas as pd
import pytest

from hlf.columns import TABLES, conform
from hlf.errors import HlfError
from hlf.images import read_image, to_tensor, write_png
from hlf.iqa.registry import Source
from hlf.metric.load import load_metric
from hlf.scenes.scene import scene_for
from hlf.study.simulated.content import load_reader
from hlf.tuning.evaluate import evaluate, evaluation_images
from hlf.tuning.variants import IMAGE_MEASURES, READ_RIGHT
from tuning_helpers import ZOO

LEVELS = (0.3, 0.7)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Results folder with two scenes; SR is the GT at the first level and noise at the second."""
    root, rng = tmp_path_factory.mktemp("results"), np.random.default_rng(2)
    manifest, content, lr, sr = [], [], [], []
    for i in range(2):
        scene, name = scene_for(7, "evaluation", i, 96, (0.4, 0.6)), f"evaluation-{i:05d}"
        write_png(root / f"images/gt/{name}.png", scene.image)
        manifest.append({"image_id": name, "path": f"images/gt/{name}.png"})
        for o in scene.objects:
            box = dict(zip(("left", "top", "right", "bottom"), o.box, strict=True))
            content.append({"image_id": name, "kind": o.kind, "label": o.label, "detail": o.detail, **box})
        for level in LEVELS:
            noise = rng.integers(0, 255, scene.image.shape, dtype=np.uint8)
            write_png(root / f"tuning/sr/seesr/{level}/{name}.png", scene.image if level == LEVELS[0] else noise)
            lr.append({"image_id": name, "level": level, "path": f"degradation/{level}/{name}.png"})
            sr.append({"image_id": name, "level": level, "path": f"tuning/sr/seesr/{level}/{name}.png"})
    facts = {"run": "t", "prompt": "", "tags": "", "zoo": "mini", "weights_sha256": "ab"}
    frames = [pd.DataFrame(rows) for rows in (sr, lr, manifest)]
    images = evaluation_images(frames[0].assign(**facts), frames[1], frames[2], "seesr")
    return root, images, conform(pd.DataFrame(content), "content")


def measured(study, **changes):
    root, images, content = study
    metrics = {name: load_metric(name, zoo_folder=ZOO, device="cpu") for name in ("dinov2", "pe-core")}
    given = {"content": content, "reader": load_reader(ZOO), **changes}
    return evaluate(
        images, given["content"], root, metrics, "dinov2", Source("mini", ZOO), given["reader"], "t", 2, "cpu",
        root / "work",
    )  # fmt: skip


@pytest.fixture(scope="module")
def table(study):
    return measured(study)


def test_pictures_stand_beside_their_lr_and_gt(study):
    _, images, _ = study
    assert list(images) == list(TABLES["tuning_sr"]) and len(images) == 4
    for row in images.to_dict("records"):
        name = f"{row['image_id']}.png"
        assert all(row[f"{part}_path"].endswith(name) for part in ("gt", "lr", "sr"))
        assert str(row["level"]) in row["lr_path"] and str(row["level"]) in row["sr_path"]


def test_every_picture_has_every_measure_once(table):
    assert list(table) == list(TABLES["tuning_evaluation"])
    counts = table.groupby(["measure", "group"]).size()
    groups = {
        "pe-core": "held-out",
        "dinov2": "trained",
        READ_RIGHT: "content",
        **dict.fromkeys(IMAGE_MEASURES, "image"),
    }
    assert dict.fromkeys(groups.items(), 4) == counts.to_dict()
    better = table.groupby("measure")["lower_better"].first()
    assert better[["pe-core", "dinov2", "lpips", "dists"]].all()
    assert not better[["psnr", "ssim", "vif", READ_RIGHT]].any()
    assert set(table["variant"]) == {"seesr"} and set(table["sr_sha256"]) == {"ab"} and table["value"].notna().all()


def test_gt_itself_is_perfect_and_noise_is_not(table):
    same, noise = (table[table["level"] == level].groupby("measure")["value"].mean() for level in LEVELS)
    assert same["pe-core"] == pytest.approx(0, abs=1e-6) and same["dinov2"] == pytest.approx(0, abs=1e-6)
    assert noise["pe-core"] > 0.1 and noise["dinov2"] > 0.1
    assert same["ssim"] == pytest.approx(1, abs=1e-6) and same["lpips"] == pytest.approx(0, abs=1e-6)
    assert same["psnr"] > noise["psnr"] and same[READ_RIGHT] > noise[READ_RIGHT] and same[READ_RIGHT] >= 0.5


def test_a_value_is_what_the_metric_says_of_the_two_files(study, table):
    root, images, _ = study
    row = images[images["level"] == LEVELS[1]].iloc[0]
    metric = load_metric("dinov2", zoo_folder=ZOO, device="cpu")
    sr, gt = (to_tensor(read_image(root / row[f"{part}_path"]))[None] for part in ("sr", "gt"))
    here = (table["image_id"] == row["image_id"]) & (table["level"] == row["level"]) & (table["measure"] == "dinov2")
    assert float(table.loc[here, "value"].iloc[0]) == pytest.approx(float(metric.distance(sr, gt)[0]), abs=1e-5)


def test_without_known_content_nothing_is_read(study):
    nothing = pd.DataFrame(columns=list(TABLES["content"]))
    assert READ_RIGHT not in set(measured(study, content=nothing, reader=None)["measure"])


def test_a_picture_that_cannot_be_measured_stops_it(study):
    root, images, content = study
    broken = images.assign(sr_path=[*images["sr_path"][:-1], "tuning/sr/gone.png"])
    with pytest.raises(HlfError, match=r"gone.png"):
        measured((root, broken, content))
