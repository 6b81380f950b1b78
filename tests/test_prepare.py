"""GT images: from scenes or from a folder of photographs, good and bad files mixed; and dividing work into shards."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hlf.columns import conform
from hlf.data.prepare import centre_crop, prepare_images
from hlf.data.shards import collect, part_of
from hlf.degradation.run import degrade_images
from hlf.errors import HlfError
from hlf.images import ImageError, encode_png, read_image
from hlf.seeds import seed_for
from hlf.sr.registry import load_upscaler
from hlf.sr.run import upscale_images

SCENES = {
    "source": "scenes",
    "folder": None,
    "crop": 64,
    "objects": [0.2, 0.55],
    "resize_short": None,
    "dataset": 4,
    "evaluation": 2,
}


def photo(seed, height=80, width=96):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def folder_of(root, names):
    """Photographs by name, each with its own pixels."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png(photo(seed_for(0, name) % 1000)))
    return root


def folder_settings(root, **changes):
    return {**SCENES, "source": "folder", "folder": str(root), **changes}


def test_folders_stay_small_through_all_stages(tmp_path, monkeypatch):
    """More images than a folder should hold go into sub-folders, with the records of their making beside them."""
    monkeypatch.setattr("hlf.data.prepare.FOLDER_LIMIT", 30)
    settings = {**SCENES, "dataset": 36, "evaluation": 4}
    manifest = prepare_images(settings, tmp_path, "t", 1, "k").tables()[0]
    lr, _ = degrade_images(manifest, tmp_path, [0.5], 1, "t", "bsrgan", "k")
    upscaler = load_upscaler("bicubic", "mini", tmp_path, "cpu", "fp32", {})
    sr, _, failed = upscale_images(lr, tmp_path, upscaler, 1, "t", "k")
    assert len(sr) == 40 and failed.empty
    folders = {p.parent for p in tmp_path.rglob("*") if p.is_file()}
    assert len(folders) > 3 * 2 * 20
    for stage in ("images/gt", "degradation/0.5", "sr/bicubic/0.5"):
        assert sorted(p.stem for p in (tmp_path / stage).glob("??/*.png")) == sorted(manifest["image_id"])
        assert len(list((tmp_path / stage).glob("??/.work/*.json"))) == 40
    assert max(len(list(folder.iterdir())) for folder in folders) <= 30
    assert not {p.parent for p in tmp_path.rglob("*.png")} & {tmp_path / "images/gt", tmp_path / "degradation/0.5"}


def test_scenes_are_the_same_every_time_and_disjoint_between_roles(tmp_path):
    manifest, content, rejected = prepare_images(SCENES, tmp_path / "a", "t", 1, "k").tables()
    again = prepare_images(SCENES, tmp_path / "b", "t", 1, "k").tables()
    assert manifest.equals(again[0]) and content.equals(again[1]) and rejected.empty
    assert manifest["image_id"].is_unique and manifest["sha256"].is_unique and len(manifest) == 6
    assert manifest["role"].tolist() == ["dataset"] * 4 + ["evaluation"] * 2
    other = prepare_images(SCENES, tmp_path / "c", "t", 2, "k").tables()[0]
    assert not set(other["sha256"]) & set(manifest["sha256"])
    for row in manifest.itertuples():
        path = tmp_path / "a" / row.path
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row.sha256
        assert read_image(path).shape == (row.height, row.width, 3) == (64, 64, 3)
    assert set(content["image_id"]) == set(manifest["image_id"])
    assert (content[["left", "top"]] >= 0).all(axis=None) and (content[["right", "bottom"]] <= 64).all(axis=None)
    assert (content["left"] < content["right"]).all() and (content["top"] < content["bottom"]).all()


def test_more_images_of_a_role_leave_the_first_ones_alone(tmp_path):
    few = prepare_images(SCENES, tmp_path / "a", "t", 1, "k").tables()[0].set_index("image_id")
    many = prepare_images({**SCENES, "dataset": 5}, tmp_path / "b", "t", 1, "k").tables()[0].set_index("image_id")
    assert many.loc[few.index].equals(few)


