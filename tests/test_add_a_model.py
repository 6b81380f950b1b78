"""What docs/add_a_model.md promises: a file and a line are enough, and the page shows the recipe as it is."""

import copy
from pathlib import Path

import pytest
import torch
import yaml

from hlf.cli import main
from hlf.config import check
from hlf.errors import HlfError
from hlf.files import read_table
from hlf.sr import registry
from hlf.sr.registry import load_upscaler
from sr_helpers import picture, png
from workflow_helpers import RECIPE

ROOT = Path(__file__).parents[1]


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf8"))


@pytest.fixture(params=["MODELS", "BASELINES"])
def repeat(request, tmp_path, monkeypatch):
    """Recipe and registry line of a throw-away model; gives the list of the configuration that it belongs in."""
    (tmp_path / "throw_away_repeat.py").write_text(RECIPE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(getattr(registry, request.param), "repeat", "throw_away_repeat")
    return request.param.lower()


def test_the_configuration_accepts_it_with_its_options_and_refuses_wrong_ones(config, repeat):
    with pytest.raises(HlfError, match='is "other", allowed is one of'):
        check({**config, "sr": {**config["sr"], repeat: ["other"]}})
    config["sr"][repeat].append("repeat")
    for options in ({}, {"gain": 0.5}, {"gain": 1, "mode": "bilinear"}):
        check({**config, "sr": {**config["sr"], "repeat": options}})
    for options, words in [
        ({"gain": 2}, "sr.repeat.gain is 2, expected a number from 0 to 1"),
        ({"gain": "1"}, "sr.repeat.gain is '1', expected a number"),
        ({"gian": 1}, "model 'repeat' has no option 'gian', expected one of gain, mode"),
        ([], r"sr.repeat is \[\], allowed is type"),
    ]:
        wrong = copy.deepcopy(config)
        wrong["sr"]["repeat"] = options
        with pytest.raises(HlfError, match=words):
            check(wrong)


def test_it_loads_with_defaults_and_options(repeat):
    lr = torch.full((1, 3, 2, 3), 0.5)
    plain, dark = (load_upscaler("repeat", "mini", "none", "cpu", "fp32", o) for o in ({}, {"gain": 0.5}))
    assert torch.equal(plain.upscale(lr, [0]), torch.full((1, 3, 8, 12), 0.5))
    assert torch.equal(dark.upscale(lr, [0]), torch.full((1, 3, 8, 12), 0.25))
    assert not registry.has_weights("repeat")
    with pytest.raises(HlfError, match=r"sr.repeat.mode is 'cubic', expected nearest or bilinear"):
        load_upscaler("repeat", "mini", "none", "cpu", "fp32", {"mode": "cubic"})


def test_the_command_offers_it(repeat, tmp_path):
    (tmp_path / "a.png").write_bytes(png(picture(4, 5)))
    arguments = ["sr", "-m", "repeat", "-i", str(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--device", "cpu"]
    assert main([*arguments, "--option", "gain=0.5"]) == 0
    assert read_table(tmp_path / "out/sr.parquet")[["model", "width"]].to_numpy().tolist() == [["repeat", 20]]


def test_a_baseline_is_no_model(config, repeat):
    other = {"models": "baselines", "baselines": "models"}[repeat]
    wrong = {**config, "sr": {**config["sr"], other: [*config["sr"][other], "repeat"]}}
    if repeat == "baselines":
        with pytest.raises(HlfError, match=r'"repeat", allowed is one of .* a baseline belongs in sr.baselines'):
            check(wrong)
    else:
        check(wrong)  # a model may be shown for comparison, but not in both lists
        wrong["sr"]["models"] = [*config["sr"]["models"], "repeat"]
        with pytest.raises(HlfError, match=r"sr\.baselines names repeat, which sr.models holds too"):
            check(wrong)


def test_the_page_shows_the_recipe_as_it_is():
    page = (ROOT / "docs/add_a_model.md").read_text(encoding="utf8")
    assert (ROOT / "workflow_scripts/hlf/sr/bicubic.py").read_text(encoding="utf8").strip() in page
    line = next(x for x in (ROOT / "workflow_scripts/hlf/sr/registry.py").read_text().splitlines() if '"bicubic":' in x)
    assert f"\n{line}\n" in page
