"""State of asset files: there, missing, or wrong and why."""

import json
import os
import re
import shutil
from dataclasses import replace

import pytest
import torch

from hlf import digest
from hlf.zoo.assets import File, Origin, assets
from hlf.zoo.check import MISSING, PRESENT, WRONG, Places, check
from hlf.zoo.lock import LOCK, record
from stand_ins import write, write_file, write_images, write_torch


def places(tmp_path, hashed=False, **more):
    return Places(tmp_path / "zoo", tmp_path, tmp_path / "hashes.json" if hashed else None, **more)


def states(name, tmp_path, **more):
    return check(assets()[name], places(tmp_path, **more))


def note(name, tmp_path, number=0, **more):
    """Why a file is wrong."""
    state = states(name, tmp_path, **more)[number]
    assert state.status == WRONG and "\n" not in state.note
    return state.note


def link(source, target):
    """The same file under another name, for a copy would fill the holes of gigabytes."""
    target.unlink()
    os.link(source, target)


def there(tmp_path, *names):
    write(names, tmp_path / "zoo", tmp_path)
    return tmp_path / "zoo"


def test_nothing_is_there(tmp_path):
    for asset in assets().values():
        for state, file in zip(states(asset.name, tmp_path), asset.files, strict=True):
            assert (state.status, state.note, state.path) == (MISSING, "", file.path)
    assert states("seesr", tmp_path)[1].bytes == pytest.approx(4.51e9, rel=0.01), "as its tensors need"
    assert states("ram", tmp_path)[0].bytes == 5630000000 and states("joint-detector", tmp_path)[0].bytes == 0


@pytest.mark.parametrize("name", [asset.name for asset in assets().values() if asset.kind == "model"])
def test_files_in_the_official_format_are_there(tmp_path, name):
    there(tmp_path, name)
    assert [(s.status, s.note) for s in states(name, tmp_path)] == [(PRESENT, "")] * len(assets()[name].files)


@pytest.mark.parametrize(
    ("name", "number"),
    [("bsrgan", 0), ("seesr", 1), ("stablesr", 0), ("lpips", 0), ("clipiqa", 0), ("joint-detector", 0), ("dape", 0)],
)
@pytest.mark.parametrize("part", [0.0, 0.3, 0.999])
def test_a_truncated_file_is_told(tmp_path, name, number, part):
    path = there(tmp_path, name) / assets()[name].files[number].path
    with path.open("r+b") as handle:
        handle.truncate(int(path.stat().st_size * part))
    assert "truncated" in note(name, tmp_path, number) if part else "is empty" in note(name, tmp_path, number)


def test_a_file_of_another_size_than_published_is_told(tmp_path):
    path = there(tmp_path, "bsrgan") / "BSRGAN.pth"
    asset = assets()["bsrgan"]
    sized = replace(asset, files=(replace(asset.files[0], bytes=path.stat().st_size + 1),))
    (state,) = check(sized, places(tmp_path))
    assert state.status == WRONG and f"has {state.bytes} bytes, expected {state.bytes + 1}" in state.note


def test_a_file_of_another_model_or_size_is_told_with_key_and_shapes(tmp_path):
    zoo = there(tmp_path, "dinov2", "dinov2-l", "swinir", "swinir-l", "sd-base", "sd15", "stablesr", "seesr", "pasd")
    m, large = (zoo / assets()[name].files[0].path for name in ("swinir", "swinir-l"))
    large.replace(m)
    told = note("swinir", tmp_path)
    assert told.startswith(
        "key 'conv_first.weight' expected as (180, 3, 3, 3) float32, received (240, 3, 3, 3) float32"
    )
    assert told.endswith("of 552 so); it belongs to another model or size")
    link(zoo / "dinov2-large/model.safetensors", zoo / "dinov2-base/model.safetensors")
    assert "expected as (1, 1, 768)" in note("dinov2", tmp_path, 1)
    link(zoo / "dinov2-large/config.json", zoo / "dinov2-base/config.json")
    assert note("dinov2", tmp_path) == "has hidden_size 1024, expected 768; it belongs to another model or size"
    text = "text_encoder/model.safetensors"
    link(zoo / "stable-diffusion-v1-5" / text, zoo / "stable-diffusion-2-base" / text)
    assert "(49408, 1024) float32, received (49408, 768)" in note("sd-base", tmp_path, 2)
    # stock diffusers would only warn: a UNet without image attention
    unet = "unet/diffusion_pytorch_model.safetensors"
    link(zoo / "pasd" / unet, zoo / "seesr" / unet)
    assert "another model" in note("seesr", tmp_path, 1)
    link(zoo / "vqgan_cfw_00011.ckpt", zoo / "stablesr_000117.ckpt")
    assert "lacks key 'model.diffusion_model.time_embed.0.weight'" in note("stablesr", tmp_path)
    assert "missing); it belongs to another model" in note("stablesr", tmp_path)


