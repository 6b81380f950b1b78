"""Command `hlf sr`: what a user may throw at it, and the exit codes."""

import os
import re
import shutil
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from hlf.cli import main
from hlf.errors import HlfError
from hlf.files import read_table, sha256
from hlf.images import read_image, to_tensor
from hlf.sr.folder import FolderRun, upscale_folder
from hlf.sr.registry import load_upscaler
from sr_helpers import picture, png, tiny_zoo


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    torch.set_num_threads(1)
    return tiny_zoo(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def hlf(zoo, tmp_path, capsys):
    """Runs `hlf sr -m bsrgan -i in -o out` plus options; gives the exit code, stderr and the two tables."""

    def call(*options, source=tmp_path / "in", model="bsrgan", folder=zoo, tables=("sr.parquet", "failures.csv")):
        argv = ["sr", "-m", model, "-i", str(source), "-o", str(tmp_path / "out"), "--device", "cpu"]
        code = main([*argv, "--zoo-folder", str(folder), *options])
        found = [read_table(tmp_path / "out" / t) if (tmp_path / "out" / t).is_file() else None for t in tables]
        return code, capsys.readouterr().err, *found

    (tmp_path / "in").mkdir()
    return call


def put(path, array=None, **save):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(12, 10) if array is None else array).save(path, **save)
    return path


def expected(zoo, rgb, model="bsrgan"):
    upscaler = load_upscaler(model, "mini", zoo, "cpu", "fp32", {})
    sr = upscaler.upscale(to_tensor(rgb)[None], [0])[0].numpy().transpose(1, 2, 0)
    return np.rint(sr * 255).astype(np.uint8)


def test_folder_with_sub_folders_and_odd_names(hlf, zoo, tmp_path):
    names = ["a.png", "b.JPG", "sub/a.webp", "sub/Größe 1.v2.tif", "深/写真.bmp"]
    for name in names:
        put(tmp_path / "in" / name)
    put(tmp_path / "in" / ".hidden.png")
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    code, err, sr, failures = hlf()
    outputs = ["a.png", "b.png", "sub/Größe 1.v2.png", "sub/a.png", "深/写真.png"]
    assert (code, err, len(failures), list(sr["path"])) == (0, "", 0, outputs)
    assert list(sr["image_id"]) == [name.removesuffix(".png") for name in outputs]
    written = [p for p in (tmp_path / "out").rglob("*.png") if p.is_file()]
    assert len(written) == len(outputs)
    for row in sr.itertuples():
        assert read_image(tmp_path / "out" / row.path).shape == (48, 40, 3) == (row.height, row.width, 3)
        assert row.sha256 == sha256(tmp_path / "out" / row.path)
    assert np.array_equal(read_image(tmp_path / "out" / "a.png"), expected(zoo, picture(12, 10)))
    assert sr["level"].isna().all(), "a folder says nothing of its degradation"


@pytest.mark.parametrize("model", ["bsrgan", "swinir"])
def test_one_file_gives_the_same_picture_and_seed_as_in_its_folder(hlf, tmp_path, model):
    for index, name in enumerate(["x.png", "y.png", "deep/z.png"]):
        put(tmp_path / "in" / name, picture(13, 9, index))
    _, _, folder, _ = hlf(model=model)
    code, _, alone, _ = hlf("--no-resume", source=tmp_path / "in" / "deep" / "z.png", model=model)
    assert code == 0 and list(alone["path"]) == ["z.png"]
    same = folder[folder["path"] == "deep/z.png"].iloc[0]
    assert (alone["sha256"][0], alone["seed"][0]) == (same["sha256"], same["seed"])