def test_good_and_bad_files_mixed(tmp_path):
    root = folder_of(tmp_path / "photos", ["007.png", "sub/東京.png", "c d.png", "e.png"])
    (root / "broken.jpg").write_bytes(b"no picture")
    (root / "empty.png").write_bytes(b"")
    (root / "tiny.png").write_bytes(encode_png(photo(1, 40, 90)))
    (root / "notes.txt").write_text("x")
    settings = folder_settings(root, dataset=3, evaluation=1)
    manifest, content, rejected = prepare_images(settings, tmp_path / "run", "t", 5, "k").tables()
    assert set(manifest["image_id"]) == {"007", "東京", "c d", "e"} and content.empty
    assert manifest["role"].tolist() == ["dataset"] * 3 + ["evaluation"]
    by_name = manifest.set_index("image_id")
    assert by_name.loc["東京", "source"] == "sub/東京.png"
    assert (
        read_image(tmp_path / "run" / by_name.loc["007", "path"]) == read_image(root / "007.png")[8:72, 16:80]
    ).all()
    reasons = dict(zip(rejected["file"], rejected["reason"], strict=True))
    # files behind the last one needed are not looked at
    assert set(reasons) <= {"broken.jpg", "empty.png", "tiny.png"}
    with pytest.raises(HlfError, match=r"holds 4 usable images of 7, but images.dataset .* ask for 8; lower them"):
        prepare_images({**settings, "dataset": 7}, tmp_path / "more", "t", 5, "k")


def test_every_refused_file_has_its_reason(tmp_path):
    root = folder_of(tmp_path / "photos", ["a.png"])
    (root / "broken.jpg").write_bytes(b"no picture")
    (root / "tiny.png").write_bytes(encode_png(photo(1, 40, 90)))
    # the seed is one that puts the good file last
    names = ["a", "broken", "tiny"]
    seed = next(s for s in range(99) if max(names, key=lambda n: seed_for(s, "images-order", n)) == "a")
    settings = folder_settings(root, dataset=1, evaluation=0)
    rejected = prepare_images(settings, tmp_path / "run", "t", seed, "k").tables()[2].set_index("file")["reason"]
    assert "image tiny.png is 90x40, too small for images.crop 64" in rejected["tiny.png"]
    assert "image broken.jpg cannot be decoded" in rejected["broken.jpg"] and len(rejected) == 2


def test_roles_follow_the_seed_not_the_order_of_files(tmp_path):
    names = [f"{c}.png" for c in "abcdefgh"]
    settings = {"dataset": 3, "evaluation": 3}
    tables = []
    for number, order in enumerate((names, names[::-1])):
        root = folder_of(tmp_path / str(number), order)
        tables.append(
            prepare_images(folder_settings(root, **settings), tmp_path / f"run{number}", "t", 3, "k").tables()[0]
        )
    assert tables[0].equals(tables[1])
    assert set(tables[0]["image_id"]) != set("abcdef")
    other = prepare_images(folder_settings(root, **settings), tmp_path / "run2", "t", 4, "k").tables()[0]
    assert other["image_id"].tolist() != tables[0]["image_id"].tolist()


def test_two_files_with_one_stem_are_refused(tmp_path):
    root = folder_of(tmp_path / "photos", ["a.png", "sub/a.png"])
    with pytest.raises(HlfError, match=r"a.png and sub/a.png have the same stem 'a'; rename one"):
        prepare_images(folder_settings(root, dataset=1), tmp_path / "run", "t", 1, "k")
    with pytest.raises(HlfError, match="gone does not exist"):
        prepare_images(folder_settings(tmp_path / "gone"), tmp_path / "run", "t", 1, "k")


def times(folder):
    return {p.name: p.stat().st_mtime_ns for p in folder.glob("*.png")}


