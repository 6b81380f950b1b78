"""What SR models do to the images: sharpness, PSNR, content that can still be read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageFilter

from hlf.columns import GT, TABLES, conform
from hlf.data.shards import collect
from hlf.errors import HlfError
from hlf.images import write_png
from hlf.iqa.sharpness import sharpness
from hlf.scenes.scene import scene_for
from hlf.sr.measures import measure_models
from hlf.study.simulated.content import load_reader

SCENES = 8
ZOO = Path(__file__).parents[1] / "resources" / "zoo" / "mini"


@pytest.fixture(scope="module")
def reader():
    return load_reader(ZOO)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Scenes, a model that copies GT, one that blanks it, and a baseline that blurs it."""
    root = tmp_path_factory.mktemp("run")
    manifest, content, made = [], [], {"copy": [], "blank": [], "blur": []}
    for name, scene in ((f"s{i}", scene_for(42, "measures", i, 128, (0.35, 0.75))) for i in range(SCENES)):
        write_png(root / f"{name}.png", scene.image)
        manifest.append({"image_id": name, "role": "dataset", "path": f"{name}.png"})
        sides = ("left", "top", "right", "bottom")
        content += [
            {
                "image_id": name,
                "kind": o.kind,
                "label": o.label,
                "detail": o.detail,
                **dict(zip(sides, o.box, strict=True)),
            }
            for o in scene.objects
        ]
        blurred = np.asarray(Image.fromarray(scene.image).filter(ImageFilter.GaussianBlur(1)))
        pictures = {"copy": scene.image, "blank": np.full_like(scene.image, 128), "blur": blurred}
        for model, picture in pictures.items():
            for level in (0.3, 1.0):
                write_png(root / f"{model}{name}{level}.png", picture)
                made[model].append(
                    {"image_id": name, "level": level, "path": f"{model}{name}{level}.png", "model": model}
                )
    manifest.append({"image_id": "a-held-out-one", "role": "evaluation", "path": "none.png"})
    text = {
        "run": "t",
        "sha256": "",
        "source": "scenes",
        "folder": "",
        "zoo": "mini",
        "weights_sha256": "",
        "prompt": "",
    }
    more = {**text, "width": 128, "height": 128, "seed": 1, "precision": "fp32", "tags": ""}

    def table(rows, name):
        return conform(pd.DataFrame(rows).assign(**{k: v for k, v in more.items() if k in TABLES[name]}), name)

    sr = table(made["copy"] + made["blank"], "sr")
    return root, table(manifest, "manifest"), table(content, "content"), sr, table(made["blur"], "sr")


def measured(run, reader, count=SCENES):
    root, manifest, content, sr, baselines = run
    return measure_models(manifest, content, sr, baselines, root, count, "t", reader)


def test_a_copy_is_perfect_and_a_blank_says_nothing(run, reader):
    table = measured(run, reader)
    assert len(table) == SCENES * (1 + 2 * 3) and set(table["image_id"]) == {f"s{i}" for i in range(SCENES)}
    sums = table.groupby("model")[["things", "right"]].sum()
    assert sums.loc["copy", "things"] == 2 * sums.loc[GT, "things"] > 12
    assert sums.loc["copy", "right"] == 2 * sums.loc[GT, "right"] >= 0.8 * sums.loc["copy", "things"]
    assert sums.loc["blank", "right"] < 0.2 * sums.loc["blank", "things"]
    means = table.groupby("model")[["sharpness", "psnr"]].mean()
    assert means.loc["copy", "psnr"] == 80 and np.isnan(means.loc[GT, "psnr"])
    assert means.loc["copy", "sharpness"] == means.loc[GT, "sharpness"] > means.loc["blur", "sharpness"] > 0
    assert means.loc["blank", "sharpness"] == 0 and means.loc["blank", "psnr"] < means.loc["blur", "psnr"] < 80
    assert table[table["baseline"]]["model"].unique().tolist() == ["blur"]
    assert table["level"].isna().sum() == SCENES and (table[table["level"].isna()]["model"] == GT).all()


def test_psnr_is_the_formula(run, reader):
    row = measured(run, reader).query("model == 'blur' and image_id == 's1' and level == 0.3").iloc[0]
    gt, sr = (np.asarray(Image.open(run[0] / name), dtype=float) for name in ("s1.png", "blurs10.3.png"))
    assert row["psnr"] == pytest.approx(10 * np.log10(255**2 / ((gt - sr) ** 2).mean()), abs=1e-3)
    assert row["sharpness"] == pytest.approx(sharpness(sr.astype(np.uint8)))


def test_the_first_images_by_id_whatever_the_order_of_the_tables(run, reader):
    root, *tables = run
    turned = (root, *(table.iloc[::-1].reset_index(drop=True) for table in tables))
    assert set(measured(run, reader, 2)["image_id"]) == {"s0", "s1"}
    pd.testing.assert_frame_equal(measured(turned, reader), measured(run, reader))


def test_photographs_have_nothing_to_read_and_baselines_may_be_none(run):
    root, manifest, content, sr, _ = run
    table = measure_models(manifest, content.head(0), sr, collect([], "sr"), root, 1, "t", None)
    assert set(table["model"]) == {GT, "copy", "blank"} and not table[["things", "right"]].any(axis=None)


def test_what_cannot_be_measured_is_told(run, reader, tmp_path):
    root, manifest, content, sr, baselines = run
    write_png(tmp_path / "small.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(HlfError, match="SR is 64x64 pixels, GT is 128x128"):
        small = sr.assign(path=str(tmp_path / "small.png"))
        measure_models(manifest, content, small, baselines, root, 1, "t", reader)
    with pytest.raises(HlfError, match="no image of role 'dataset'"):
        measure_models(manifest.tail(1), content, sr, baselines, root, 1, "t", reader)
