"""`hlf zoo list | check | fetch | path` for people and scripts, and what the workflow does with changed files."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from hlf.cli import main
from hlf.cli.zoo_text import table
from hlf.zoo import assets as manifest
from hlf.zoo.assets import MANIFEST, assets
from hlf.zoo.lock import LOCK, read_lock
from stand_ins import forget_hashes, write, write_torch
from workflow_helpers import copy_project, snakemake

NAMES = [name for name in assets() if not re.search(r"-(l|g|s|b|t|turbo|768v)$", name)]


def run(capsys, *arguments, folder):
    """Exit code and output of `hlf zoo ...` on the folders below `folder`."""
    where = ("--zoo-folder", str(folder / "zoo"), "--data-folder", str(folder))
    code = main(["zoo", *arguments, *where])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def rows(text):
    """State -> names, of the table of `check`."""
    found = {}
    for state, name in re.findall(r"^(present|missing|wrong) +(\S+)", text, re.MULTILINE):
        found.setdefault(state, []).append(name)
    return found


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """Stand-ins of all that the paper needs."""
    folder = tmp_path_factory.mktemp("complete")
    write(NAMES, folder / "zoo", folder)
    return folder


@pytest.fixture
def everything(complete, tmp_path):
    """The same for one test: links, so that taking one away or replacing it harms no other."""
    shutil.copytree(complete / "zoo", tmp_path / "zoo", copy_function=os.link)
    (tmp_path / "data").symlink_to(complete / "data")
    return tmp_path


@pytest.fixture
def stand_in_hashes(monkeypatch, tmp_path):
    """The manifest as one of stand-ins."""
    copy = tmp_path / "assets.yaml"
    copy.write_text(MANIFEST.read_text())
    forget_hashes(copy)
    monkeypatch.setattr(manifest, "MANIFEST", copy)
    assets.cache_clear()
    yield
    assets.cache_clear()


# --- the four situations ---


def test_nothing_is_there(capsys, tmp_path):
    code, text = run(capsys, "check", folder=tmp_path)
    assert code == 1 and rows(text) == {"missing": NAMES}
    assert "Table 2 needs 20 of these assets and has none." in text
    assert "25 assets of config.paper.yaml: 25 missing." in text
    assert re.search(r"Left for `hlf zoo fetch`: koniq10k,[^;]*afine; about\s+5\d\.\d GB", text)
    assert re.search(
        r"By hand \(`hlf zoo fetch NAME` tells how\): votes, seesr, dape, koniqpp, joint,\s+joint-det", text
    )


def test_everything_is_there(capsys, complete, stand_in_hashes):
    code, text = run(capsys, "check", "--no-hash", folder=complete)
    assert code == 0 and rows(text) == {"present": NAMES}
    assert "Table 4 needs 19 of these assets and has all." in text and "Left for" not in text


def test_one_is_truncated(capsys, everything):
    path = everything / "zoo/seesr/unet/diffusion_pytorch_model.safetensors"
    size = path.stat().st_size
    path.unlink()
    write(["seesr"], everything / "zoo")
    with path.open("r+b") as handle:
        handle.truncate(size - 1000)
    code, text = run(capsys, "check", "--no-hash", folder=everything)
    assert code == 1 and rows(text)["wrong"] == ["seesr"] and set(rows(text)) == {"present", "wrong"}
    flat = " ".join(text.split())
    assert (
        f"{path.relative_to(everything / 'zoo')} ends after {size - 1000} bytes, expected {size}; it is truncated"
        in flat
    )
    assert "Table 3 needs 17 of these assets and has all but seesr." in flat
    assert "Move wrong files away before you fetch them again." in flat


def test_one_is_from_another_model(capsys, everything):
    write(["swinir-l"], everything / "zoo")
    paths = [everything / "zoo" / assets()[name].files[0].path for name in ("swinir", "swinir-l")]
    paths[1].replace(paths[0])
    code, text = run(capsys, "check", "--no-hash", folder=everything)
    assert code == 1 and rows(text)["wrong"] == ["swinir"]
    assert (
        f"{paths[0].name} key 'conv_first.weight' expected as (180, 3, 3, 3) float32, received (240, 3, 3, 3) float32"
        in " ".join(text.split())
    )


# --- hashes, names, formats ---


def test_hashes_are_compared_unless_one_says_no(capsys, everything):
    code, text = run(capsys, "check", "lpips", "bsrgan", folder=everything)
    assert code == 1 and rows(text) == {"wrong": ["lpips", "lpips"], "present": ["bsrgan"]}
    assert "expected df73285e..." in " ".join(text.split())
    code, text = run(capsys, "check", "lpips", "--no-hash", folder=everything)
    assert code == 0 and rows(text) == {"present": ["lpips"]}


def test_json_says_the_same(capsys, everything):
    (everything / "zoo/BSRGAN.pth").unlink()
    code, text = run(capsys, "check", "--json", "--no-hash", folder=everything)
    found = json.loads(text)
    assert code == 1 and found["configuration"] == "config.paper.yaml"
    one = next(asset for asset in found["assets"] if asset["name"] == "bsrgan")
    assert one["state"] == "missing" and one["tables"] == ["Table 2", "Table 3", "Table 4"] and one["licence"]
    assert one["files"] == [
        {
            "path": "BSRGAN.pth", "place": str(everything / "zoo/BSRGAN.pth"), "state": "missing", "note": "",
            "bytes": one["bytes"],
        }
    ]  # fmt: skip
    assert found["lacks"] == {"Table 2": ["bsrgan"], "Table 3": ["bsrgan"], "Table 4": ["bsrgan"]}
    code, text = run(capsys, "list", "--json", folder=everything)
    assert code == 0 and [one["name"] for one in json.loads(text)["assets"]] == NAMES


def test_list_tells_size_way_tables_and_licence(capsys, everything):
    shutil.rmtree(everything / "zoo/seesr")
    code, text = run(capsys, "list", folder=everything)
    assert code == 0
    assert re.search(r"^seesr +missing +6\.5 GB +by hand +2 3 4 +Apache-2\.0$", text, re.MULTILINE)
    assert re.search(r"^vit +present +343\.\d MB +fetch +3 +Apache-2\.0$", text, re.MULTILINE)
    assert "pe-core-b" not in text
    _, text = run(capsys, "list", "--known", folder=everything)
    assert re.search(r"^pe-core-b +missing +1\.8 GB +fetch +- +Apache", text, re.MULTILINE)


def test_another_configuration_needs_other_assets(capsys, tmp_path):
    root = Path(__file__).resolve().parent.parent
    (tmp_path / "large.yaml").write_text("sr: {swinir: {variant: L}}\ntuning: {variants: []}\n")
    files = ("--configfile", str(root / "config.paper.yaml"), str(tmp_path / "large.yaml"))
    _, text = run(capsys, "check", *files, folder=tmp_path)
    assert {"swinir-l"} == set(rows(text)["missing"]) - set(NAMES) and "Table 4" not in text
    assert "coco" not in rows(text)["missing"]
    assert "assets of config.paper.yaml large.yaml" in text
    code, text = run(capsys, "check", "--configfile", str(tmp_path / "gone.yaml"), folder=tmp_path)
    assert code == 2 and "gone.yaml cannot be read" in text


def test_unknown_names_and_missing_ones_are_one_sentence(capsys, tmp_path):
    for command in ("check", "fetch", "path"):
        code, text = run(capsys, command, "sesr", folder=tmp_path)
        assert code == 2 and text.startswith("hlf: there is no asset 'sesr', expected some of koniq10k, coco")
    for names in ((), ("--all", "bsrgan")):
        code, text = run(capsys, "fetch", *names, folder=tmp_path)
        words = "nothing to fetch was named; name assets, or give --all for all that the configuration needs"
        assert code == 2 and text == f"hlf: {words}\n"


def test_path_prints_places_for_scripts(capsys, everything):
    code, text = run(capsys, "path", "ram", folder=everything)
    assert code == 0 and text.splitlines() == [str(everything / "zoo" / file.path) for file in assets()["ram"].files]
    (everything / "zoo/ram_tag_list.txt").unlink()
    assert run(capsys, "path", "ram", folder=everything) == (1, text)
    assert run(capsys, "path", "coco", folder=everything) == (0, f"{everything}/data/coco/train2017\n")


def test_without_the_workflow_named_assets_still_work(capsys, tmp_path, monkeypatch):
    from hlf.errors import HlfError

    def none():
        raise HlfError("no Snakefile here")

    monkeypatch.setattr("hlf.cli.zoo.checkout", none)
    write(["vit"], tmp_path / "zoo")
    code, text = run(capsys, "check", "vit", folder=tmp_path)
    assert code == 0 and rows(text) == {"present": ["vit"]} and "1 assets: 1 present." in text
    code, text = run(capsys, "list", folder=tmp_path)
    assert (code, text) == (2, "hlf: no Snakefile here\n")


def test_tables_fit_the_terminal():
    cells = [("a", "long"), ("name", "words " * 20), ("other", "x" * 50)]
    for width in (30, 60, 200):
        lines = table(cells, width).splitlines()
        assert all(len(line) <= width for line in lines if "x" not in line)
        assert "x" * 50 in table(cells, width), "a name is never cut"
    assert lines[1] == "-" * len(max(lines, key=len)) and lines[0] == "a      long"


# --- fetch ---


def test_what_comes_by_hand_is_told(capsys, tmp_path):
    code, text = run(capsys, "fetch", "seesr", "votes", folder=tmp_path)
    flat = " ".join(text.split())
    assert code == 1 and "SeeSR, denoiser and ControlNet; licence: Apache-2.0" in flat and "5 files: 5 by hand" in flat
    assert "cswry/SeeSR, follow the link" in flat and flat.count("follow the link") == 1
    assert (
        f"seesr/unet/config.json: it goes to {tmp_path}/zoo/seesr/unet/config.json" in flat
        and "snakemake study_bundle" in flat
    )
    assert not (tmp_path / "zoo").exists() or not list((tmp_path / "zoo").rglob("*.safetensors"))


def test_a_local_folder_takes_the_place_of_the_network(capsys, complete, tmp_path, stand_in_hashes):
    names = ("bsrgan", "dape", "lpips", "ram")
    local = ("--from", str(complete / "zoo"))
    code, text = run(capsys, "fetch", *names, *local, folder=tmp_path)
    assert code == 0 and "7 files: 7 fetched" in text.replace("7 files: 6 fetched, 1 present", "7 files: 7 fetched")
    assert run(capsys, "check", *names, folder=tmp_path)[0] == 0
    assert set(read_lock(tmp_path / "zoo")) >= {"BSRGAN.pth", "DAPE.pth", "ram_tag_list.txt"}
    code, text = run(capsys, "fetch", *names, *local, folder=tmp_path)
    assert code == 0 and "files: 7 present" in text
    code, text = run(capsys, "fetch", "vit", "--from", str(tmp_path / "zoo"), folder=tmp_path)
    assert code == 1 and "failed" in text and "no file" not in text
    # another file than at first use
    path = tmp_path / "zoo/DAPE.pth"
    path.unlink()
    write_torch(path, {})
    code, text = run(capsys, "check", "dape", folder=tmp_path)
    assert code == 1 and rows(text) == {"wrong": ["dape"]}


def test_mirrors_are_pairs_of_urls(capsys, tmp_path):
    code, text = run(capsys, "fetch", "bsrgan", "--mirror", "https://github.com=ftp://lab", folder=tmp_path)
    assert code == 2 and "is no pair of http or https URLs" in text
    with pytest.raises(SystemExit):
        run(capsys, "fetch", "bsrgan", "--mirror", "https://github.com", folder=tmp_path)
    assert "expected PREFIX=URL" in capsys.readouterr().err


# --- the workflow ---

SMALL = """
run: small
zoo: {use: official}
images: {dataset: 5, evaluation: 0, crop: 64, resize_short: 64}
degradation: {levels: [1.0], shards: 1}
sr: {models: [bsrgan], baselines: [], shards: 1}
sampling: {total: 5, bins: 1, shards: 1}
tuning: {variants: []}
"""


@pytest.mark.workflow
def test_the_workflow_records_files_at_first_use_and_refuses_others(tmp_path):
    project = copy_project(tmp_path / "project")
    (project / "small.yaml").write_text(SMALL)
    zoo, target = project / "resources/zoo/official", "results/small/sr/bsrgan/shards/000.parquet"
    configs = ("tests/config.tiny.yaml", "small.yaml")
    text = snakemake(project, "--cores", "1", target, configs=configs)
    assert "something is missing, nothing was started" in text and "or run `hlf zoo fetch bsrgan`" in text
    write(["bsrgan"], zoo)
    # zeros give black pictures, which the job refuses: it ran
    text = snakemake(project, "--cores", "1", target, configs=configs)
    assert "5 images could not be upscaled" in text
    assert set(read_lock(zoo)) == {"BSRGAN.pth"}, "only what the jobs read"
    with (zoo / "BSRGAN.pth").open("r+b") as handle:
        handle.seek(-(8 << 20), 2)
        handle.write(b"\x01")
    text = snakemake(project, "--cores", "1", target, configs=configs)
    assert "something is missing or has changed, nothing was started" in text and "exit code 1" in text
    assert "BSRGAN.pth is not the file that was used first: it has SHA-256 " in text and LOCK in text
    assert "could not be upscaled" not in text
    with (zoo / "BSRGAN.pth").open("r+b") as handle:
        handle.seek(-(8 << 20), 2)
        handle.write(b"\x00")
    assert "5 images could not be upscaled" in snakemake(project, "--cores", "1", target, configs=configs)