def test_what_may_stand_in_a_file_besides_is_no_fault(tmp_path):
    zoo = there(tmp_path, "pasd")
    light, full = (assets()["pasd"].files[1].keys.split(" or ")[i] for i in (1, 0))
    file = replace(assets()["pasd"].files[1], keys=light)
    write_file(file, zoo)
    assert light != full and states("pasd", tmp_path)[1].status == PRESENT, "the light variant loads as well"
    meta = replace(assets()["pe-core-t"].files[0], keys=assets()["pe-core-t"].files[0].keys.split(" or ")[1])
    write_file(meta, zoo, meta.older[0])
    assert states("pe-core-t", tmp_path)[0].place.name == "PE-Core-T16-384.pt"
    assert states("pe-core-t", tmp_path)[0].status == PRESENT, "Meta's own file"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"<!DOCTYPE html><title>Google Drive - Virus scan warning</title>",
            r"a web page \('Google Drive - Virus scan w",
        ),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS"),
        (b"not found", "holds no tensors as torch saves them"),
    ],
)
def test_what_is_no_file_at_all_is_told(tmp_path, content, words):
    path = there(tmp_path, "dape") / "DAPE.pth"
    path.write_bytes(content)
    assert re.search(words, note("dape", tmp_path))


def test_state_dicts_and_archives_of_torchscript_are_told_apart(tmp_path):
    zoo = there(tmp_path, "clipiqa", "koniqpp")
    write_torch(zoo / "RN50.pt", {})
    assert note("clipiqa", tmp_path).startswith("is a state dict, expected a TorchScript archive")
    there(tmp_path, "clipiqa")
    link(zoo / "RN50.pt", zoo / "koniqpp.pth")
    assert note("koniqpp", tmp_path).startswith("is a TorchScript archive, expected a state dict")


@pytest.mark.parametrize("text", ["{", "\xff", '{"hidden_size": 768}', "[]"])
def test_wrong_texts_are_told(tmp_path, text):
    path = there(tmp_path, "dinov2") / "dinov2-base/config.json"
    path.write_text(text, encoding="latin1")
    assert "UTF-8" in note("dinov2", tmp_path) or "expected" in note("dinov2", tmp_path)


def test_the_published_hash_is_compared(tmp_path):
    there(tmp_path, "lpips", "clipiqa")
    assert [s.status for s in states("lpips", tmp_path)] == [PRESENT, PRESENT]
    assert "has SHA-256" in note("lpips", tmp_path, 1, hashed=True)
    assert "expected df73285e..." in note("lpips", tmp_path, 1, hashed=True)
    assert "expected afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762" in note(
        "clipiqa", tmp_path, hashed=True
    )


def test_the_hash_of_the_first_use_is_compared(tmp_path):
    zoo = there(tmp_path, "bsrgan", "stablesr")
    path = zoo / "BSRGAN.pth"
    record(zoo, {"BSRGAN.pth": path})
    assert states("bsrgan", tmp_path, hashed=True)[0].status == PRESENT
    with path.open("r+b") as handle:  # one weight, after the headers
        handle.seek(-(8 << 20), 2)
        handle.write(b"\x01\x02")
    assert states("bsrgan", tmp_path)[0].status == PRESENT, "not hashed"
    told = note("bsrgan", tmp_path, hashed=True)
    assert told.startswith("is not the file that was used first: it has SHA-256") and LOCK in told
    # sizes are compared without hashing
    write_torch(path, {"x": torch.zeros(1)})
    record(zoo, {"vqgan_cfw_00011.ckpt": path})
    assert "it has" in note("stablesr", tmp_path, 1) and "bytes" in note("stablesr", tmp_path, 1)


