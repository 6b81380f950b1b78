"""How many items each step has, from the configuration alone: what costs are multiplied with.

One function per step, named as its rule, gives items by model. Where an early end or an incomplete pair makes fewer, it
is the most that there can be.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from hlf.tuning.variants import BASELINE, variant_name

Config: TypeAlias = Mapping[str, Any]
Items: TypeAlias = dict[str, int]  # model -> items; "" where a step knows no model

JOB = "job"  # item of the steps below, which take seconds whatever the numbers
SMALL = "small jobs"  # their unit, and their line together
# tables, figures, joined tables; a rule that stands neither here nor in STEPS is told apart, as not measured
SMALL_STEPS = frozenset({
    "collect_baselines", "collect_degradation", "collect_evaluation", "collect_iqa", "collect_metric",
    "collect_model", "collect_similarity",
    "collect_sr", "collect_variants", "score_pairs", "split_dataset",
    "agreement", "behaviour", "calibration", "ceiling", "change_map", "comparisons", "findings", "invariance",
    "leave_one_out", "observers", "sr_models", "strata",
    "table2", "table3", "table4",
    "change_examples", "examples", "figure1", "figure3", "figure4", "figure5", "figure6", "figure7", "iqa_scatter",
    "learning_curves", "metric_scatter",
    "mild_changes", "ranking", "reliability", "sensitivity", "significance", "similarity", "study_votes",
    "tuning_curves", "worst_pairs",
    "costs", "write_report", "write_provenance", "complete",
})  # fmt: skip


@dataclass(frozen=True)
class Count:
    """Size of one step, or of one model in it.

    Attributes:
        step: rule.
        model: of its wildcards; "" where it has none.
        item: what is counted, such as "LR image".
        items: how many.
        unit: step and model in measured.yaml whose cost applies; another step's where both do the same with it.
    """

    step: str
    model: str
    item: str
    items: int
    unit: tuple[str, str]


@dataclass(frozen=True)
class Step:
    """How a step is counted.

    Attributes:
        item: what is counted.
        items: its items by model.
        same_as: step whose unit it shares; "" for its own.
        same_model: model whose unit it shares; None for its own.
    """

    item: str
    items: Callable[[Config], Items]
    same_as: str = ""
    same_model: str | None = None


def prepare_images(config: Config) -> Items:
    """GT images of the dataset and of the evaluation."""
    return {"": config["images"]["dataset"] + config["images"]["evaluation"]}


def degrade(config: Config) -> Items:
    """LR images: each GT at each level."""
    return {"": prepare_images(config)[""] * len(config["degradation"]["levels"])}


def super_resolve(config: Config) -> Items:
    """SR images of each model and baseline; the dataset only."""
    each = config["images"]["dataset"] * len(config["degradation"]["levels"])
    return dict.fromkeys([*config["sr"]["models"], *config["sr"]["baselines"]], each)


def measure_sr(config: Config) -> Items:
    """Pictures in the table of SR models: the first GT images, and all that was made of each."""
    made = len(super_resolve(config)) * len(config["degradation"]["levels"])
    return {"": min(config["paper"]["overview_images"], config["images"]["dataset"]) * (1 + made)}


def embed_pairs(config: Config) -> Items:
    """Candidate pairs: every SR image of the models."""
    levels, models = len(config["degradation"]["levels"]), len(config["sr"]["models"])
    return {"": config["images"]["dataset"] * levels * models}


def chosen_pairs(config: Config) -> Items:
    """Pairs that are chosen, fewer only where strata are short."""
    return {"": config["sampling"]["total"]}


def simulate_votes(config: Config) -> Items:
    """Valid votes of simulated people; those of careless ones come on top."""
    return _votes(config) if config["study"]["votes"] == "simulated" else {}


def import_votes(config: Config) -> Items:
    """Valid votes of people."""
    return {} if config["study"]["votes"] == "simulated" else _votes(config)


def _votes(config: Config) -> Items:
    return {"": config["sampling"]["total"] * config["study"]["votes_per_pair"]}


def score_zero_shot(config: Config) -> Items:
    """Pairs, by each backbone as published."""
    return dict.fromkeys(config["metric"]["backbones"], config["sampling"]["total"])


def score_tuned(config: Config) -> Items:
    """Pairs, by each fine-tuned backbone."""
    return dict.fromkeys(config["metric"]["finetune"], config["sampling"]["total"])


def training_pairs(config: Config) -> int:
    """Pairs of the training part, its validation part included."""
    return round(config["sampling"]["total"] * (1 - config["study"]["test_share"]))


def finetune_metric(config: Config) -> Items:
    """Training pairs x epochs, of each fine-tuned backbone."""
    return dict.fromkeys(config["metric"]["finetune"], training_pairs(config) * config["metric"]["epochs"])


def crossvalidate_metric(config: Config) -> Items:
    """Training pairs x epochs over all folds and seeds; none of a backbone that is not fine-tuned."""
    metric = config["metric"]
    if not metric["folds"]:
        return {}
    # each of K folds leaves a K-th of the pairs out
    each = config["sampling"]["total"] * (metric["folds"] - 1) * metric["seeds"] * metric["epochs"]
    return {name: each if name in metric["finetune"] else 0 for name in metric["backbones"]}


def leave_models_out(config: Config) -> Items:
    """Training pairs x epochs over all SR models left out in turn, whatever their shares."""
    each = training_pairs(config) * (len(config["sr"]["models"]) - 1) * config["metric"]["epochs"]
    return dict.fromkeys(config["metric"]["leave_one_out"], each)


def probe_metric(config: Config) -> Items:
    """Pairs with a known answer, by each backbone as published and fine-tuned."""
    from hlf.metric.behaviour import MILDS
    from hlf.scenes.edits import KINDS

    planted, metric = config["metric"]["planted"], config["metric"]
    # a mild scene is also paired with itself and with another
    pairs = planted["edits"] * len(KINDS) + planted["scenes"] * (len(MILDS) + 2) + planted["maps"]
    return {"": pairs * (len(metric["backbones"]) + len(metric["finetune"]))}


def choose_training(config: Config) -> Items:
    """Images that SeeSR is fine-tuned on."""
    return {"": config["tuning"]["images"]} if _tuned(config) else {}


def finetune_sr(config: Config) -> Items:
    """Training images x epochs of each variant; what fills no whole step is left over."""
    tuning = config["tuning"]
    whole = tuning["step_images"]
    return dict.fromkeys(_tuned(config), tuning["images"] // whole * whole * tuning["epochs"])


def upscale_variant(config: Config) -> Items:
    """SR images of the evaluation images, by each variant."""
    each = config["images"]["evaluation"] * len(config["degradation"]["levels"])
    return dict.fromkeys(map(variant_name, config["tuning"]["variants"]), each)


def _tuned(config: Config) -> list[str]:
    """Names of the variants that are fine-tuned."""
    return [name for name in map(variant_name, config["tuning"]["variants"]) if name != BASELINE]


STEPS = {
    "prepare_images": Step("GT image", prepare_images),
    "degrade": Step("LR image", degrade),
    "super_resolve": Step("SR image", super_resolve),
    "measure_sr": Step("picture", measure_sr),
    "embed_pairs": Step("candidate pair", embed_pairs),
    "sample_pairs": Step("candidate pair", embed_pairs),
    "study_bundle": Step("pair", chosen_pairs),
    "simulate_votes": Step("vote", simulate_votes),
    "import_votes": Step("vote", import_votes),
    "measure_iqa": Step("pair, all measures", chosen_pairs),
    "score_zero_shot": Step("pair", score_zero_shot),
    "finetune_metric": Step("pair x epoch", finetune_metric),
    "score_tuned": Step("pair", score_tuned, same_as="score_zero_shot"),
    "crossvalidate_metric": Step("pair x epoch", crossvalidate_metric, same_as="finetune_metric"),
    "leave_models_out": Step("pair x epoch", leave_models_out, same_as="finetune_metric"),
    "probe_metric": Step("planted pair", probe_metric),
    "choose_training": Step("training image", choose_training),
    "finetune_sr": Step("image x epoch", finetune_sr),
    "upscale_variant": Step("SR image", upscale_variant, same_as="super_resolve", same_model="seesr"),
    "evaluate_variant": Step("SR image", upscale_variant),
}  # in the order of the paper's sections


def counts(config: Config) -> list[Count]:
    """Items of every step that has other items than jobs, in the order of `STEPS`.

    Args:
        config: a checked configuration.
    """
    found = []
    for name, step in STEPS.items():
        for model, items in step.items(config).items():
            of = model if step.same_model is None else step.same_model
            # a job without items only writes a table, such as the folds of a backbone that is not fine-tuned
            unit = (step.same_as or name, of) if items else (SMALL, "")
            found.append(Count(name, model, step.item, items, unit))
    return found
