"""What a configuration that the schema allows cannot run with all the same: options of models, keys that clash."""

from typing import Any

from hlf.errors import HlfError
from hlf.iqa.registry import METRICS
from hlf.sr.options import resolve
from hlf.sr.registry import model_module, registered
from hlf.tuning.division import accumulation

RESERVED_RUNS = ("zoo",)  # results/zoo/ is where train_zoo works
SCALE = 4  # factor between LR and SR that the stages after sr expect


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
    """Sentences on combinations of keys that cannot work.

    Args:
        config: one that the schema allows.
    """
    found = []
    if config["run"] in RESERVED_RUNS:
        found.append(f"run is '{config['run']}', a name kept for the mini zoo's training; choose another")
    found += image_problems(config["images"])
    found += too_many_shards(config)
    found += sampling_problems(config)
    found += sr_problems(config["sr"])
    found += output_problems(config)
    found += [
        f"{stage}.precision is fp16 with resources.device cpu; use fp32 or bf16 there"
        for stage in ("sr", "metric", "tuning")
        if config["resources"]["device"] == "cpu" and config[stage]["precision"] == "fp16"
    ]
    return found + metric_problems(config["metric"]) + tuning_problems(config)


def image_problems(images: dict[str, Any]) -> list[str]:
    """Sentences on combinations of keys of the group `images` that cannot work."""
    found = []
    if (images["source"] == "folder") != (images["folder"] is not None):
        found.append(
            f"images.source is {images['source']} and images.folder is {images['folder']}; give both or neither"
        )
    if images["source"] == "scenes" and images["crop"] % 32:
        found.append(f"images.crop is {images['crop']}, scenes need a multiple of 32")
    if images["objects"][0] > images["objects"][1]:
        found.append(f"images.objects is {images['objects']}, the first number must not exceed the second")
    if images["resize_short"] is not None and images["resize_short"] < images["crop"]:
        found.append(
            f"images.resize_short {images['resize_short']} is smaller than images.crop {images['crop']}; raise it"
        )
    return found


def too_many_shards(config: dict[str, Any]) -> list[str]:
    """Sentences on stages with more shards than images or pairs; a shard beyond them would be empty."""
    images, found = config["images"], []
    # SR models and pairs take the dataset only
    everything = {"degradation": images["dataset"] + images["evaluation"], "tuning": images["evaluation"]}
    for stage in ("degradation", "sr", "sampling", *(["tuning"] if images["evaluation"] else [])):
        count, given = everything.get(stage, images["dataset"]), config[stage]["shards"]
        named = {f"{stage}.shards.{k}": v for k, v in given.items()} if isinstance(given, dict) else {}
        for name, value in (named or {f"{stage}.shards": given}).items():
            if value > count:
                found.append(f"{name} is {value}, allowed is at most the {count} images it has")
    if config["iqa"]["shards"] > config["sampling"]["total"]:
        found.append(
            f"iqa.shards {config['iqa']['shards']} exceeds sampling.total {config['sampling']['total']}; lower it"
        )
    return found


def sampling_problems(config: dict[str, Any]) -> list[str]:
    """Sentences on pairs that the images and SR models cannot give."""
    images, sampling, models = config["images"], config["sampling"], config["sr"]["models"]
    found = []
    candidates = len(config["degradation"]["levels"]) * len(models)
    possible = images["dataset"] * min(candidates, sampling["max_per_gt"])
    if sampling["total"] > possible:
        found.append(
            f"sampling.total is {sampling['total']}, but {images['dataset']} GT images with {candidates} SR images each"
            f" and sampling.max_per_gt {sampling['max_per_gt']} give at most {possible} pairs; lower it"
        )
    strangers = sorted(set(sampling["model_quota"]) - set(models))
    if strangers:
        found.append(
            f"sampling.model_quota names {', '.join(strangers)}, which sr.models does not hold; "
            "add it there, or take it out here"
        )
    if sampling["model_quota"] and set(models) - set(sampling["model_quota"]):
        found.append("sampling.model_quota is given but leaves out a model of sr.models; name all of them or none")
    return found


def sr_problems(sr: dict[str, Any]) -> list[str]:
    """Sentences on combinations of keys of the group `sr` that cannot work."""
    both = [name for name in sr["models"] if name in sr["baselines"]]
    twice = f"sr.baselines names {', '.join(both)}, which sr.models holds too; keep each model in one of them"
    return shards_problems(sr) + ([twice] if both else [])


def output_problems(config: dict[str, Any]) -> list[str]:
    """Sentences on what is shown and released that the rest of the configuration does not give."""
    release, shown, found = config["release"], config["paper"]["quality_measure"], []
    if shown not in config["iqa"]["metrics"] or METRICS[shown].kind != "NR":
        found.append(f"paper.quality_measure is {shown}, allowed is one of iqa.metrics that sees SR alone (NR)")
    if release["images"] == "copy" and config["images"]["source"] == "folder" and not release["image_licence"]:
        found.append(
            "release.images is copy, but release.image_licence does not say under which licence photographs may be "
            "published; name it, or set release.images to recipe"
        )
    return found


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
        found.append(
            f"metric.finetune names {', '.join(untold)}, which metric.backbones does not hold; "
            "add it there, or take it out here"
        )
    others = [name for name in metric["leave_one_out"] if name not in metric["finetune"]]
    if others:
        found.append(
            f"metric.leave_one_out names {', '.join(others)}, which metric.finetune does not hold; "
            "add it there, or take it out here"
        )
    parts, pairs = metric["accumulation"], metric["batch_size"]
    if parts > pairs:
        found.append(
            f"metric.accumulation is {parts}, more than the {pairs} pairs of a batch (metric.batch_size); lower it"
        )
    return found


def tuning_problems(config: dict[str, Any]) -> list[str]:
    """Sentences on combinations of keys of the group `tuning` that cannot work."""
    tuning, tuned, found = config["tuning"], config["metric"]["finetune"], []
    if not tuning["variants"]:
        return []
    if tuning["backbone"] not in tuned:
        found.append(
            f"tuning.backbone is {tuning['backbone']}, which metric.finetune does not hold; "
            "add it there, or take it out here"
        )
    if not [name for name in tuned if name != tuning["backbone"]]:
        found.append(
            "metric.finetune holds no other backbone than tuning.backbone, so none could judge the tuned SeeSR; add one"
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
