"""The configuration: schema, checks across keys, and the digest that stands in tables. Imports no heavy package."""

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hlf.errors import HlfError
from hlf.iqa.registry import METRICS
from hlf.sr.options import resolve
from hlf.sr.registry import MODELS, model_module, registered
from hlf.tuning.division import accumulation

SCHEMA = Path(__file__).with_name("config.schema.json")
RESERVED_RUNS = ("zoo",)  # results/zoo/ is where train_zoo works
# keys of how a training is saved and shown, and how its steps are computed: by how many GPUs, in which parts, with how
# much memory; no rule's key holds them, so that a training is not begun or done again for another of them
_WATCHED = ("checkpoint_every", "keep", "sample_every", "samples")
_DIVIDED = ("workers", "processes", "batch_size", "gradient_checkpointing")
ASIDE = tuple(("tuning", key) for key in (*_WATCHED, *_DIVIDED))
# keys that say how work is divided or where it runs, and change no result
NO_RESULT = (*((stage, "shards") for stage in ("degradation", "sr", "sampling", "iqa", "tuning")), *ASIDE)
# keys that change one table of their own, which names them in full
OWN_TABLE = (("sr", "baselines"),)
SCALE = 4  # factor between LR and SR that the stages after sr expect


def load(root: Path, overlays: Sequence[str | Path] = ()) -> dict[str, Any]:
    """The configuration that the workflow in `root` would run with: config.yaml, then each overlay, checked.

    Merged as the workflow does: groups key by key, lists and values replaced, later files over earlier ones.

    Args:
        root: folder of the Snakefile.
        overlays: YAML files as given to `--configfile`.

    Raises:
        HlfError: a file that is missing or no YAML of keys and values, or see `check`.
    """
    config: dict[str, Any] = {}
    for path in (Path(root) / "config.yaml", *map(Path, overlays)):
        config = _merged(config, _read_yaml(path))
    check(config)
    return config


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `over`; where both hold a group, key by key."""
    both = {k: _merged(base[k], v) for k, v in over.items() if isinstance(v, dict) and isinstance(base.get(k), dict)}
    return {**base, **over, **both}


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf8"))
    except OSError as error:
        raise HlfError(f"configuration {path} cannot be read: {error.strerror}; name a YAML file") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise HlfError(f"configuration {path} is no YAML ({reason}); mend that line") from error
    if not isinstance(found, dict):
        raise HlfError(f"configuration {path} holds {type(found).__name__}, expected keys and values")
    return found


def check(config: dict[str, Any]) -> None:
    """Refuse a configuration that cannot run, before any job starts.

    Raises:
        HlfError: one line per problem, each naming the key, the value received and what is allowed.
    """
    found = schema_problems(config) or [*option_problems(config), *cross_problems(config)]
    if found:
        raise HlfError("the configuration cannot be used: " + "; ".join(found))


def schema() -> dict[str, Any]:
    """The schema file, with the names that the registries of SR models and measures know: they stand nowhere else."""
    found: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf8"))
    sr = found["properties"]["sr"]
    sr["properties"]["models"]["items"]["enum"] = list(MODELS)
    sr["properties"]["baselines"]["items"]["enum"] = list(registered())
    sr["properties"] |= dict.fromkeys(registered(), sr["additionalProperties"])
    sr["additionalProperties"] = False
    found["properties"]["iqa"]["properties"]["metrics"]["items"]["enum"] = list(METRICS)
    return found


def schema_problems(config: dict[str, Any]) -> list[str]:
    """Sentences on unknown keys, wrong types and values out of range."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema())
    errors = sorted(validator.iter_errors(config), key=lambda e: [str(p) for p in e.absolute_path])
    return [_sentence(error) for error in errors]


def _sentence(error: Any) -> str:
    name = ".".join(str(p) for p in error.absolute_path) or "the top level"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties", {})
        unknown = sorted(str(k) for k in error.instance if k not in known)
        return f"unknown key {', '.join(unknown)} in {name}, known are {', '.join(known)}"
    if error.validator == "required":
        missing = [k for k in error.validator_value if k not in error.instance]
        return f"{name} lacks the key {', '.join(missing)}"
    allowed = {
        "enum": "one of",
        "type": "type",
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "more than",
        "multipleOf": "multiple of",
    }
    rule = f"{allowed.get(error.validator, error.validator)} {json.dumps(error.validator_value)}"
    # YAML gives dates, which JSON has no word for
    value = json.dumps(error.instance, default=str)
    return f"{name} is {value}, allowed is {rule} ({error.schema.get('description', '')})"


