"""What jobs ask for: memory and minutes by model, from measured costs (hlf/costs). Only functions here."""

from hlf.costs import jobs as job_costs
from hlf.sr.registry import has_weights

# MB and minutes of a whole job at paper scale where hlf/costs/measured.yaml holds no cost of the step: guesses, with room
UNMEASURED = {
    "prepare_images": (2000, 120),
    "degrade": (2000, 120),
    "super_resolve": (16000, 240),
    "measure_sr": (4000, 60),
    "embed_pairs": (8000, 120),
    "study_bundle": (2000, 60),
    "simulate_votes": (2000, 60),
    "measure_iqa": (6000, 120),
    "score_zero_shot": (8000, 60),
    "finetune_metric": (12000, 480),
    "score_tuned": (8000, 60),
    "crossvalidate_metric": (12000, 2880),
    "leave_models_out": (12000, 1440),
    "probe_metric": (8000, 60),
    "choose_training": (4000, 120),
    "finetune_sr": (40000, 4320),
    "upscale_variant": (16000, 240),
    "evaluate_variant": (8000, 240),
}


def asked(cost, column, step, by, wildcards):
    """Memory or minutes of one job; `by` names the wildcard that holds its model, "" for none."""
    try:
        return cost(config, step, wildcards[by] if by else "")
    except HlfError:
        return UNMEASURED[step][column]


def memory(step, by=""):
    """Resource mem_mb of a step; a job that is tried again gets more, since the first try may have died of it."""

    def mem_mb(wildcards, attempt):
        return asked(job_costs.memory, 0, step, by, wildcards) * attempt

    return mem_mb


def minutes(step, by=""):
    """Resource runtime of a step, in minutes; a job that is cut off goes on with its finished images or epochs."""

    def runtime(wildcards):
        minutes = asked(job_costs.minutes, 1, step, by, wildcards)
        return min(minutes, config["resources"]["most_minutes"])

    return runtime


def finetune_sr_memory(wildcards, attempt):
    """Resource mem_mb of a fine-tuning of SeeSR: each process holds its own copy."""
    return (
        memory("finetune_sr", "variant")(wildcards, attempt)
        * config["tuning"]["processes"]
    )


def model_gpus(wildcards):
    """GPUs of one SR model: none for one without a network."""
    return gpus() if has_weights(wildcards.model) else 0


def fold_gpus(wildcards):
    """GPUs of the folds of one backbone: none where Table 3 has no fine-tuned row of it, which trains nothing."""
    return gpus() if wildcards.backbone in config["metric"]["finetune"] else 0


def joined(path):
    """Table of a shard, which is removed once it is joined where `resources.drop_shards` says so."""
    return temp(path) if config["resources"]["drop_shards"] else path
