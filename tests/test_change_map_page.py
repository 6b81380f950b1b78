"""docs/metric_behaviour.md runs as it stands, and `hlf score --map` draws what it says."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backbone_helpers import tiny_backbones
from hlf.cli import main
from hlf.images import write_png
from hlf.scenes.edits import planted_edit

ROOT = Path(__file__).parents[1]


def test_the_examples_of_the_page_find_the_planted_edit(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resources").symlink_to(ROOT / "resources")
    edit = planted_edit(7, "swap", 0, 128, (0.2, 0.4))
    write_png("sr.png", edit.after)
    write_png("gt.png", edit.before)
    names: dict = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "docs/metric_behaviour.md").read_text(), re.DOTALL):
        exec(block, names)
    region = names["region"].box
    ((left, top, right, bottom),) = edit.boxes
    middle = ((region[0] + region[2]) / 2, (region[1] + region[3]) / 2)
    assert left < middle[0] < right and top < middle[1] < bottom
    said = capsys.readouterr().out
    assert re.search(r"holds \d+% of the map on \d+% of the picture", said) and "all kinds" in said
    assert Image.open("where.png").size[0] > 1000
    assert len(names["table"]) == len(names["pairs"]) == 4 * 6 + 2 * 9 + 10


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HLF_ZOO", str(tiny_backbones(tmp_path / "zoo")))
    rng = np.random.default_rng(1)
    for name in ("a", "sub/b", "c"):
        gt = rng.integers(0, 256, (32, 40, 3), dtype=np.uint8)
        write_png(tmp_path / f"gt/{name}.png", gt)
        write_png(tmp_path / f"sr/{name}.png", 255 - gt)
    write_png(tmp_path / "sr/c.png", gt[:20])
    return tmp_path


def call(root, *options):
    places = ["-t", str(root / "sr"), "-r", str(root / "gt"), "-o", str(root / "out.csv"), "--map", str(root / "maps")]
    return main(["score", *places, "--device", "cpu", *options])


def test_every_scored_pair_gets_a_picture_and_a_failed_one_does_not(folders, capsys):
    assert call(folders, "-m", "hlf-dinov2", "psnr") == 1  # c is of another size
    made = sorted(p.relative_to(folders / "maps").as_posix() for p in (folders / "maps").rglob("*.png"))
    assert made == ["hlf-dinov2/a.png", "hlf-dinov2/sub/b.png"]
    assert "expected the same size" in capsys.readouterr().err
    assert call(folders, "--resize-ref") == 0
    assert (folders / "maps/hlf-dinov2/c.png").is_file()


def test_a_map_needs_an_hlf_metric(folders, capsys):
    assert call(folders, "-m", "psnr") == 2
    assert "needs an HLF metric, got -m psnr" in capsys.readouterr().err
    assert not (folders / "out.csv").exists()