def test_hashes_are_taken_once(tmp_path, monkeypatch):
    there(tmp_path, "dape")
    seen = []
    real = digest.file_hashes
    monkeypatch.setattr("hlf.zoo.check.file_hashes", lambda p, c, h: real(p, c, lambda x: seen.append(x) or h(x)))
    for _ in range(3):
        assert states("dape", tmp_path, hashed=True)[0].status == PRESENT
    assert len(seen) == 1 and len(json.loads((tmp_path / "hashes.json").read_text())) == 1


def test_a_set_of_images_is_counted(tmp_path):
    folder = tmp_path / "data/koniq10k/1024x768"
    write_images(folder, 12)
    assert note("koniq10k", tmp_path) == "holds 12 of 10,073 images; fetch or unpack it again"
    shutil.rmtree(folder)
    write_images(folder, 10_073)
    (state,) = states("koniq10k", tmp_path)
    assert (state.status, state.note, state.place) == (PRESENT, "10,073 images", folder)
    # elsewhere it is whatever the configuration takes from it
    other = {"moved": {"koniq10k": "mine"}, "images": {"koniq10k": 20}}
    write_images(tmp_path / "mine", 19)
    assert note("koniq10k", tmp_path, **other) == "holds 19 of 20 images; fetch or unpack it again"
    other["images"] = {"koniq10k": 19}
    assert states("koniq10k", tmp_path, **other)[0].status == PRESENT
    assert states("koniq10k", tmp_path, moved={"koniq10k": "none"})[0].status == MISSING


def test_an_archive_that_is_not_unpacked_is_told(tmp_path):
    archive = tmp_path / "data/koniq10k/koniq10k_1024x768.zip"
    archive.parent.mkdir(parents=True)
    shutil.make_archive(str(archive.with_suffix("")), "zip", write_images(tmp_path / "some", 3))
    (state,) = states("koniq10k", tmp_path)
    assert state.status == MISSING and state.note == "its archive is there: `hlf zoo fetch koniq10k` unpacks it"
    with archive.open("r+b") as handle:
        handle.truncate(archive.stat().st_size - 5)
    assert note("koniq10k", tmp_path) == "lacks the directory at its end; it is truncated: fetch it again"


def test_votes_may_be_a_file_or_the_folder_of_an_export(tmp_path):
    write(["votes"], tmp_path / "zoo", tmp_path)
    assert states("votes", tmp_path)[0].status == PRESENT
    (tmp_path / "export").mkdir()
    assert states("votes", tmp_path, moved={"votes": "export"})[0].place == tmp_path / "export"
    assert states("votes", tmp_path, moved={"votes": "export"})[0].status == PRESENT
    assert states("votes", tmp_path, moved={"votes": "gone.csv"})[0].status == MISSING


def test_a_folder_in_place_of_a_file_is_missing_and_an_unreadable_file_wrong(tmp_path, monkeypatch):
    zoo = there(tmp_path, "dape", "bsrgan")
    (zoo / "DAPE.pth").unlink()
    (zoo / "DAPE.pth").mkdir()
    assert states("dape", tmp_path)[0].status == MISSING

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hlf.zoo.check.read_headers", refuse)
    assert note("bsrgan", tmp_path) == "cannot be read (Permission denied); fix the rights"


def test_a_file_of_unknown_tensors_is_only_opened(tmp_path):
    file = File("x.pth", Origin(hand="h"), "torch")
    asset = replace(assets()["dape"], files=(file,))
    (tmp_path / "zoo").mkdir()
    write_torch(tmp_path / "zoo/x.pth", {"a": torch.zeros(3)})
    assert check(asset, places(tmp_path))[0].status == PRESENT