def option_problems(config: dict[str, Any]) -> list[str]:
    """Sentences on options of SR models that their modules do not know or allow; only modules of given groups load."""
    found = []
    for model in (name for name in registered() if name in config["sr"]):
        known = model_module(model).OPTIONS
        for name, value in config["sr"][model].items():
            try:
                resolve(model, known, {name: value}, texts=False)
            except HlfError as error:
                found.append(str(error))
        factor = config["sr"][model].get("upscale", SCALE)
        if "upscale" in known and factor != SCALE:
            found.append(f"sr.{model}.upscale is {factor!r}, allowed is {SCALE}, which the stages after sr expect")
    return found


def cross_problems(config: dict[str, Any]) -> list[str]:
    """Sentences on combinations of keys that cannot work."""
    images, sampling, models = config["images"], config["sampling"], config["sr"]["models"]
    found = []
    if config["run"] in RESERVED_RUNS:
        found.append(f"run is '{config['run']}', a name kept for the mini zoo's training; choose another")
    if (images["source"] == "folder") != (images["folder"] is not None):
        found.append(
            f"images.source is {images['source']} and images.folder is {images['folder']}; give both or neither"
        )
    if images["source"] == "scenes" and images["crop"] % 32:
        found.append(f"images.crop is {images['crop']}, scenes need a multiple of 32")
    if images["objects"][0] > images["objects"][1]:
        found.append(f"images.objects is {images['objects']}, the first number must not exceed the second")
    if images["resize_short"] is not None and images["resize_short"] < images["crop"]:
        found.append(f"images.resize_short {images['resize_short']} is smaller than images.crop {images['crop']}")
    # SR models and pairs take the dataset only, so a shard beyond it would be empty
    everything = {"degradation": images["dataset"] + images["evaluation"], "tuning": images["evaluation"]}
    for stage in ("degradation", "sr", "sampling", *(["tuning"] if images["evaluation"] else [])):
        count, given = everything.get(stage, images["dataset"]), config[stage]["shards"]
        named = {f"{stage}.shards.{k}": v for k, v in given.items()} if isinstance(given, dict) else {}
        for name, value in (named or {f"{stage}.shards": given}).items():
            if value > count:
                found.append(f"{name} is {value}, allowed is at most the {count} images it has")
    if config["iqa"]["shards"] > sampling["total"]:
        found.append(f"iqa.shards {config['iqa']['shards']} exceeds sampling.total {sampling['total']}")
    candidates = len(config["degradation"]["levels"]) * len(models)
    possible = images["dataset"] * min(candidates, sampling["max_per_gt"])
    if sampling["total"] > possible:
        found.append(
            f"sampling.total is {sampling['total']}, but {images['dataset']} GT images with {candidates} SR images each"
            f" and sampling.max_per_gt {sampling['max_per_gt']} give at most {possible} pairs"
        )
    strangers = sorted(set(sampling["model_quota"]) - set(models))
    if strangers:
        found.append(f"sampling.model_quota names {', '.join(strangers)}, which sr.models does not hold")
    if sampling["model_quota"] and set(models) - set(sampling["model_quota"]):
        found.append("sampling.model_quota is given but leaves out a model of sr.models; name all of them or none")
    shown = config["paper"]["quality_measure"]
    if shown not in config["iqa"]["metrics"] or METRICS[shown].kind != "NR":
        found.append(f"paper.quality_measure is {shown}, allowed is one of iqa.metrics that sees SR alone (NR)")
    found += shards_problems(config["sr"])
    release = config["release"]
    if release["images"] == "copy" and images["source"] == "folder" and not release["image_licence"]:
        found.append(
            "release.images is copy, but release.image_licence does not say under which licence photographs may be "
            "published; name it, or set release.images to recipe"
        )
    both = [name for name in models if name in config["sr"]["baselines"]]
    if both:
        found.append(f"sr.baselines names {', '.join(both)}, which sr.models holds too; keep each model in one of them")
    found += [
        f"{stage}.precision is fp16 with resources.device cpu; use fp32 or bf16 there"
        for stage in ("sr", "metric", "tuning")
        if config["resources"]["device"] == "cpu" and config[stage]["precision"] == "fp16"
    ]
    return found + metric_problems(config["metric"]) + tuning_problems(config)


