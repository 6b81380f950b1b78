"""The manifest of assets, and what it says of tensors against what the loaders take."""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest

from hlf.config import load
from hlf.errors import HlfError
from hlf.files import sha256
from hlf.needs import by_table
from hlf.zoo.assets import MANIFEST, assets, read_manifest
from hlf.zoo.entries import ENTRIES
from hlf.zoo.expected import KEYS, expected
from hlf.zoo.registry import find_weights
from stand_ins import forget_hashes, write

ROOT = Path(__file__).resolve().parent.parent
FILES = {f"{asset.name}: {file.path}": (asset, file) for asset in assets().values() for file in asset.files}


# --- the manifest ---


def test_resources_show_the_manifest_of_the_package_and_wheels_carry_it():
    link = ROOT / "resources/assets.yaml"
    assert link.is_symlink() and not link.readlink().is_absolute() and link.resolve() == MANIFEST
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {"**/*.yaml", "**/*.json"} <= set(project["tool"]["setuptools"]["package-data"]["hlf"])
    assert any(text.startswith("PyYAML>=") for text in project["project"]["dependencies"])
    assert KEYS.is_relative_to(MANIFEST.parent) and requires("hlf")


def test_every_model_is_an_entry_and_every_entry_a_model():
    official = [name for zoo, name in ENTRIES if zoo == "official"]
    assert official == [asset.name for asset in assets().values() if asset.kind == "model"]
    for name in official:
        entry, asset = ENTRIES["official", name], assets()[name]
        assert entry.files == tuple(file.path for file in asset.files) and entry.needs == asset.needs
        assert {new for new, _ in entry.older} <= set(entry.files)
        assert (entry.source, entry.licence, entry.loader) == (asset.source, asset.licence, asset.loader)


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_well_described(name):
    asset, file = FILES[name]
    assert asset.title and asset.publisher and asset.licence and asset.source
    assert asset.page.startswith(("https://", "http://")) or (ROOT / asset.page).is_file()
    assert not file.path.startswith("/") and ".." not in file.path
    if file.keys:
        assert all(layout.tensors for layout in expected(file.keys))
    else:
        assert file.format not in ("safetensors", "torch"), "a list of tensors is missing"
    # names of torch hub end in the first digits of their hash, and OpenAI's addresses hold it whole
    if found := re.search(r"-([0-9a-f]{8})\.pth$", file.path):
        assert file.sha256.startswith(found[1])
    if found := re.search(r"/([0-9a-f]{64})/", file.origin.url):
        assert file.sha256 == found[1]
    if file.origin.hand:
        assert "http" in file.origin.hand or "`" in file.origin.hand
    assert bool(file.images) == bool(file.unpack)


def test_nothing_hangs_on_the_order_in_which_files_are_written_down():
    order = [file.path.partition("/")[2] for file in assets()["sd-base"].files]
    from hlf.sr.diffusion.base_model import BaseFiles

    files = BaseFiles(*map(Path, order))
    assert files.text_weights.parent.name == "text_encoder" and files.vae_weights.parent.name == "vae"
    assert (files.vocabulary.name, files.merges.name, files.scheduler.name) == (
        "vocab.json", "merges.txt", "scheduler_config.json",
    )  # fmt: skip


