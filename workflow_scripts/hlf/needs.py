"""What a configuration needs of the zoo: entries behind each model and measure, and all assets behind each table.

The rules ask here for the entries whose hashes stand in their keys, `hlf zoo` for the assets of a table.
"""

from typing import Any

from hlf.iqa.registry import METRICS
from hlf.iqa.registry import entries as measure_entries
from hlf.sr.registry import has_weights
from hlf.study.sources import DATABASE, SIMULATED
from hlf.tuning.variants import IMAGE_MEASURES
from hlf.zoo.assets import assets
from hlf.zoo.registry import entry_name, needed

TABLES = ("Table 2", "Table 3", "Table 4")


def of_model(config: dict[str, Any], model: str) -> list[str]:
    """Entries that an SR model or baseline reads, with its options."""
    if not has_weights(model):
        return []
    return needed(config["zoo"]["use"], model, config["sr"].get(model, {}))


def of_measure(config: dict[str, Any], metric: str) -> list[str]:
    """Entries that a measure of `iqa.metrics` reads."""
    return measure_entries(metric, config["zoo"]["use"], config["iqa"]["joint_mask"])


def of_backbone(config: dict[str, Any], backbone: str) -> str:
    """Entry of a backbone, in the size that the configuration asks for."""
    return entry_name(config["zoo"]["use"], backbone, config["metric"]["variants"].get(backbone, ""))


def of_tuning(config: dict[str, Any]) -> list[str]:
    """Entries that the fine-tuning of SeeSR reads, and its variants."""
    return needed(config["zoo"]["use"], "seesr", {})


def of_evaluation(config: dict[str, Any]) -> list[str]:
    """Entries that the measures of Table 4 read, beside the fine-tuned metrics."""
    found = {
        entry for name in IMAGE_MEASURES for entry in measure_entries(METRICS[name].name, config["zoo"]["use"], "")
    }
    return sorted(found)


def by_table(config: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Assets that a configuration needs -> the tables that do not come out without them, in the manifest's order.

    Args:
        config: a checked configuration.
    """
    backbones = config["metric"]["backbones"]
    pairs = [
        *_data(config, "koniq10k", "votes"),
        *(entry for model in config["sr"]["models"] for entry in of_model(config, model)),
        of_backbone(config, config["sampling"]["backbone"]),
    ]
    tables = {
        TABLES[0]: [*pairs, *(entry for metric in config["iqa"]["metrics"] for entry in of_measure(config, metric))],
        TABLES[1]: [*pairs, *(of_backbone(config, name) for name in backbones)],
    }
    if config["tuning"]["variants"]:
        # the loss, and the metrics that judge, are fine-tuned on the pairs
        judges = (of_backbone(config, name) for name in config["metric"]["finetune"])
        own = (*of_tuning(config), *of_evaluation(config), *_data(config, "coco"))
        tables[TABLES[2]] = [*pairs, *judges, *own]
    official = config["zoo"]["use"] == "official"
    wanted = {
        name: tuple(table for table, names in tables.items() if name in names)
        for name, asset in assets().items()
        if official or asset.kind == "data"
    }
    return {name: used for name, used in wanted.items() if used}


def _data(config: dict[str, Any], *names: str) -> list[str]:
    """Those data sets that the configuration names a place for."""
    return [name for name in names if place_of(config, name)]


def place_of(config: dict[str, Any], name: str) -> str:
    """Where a configuration has a data set; "" when it takes scenes, a database or simulated people instead."""
    group, _, key = assets()[name].setting.partition(".")
    place = config[group][key]
    return "" if place is None or place == SIMULATED or place.startswith(DATABASE) else str(place)


def images_of(config: dict[str, Any], name: str) -> int:
    """Images that a configuration takes from a data set; 0 where it is no set of images."""
    images = config["images"]
    return {"images.folder": images["dataset"] + images["evaluation"], "tuning.folder": config["tuning"]["images"]}.get(
        assets()[name].setting, 0
    )