def shards_problems(sr: dict[str, Any]) -> list[str]:
    """Sentences on numbers of shards by model, that lack a model or name one that this version of hlf does not know."""
    given, found = sr["shards"], []
    if not isinstance(given, dict):
        return []
    strangers = [name for name in given if name not in (*registered(), "default")]
    if strangers:
        found.append(
            f"sr.shards names {', '.join(strangers)}, known are default and the SR models {', '.join(registered())}"
        )
    without = [name for name in (*sr["models"], *sr["baselines"]) if not {name, "default"} & set(given)]
    if without:
        found.append(f"sr.shards has no number for {', '.join(without)}; name it, or give a number for default")
    return found


def metric_problems(metric: dict[str, Any]) -> list[str]:
    """Sentences on combinations of keys of the group `metric` that cannot work."""
    found = []
    if metric["folds"] == 1:
        found.append("metric.folds is 1, allowed is 0 for none, or at least 2")
    untold = [name for name in metric["finetune"] if name not in metric["backbones"]]
    if untold:
        found.append(f"metric.finetune names {', '.join(untold)}, which metric.backbones does not hold")
    others = [name for name in metric["leave_one_out"] if name not in metric["finetune"]]
    if others:
        found.append(f"metric.leave_one_out names {', '.join(others)}, which metric.finetune does not hold")
    parts, pairs = metric["accumulation"], metric["batch_size"]
    if parts > pairs:
        found.append(f"metric.accumulation is {parts}, more than the {pairs} pairs of a batch (metric.batch_size)")
    return found


def tuning_problems(config: dict[str, Any]) -> list[str]:
    """Sentences on combinations of keys of the group `tuning` that cannot work."""
    tuning, tuned, found = config["tuning"], config["metric"]["finetune"], []
    if not tuning["variants"]:
        return []
    if tuning["backbone"] not in tuned:
        found.append(f"tuning.backbone is {tuning['backbone']}, which metric.finetune does not hold")
    if not [name for name in tuned if name != tuning["backbone"]]:
        found.append(
            "metric.finetune holds no other backbone than tuning.backbone, so none could judge the tuned SeeSR"
        )
    if "baseline" not in tuning["variants"] or len(tuning["variants"]) < 2:
        found.append(
            f"tuning.variants is {tuning['variants']}, expected baseline, with which the others are compared, and at "
            "least one alpha; or none at all"
        )
    if (tuning["source"] == "folder") != (tuning["folder"] is not None):
        found.append(
            f"tuning.source is {tuning['source']} and tuning.folder is {tuning['folder']}; give both or neither"
        )
    if not config["images"]["evaluation"]:
        found.append(
            "images.evaluation is 0, but the variants of SeeSR are compared on such images; raise it, or leave the "
            "fine-tuning out with tuning.variants: []"
        )
    try:
        accumulation(tuning["step_images"], tuning["batch_size"], tuning["processes"])
    except HlfError as error:
        found.append(str(error))
    low, high = tuning["loss"]["timesteps"]
    if low > high:
        found.append(f"tuning.loss.timesteps is {[low, high]}, the first number must not exceed the second")
    return found


def result_hash(config: dict[str, Any], groups: tuple[str, ...]) -> str:
    """Digest of the groups that a table depends on, without the keys that change no result (sixteen hex digits).

    Args:
        config: a checked configuration.
        groups: names of groups, or group.key for what `OWN_TABLE` leaves out of its group.
    """
    left_out = {*NO_RESULT, *OWN_TABLE, ("zoo", "training")}
    kept: dict[str, Any] = {}
    for name in groups:
        group, _, key = name.partition(".")
        known = config[group]
        kept[name] = known[key] if key else {k: v for k, v in known.items() if (group, k) not in left_out}
    kept["zoo"] = {"use": config["zoo"]["use"]}
    text = json.dumps({"seed": config["seed"], **kept}, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def scale(config: dict[str, Any]) -> str:
    """Size of a run, for stamps and captions: "paper" with official weights, else "mini"."""
    return "paper" if config["zoo"]["use"] == "official" else "mini"


def shown(config: dict[str, Any]) -> dict[str, Any]:
    """Configuration as the report shows it: without the keys that change no result, and without a password."""
    groups = {k: v for k, v in config.items() if k not in ("zoo", "resources", "release")}
    kept = {
        k: {n: x for n, x in v.items() if (k, n) not in NO_RESULT} if isinstance(v, dict) else v
        for k, v in groups.items()
    }
    votes = re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", str(config["study"]["votes"]))
    return {**kept, "study": {**kept["study"], "votes": votes}, "zoo": {"use": config["zoo"]["use"]}}
