"""docs/metric.md: every example runs, and all ways give one number."""

import ast
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hlf
from hlf.backbones.registry import load_backbone
from hlf.cli import main
from hlf.images import write_png
from hlf.metric.calibration import Calibration
from hlf.metric.fidelity import HighLevelFidelity
from hlf.metric.model import Origin
from hlf.scenes.scene import scene_for

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/metric.md").read_text(encoding="utf8")
BLOCKS = re.findall(r"```(python|sh)\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Folder with pictures and the model folder that the examples name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HLF_ZOO", raising=False)
    for number in (1, 2):
        gt = scene_for(42, "page", number, 128).image
        write_png(tmp_path / f"gt/{number}.png", gt)
        write_png(tmp_path / f"sr/{number}.png", np.roll(gt, 40 * number, axis=1)[::-1])
    backbone = load_backbone("dinov2", "mini", ROOT / "resources/zoo/mini")
    metric = HighLevelFidelity(backbone, Calibration(c=0.1, k=1.5), origin=Origin(tuned=True, stamp="MINI"))
    metric.save_pretrained("results/mini/metric/dinov2")
    return metric


def ways(word):
    """The Python example that holds a word."""
    (found,) = [text for kind, text in BLOCKS if kind == "python" and word in text]
    return found


def test_the_page_has_an_example_of_each_way():
    assert [kind for kind, _ in BLOCKS] == ["python", "sh", "python", "python", "python"]


def test_library_command_and_pyiqa_give_one_number(home, capsys):
    pytest.importorskip("pyiqa", reason="pyiqa is not installed")
    space = {}
    exec(ways("metric.score"), space)
    assert capsys.readouterr().out.startswith(f"{space['one']:.2f} of the viewers")
    assert space["one"] == pytest.approx(home.score(sr="sr/1.png", gt="gt/1.png"), abs=1e-6) and 0 < space["one"] < 1
    (command,) = [text for kind, text in BLOCKS if kind == "sh"]
    assert main(shlex.split(command)[1:]) == 0
    table = pd.read_csv("scores.csv", float_precision="round_trip")
    assert table[table["metric"] == "hlf-dinov2"]["value"].to_numpy() == pytest.approx(space["many"], abs=1e-6)
    capsys.readouterr()
    exec(ways("create_metric"), {})
    assert ast.literal_eval(capsys.readouterr().out.splitlines()[-1]) == pytest.approx(space["one"], abs=1e-6)


def test_the_loss_example_trains(home):
    space = {}
    exec(ways("as_loss"), space)
    gradients = [p.grad for p in space["network"].parameters()]
    assert all(g.abs().max() > 0 for g in gradients) and space["loss"].item() > 0
    assert all(p.grad is None for p in space["fidelity"].parameters())


def test_the_torchmetrics_example_collects(home, capsys):
    pytest.importorskip("torchmetrics", reason="torchmetrics is not installed")
    space = {}
    exec(ways("HighLevelFidelityMetric"), space)
    assert "tensor(" in capsys.readouterr().out and int(space["collected"].count) == 8


def test_names_on_the_page_exist():
    from hlf.metric.load import NAMES

    assert all(f"`{name}`" in PAGE for name in NAMES)
    assert all(hasattr(hlf, name) for name in re.findall(r"hlf\.(\w+)\(", PAGE))
