"""Command `hlf iqa`: pairs by name, failures told, and the number that workflow and library give too."""

import ast
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlf.cli import main
from hlf.columns import conform
from hlf.images import read_image, write_png
from hlf.iqa.measure import measure_pairs
from hlf.iqa.picture import Picture
from hlf.iqa.registry import METRICS, Source, load_measure

ROOT = Path(__file__).parents[1]
ZOO = "resources/zoo/mini"
NAMES = ["psnr", "ssim", "lpips", "joint_technical"]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Three GT pictures, SR pictures of two of them and one of another name."""
    monkeypatch.setenv("HLF_ZOO", str(ROOT / ZOO))
    rng = np.random.default_rng(1)
    for name in ("a", "sub/b", "c"):
        write_png(tmp_path / f"gt/{name}.png", rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    for name in ("a", "sub/b", "d"):
        write_png(tmp_path / f"sr/{name}_X.png", rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    return tmp_path


def call(folder, *options, metrics=("psnr",)):
    argv = ["iqa", "-t", str(folder / "sr"), "-r", str(folder / "gt"), "-o", str(folder / "out.csv"), "--suffix", "_X"]
    return main([*argv, "-m", *metrics, *options])


def test_pairs_are_found_by_name_and_the_others_are_listed(folders, capsys):
    assert call(folders, metrics=("psnr", "ssim")) == 1
    told = capsys.readouterr()
    assert len(re.findall(r"^psnr: mean \d+\.\d{4} of \d+ pictures, higher is better$", told.out, re.MULTILINE)) == 1
    assert "d_X.png has no partner" in told.err and "c.png has no partner" in told.err
    assert "4 values" in told.out and "2 without a partner" in told.out
    table = pd.read_csv(folders / "out.csv")
    assert [path.rsplit("/", 1)[-1] for path in table["image"]] == ["a_X.png", "b_X.png"] * 2
    assert table["metric"].tolist() == ["psnr", "psnr", "ssim", "ssim"] and (table["status"] == "ok").all()


def test_many_pictures_without_a_partner_are_counted_and_means_are_told(folders, capsys):
    for number in range(9):
        write_png(folders / f"gt/more{number}.png", np.zeros((48, 64, 3), np.uint8))
    assert call(folders) == 1
    told = capsys.readouterr()
    assert told.err.count("has no partner") == 5 and "and 6 more pictures have no partner" in told.err
    mean = pd.read_csv(folders / "out.csv")["value"].mean()
    assert f"psnr: mean {mean:.4f} of 2 pictures, higher is better" in told.out


def test_failures_are_rows_and_the_exit_code_says_so(folders, capsys):
    (folders / "sr/a_X.png").write_bytes(b"no picture")
    write_png(folders / "sr/sub/b_X.png", np.zeros((48, 60, 3), np.uint8))
    for path in (folders / "sr/d_X.png", folders / "gt/c.png"):
        path.unlink()
    assert call(folders) == 1
    told = capsys.readouterr().err
    assert "cannot be decoded" in told and "SR is 60x48 pixels, GT is 64x48" in told
    assert pd.read_csv(folders / "out.csv")["value"].isna().all()


def test_workflow_command_and_library_give_one_number(folders):
    for path in (folders / "sr/d_X.png", folders / "gt/c.png"):
        path.unlink()
    assert call(folders, metrics=NAMES) == 0
    table = pd.read_csv(folders / "out.csv", float_precision="round_trip")
    command = table[table["image"].str.endswith("a_X.png")].set_index("metric")["value"]
    source = Source("mini", ROOT / ZOO, seed=42)
    sr, gt = (Picture(read_image(folders / path)) for path in ("sr/a_X.png", "gt/a.png"))
    library = {
        name: load_measure(group, source)(sr, gt)[name]
        for name, group in zip(NAMES, [*NAMES[:3], "joint"], strict=True)
    }
    pairs = pd.DataFrame(
        [("a@1.0@m", "a", "gt/a.png", "sr/a_X.png")], columns=["pair_id", "image_id", "gt_path", "sr_path"]
    )
    rest = {"run": "t", "level": 1.0, "model": "m", "similarity": 0.5, "bin": 0, "lr_path": "", "seed": 1}
    rows, _ = measure_pairs(conform(pairs.assign(**rest), "pairs"), folders, NAMES, source, "t", {}, None)
    workflow = rows.set_index("metric")["value"]
    for name in NAMES:
        assert command[name] == library[name] == workflow[name]


def test_the_page_of_measures_names_each_and_its_example_runs(folders, monkeypatch, capsys):
    page = (ROOT / "docs/measures.md").read_text(encoding="utf8")
    assert [name for name in METRICS if f"`{name}`" not in page] == []
    monkeypatch.chdir(folders)
    (folders / "resources").symlink_to(ROOT / "resources")
    for name in ("sr", "gt"):
        source = "gt/a.png" if name == "gt" else "sr/a_X.png"
        (folders / f"{name}.png").write_bytes((folders / source).read_bytes())
    exec(page.split("```python\n")[1].split("```")[0], {})
    printed = ast.literal_eval(capsys.readouterr().out)
    call(folders, metrics=("lpips",))
    table = pd.read_csv(folders / "out.csv", float_precision="round_trip").set_index("image")["value"]
    assert printed == {"lpips": next(value for image, value in table.items() if image.endswith("a_X.png"))}


def test_nothing_in_common_is_one_sentence(folders, capsys):
    argv = ["iqa", "-t", str(folders / "sr"), "-r", str(folders / "gt"), "-m", "psnr", "-o", str(folders / "o.csv")]
    assert main(argv) == 2
    assert "give --suffix" in capsys.readouterr().err and not (folders / "o.csv").exists()