def test_every_colour_mode_follows_the_rules_for_pictures(hlf, zoo, tmp_path):
    rgb = picture(12, 10)
    grey = rgb[..., 0]
    alpha = np.dstack([rgb, np.full((12, 10), 128, np.uint8)])
    folder = tmp_path / "in"
    put(folder / "grey.png", grey)
    put(folder / "alpha.png", alpha)
    put(folder / "deep.png", grey.astype(np.uint16) * 257)
    Image.fromarray(rgb).convert("CMYK").save(folder / "cmyk.tif")
    Image.fromarray(rgb).convert("P").save(folder / "palette.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to see it upright
    Image.fromarray(rgb).save(folder / "turned.png", exif=exif)
    put(folder / "one.png", rgb[:1, :1])
    code, _, sr, failures = hlf()
    assert code == 0 and len(failures) == 0
    sizes = {row.image_id: (row.width, row.height) for row in sr.itertuples()}
    assert sizes["turned"] == (48, 40) and sizes["one"] == (4, 4) and sizes["cmyk"] == (40, 48)
    three = np.repeat(grey[..., None], 3, 2)
    over_white = read_image(folder / "alpha.png")
    for name, array in [("grey", three), ("deep", three), ("alpha", over_white), ("turned", np.rot90(rgb, -1))]:
        assert np.array_equal(read_image(tmp_path / "out" / f"{name}.png"), expected(zoo, array)), name


def huge(data):
    """The PNG with a header that announces 30000 x 30000 pixels."""
    header = b"IHDR" + struct.pack(">II", 30000, 30000) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def test_bad_files_become_rows_and_exit_code_1(hlf, tmp_path, caplog):
    folder = tmp_path / "in"
    put(folder / "good.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("no picture at all")
    (folder / "cut.png").write_bytes(png(picture(40, 40))[:300])
    put(folder / "tiny.png", picture(3, 9))
    (folder / "bomb.png").write_bytes(huge(png(picture(8, 8))))
    code, _, sr, failures = hlf(model="swinir")
    assert code == 1 and list(sr["image_id"]) == ["good"]
    reasons = dict(zip(failures["image_id"], failures["reason"], strict=True))
    assert list(reasons) == ["bomb", "cut", "empty", "text", "tiny"]
    assert "0 bytes" in reasons["empty"] and "9x3" in reasons["tiny"]
    assert all("cannot be decoded" in reasons[name] for name in ("bomb", "cut", "text"))
    for name, reason in reasons.items():
        assert f"{name}." in reason and reason in caplog.text, "each is named, in the file and in the log"
    assert "pixels" in reasons["bomb"], "refused for its announced size, not for a checksum"
    assert list(failures["model"]) == ["swinir"] * 5
    # mended, the same call succeeds and the old failures are gone
    for name in reasons:
        for path in folder.glob(f"{name}.*"):
            path.unlink()
    code, _, sr, failures = hlf(model="swinir")
    assert (code, len(sr), len(failures)) == (0, 1, 0)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda folder: [put(folder / "a.png"), put(folder / "a.jpg")], "a.jpg and .*a.png would both be written to"),
        (lambda _: [], "holds no image"),
        (lambda folder: shutil.rmtree(folder), "does not exist"),
    ],
)
def test_nothing_is_made_when_the_call_cannot_work(hlf, tmp_path, prepare, words):
    prepare(tmp_path / "in")
    code, err, sr, failures = hlf()
    assert (code, sr, failures) == (2, None, None) and not (tmp_path / "out").exists()
    assert re.search(words, err), err
    assert err.startswith("hlf: ") and err.count("\n") == 1


def test_outputs_never_land_on_inputs(hlf, tmp_path):
    path = put(tmp_path / "out" / "a.png")
    before = path.read_bytes()
    for source in (path, path.parent):
        code, err, _, _ = hlf(source=source)
        assert code == 2 and "choose another" in err
    assert path.read_bytes() == before
    # an output folder inside the input folder is left out of the input
    put(tmp_path / "b.png")
    shutil.rmtree(tmp_path / "in")
    path.unlink()
    for _ in range(2):
        code, _, sr, _ = hlf(source=tmp_path)
        assert code == 0 and list(sr["path"]) == ["b.png"]


