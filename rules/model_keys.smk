"""Keys of the rules that depend on wildcards or on what stands in the zoo, one function per rule. Only functions here."""

from hlf import needs
from hlf.backbones.registry import BACKBONES
from hlf.config import ASIDE
from hlf.costs.sheet import sizes
from hlf.costs.units import MEASURED
from hlf.iqa.registry import GROUPS, METRICS
from hlf.sr.registry import registered
from hlf.tuning.variants import IMAGE_MEASURES
from hlf.zoo.entries import STEERED


def sr_key(wildcards):
    """Key of one SR model: its own module, weights and options, none of another model's."""
    name, names = wildcards.model, [
        "sr.precision",
        "sr.tile",
        "sr.tile_overlap",
        "sr.batch_size",
    ]
    options = config["sr"].get(name, {})
    if options:
        names.append(f"sr.{name}")
    used = {f"weights.{one}": weights(one) for one in needs.of_model(config, name)}
    more = {
        "zoo": config["zoo"]["use"],
        "sr.shards": shard_count(config, "sr", name),
        **used,
        **captions_digest(options),
        **own_weights_digest(options),
    }
    return key(
        "super_resolve", *names, modules=(registered()[name],), model=name, **more
    )


def captions_digest(options):
    """Digest of a model's file of captions, so that a changed caption is noticed; nothing for models without one."""
    if not options.get("captions"):
        return {}
    if not Path(options["captions"]).is_file():
        reason = "does not exist; give a CSV file with columns image_id, caption"
        return {"captions": f"missing: {options['captions']} {reason}"}
    return {"captions": digest.files_digest([Path(options["captions"])], HASHES)}


def own_weights_digest(options):
    """Digest of the files in a model's option `weights`, so that a folder trained again is noticed."""
    if not options.get("weights"):
        return {}
    folder = Path(options["weights"])
    files = [folder / file for file in STEERED]
    return {f"files of {folder}": digest.files_digest(files, HASHES, folder)}


def iqa_key(wildcards):
    """Key of the measures: each group's own code and weights, so that a measure added later makes none of the others anew.

    Missing weights stop the run with iqa.strict; without, their rows say so.
    """
    names = ("metrics", "shards", "joint_mask", "trust_koniqpp_file")
    zoo = config["zoo"]["use"]
    more = {"zoo": zoo}
    script = ROOT / "workflow_scripts" / "measure_iqa.py"
    for metric in map(METRICS.get, config["iqa"]["metrics"]):
        more[f"metric.{metric.name}"] = f"{metric} {metric.said(zoo)}"
        more[f"code.{metric.group}"] = digest.code_digest(
            script, (GROUPS[metric.group].module,)
        )
        for entry in needs.of_measure(config, metric.name):
            found = weights(entry)
            absent = found.startswith("missing: ") and not config["iqa"]["strict"]
            more[f"weights.{entry}"] = "absent" if absent else found
    return key("measure_iqa", *(f"iqa.{name}" for name in names), **more)


def backbone_facts(backbone):
    """How one backbone of the zoo is loaded, and its weights."""
    metric = config["metric"]
    options = {
        "resize_mode": metric["resize_mode"],
        "pooling": metric["pooling"].get(backbone, ""),
        "variant": metric["variants"].get(backbone, ""),
    }
    entry = needs.of_backbone(config, backbone)
    return options, {f"weights.{entry}": weights(entry)}


def backbone_key(script, backbone, *names, **more):
    """Key of a rule that uses one backbone of the zoo."""
    modules = (BACKBONES[backbone],) if backbone in BACKBONES else ()
    options, digests = backbone_facts(backbone)
    facts = {
        "zoo": config["zoo"]["use"],
        "backbone": backbone,
        "options": options,
        **digests,
    }
    return key(script, *names, modules=modules, **{**facts, **more})


def similarity_key(wildcards):
    """Key of the similarity of one shard."""
    names = ("sampling.batch_size", "sampling.shards")
    return backbone_key("embed_pairs", config["sampling"]["backbone"], *names)


def zero_shot_key(wildcards):
    """Key of one untuned backbone's scores."""
    return backbone_key("score_zero_shot", wildcards.backbone, "metric.eval_batch_size")


# settings of the metric that a fine-tuning does not hang on: its neighbours, how its scores are made, how sure they are
BESIDE_RECIPE = (
    "backbones",
    "finetune",
    "resize_mode",
    "pooling",
    "variants",
    "eval_batch_size",
    "threshold",
    "planted",
    "calibration",
    "folds",
    "seeds",
    "leave_one_out",
)


def recipe_settings():
    """Names of the settings that every fine-tuning follows."""
    return [f"metric.{k}" for k in config["metric"] if k not in BESIDE_RECIPE]


