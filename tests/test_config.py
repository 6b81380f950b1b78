"""The configuration: both files hold what they should, and every mistake is told in one sentence before any job."""

import copy
import datetime
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hlf.config import NO_RESULT, check, result_hash, scale, shown
from hlf.config_checks import cross_problems, option_problems
from hlf.config_schema import SCHEMA, schema, schema_problems
from hlf.errors import HlfError
from hlf.sr.registry import MODELS, registered

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
    assert tuning["variants"] == ["baseline", 0.1, 0.01] and tuning["backbone"] == "dinov2"
    assert tuning["loss"] == {
        "timesteps": [0, 999], "weighting": "none", "crop": 0, "shrink": 1, "checkpointing": False
    }  # fmt: skip
    assert tuning["step_images"] == 32 and tuning["degradation"] == "realesrgan"


def properties(schema, name=""):
    for key, value in schema.get("properties", {}).items():
        yield f"{name}{key}", value
        yield from properties(value, f"{name}{key}.")


def test_every_key_of_the_schema_is_described_and_closed():
    found = dict(properties(schema()))
    assert len(found) > 80 and [n for n, v in found.items() if len(v.get("description", "")) < 5] == []
    # networks are checked by the class that is built of them, options of SR models by their modules
    opened = ("network", ".text", ".vision", *(f"sr.{name}" for name in registered()))
    groups = {n: v for n, v in found.items() if v.get("type") == "object" and not n.endswith(opened)}
    assert [n for n, v in groups.items() if v.get("additionalProperties") in (None, True)] == []


def test_every_key_of_the_file_is_in_the_schema_and_commented(mini):
    known = dict(properties(schema()))
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
    ("metric.precision", "tf32", 'metric.precision is "tf32", allowed is one of ["fp32", "bf16", "fp16"]'),
    ("metric.seeds", 0, "metric.seeds is 0, allowed is at least 1"),
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
    ("sr.shards", {"bsrgan": 0}, "sr.shards.bsrgan is 0, allowed is at least 1"),
    ("sr.shards", {"bsrgan": "two"}, 'sr.shards.bsrgan is "two", allowed is type "integer"'),
    ("sr.shards", 0, "sr.shards is 0, allowed is at least 1"),
    ("sr.shards", "two", 'sr.shards is "two", allowed is type ["integer", "object"]'),
    ("resources.slowness", 0, "resources.slowness is 0, allowed is more than 0"),
    ("sr.models", ["bsrgan", "bicubic"], 'sr.models.1 is "bicubic", allowed is one of ["bsrgan", "swinir"'),
    ("sr.models", ["bsrgan", "bsrgan"], 'sr.models is ["bsrgan", "bsrgan"], allowed is uniqueItems'),
    ("sr.baselines", ["nearest"], 'sr.baselines.0 is "nearest", allowed is one of ["bsrgan"'),
    ("sr.baselines", "bicubic", 'sr.baselines is "bicubic", allowed is type "array"'),
    ("sr.tiel", 8, "unknown key tiel in sr, known are models, baselines, shards, batch_size, precision, tile"),
    ("sr.swin", {"variant": "M"}, "unknown key swin in sr, known are models, baselines, shards"),
    ("sr.swinir", "M", 'sr.swinir is "M", allowed is type "object" (Options of one SR model'),
    ("paper.overview_images", 0, "paper.overview_images is 0, allowed is at least 1"),
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


OPTION_MISTAKES = [
    ("swinir.variant", "S", "sr.swinir.variant is 'S', expected M or L"),
    ("swinir.varient", "M", "model 'swinir' has no option 'varient', expected one of variant"),
    ("bsrgan.variant", "M", "model 'bsrgan' has no option 'variant', and no other; leave it out"),
    ("bicubic.antialias", True, "model 'bicubic' has no option 'antialias', and no other; leave it out"),
    ("seesr.steps", 0, "sr.seesr.steps is 0, expected a whole number from 1 to 1000"),
    ("seesr.steps", 2.5, "sr.seesr.steps is 2.5, expected a whole number"),
    # a command line has texts only, a configuration has not
    ("seesr.steps", "20", "sr.seesr.steps is '20', expected a whole number"),
    ("seesr.steps", True, "sr.seesr.steps is True, expected a whole number"),
    ("seesr.steps", None, "sr.seesr.steps has no value, expected a whole number"),
    ("seesr.guidance_scale", 101, "sr.seesr.guidance_scale is 101, expected a number from 0 to 100"),
    ("seesr.truncate", "true", "sr.seesr.truncate is 'true', expected true or false"),
    ("seesr.color_fix", "none at all", "sr.seesr.color_fix is 'none at all', expected adain or wavelet or none"),
    ("pasd.captions", 3, "sr.pasd.captions is 3, expected a text"),
    ("pasd.added_noise_level", 1000, "sr.pasd.added_noise_level is 1000, expected a whole number from 0 to 999"),
    ("stablesr.variant", 512, "sr.stablesr.variant is 512, expected 512 or turbo or 768v"),
    ("seesr.upscale", 2, "sr.seesr.upscale is 2, allowed is 4, which the stages after sr expect"),
]


