"""Fine-tuning a backbone on human scores: all weights, Adam, mean squared error of 1 - cosine (paper 4.2).

The paper is silent on epochs, batch and model selection; they are configuration keys. The epoch is chosen on a
validation part cut, by GT, from the training part; the test part is never looked at.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hlf.backbones.base import Backbone
from hlf.errors import HlfError
from hlf.files import atomic
from hlf.metric.event_log import EventLog
from hlf.metric.pairs import PairSet, draw_views, load_pairs, validation_groups
from hlf.metric.step import Stepper
from hlf.seeds import generator

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from hlf.metric.calibration import Calibration

log = logging.getLogger(__name__)

History = list[dict[str, float]]


def fine_tune(
    backbone: Backbone,
    train: PairSet,
    validation: PairSet,
    settings: dict[str, Any],
    work: Path,
    config_seed: int,
    events: Path,
) -> History:
    """Tune `backbone` in place, keep its best epoch, and return the history (one entry an epoch, epoch 0 untrained).

    A killed run goes on after its last whole epoch: `work` holds weights, optimiser, scaler and history.

    Args:
        backbone: all weights are trained.
        train: pairs to learn from.
        validation: pairs that choose the epoch.
        settings: the configuration's group `metric`.
        work: folder for the checkpoint.
        config_seed: the run's seed; order and views of each epoch depend on it, the backbone and the epoch only.
        events: folder for TensorBoard's file.

    Returns:
        Entries epoch, train_loss, train_srcc, validation_loss, validation_srcc; losses are mean squared errors, a SRCC
        is 0 where it is undefined. Those of the training pairs are taken on the way through the epoch.

    Raises:
        HlfError: the loss is not finite, or a setting is unknown.
    """
    stepper, size = Stepper(backbone, settings), int(settings["batch_size"])
    name, path = backbone.description.name, work / "checkpoint.pt"
    if path.is_file():
        # our own file of this work folder; loading moves what belongs on a GPU there
        saved = torch.load(path, map_location="cpu", weights_only=False)
        stepper.load(saved)
        history, best = saved["history"], saved["best"]
        log.info("%s: resumed after epoch %d", name, len(history) - 1)
    else:
        seen, best = _named("train", predict(backbone, train, size), train.score), _kept(backbone)
        history = [{"epoch": 0, **seen, **_validate(backbone, validation, size)}]
    with EventLog(events, history) as board:
        while len(history) <= int(settings["epochs"]) and not _out_of_patience(history, int(settings["patience"])):
            epoch = len(history)
            random = [generator(config_seed, f"metric-{what}", name, epoch) for what in ("order", "views")]
            order = random[0].permutation(len(train.score))
            views = draw_views(settings["augmentation"], len(order), random[1])
            seen = _named("train", _epoch(stepper, train, order, views, size), train.score[order])
            history.append({"epoch": epoch, **seen, **_validate(backbone, validation, size)})
            board.add(history[-1])
            log.info("%s: %s", name, history[-1])
            if best_epoch(history) == epoch:
                best = _kept(backbone)
            with atomic(path) as tmp:
                torch.save({**stepper.state(), "history": history, "best": best}, tmp)
    backbone.load_state_dict(best)
    backbone.eval()
    return history


def _epoch(stepper: Stepper, pairs: PairSet, order: np.ndarray, views: list, batch_size: int) -> np.ndarray:
    """One pass over the pairs in the given order; what was said of each on the way, in that order."""
    stepper.prepare()
    starts = range(0, len(order), batch_size)
    parts = [slice(start, start + batch_size) for start in starts]
    return np.concatenate([stepper.step(pairs, order[part], views[part]) for part in parts])


@torch.inference_mode()
def predict(backbone: Backbone, pairs: PairSet, batch_size: int) -> np.ndarray:
    """1 - cosine of each pair, shape (N,), in float32; each picture is embedded once."""
    backbone.eval()
    device, names = next(backbone.parameters()).device, sorted({*pairs.gt, *pairs.sr})
    whole = PairSet(pairs.images, names, names, np.zeros(len(names)))
    found: list[Tensor] = []
    for start in range(0, len(names), batch_size):
        images, _, _ = whole.batch(np.arange(start, min(start + batch_size, len(names))), device)
        found.append(backbone(images))
    of, embeddings = {name: i for i, name in enumerate(names)}, torch.cat(found)
    sr, gt = (embeddings[[of[name] for name in column]] for column in (pairs.sr, pairs.gt))
    return backbone.distance(sr, gt).double().cpu().numpy()


def _quality(predicted: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """Mean squared error and SRCC; SRCC is 0 where it is undefined."""
    from hlf.stats import srcc

    try:
        rank = srcc(predicted, score)
    except HlfError as error:
        log.warning("SRCC undefined: %s", error)
        rank = 0.0
    return {"loss": float(np.mean((predicted - score) ** 2)), "srcc": rank}


def _named(part: str, predicted: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """`_quality` under the names of the history's columns."""
    return {f"{part}_{k}": v for k, v in _quality(predicted, score).items()}


