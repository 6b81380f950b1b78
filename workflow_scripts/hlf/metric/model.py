"""Model folders of the HLF metric: config.json + model.safetensors + README.md, self-contained."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlf.backbones.base import Backbone, Description
from hlf.backbones.registry import build_backbone
from hlf.errors import HlfError
from hlf.extras import needed_for
from hlf.files import atomic, read_json, sha256, write_json, write_text
from hlf.metric.calibration import Calibration
from hlf.metric.card import write_card
from hlf.zoo.load import load_strict, read_state

FILES = ("config.json", "model.safetensors", "README.md")


@dataclass(frozen=True)
class Origin:
    """Where a metric comes from.

    Attributes:
        tuned: fine-tuned on human scores, or as published ("zero-shot").
        weights_sha256: digest of the weights.
        facts: what the run that made it knows, see `hlf.metric.card`.
        stamp: sentence on mini models and simulated votes, "" when neither applies.
    """

    tuned: bool = False
    weights_sha256: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    stamp: str = ""


@dataclass(frozen=True)
class StoredMetric:
    """Content of a model folder: the backbone in eval mode on the CPU, its calibration if it has one, its origin."""

    backbone: Backbone
    calibration: Calibration | None
    origin: Origin


def save_metric(
    folder: Path,
    backbone: Backbone,
    facts: dict[str, Any],
    stamp: str,
    calibration: Calibration | None = None,
    tuned: bool = True,
) -> None:
    """Write a backbone as a model folder.

    Args:
        folder: where the three files go.
        backbone: float32.
        facts: what the card and config.json tell: training settings, data, results on the validation part.
        stamp: sentence on mini models and simulated votes, empty when neither applies.
        calibration: map from the raw distance to a share of viewers; None: the raw distance is the score.
        tuned: fine-tuned on human scores, or as published.
    """
    from safetensors.torch import save

    description, mapping = backbone.description, _mapping(backbone)
    config = {
        "metric": "hlf",
        "mapping": mapping,
        "tuned": tuned,
        "backbone": description.to_dict(),
        "calibration": calibration.to_dict() if calibration else None,
        "facts": facts,
        "stamp": stamp,
    }
    state = {k: v.contiguous().cpu() for k, v in backbone.tower.state_dict().items()}
    with atomic(folder / FILES[1]) as tmp:
        tmp.write_bytes(save(state))
    write_text(folder / FILES[2], write_card(description, facts, stamp, calibration, mapping, tuned))
    write_json(folder / FILES[0], config)


def _mapping(backbone: Backbone) -> str:
    return "1 - cosine" if type(backbone).distance is Backbone.distance else "the backbone's own distance"


def read_metric(folder: str | Path) -> StoredMetric:
    """Read a model folder; one without calibration or origin, as earlier versions wrote it, is raw and tuned.

    Raises:
        HlfError: a file is missing, weights and config.json do not belong together, or a package of the backbone is not
            installed.
    """
    folder = Path(folder)
    config = _read_config(folder)
    description, path = _description(config, folder), folder / FILES[1]
    stored = config.get("calibration")
    try:
        calibration = None if stored is None else Calibration.from_dict(stored)
    except HlfError as error:
        raise HlfError(f"{folder / FILES[0]}: {error}; fetch the folder again") from error
    with needed_for(f"backbone {description.name}", "'.[metric]'"):
        backbone = build_backbone(description)
    load_strict(backbone.tower, read_state(path), path)
    origin = Origin(bool(config.get("tuned", True)), sha256(path), config.get("facts", {}), config.get("stamp", ""))
    return StoredMetric(backbone.eval(), calibration, origin)


def stored_backbone(folder: str | Path) -> str:
    """Name of the backbone in a model folder, whose weights are not read; HlfError as `read_metric`."""
    folder = Path(folder)
    return _description(_read_config(folder), folder).name


def load_metric_folder(folder: str | Path) -> tuple[Backbone, str]:
    """Backbone of a model folder in eval mode, and the SHA-256 of its weights; HlfError as `read_metric`."""
    stored = read_metric(folder)
    return stored.backbone, stored.origin.weights_sha256


def _read_config(folder: Path) -> dict[str, Any]:
    config = read_json(folder / FILES[0])
    if not isinstance(config, dict) or config.get("metric") != "hlf":
        raise HlfError(f'{folder / FILES[0]} does not describe an HLF metric: expected "metric": "hlf"')
    return config


def _description(config: dict[str, Any], folder: Path) -> Description:
    try:
        return Description.from_dict(config["backbone"])
    except (KeyError, TypeError) as error:
        raise HlfError(f"{folder / FILES[0]} does not describe a backbone ({error}); fetch the folder again") from error