def test_resume_keeps_whole_images_and_makes_the_others_again(tmp_path):
    first = prepare_images(SCENES, tmp_path, "t", 1, "k").tables()[0]
    folder = tmp_path / "images" / "gt"
    before = times(folder)
    assert len(before) == 6
    (folder / "dataset-00001.png").write_bytes(b"cut")
    (folder / "dataset-00002.png").unlink()
    again = prepare_images(SCENES, tmp_path, "t", 1, "k").tables()[0]
    changed = {n for n, t in times(folder).items() if t != before[n]}
    assert again.equals(first) and changed == {"dataset-00001.png", "dataset-00002.png"}
    prepare_images(SCENES, tmp_path, "t", 1, "other code")
    assert all(t != before[n] for n, t in times(folder).items())


def test_a_replaced_photograph_is_taken_anew(tmp_path):
    root = folder_of(tmp_path / "photos", ["a.png", "b.png"])
    settings = folder_settings(root, dataset=2, evaluation=0)
    first = prepare_images(settings, tmp_path / "run", "t", 1, "k").tables()[0].set_index("image_id")["sha256"]
    (root / "a.png").write_bytes(encode_png(photo(77)))
    second = prepare_images(settings, tmp_path / "run", "t", 1, "k").tables()[0].set_index("image_id")["sha256"]
    assert first["b"] == second["b"] and first["a"] != second["a"]


@pytest.mark.parametrize("size", [(64, 64), (65, 90), (91, 64), (200, 100)])
def test_crop_is_the_middle(size):
    pixels = photo(1, *size)
    got = centre_crop(pixels, 64, None, "a")
    top, left = (size[0] - 64) // 2, (size[1] - 64) // 2
    assert (got == pixels[top : top + 64, left : left + 64]).all()


@pytest.mark.parametrize("size", [(300, 400), (400, 300), (129, 257), (96, 96)])
def test_resize_brings_the_short_side_before_the_crop(size):
    pixels = photo(2, *size)
    got = centre_crop(pixels, 64, 96, "a")
    short = min(size)
    whole = (round(size[1] * 96 / short), round(size[0] * 96 / short))
    resized = np.asarray(Image.fromarray(pixels).resize(whole, Image.Resampling.LANCZOS))
    top, left = (whole[1] - 64) // 2, (whole[0] - 64) // 2
    assert (got == resized[top : top + 64, left : left + 64]).all()
    # a smaller image is never enlarged
    assert (centre_crop(pixels, 64, 10_000, "a") == centre_crop(pixels, 64, None, "a")).all()
    with pytest.raises(ImageError, match=r"image a is \d+x\d+, too small for images.crop 500"):
        centre_crop(pixels, 500, None, "a")


@given(st.integers(1, 30), st.integers(1, 12))
def test_shards_are_disjoint_even_and_complete(images, shards):
    table = pd.DataFrame(
        {"image_id": [f"{i:03d}" for i in range(images)] * 2, "level": [0.3] * images + [1.0] * images}
    )
    parts = [set(part_of(table, str(s), shards)["image_id"]) for s in range(shards)]
    assert sum(map(len, parts)) == images and set.union(*parts) == set(table["image_id"])
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    shuffled = table.sample(frac=1, random_state=1)
    assert set(part_of(shuffled, "0", shards)["image_id"]) == parts[0]
    assert len(part_of(table, "0", shards)) == 2 * len(parts[0])


def test_joined_shards_do_not_show_how_they_were_divided():
    rows = [(m, f"{i:02d}@0.3@m", float(i)) for m in ("psnr", "afine") for i in range(7)]
    table = pd.DataFrame(rows, columns=["metric", "pair_id", "value"])
    table = table.assign(
        run="t", kind="FR", lower_better=False, convention="c", zoo="", weights_sha256="", version="1", status="ok"
    )
    table = conform(table, "iqa")
    joined = [collect([part_of(table, str(s), n, "pair_id") for s in reversed(range(n))], "iqa") for n in (1, 2, 3, 9)]
    assert all(j.equals(joined[0]) for j in joined) and len(joined[0]) == 14
    assert joined[0]["metric"].tolist() == ["afine"] * 7 + ["psnr"] * 7 and joined[0]["pair_id"][0] == "00@0.3@m"