def finetune_key(wildcards):
    """Key of one fine-tuning: every setting of the metric but the list of the other backbones."""
    names = (*recipe_settings(), "metric.calibration")
    return backbone_key(
        "finetune_metric", wildcards.backbone, *names, **table_facts("images")
    )


def crossvalidate_key(wildcards):
    """Key of one backbone's fine-tunings on folds; of folds alone where Table 3 has no fine-tuned row of it."""
    names = ["metric.eval_batch_size", "metric.folds"]
    tuned = wildcards.backbone in config["metric"]["finetune"]
    if tuned:
        names += [*recipe_settings(), "metric.seeds"]
    return backbone_key("crossvalidate_metric", wildcards.backbone, *names, tuned=tuned)


def leave_out_key(wildcards):
    """Key of one backbone's fine-tunings without each SR model."""
    names = (*recipe_settings(), "metric.eval_batch_size")
    return backbone_key("leave_models_out", wildcards.backbone, *names)


def tuned_key(wildcards):
    """Key of one tuned backbone's scores; the weights are an input."""
    name = wildcards.backbone
    modules = (BACKBONES[name],) if name in BACKBONES else ()
    return key("score_tuned", "metric.eval_batch_size", modules=modules, backbone=name)


def backbone_modules():
    """Modules of every backbone of Table 3."""
    names = config["metric"]["backbones"]
    return tuple(BACKBONES[name] for name in names if name in BACKBONES)


def probe_key(wildcards):
    """Key of the probe: every backbone of Table 3 with its code and weights; the fine-tuned ones are inputs."""
    facts = {name: backbone_facts(name) for name in config["metric"]["backbones"]}
    digests = {k: v for _, found in facts.values() for k, v in found.items()}
    return key(
        "probe_metric",
        "metric.finetune",
        "metric.planted",
        "images.crop",
        "images.objects",
        modules=backbone_modules(),
        zoo=config["zoo"]["use"],
        options={name: options for name, (options, _) in facts.items()},
        **digests,
    )


def finetune_sr_key(wildcards):
    """Key of one fine-tuning of SeeSR: what it learns from and how, not how it is watched nor what it is compared with."""
    beside = {
        "variants",
        "shards",
        *(name for group, name in ASIDE if group == "tuning"),
    }
    names = [f"tuning.{name}" for name in config["tuning"] if name not in beside]
    return key(
        "finetune_sr",
        *names,
        "images.objects",
        "degradation.levels",
        modules=(BACKBONES[config["tuning"]["backbone"]],),
        variant=wildcards.variant,
        **seesr_weights(),
        **table_facts(),
    )


def seesr_weights():
    """Digests of all that SeeSR reads."""
    return {f"weights.{name}": weights(name) for name in needs.of_tuning(config)}


def variant_files(wildcards):
    """Files of a fine-tuned variant; none for the baseline, which the zoo has."""
    if wildcards.variant == BASELINE:
        return []
    return [f"<results>/tuning/{wildcards.variant}/{file}" for file in STEERED]


def upscale_variant_key(wildcards):
    """Key of one variant's SR images; its weights are an input."""
    names = ["sr.precision", "sr.batch_size", "tuning.shards"]
    if "seesr" in config["sr"]:
        names.append("sr.seesr")
    more = {"zoo": config["zoo"]["use"], **seesr_weights()}
    return key("upscale_variant", *names, modules=(registered()["seesr"],), **more)


def evaluate_key(wildcards):
    """Key of one variant's measures; the fine-tuned metrics are inputs."""
    measured = [METRICS[name] for name in IMAGE_MEASURES]
    scenes = config["images"]["source"] == "scenes"
    return key(
        "evaluate_variant",
        "tuning.backbone",
        "metric.eval_batch_size",
        modules=(
            *backbone_modules(),
            *sorted({GROUPS[m.group].module for m in measured}),
        ),
        zoo=config["zoo"]["use"],
        reader=reader_weights() if scenes else "",
        **{f"weights.{name}": weights(name) for name in needs.of_evaluation(config)},
    )


def costs_key(wildcards):
    """Key of the cost sheet: how much each step does here and at paper scale, and what it was measured to cost."""
    try:
        paper = hlf_config.load(ROOT, [ROOT / "config.paper.yaml"])
    except HlfError as error:
        raise WorkflowError(f"config.paper.yaml: {error}") from None
    return key(
        "costs",
        sizes=sizes(config),
        paper_sizes=sizes(paper),
        units=digest.files_digest([MEASURED], ROOT / ".snakemake" / "hlf_weights.json"),
        **table_facts(*METRIC_GROUPS),
    )


def release_metric_key(wildcards):
    """Key of one metric's package; its files and numbers are inputs."""
    variant = config["metric"]["variants"].get(wildcards.backbone, "")
    return key("release_metric", variant=variant)
