"""Pictures that a data set package leaves out: made again from recipes to the same bytes, or told why not."""

import io
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hlf.cli import main as hlf
from hlf.errors import HlfError
from hlf.files import read_json, read_table, write_json, write_table
from hlf.images import decode_image, encode_png, read_image, write_png
from hlf.release.checksums import write_checksums
from hlf.release.dataset import IMAGES, write_dataset
from hlf.release.pictures import ALIKE, OTHER, SAME, SAME_PIXELS, compare, print_of
from hlf.release.rebuild import FAILED, INSIDE, Means, rebuild_images
from hlf.release.recipes import portable
from release_helpers import LEVEL, MODEL, SIDE, Small, copies, package, recipes, small, small_run

__all__ = ["copies", "package", "recipes", "small"]  # fixtures


def test_pictures_are_made_again_from_photographs(recipes: Path, small: Small, tmp_path: Path) -> None:
    found = rebuild_images(recipes, tmp_path, Means(small.photographs, device="cpu"))
    assert Counter(zip(found["kind"], found["status"], strict=True)) == {
        ("gt", SAME): 6,
        ("lr", SAME): 6,
        ("sr", SAME): 6,
    }
    images = read_table(recipes / IMAGES).set_index("path")
    assert all(print_of((tmp_path / p).read_bytes(), p).sha256 == images.loc[p, "sha256"] for p in images.index)


def test_pictures_inside_are_copied_out_or_made_again_on_demand(copies: Path, small: Small, tmp_path: Path) -> None:
    found = rebuild_images(copies, tmp_path, Means(), kinds=["sr"])
    assert set(found["status"]) == {INSIDE} and set(found["kind"]) == {"sr"}
    for path in found["path"]:
        assert (tmp_path / path).read_bytes() == (copies / path).read_bytes()
    again = rebuild_images(copies, tmp_path / "b", Means(small.photographs, device="cpu", anew=True), kinds=["lr"])
    assert set(again["status"]) == {SAME} and not (tmp_path / "b/pictures/sr").exists()


def test_scenes_are_made_again_without_any_file(tmp_path: Path) -> None:
    small = small_run(tmp_path, "scenes", images="recipe")
    write_dataset(small.run, tmp_path / "dataset")
    found = rebuild_images(tmp_path / "dataset", tmp_path / "out", Means(device="cpu"))
    assert set(found["status"]) == {SAME} and len(found) == 18


def test_a_missing_and_another_photograph_are_told_and_the_rest_is_made(
    recipes: Path, small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = Path(shutil.copytree(small.photographs, tmp_path / "photos"))
    (photos / "photo 0.png").unlink()
    write_png(photos / "photo 1.png", 255 - read_image(photos / "photo 1.png"))
    out = tmp_path / "out"
    assert (
        hlf(["release", "images", str(recipes), "-o", str(out), "--photographs", str(photos), "--device", "cpu"]) == 1
    )
    assert "18 pictures" in capsys.readouterr().out
    table = read_table(out / "images.csv").set_index("path")
    assert Counter(table["status"]) == {FAILED: 6, SAME: 12}
    assert "cannot be opened" in table.loc["pictures/gt/photo 0.png", "note"]
    assert "is another file" in table.loc["pictures/gt/photo 1.png", "note"]
    assert "cannot be opened" in table.loc[f"pictures/sr/{MODEL}/{LEVEL}/photo 0.png", "note"]
    assert hlf(["release", "images", str(recipes), "-o", str(out)]) == 2
    assert "name their folder (--photographs DIR)" in capsys.readouterr().err


def test_unknown_models_formats_and_paths_that_lead_out_are_refused(package: Path, tmp_path: Path) -> None:
    with pytest.raises(HlfError, match="has no pictures of seesr; it has gt, lr, sr, bicubic"):
        rebuild_images(package, tmp_path / "out", Means(), models=["seesr"])
    images = read_table(package / IMAGES)
    write_table(images.assign(path=["pictures/../../x.png", *images["path"][1:]]), package / IMAGES)
    write_checksums(package)
    with pytest.raises(HlfError, match="expected one below pictures/"):
        rebuild_images(package, tmp_path / "out", Means())
    write_json(package / "recipes.json", {**read_json(package / "recipes.json"), "format": 99})
    write_checksums(package)
    with pytest.raises(HlfError, match="has format 99"):
        rebuild_images(package, tmp_path / "out", Means())


def test_last_bits_are_told_from_another_picture() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    first = print_of(encode_png(pixels), "a")
    last = pixels.copy()
    last[5, 5] ^= 1
    assert compare(first, first) == SAME
    assert compare(print_of(encode_png(last), "b"), first) == ALIKE
    assert compare(print_of(encode_png(255 - pixels), "c"), first) == OTHER
    assert compare(print_of(encode_png(pixels[:-4]), "d"), first) == OTHER
    other = io.BytesIO()
    Image.fromarray(pixels).save(other, format="PNG", compress_level=9)
    assert compare(print_of(other.getvalue(), "e"), first) == SAME_PIXELS
    tiny = print_of(encode_png(pixels[:3, :5]), "f")  # smaller than the grid of means
    assert len(tiny.means) == 128 and compare(tiny, tiny) == SAME
    assert np.array_equal(decode_image(encode_png(pixels), "g"), pixels)


def test_recipes_name_what_a_stranger_needs(recipes: Path) -> None:
    images = read_table(recipes / IMAGES).set_index("path")
    gt = json.loads(images.loc["pictures/gt/photo 0.png", "recipe"])
    assert {"source", "file", "source_sha256", "crop", "resize"} == set(gt) and gt["file"] == "photo 0.png"
    lr = json.loads(images.loc[f"pictures/lr/{LEVEL}/photo 0.png", "recipe"])
    assert lr["gt"] == "pictures/gt/photo 0.png" and lr["plan"][-1]["op"] == "jpeg"
    shared = read_json(recipes / "recipes.json")
    assert set(shared["models"]) == {MODEL} and shared["models"][MODEL]["precision"] == "fp32"


def test_files_of_ones_own_stay_at_home_and_are_named_again(recipes: Path, small: Small, tmp_path: Path) -> None:
    own = {"captions": "/home/anna/captions.csv", "weights": "/home/anna/seesr", "trust_ram_file": True, "steps": 3}
    assert portable(own) == {"captions": "captions.csv", "weights": "seesr", "steps": 3}
    means = Means(small.photographs, device="cpu", options={f"{MODEL}.sharper": "yes", "seesr.steps": 4})
    with pytest.raises(HlfError, match="model 'bicubic' has no option 'sharper'"):
        rebuild_images(recipes, tmp_path, means)