def _validate(backbone: Backbone, pairs: PairSet, batch_size: int) -> dict[str, float]:
    return _named("validation", predict(backbone, pairs, batch_size), pairs.score)


def _kept(backbone: Backbone) -> "dict[str, Tensor]":
    """A copy of the weights as they are."""
    return {k: v.clone() for k, v in backbone.state_dict().items()}


def best_epoch(history: History) -> int:
    """The first epoch with the lowest validation loss, 0 = untrained."""
    return int(np.argmin([h["validation_loss"] for h in history]))


def _out_of_patience(history: History, patience: int) -> bool:
    return len(history) - 1 - best_epoch(history) >= patience


@dataclass(frozen=True)
class Tuned:
    """What a fine-tuning leaves beside the weights: its history, and the pairs it learned from and was chosen on."""

    history: History
    learned: PairSet
    validation: PairSet


def tune(
    backbone: Backbone,
    pairs: "pd.DataFrame",
    split: "pd.DataFrame",
    results: Path,
    settings: dict[str, Any],
    work: Path,
    config_seed: int,
    events: Path,
) -> Tuned:
    """Fine-tune on the rows of `split` whose part is "train"; no other row is looked at.

    Args: as `tune_and_save`. Raises: as there.
    """
    train = split[split["part"] == "train"]
    held = train["image_id"].isin(validation_groups(split, float(settings["validation_share"]), config_seed))
    learned, validation = (load_pairs(pairs, rows, results) for rows in (train[~held], train[held]))
    history = fine_tune(backbone, learned, validation, settings, work, config_seed, events)
    return Tuned(history, learned, validation)


def tune_and_save(
    backbone: Backbone,
    pairs: "pd.DataFrame",
    split: "pd.DataFrame",
    results: Path,
    settings: dict[str, Any],
    work: Path,
    config_seed: int,
    folder: Path,
    stamp: str,
    events: Path,
) -> "pd.DataFrame":
    """Fine-tune on the training part, write the model folder, and return the history as a table.

    Args:
        backbone: as loaded from the zoo; tuned in place.
        pairs: table `pairs`.
        split: table `split`; only its training part is used.
        results: folder of the run.
        settings: the configuration's group `metric`.
        work: folder for the checkpoint of a killed run.
        config_seed: the run's seed.
        folder: where config.json, model.safetensors and README.md go.
        stamp: sentence for the model card, empty for official models and people's votes.
        events: folder for TensorBoard's file.

    Raises:
        HlfError: too few training pairs, or a loss that is not finite.
    """
    import pandas as pd

    from hlf.metric.model import save_metric

    tuned = tune(backbone, pairs, split, results, settings, work, config_seed, events)
    best = best_epoch(tuned.history)
    calibration, said = _calibrate(backbone, tuned.validation, settings)
    facts = {
        "training pairs": len(tuned.learned.score), "validation pairs": len(tuned.validation.score),
        "seed": config_seed, "learning rate": settings["learning_rate"], "batch": settings["batch_size"],
        "precision": settings["precision"], "augmentation": settings["augmentation"],
        "epochs run": len(tuned.history) - 1, "epoch kept": best,
        "validation MSE": round(tuned.history[best]["validation_loss"], 5),
        "validation SRCC": round(tuned.history[best]["validation_srcc"], 4), "calibration": said,
    }  # fmt: skip
    save_metric(folder, backbone, facts, stamp, calibration)
    return pd.DataFrame(tuned.history).assign(backbone=backbone.description.name)


def _calibrate(backbone: Backbone, validation: PairSet, settings: dict[str, Any]) -> "tuple[Calibration | None, str]":
    """Map of the raw value to a share, fitted on the validation part, and what the card says of it.

    Hours of training are not thrown away because the validation part is too small for one: the metric then goes
    without, and its card says why.
    """
    from hlf.metric.calibration import fit_calibration

    kind = str(settings["calibration"])
    if kind == "none":
        return None, kind
    raw = predict(backbone, validation, int(settings["batch_size"]))
    try:
        return fit_calibration(raw, validation.score, kind), f"{kind}, fitted on the validation part"
    except HlfError as error:
        log.warning("no calibration: %s", error)
        return None, f"undefined: {error}"
