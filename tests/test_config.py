"""The configuration: both files hold what they should, and every mistake is told in one sentence before any job."""

import copy
import datetime
import json
import re
from pathlib import Path

import pytest
import yaml

from hlf.config import NO_RESULT, SCHEMA, check, cross_problems, result_hash, scale, schema_problems, shown
from hlf.errors import HlfError

ROOT = Path(__file__).parents[1]
GROUPS = ("images", "degradation", "sr", "sampling", "study", "iqa", "metric")


def merged(base, overlay):
    """Overlay on base, as Snakemake merges --configfile: mappings key by key, everything else replaced."""
    out = copy.deepcopy(base)
    for key, value in overlay.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if both else copy.deepcopy(value)
    return out


def load(name):
    return yaml.safe_load((ROOT / name).read_text(encoding="utf8"))


@pytest.fixture
def mini():
    return load("config.yaml")


@pytest.fixture
def paper():
    return merged(load("config.yaml"), load("config.paper.yaml"))


def with_value(config, name, value):
    out = copy.deepcopy(config)
    *groups, last = name.split(".")
    place = out
    for group in groups:
        place = place[group]
    place[last] = value
    return out


def test_all_three_sizes_are_valid(mini, paper):
    for config in (mini, paper, merged(mini, load("tests/config.tiny.yaml"))):
        check(config)
    assert (scale(mini), scale(paper)) == ("mini", "paper")


def test_the_overlay_holds_the_papers_values(paper):
    assert paper["zoo"]["use"] == "official" and paper["images"]["evaluation"] == 1000
    assert paper["sampling"]["total"] == 723 and paper["sampling"]["backbone"] == "pe-core"
    assert paper["study"]["votes_per_pair"] == 12 and paper["study"]["test_share"] == 0.2
    assert paper["study"]["votes"] != "simulated"
    assert paper["sr"]["models"] == ["bsrgan", "swinir", "stablesr", "seesr", "pasd"]
    assert paper["degradation"]["variant"] == "bsrgan" and paper["degradation"]["levels"] == [0.3, 0.7, 1.0]
    assert len(paper["iqa"]["metrics"]) == 15
    assert set(paper["metric"]["backbones"]) == {"vit", "clip", "blip", "dinov2", "pe-core"}
    assert paper["metric"]["optimizer"] == "adam" and paper["metric"]["learning_rate"] == 1e-5
    tuning = paper["tuning"]
    assert (tuning["images"], tuning["epochs"], tuning["learning_rate"]) == (65000, 10, 1e-5)
    assert tuning["alphas"] == [0.1, 0.01] and tuning["backbone"] == "dinov2"


def properties(schema, name=""):
    for key, value in schema.get("properties", {}).items():
        yield f"{name}{key}", value
        yield from properties(value, f"{name}{key}.")


def test_every_key_of_the_schema_is_described_and_closed():
    schema = json.loads(SCHEMA.read_text())
    found = dict(properties(schema))
    assert len(found) > 80 and [n for n, v in found.items() if len(v.get("description", "")) < 5] == []
    groups = {n: v for n, v in found.items() if v.get("type") == "object" and not n.endswith(("network", ".text"))}
    assert [n for n, v in groups.items() if v.get("additionalProperties") in (None, True)] == []


def test_every_key_of_the_file_is_in_the_schema_and_commented(mini):
    known = dict(properties(json.loads(SCHEMA.read_text())))
    for group, values in mini.items():
        keys = [group, *(f"{group}.{k}" for k in values)] if isinstance(values, dict) else [group]
        assert [k for k in keys if k not in known] == []
    # a comment stands on the key's line, or where the same key comes first (shards); recipes are commented as a whole
    commented, bare = set(), []
    for line in (ROOT / "config.yaml").read_text(encoding="utf8").splitlines():
        found = re.match(r"( {0,2})([a-z_]+):(.*)", line)
        if not found:
            continue
        indent, key, rest = found.groups()
        if "#" in rest:
            commented.add(key)
        elif key not in commented and (indent or rest.strip()):
            bare.append(key)
    assert bare == [] and len(commented) > 40


SCHEMA_MISTAKES = [
    ("images.sides", 3, "unknown key sides in images, known are source, folder, crop"),
    ("iamges", {}, "unknown key iamges in the top level, known are run, seed"),
    ("images.crop", "128", 'images.crop is "128", allowed is type "integer"'),
    ("images.crop", 126, "images.crop is 126, allowed is multiple of 4"),
    ("images.dataset", 0, "images.dataset is 0, allowed is at least 1"),
    ("images.dataset", True, 'images.dataset is true, allowed is type "integer"'),
    ("study.test_share", 0.9, "study.test_share is 0.9, allowed is at most 0.5"),
    ("metric.learning_rate", 0, "metric.learning_rate is 0, allowed is more than 0"),
    ("sr.models", ["bsrgan", "esrgan"], 'sr.models.1 is "esrgan", allowed is one of ["bsrgan", "swinir"'),
    ("sr.models", [], "sr.models is []"),
    ("degradation.levels", [0.3, 0], "degradation.levels.1 is 0, allowed is more than 0"),
    ("sampling.model_quota", {"bsrgan": -1}, "sampling.model_quota.bsrgan is -1, allowed is more than 0"),
    ("run", "a/b", 'run is "a/b", allowed is pattern'),
    ("run", datetime.date(2026, 1, 2), 'run is "2026-01-02", allowed is type "string"'),
    ("zoo.training.vgg.stepz", 3, "unknown key stepz in zoo.training.vgg"),
    ("images", None, 'images is null, allowed is type "object"'),
]


