"""Into how many jobs a step is divided, and what one of them asks for: minutes and memory, from measured costs."""

import math
from typing import Any

from hlf.costs.counts import STEPS
from hlf.costs.units import Unit, unit

ANY = "default"  # key of sr.shards for the models that it does not name
SAFETY = 2.0  # asked for over measured time: a job that ends early costs nothing, one that is cut off costs a start
MARGIN = 1.25  # asked for over measured memory
OWN_MB = 500  # of Snakemake, which starts itself twice in a job of a cluster
LEAST_MB = 2000
LEAST_MINUTES = 15  # a file system that is busy at a job's start is not in the measurements
# step -> where the configuration says into how many jobs it is divided; others are one job a model, backbone or variant
SHARDED = {
    "degrade": "degradation",
    "super_resolve": "sr",
    "embed_pairs": "sampling",
    "measure_iqa": "iqa",
    "upscale_variant": "tuning",
}


def shards(config: dict[str, Any], stage: str, model: str = "") -> int:
    """Number of jobs that a stage's images are divided into; of one SR model where `sr.shards` tells them apart.

    Args:
        config: a checked configuration.
        stage: group with the key `shards`: degradation, sr, sampling, iqa, tuning.
        model: SR model, for stage sr.
    """
    value = config[stage]["shards"]
    return int(value[model if model in value else ANY] if isinstance(value, dict) else value)


def jobs(config: dict[str, Any], step: str, model: str = "") -> int:
    """Number of jobs that the work of a step is divided into, for one model, backbone or variant where it has them."""
    return shards(config, SHARDED[step], model) if step in SHARDED else 1


def seconds(config: dict[str, Any], step: str, model: str = "") -> float:
    """Seconds that the largest job of a step takes on the machine that was measured.

    Args:
        config: a checked configuration.
        step: rule, one of `hlf.costs.counts.STEPS`.
        model: model, backbone or variant of the job; "" where the step knows none.

    Raises:
        HlfError: the step was never measured.
    """
    items = STEPS[step].items(config)[model]
    if not items:
        return 0.0
    cost, parts = _unit(config, step, model), jobs(config, step, model)
    # the processes of a fine-tuning share its images
    parts *= config["tuning"]["processes"] if step == "finetune_sr" else 1
    return cost.start + math.ceil(items / parts) * cost.seconds


def minutes(config: dict[str, Any], step: str, model: str = "") -> int:
    """Minutes that a job of a step asks for: as measured, with room, and `resources.slowness` times as long.

    Raises:
        HlfError: the step was never measured.
    """
    asked = SAFETY * config["resources"]["slowness"] * seconds(config, step, model) / 60
    return max(LEAST_MINUTES, math.ceil(asked))


def memory(config: dict[str, Any], step: str, model: str = "") -> int:
    """Memory in MB that a job of a step asks for, rounded up to 500.

    Raises:
        HlfError: the step was never measured.
    """
    if not STEPS[step].items(config)[model]:
        return LEAST_MB
    asked = MARGIN * _unit(config, step, model).mem_mb + OWN_MB
    return max(LEAST_MB, math.ceil(asked / 500) * 500)


def _unit(config: dict[str, Any], step: str, model: str) -> Unit:
    known = STEPS[step]
    of = model if known.same_model is None else known.same_model
    return unit(config["zoo"]["use"], known.same_as or step, of)