@pytest.mark.parametrize(("name", "value", "words"), OPTION_MISTAKES, ids=[f"{n}={v}" for n, v, _ in OPTION_MISTAKES])
def test_a_wrong_option_of_a_model_is_told(mini, name, value, words):
    model, option = name.split(".")
    mini["sr"][model] = {option: value}
    assert schema_problems(mini) == []
    problems = option_problems(mini)
    assert len(problems) == 1 and problems[0].startswith(words) and "\n" not in problems[0]
    with pytest.raises(HlfError, match="the configuration cannot be used: "):
        check(mini)


def test_all_wrong_options_are_told_at_once(mini):
    mini["sr"] |= {"swinir": {"variant": "S"}, "seesr": {"steps": 0, "stepz": 3}}
    assert [problem.split()[0] for problem in option_problems(mini)] == ["sr.swinir.variant", "sr.seesr.steps", "model"]


def test_names_and_options_of_models_stand_in_the_registry_only():
    sr = json.loads(SCHEMA.read_text())["properties"]["sr"]
    assert not set(sr["properties"]) & set(registered())
    assert [name for name in registered() if f'"{name}"' in json.dumps(sr)] == []
    assert set(schema()["properties"]["sr"]["properties"]) == set(sr["properties"]) | set(registered())


def test_checking_a_configuration_loads_no_heavy_package():
    code = (
        "import sys, yaml; from hlf.config import check; config = yaml.safe_load(open('config.yaml')); "
        f"config['sr'] |= {{name: {{}} for name in {list(registered())}}}; check(config); "
        "print([m for m in ('torch', 'diffusers', 'transformers', 'pandas', 'cv2', 'numpy') if m in sys.modules])"
    )
    environment = {"PYTHONPATH": str(ROOT / "workflow_scripts"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stderr


def test_baselines_may_be_none_or_models_that_are_not_run(mini):
    for names in ([], ["bicubic"], ["bicubic", "pasd"]):
        check(with_value(mini, "sr.baselines", [name for name in names if name not in mini["sr"]["models"]]))
    assert set(MODELS) & {"bicubic"} == set()


def test_a_missing_key_is_named(mini):
    del mini["images"]["crop"]
    assert schema_problems(mini) == ["images lacks the key crop"]


CROSS_MISTAKES = [
    ({"run": "zoo"}, "run is 'zoo', a name kept"),
    ({"images.folder": "photos"}, "images.source is scenes and images.folder is photos; give both or neither"),
    ({"images.source": "folder"}, "images.source is folder and images.folder is None"),
    ({"images.crop": 68}, "images.crop is 68, scenes need a multiple of 32"),
    ({"images.resize_short": 96}, "images.resize_short 96 is smaller than images.crop 128"),
    ({"degradation.shards": 125}, "degradation.shards is 125, allowed is at most the 124 images"),
    ({"sr.shards": 94, "images.evaluation": 10}, "sr.shards is 94, allowed is at most the 84 images"),
    ({"sr.shards": {"default": 2, "pasd": 85}}, "sr.shards.pasd is 85, allowed is at most the 84 images"),
    ({"sr.shards": {"default": 2, "psad": 8}}, "sr.shards names psad, known are default and the SR models bsrgan"),
    ({"sr.shards": {"pasd": 8, "seesr": 4}}, "sr.shards has no number for bsrgan, swinir, stablesr, bicubic; name it"),
    ({"sampling.shards": 130, "images.evaluation": 10}, "sampling.shards is 130, allowed is at most the 84 images"),
    ({"iqa.shards": 999, "sampling.total": 300}, "iqa.shards 999 exceeds sampling.total 300"),
    ({"sampling.total": 600}, "sampling.total is 600, but 84 GT images with 15 SR images each"),
    (
        {"sr.models": ["bsrgan"], "sampling.model_quota": {"bsrgan": 1, "pasd": 1}, "sampling.total": 90},
        "sampling.model_quota names pasd",
    ),
    ({"sampling.model_quota": {"bsrgan": 1}}, "sampling.model_quota is given but leaves out a model"),
    (
        {"metric.backbones": ["clip", "blip", "dinov2", "vit"]},
        "metric.finetune names pe-core, which metric.backbones does",
    ),
    ({"sr.baselines": ["bicubic", "swinir"]}, "sr.baselines names swinir, which sr.models holds too"),
    ({"sr.precision": "fp16"}, "sr.precision is fp16 with resources.device cpu"),
    ({"metric.precision": "fp16"}, "metric.precision is fp16 with resources.device cpu"),
    ({"metric.folds": 1}, "metric.folds is 1, allowed is 0 for none, or at least 2"),
    ({"metric.leave_one_out": ["vit"]}, "metric.leave_one_out names vit, which metric.finetune does not hold"),
    ({"tuning.backbone": "vit"}, "tuning.backbone is vit, which metric.finetune does not hold"),
    (
        {"metric.finetune": ["dinov2"], "metric.leave_one_out": []},
        "metric.finetune holds no other backbone than tuning.backbone",
    ),
    (
        {"tuning.variants": [0.1]},
        "tuning.variants is [0.1], expected baseline, with which the others are compared, and",
    ),
    ({"tuning.variants": ["baseline"]}, "tuning.variants is ['baseline'], expected baseline, with which the others"),
    ({"tuning.folder": "photos"}, "tuning.source is scenes and tuning.folder is photos; give both or neither"),
    ({"images.evaluation": 0}, "images.evaluation is 0, but the variants of SeeSR are compared on such images"),
    ({"tuning.shards": 41}, "tuning.shards is 41, allowed is at most the 40 images"),
    ({"tuning.precision": "fp16"}, "tuning.precision is fp16 with resources.device cpu"),
    ({"tuning.processes": 3}, "tuning.step_images is 8, expected a multiple of 24 (tuning.batch_size 8 x tuning.proc"),
    ({"tuning.loss.timesteps": [500, 400]}, "tuning.loss.timesteps is [500, 400], the first number must not exceed"),
    (
        {"paper.quality_measure": "vif"},
        "paper.quality_measure is vif, allowed is one of iqa.metrics that sees SR alone",
    ),
    ({"metric.accumulation": 17, "metric.batch_size": 16}, "metric.accumulation is 17, more than the 16 pairs"),
]


@pytest.mark.parametrize(("changes", "words"), CROSS_MISTAKES, ids=[w[:30] for _, w in CROSS_MISTAKES])
def test_an_impossible_combination_is_told(mini, changes, words):
    for name, value in changes.items():
        mini = with_value(mini, name, value)
    assert schema_problems(mini) == []
    problems = cross_problems(mini)
    assert len(problems) == 1 and problems[0].startswith(words) and "\n" not in problems[0]


def test_without_variants_no_evaluation_image_is_needed(mini):
    off = with_value(with_value(mini, "images.evaluation", 0), "tuning.variants", [])
    check(with_value(off, "tuning.shards", 16))


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
    # baselines change the one table that shows them, and names them in full
    fewer = with_value(mini, "sr.baselines", [])
    assert result_hash(fewer, GROUPS) == before
    assert result_hash(fewer, ("sr", "sr.baselines")) != result_hash(mini, ("sr", "sr.baselines"))
    assert result_hash(with_value(mini, "metric.epochs", 1), ("images",)) == result_hash(mini, ("images",))
    assert result_hash(dict(reversed(mini.items())), GROUPS) == before


def test_the_report_shows_no_key_that_changes_nothing(mini):
    view = shown(mini)
    assert view["zoo"] == {"use": "mini"} and "resources" not in view and view["seed"] == 42
    assert [k for k in GROUPS if "shards" in view[k]] == [] and view["sr"]["batch_size"] == 1
