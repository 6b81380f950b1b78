"""One call to a ready metric: by the name of its backbone, with tuned weights or as published."""

import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError

if TYPE_CHECKING:
    import numpy as np

    from hlf.metric.fidelity import HighLevelFidelity
    from hlf.metric.pictures import Pictures

log = logging.getLogger(__name__)

# names by which other packages and the command know the metrics, and their backbones; the first is the default
NAMES = {"hlf-dinov2": "dinov2", "hlf-clip": "clip", "hlf-blip": "blip", "hlf-pe": "pe-core"}
_told: set[str] = set()


def load_metric(
    backbone: str = "dinov2",
    weights: str | Path | None = None,
    *,
    zoo: str = "mini",
    zoo_folder: str | Path | None = None,
    resize_mode: str = "library",
    pooling: str = "",
    variant: str = "",
    device: str | None = None,
    **options: Any,
) -> "HighLevelFidelity":
    """Metric on a backbone, in eval mode.

    A mini or zero-shot metric says so once in the log, and in its attribute `note`.

    Args:
        backbone: such as "dinov2", or a name of NAMES such as "hlf-dinov2".
        weights: model folder of a metric tuned on this backbone; None: the backbone as published, zero-shot.
        zoo: "mini" or "official", for `weights=None`; a model folder knows its own.
        zoo_folder: folder of that zoo; None: $HLF_ZOO, else resources/zoo/<zoo>.
        resize_mode: "library" or "squash", for `weights=None`.
        pooling: what of the tower's output is compared, see the backbone's class, for `weights=None`; "": its default.
        variant: another size, such as "B" of pe-core, for `weights=None`; "": the default.
        device: "cpu", "cuda" or such as "cuda:1"; None: CUDA if present.
        options: as_loss, loss_reduction, resize_ref, calibrated of `HighLevelFidelity`.

    Raises:
        HlfError: an unknown name, weights of another backbone, missing or wrong files, a missing package, no GPU.

    >>> load_metric("dinov2", weights="results/mini/metric/dinov2")  # doctest: +SKIP
    """
    name = NAMES.get(backbone, backbone)
    _check_name(name)
    if weights:
        metric = _tuned(name, weights, options)
    else:
        kind = {"resize_mode": resize_mode, "pooling": pooling, "variant": variant}
        metric = _zero_shot(name, zoo, zoo_folder, kind, options)
    if metric.note and metric.note not in _told:
        _told.add(metric.note)
        log.warning(metric.note)
    return metric.to(_device(device))


def _check_name(name: str) -> None:
    from hlf.backbones.registry import BACKBONES

    if name not in BACKBONES:
        known = [*BACKBONES, *(short for short, full in NAMES.items() if full in BACKBONES)]
        raise HlfError(f"metric '{name}' is unknown, expected one of {', '.join(known)}")


def _tuned(name: str, weights: str | Path, options: dict[str, Any]) -> "HighLevelFidelity":
    from hlf.metric.fidelity import HighLevelFidelity
    from hlf.metric.model import stored_backbone

    if not Path(weights).is_dir():
        raise HlfError(f"weights {weights}: expected a model folder with config.json and model.safetensors")
    stored = stored_backbone(weights)
    if stored != name:
        raise HlfError(
            f"weights {weights} are of backbone '{stored}', expected '{name}'; load_metric('{stored}') takes them"
        )
    return HighLevelFidelity.from_pretrained(weights, **options)


def _zero_shot(
    name: str, zoo: str, folder: str | Path | None, kind: dict[str, str], options: dict[str, Any]
) -> "HighLevelFidelity":
    from hlf.backbones.registry import load_backbone
    from hlf.extras import needed_for
    from hlf.metric.fidelity import HighLevelFidelity
    from hlf.zoo.registry import zoo_folder

    with needed_for(f"backbone {name}", "'.[metric]'"):
        backbone = load_backbone(name, zoo, zoo_folder(zoo, folder), **kind)
    return HighLevelFidelity(backbone, **options)


def _device(device: str | None) -> str:
    from hlf.device import pick_device

    return device if device and device.startswith("cuda:") else pick_device(device or "auto")


def score(
    *,
    sr: "Pictures",
    gt: "Pictures",
    backbone: str = "dinov2",
    weights: str | Path | None = None,
    zoo: str = "mini",
    zoo_folder: str | Path | None = None,
    device: str | None = None,
    batch_size: int = 8,
) -> "float | np.ndarray":
    """Score one pair or many in one call; the metrics of the last calls stay loaded.

    Args:
        sr: path, Pillow picture or tensor (3, H, W) in [0, 1]; a list of these, or a batch (N, 3, H, W).
        gt: ground truth of each.
        backbone: see `load_metric`.
        weights: see `load_metric`.
        zoo: see `load_metric`.
        zoo_folder: see `load_metric`.
        device: see `load_metric`.
        batch_size: pictures per forward.

    Returns:
        A number for one pair, an array (N,) for many: expected share of viewers who would say "changed" for tuned
        weights, raw distance for zero-shot ones. Lower is better.

    Raises:
        HlfError: as `load_metric` and `HighLevelFidelity.score`.
    """
    metric = _loaded(backbone, weights and str(weights), zoo, zoo_folder and str(zoo_folder), device)
    return metric.score(sr=sr, gt=gt, batch_size=batch_size)


@functools.lru_cache(maxsize=2)
def _loaded(
    backbone: str, weights: str | None, zoo: str, folder: str | None, device: str | None
) -> "HighLevelFidelity":
    return load_metric(backbone, weights, zoo=zoo, zoo_folder=folder, device=device)