GOOD = "x: {title: t, publisher: p, page: g, licence: l, source: s, loader: m, files: [{path: a.pth, url: http://h/}]}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("title", "tilte"), "asset 'x' has unknown key 'tilte', known are title"),
        (GOOD.replace("title: t, ", ""), "asset 'x' lacks 'title'"),
        (GOOD.replace("path: a.pth, ", ""), "asset 'x', file 1 lacks 'path'"),
        (GOOD.replace("url: http://h/", "url: http://h/, hub: a/b"), r"file 1 \(a.pth\): expected exactly one of url"),
        (GOOD.replace(", url: http://h/", ""), r"file 1 \(a.pth\): expected exactly one of url, hub, hand"),
        (GOOD.replace("url:", "bytes: many, url:"), "file 1: bytes is 'many', expected int"),
        (GOOD.replace("url:", "sha256: xyz, url:"), "sha256 is 'xyz', expected 8 to 64 hexadecimal digits"),
        (GOOD.replace("url:", "format: gz, url:"), "format is 'gz', expected one of safetensors"),
        (GOOD.replace("loader: m", "kind: thing"), "kind is 'thing', expected one of model, data"),
        (GOOD.replace("loader: m", "needs: [y]"), "asset 'x' needs 'y', which is no asset"),
        (GOOD.replace("{title", "[title"), "cannot be read as YAML"),
        ("- x", "holds list, expected keys and values"),
        ("x: 3", "asset 'x' is int, expected keys and values"),
    ],
)
def test_a_broken_manifest_is_one_sentence(tmp_path, text, words):
    (tmp_path / "assets.yaml").write_text(text)
    with pytest.raises(HlfError, match=words) as caught:
        read_manifest(tmp_path / "assets.yaml")
    assert "assets.yaml" in str(caught.value) and "\n" not in str(caught.value)
    (tmp_path / "assets.yaml").write_text(GOOD)
    assert read_manifest(tmp_path / "assets.yaml")["x"].files[0].origin.url == "http://h/a.pth"


def test_a_missing_official_file_tells_how_it_is_got(tmp_path):
    with pytest.raises(
        HlfError, match=r"RN50.pt into .*, or run `hlf zoo fetch clipiqa`; expected about 256.0 MB, SHA-256 afeb0e10"
    ):
        find_weights("official", tmp_path, "clipiqa")
    with pytest.raises(HlfError, match=r"model.safetensors does not exist|config.json does not exist") as caught:
        find_weights("mini", tmp_path, "bsrgan")
    assert "hlf zoo fetch" not in str(caught.value)


def test_older_names_are_found_in_their_order(tmp_path):
    write(["dinov2-s"], tmp_path)
    weights = tmp_path / "dinov2-small/model.safetensors"
    older = weights.with_name("pytorch_model.bin")
    weights.rename(older)
    assert find_weights("official", tmp_path, "dinov2-s")[1] == older
    weights.touch()
    assert find_weights("official", tmp_path, "dinov2-s")[1] == weights


def test_a_manifest_of_stand_ins_has_no_hash_but_those_of_our_texts(tmp_path):
    copy = tmp_path / "assets.yaml"
    copy.write_text(MANIFEST.read_text())
    forget_hashes(copy)
    write(["ram"], tmp_path)
    for asset in read_manifest(copy).values():
        for file in asset.files:
            assert file.sha256 == (sha256(tmp_path / file.path) if file.path.startswith("ram_tag") else "")


# --- what a configuration needs ---


def test_the_paper_needs_every_default_and_no_variant():
    tables = by_table(load(ROOT, [ROOT / "config.paper.yaml"]))
    others = {
        "swinir-l",
        "stablesr-turbo",
        "stablesr-768v",
        *(f"pe-core-{x}" for x in "tsbg"),
        *(f"dinov2-{x}" for x in "slg"),
    }
    assert set(tables) == set(assets()) - others
    assert tables["coco"] == ("Table 4",) and tables["vit"] == ("Table 3",) and tables["afine"] == ("Table 2",)
    assert tables["pe-core"] == tables["koniq10k"] == ("Table 2", "Table 3", "Table 4")
    assert tables["lpips"] == ("Table 2", "Table 4")


def test_needs_follow_the_configuration(tmp_path):
    def needed(text):
        (tmp_path / "more.yaml").write_text(text)
        return by_table(load(ROOT, [ROOT / "config.paper.yaml", tmp_path / "more.yaml"]))

    assert "coca" not in needed("sr: {pasd: {captions: c.csv}}")
    assert "joint-detector" not in needed("iqa: {joint_mask: empty}")
    assert {"swinir-l", "pe-core-b"} <= set(needed("sr: {swinir: {variant: L}}\nmetric: {variants: {pe-core: B}}"))
    fewer = needed("tuning: {variants: []}\nstudy: {votes: 'db:sqlite:///s.sqlite#s'}")
    assert not {"coco", "votes"} & set(fewer) and fewer["seesr"] == ("Table 2", "Table 3")
    assert by_table(load(ROOT)) == {}, "the mini world needs nothing from elsewhere"