def test_weights_missing_or_wrong_are_one_sentence(hlf, zoo, tmp_path):
    put(tmp_path / "in" / "a.png")
    code, err, _, _ = hlf("--zoo", "official")
    assert code == 2 and "BSRGAN.pth does not exist; source: GitHub release v1.0 of cszn/KAIR" in err
    broken = tmp_path / "zoo" / "bsrgan"
    shutil.copytree(zoo / "bsrgan", broken)
    data = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(data[: len(data) // 2])
    code, err, sr, _ = hlf(folder=broken.parent)
    assert code == 2 and "model.safetensors cannot be read as tensors" in err and sr is None


def test_zoo_folder_from_the_environment_and_by_default(zoo, tmp_path, monkeypatch, capsys):
    put(tmp_path / "in" / "a.png")
    argv = ["sr", "-m", "bsrgan", "-i", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--device", "cpu"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HLF_ZOO", "nowhere")
    assert main(argv) == 2 and "nowhere/bsrgan/config.json does not exist" in capsys.readouterr().err
    monkeypatch.setenv("HLF_ZOO", str(zoo))
    assert main(argv) == 0
    # by default that of the working folder, and where there is none, that of the checkout
    monkeypatch.delenv("HLF_ZOO")
    (tmp_path / "resources/zoo/mini").mkdir(parents=True)
    assert main(argv) == 2 and "resources/zoo/mini/bsrgan/config.json does not exist" in capsys.readouterr().err
    (tmp_path / "resources/zoo/mini").rmdir()
    assert main(argv) == 0


def test_resume_skips_what_is_whole(hlf, tmp_path):
    for name in ("a.jpg", "b.png", "c.png"):
        put(tmp_path / "in" / name)
    _, _, first, _ = hlf()
    out = tmp_path / "out"
    (out / "b.png").write_bytes((out / "b.png").read_bytes()[:-20])
    kept, remade = (out / "a.png").stat().st_mtime_ns, (out / "b.png").stat().st_mtime_ns
    _, _, second, _ = hlf()
    assert (out / "a.png").stat().st_mtime_ns == kept and (out / "b.png").stat().st_mtime_ns != remade
    pd.testing.assert_frame_equal(first, second)
    hlf("--no-resume")
    assert (out / "a.png").stat().st_mtime_ns != kept
    changed = (out / "a.png").stat().st_mtime_ns
    hlf("--tile", "8", "--tile-overlap", "4")
    assert (out / "a.png").stat().st_mtime_ns != changed, "other settings make other pictures"


def test_limit_shard_and_suffix(hlf, tmp_path):
    for name in "abcde":
        put(tmp_path / "in" / f"{name}.png")
    _, _, sr, _ = hlf("--limit", "2", "--suffix", "_SR")
    assert list(sr["path"]) == ["a_SR.png", "b_SR.png"]
    seen = []
    for i in (1, 2, 3):
        tables = (f"sr.{i}of3.parquet", f"failures.{i}of3.csv")
        code, _, sr, failures = hlf("--shard", f"{i}/3", tables=tables)
        assert code == 0 and failures is not None
        seen += list(sr["image_id"])
    assert sorted(seen) == list("abcde")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--shard", "4/3"], "shard is 4/3"),
        (["--tile", "8"], "tile 8 with overlap 16"),
        (["--option", "variant=L"], "model 'bsrgan' has no option 'variant'"),
    ],
)
def test_impossible_settings_are_one_sentence(hlf, tmp_path, options, words):
    put(tmp_path / "in" / "a.png")
    code, err, _, _ = hlf(*options)
    assert code == 2 and words in err and err.count("\n") == 1


@pytest.mark.parametrize(("settings", "words"), [({"limit": 0}, "limit is 0"), ({"batch_size": 0}, "batch size is 0")])
def test_impossible_settings_of_the_library_too(tmp_path, settings, words):
    put(tmp_path / "in" / "a.png")
    with pytest.raises(HlfError, match=f"{words}, expected at least 1"):
        upscale_folder(
            tmp_path / "in",
            tmp_path / "out",
            load_upscaler("bicubic", "mini", "", "cpu", "fp32", {}),
            FolderRun(**settings),
        )


@pytest.mark.parametrize(
    "options",
    [
        ["--tile", "-1"], ["--tile", "x"], ["--shard", "2"], ["--option", "x"], ["--precision", "fp8"],
        ["--limit", "0"], ["--batch-size", "0"],
    ],
)  # fmt: skip
def test_arguments_of_the_wrong_form_are_one_sentence(hlf, capsys, options):
    with pytest.raises(SystemExit) as caught:
        hlf(*options)
    told = capsys.readouterr().err
    assert caught.value.code == 2 and told.endswith("see `hlf sr -h`\n") and told.count("\n") == 1
    assert f"got '{options[1]}'" in told or f"{options[0]} is '{options[1]}'" in told


def test_options_of_a_model_and_automatic_tiles(hlf, tmp_path):
    put(tmp_path / "in" / "a.png")
    code, err, _, _ = hlf("--option", "variant=L", model="swinir")
    assert code == 2 and "zoo 'mini' has no model 'swinir-l'" in err
    code, _, sr, _ = hlf("--option", "variant=M", "--tile", "auto", "--precision", "bf16", model="swinir")
    assert code == 0 and list(sr["precision"]) == ["bf16"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_unwritable_folder_is_one_sentence(hlf, tmp_path):
    put(tmp_path / "in" / "a.png")
    (tmp_path / "out").mkdir(mode=0o500)
    code, err, _, _ = hlf()
    assert code == 2 and "cannot write" in err


def test_an_output_path_that_is_a_file_is_one_sentence(hlf, tmp_path):
    put(tmp_path / "in" / "a.png")
    (tmp_path / "out").write_text("in the way")
    code, err, _, _ = hlf()
    assert code == 2 and "cannot write" in err and err.count("\n") == 1


def test_the_library_function_is_the_command(hlf, zoo, tmp_path):
    put(tmp_path / "in" / "a.png")
    _, _, sr, _ = hlf()
    upscaler = load_upscaler("bsrgan", "mini", zoo, "cpu", "fp32", {})
    table, failures = upscale_folder(tmp_path / "in", tmp_path / "again", upscaler, FolderRun())
    pd.testing.assert_frame_equal(table, sr)
    assert len(failures) == 0
    with pytest.raises(HlfError, match=r"input .* does not exist"):
        upscale_folder(tmp_path / "gone", tmp_path / "again", upscaler, FolderRun())