@pytest.mark.parametrize(("name", "value", "words"), SCHEMA_MISTAKES, ids=[f"{n}={v}" for n, v, _ in SCHEMA_MISTAKES])
def test_a_wrong_key_type_or_value_is_told(mini, name, value, words):
    problems = schema_problems(with_value(mini, name, value))
    assert len(problems) == 1 and problems[0].startswith(words) and "\n" not in problems[0]
    with pytest.raises(HlfError, match="the configuration cannot be used: "):
        check(with_value(mini, name, value))


def test_a_missing_key_is_named(mini):
    del mini["images"]["crop"]
    assert schema_problems(mini) == ["images lacks the key crop"]


CROSS_MISTAKES = [
    ({"run": "zoo"}, "run is 'zoo', a name kept"),
    ({"images.folder": "photos"}, "images.source is scenes and images.folder is photos; give both or neither"),
    ({"images.source": "folder"}, "images.source is folder and images.folder is None"),
    ({"images.crop": 68}, "images.crop is 68, scenes need a multiple of 32"),
    ({"images.resize_short": 96}, "images.resize_short 96 is smaller than images.crop 128"),
    ({"degradation.shards": 97}, "degradation.shards is 97, allowed is at most the 96 images"),
    ({"sr.shards": 140, "images.evaluation": 10}, "sr.shards is 140, allowed is at most the 106 images"),
    ({"sampling.shards": 130, "images.evaluation": 10}, "sampling.shards is 130, allowed is at most the 96 images"),
    ({"iqa.shards": 999, "sampling.total": 300}, "iqa.shards 999 exceeds sampling.total 300"),
    ({"sampling.total": 600}, "sampling.total is 600, but 96 GT images with 15 SR images each"),
    (
        {"sr.models": ["bsrgan"], "sampling.model_quota": {"bsrgan": 1, "pasd": 1}, "sampling.total": 90},
        "sampling.model_quota names pasd",
    ),
    ({"sampling.model_quota": {"bsrgan": 1}}, "sampling.model_quota is given but leaves out a model"),
    ({"sr.precision": "fp16"}, "sr.precision is fp16 with resources.device cpu"),
]


@pytest.mark.parametrize(("changes", "words"), CROSS_MISTAKES, ids=[w[:30] for _, w in CROSS_MISTAKES])
def test_an_impossible_combination_is_told(mini, changes, words):
    for name, value in changes.items():
        mini = with_value(mini, name, value)
    assert schema_problems(mini) == []
    problems = cross_problems(mini)
    assert len(problems) == 1 and problems[0].startswith(words) and "\n" not in problems[0]


def test_several_problems_are_told_at_once(mini):
    mini = with_value(with_value(mini, "run", "zoo"), "sampling.total", 9999)
    with pytest.raises(HlfError, match=r"run is 'zoo'.*; sampling.total is 9999"):
        check(mini)


def test_result_hash_follows_what_changes_a_result(mini):
    before = result_hash(mini, GROUPS)
    assert len(before) == 16
    for group, key in NO_RESULT:
        assert result_hash(with_value(mini, f"{group}.{key}", 7), GROUPS) == before
    for name, value in (
        ("zoo.training.scenes", 99),
        ("zoo.mini", "elsewhere"),
        ("resources.device", "cuda"),
        ("run", "b"),
    ):
        assert result_hash(with_value(mini, name, value), GROUPS) == before
    changes = {"seed": 43, "images.crop": 160, "sr.batch_size": 2, "metric.epochs": 1, "zoo.use": "official"}
    others = {result_hash(with_value(mini, name, value), GROUPS) for name, value in changes.items()}
    assert len(others) == len(changes) and before not in others
    assert result_hash(with_value(mini, "metric.epochs", 1), ("images",)) == result_hash(mini, ("images",))
    assert result_hash(dict(reversed(mini.items())), GROUPS) == before


def test_the_report_shows_no_key_that_changes_nothing(mini):
    view = shown(mini)
    assert view["zoo"] == {"use": "mini"} and "resources" not in view and view["seed"] == 42
    assert [k for k in GROUPS if "shards" in view[k]] == [] and view["sr"]["batch_size"] == 1
