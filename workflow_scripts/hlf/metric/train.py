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
from torch import Tensor, nn

from hlf.backbones.base import Backbone
from hlf.errors import HlfError
from hlf.files import atomic
from hlf.images import read_image, to_tensor
from hlf.seeds import generator, seed_for

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


@dataclass
class PairSet:
    """Pairs in memory: uint8 images by path, and the score of each pair in [0, 1]."""

    images: dict[str, np.ndarray]
    gt: list[str]
    sr: list[str]
    score: np.ndarray

    def batch(self, index: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """SR (N, 3, H, W), GT (N, 3, H, W), score (N,) of the pairs with these numbers, on `device`."""
        sr, gt = (torch.stack([to_tensor(self.images[names[i]]) for i in index]) for names in (self.sr, self.gt))
        return sr.to(device), gt.to(device), torch.from_numpy(self.score[index]).float().to(device)


def validation_groups(split: "pd.DataFrame", share: float, config_seed: int) -> set[str]:
    """GT images of the training part that serve for validation: about `share` of its pairs, in seeded order.

    Raises:
        HlfError: fewer than two GT images in the training part.
    """
    train = split[split["part"] == "train"]
    counts = train["image_id"].value_counts()
    if len(counts) < 2:
        raise HlfError(
            f"the training part has pairs of {len(counts)} GT images, expected at least 2; choose more pairs"
        )
    chosen: set[str] = set()
    taken = 0
    for name in sorted(counts.index, key=lambda n: (seed_for(config_seed, "metric-validation", n), n)):
        if taken >= share * len(train) or len(chosen) == len(counts) - 1:
            break
        chosen.add(name)
        taken += int(counts[name])
    return chosen


def load_pairs(pairs: "pd.DataFrame", split: "pd.DataFrame", results: Path) -> PairSet:
    """The pairs of `split` (columns pair_id, score) with every image decoded once."""
    joined = split[["pair_id", "score"]].merge(pairs[["pair_id", "gt_path", "sr_path"]], on="pair_id")
    joined = joined.sort_values("pair_id")
    paths = sorted({*joined["gt_path"], *joined["sr_path"]})
    images = {path: read_image(results / path) for path in paths}
    return PairSet(images, joined["gt_path"].tolist(), joined["sr_path"].tolist(), joined["score"].to_numpy())


def fine_tune(
    backbone: Backbone, train: PairSet, validation: PairSet, settings: dict[str, Any], work: Path, config_seed: int
) -> list[dict[str, float]]:
    """Tune `backbone` in place, keep its best epoch, and return the history (one entry an epoch, epoch 0 untrained).

    A killed run goes on after its last whole epoch: `work` holds weights, optimiser and history.

    Args:
        backbone: all weights are trained.
        train: pairs to learn from.
        validation: pairs that choose the epoch.
        settings: the configuration's group `metric`.
        work: folder for the checkpoint.
        config_seed: the run's seed; the order of each epoch depends on it, the backbone and the epoch only.

    Raises:
        HlfError: the loss is not finite.
    """
    optimizer = torch.optim.Adam(backbone.parameters(), lr=float(settings["learning_rate"]))
    name, path = backbone.description.name, work / "checkpoint.pt"
    history: list[dict[str, float]] = []
    best = {k: v.clone() for k, v in backbone.state_dict().items()}
    if path.is_file():
        # our own file of this work folder; loading moves what belongs on a GPU there
        saved = torch.load(path, map_location="cpu", weights_only=False)
        backbone.load_state_dict(saved["weights"])
        optimizer.load_state_dict(saved["optimizer"])
        history, best = saved["history"], saved["best"]
        log.info("%s: resumed after epoch %d", name, len(history) - 1)
    else:
        history.append({"epoch": 0, "train_loss": _loss(backbone, train), **_validate(backbone, validation)})
    while len(history) <= int(settings["epochs"]) and not _out_of_patience(history, int(settings["patience"])):
        epoch = len(history)
        order = generator(config_seed, "metric-order", name, epoch).permutation(len(train.score))
        loss = _epoch(backbone, optimizer, train, order, int(settings["batch_size"]))
        history.append({"epoch": epoch, "train_loss": loss, **_validate(backbone, validation)})
        log.info("%s: %s", name, history[-1])
        if _best(history) == epoch:
            best = {k: v.clone() for k, v in backbone.state_dict().items()}
        with atomic(path) as tmp:
            state = {"weights": backbone.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**state, "history": history, "best": best}, tmp)
    backbone.load_state_dict(best)
    backbone.eval()
    return history


def _epoch(
    backbone: Backbone, optimizer: torch.optim.Optimizer, pairs: PairSet, order: np.ndarray, batch_size: int
) -> float:
    """One pass over the pairs in the given order; the mean loss."""
    # the towers have no dropout or batch statistics, so train and eval mode differ in nothing; eval keeps it so
    backbone.eval()
    total, device = 0.0, next(backbone.parameters()).device
    for start in range(0, len(order), batch_size):
        sr, gt, score = pairs.batch(order[start : start + batch_size], device)
        predicted = backbone.distance(*backbone(torch.cat([sr, gt])).chunk(2))
        loss = nn.functional.mse_loss(predicted, score)
        if not torch.isfinite(loss):
            raise HlfError(f"fine-tuning of {backbone.description.name} diverged; lower metric.learning_rate")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(score)
    return total / len(order)


@torch.inference_mode()
def _predict(backbone: Backbone, pairs: PairSet) -> np.ndarray:
    backbone.eval()
    found, device = [], next(backbone.parameters()).device
    for i in range(len(pairs.score)):
        sr, gt, _ = pairs.batch(np.array([i]), device)
        found.append(float(backbone.distance(backbone(sr), backbone(gt))))
    return np.array(found)


def _loss(backbone: Backbone, pairs: PairSet) -> float:
    return float(np.mean((_predict(backbone, pairs) - pairs.score) ** 2))


def _validate(backbone: Backbone, pairs: PairSet) -> dict[str, float]:
    """Mean squared error and SRCC on the validation part; SRCC is 0 where it is undefined."""
    from hlf.stats import srcc

    predicted = _predict(backbone, pairs)
    try:
        rank = srcc(predicted, pairs.score)
    except HlfError as error:
        log.warning("validation SRCC undefined: %s", error)
        rank = 0.0
    return {"validation_loss": float(np.mean((predicted - pairs.score) ** 2)), "validation_srcc": rank}


def _best(history: list[dict[str, float]]) -> int:
    return int(np.argmin([h["validation_loss"] for h in history]))


def _out_of_patience(history: list[dict[str, float]], patience: int) -> bool:
    return len(history) - 1 - _best(history) >= patience


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

    Raises:
        HlfError: too few training pairs, or a loss that is not finite.
    """
    import pandas as pd

    from hlf.metric.model import save_metric

    train = split[split["part"] == "train"]
    held = train["image_id"].isin(validation_groups(split, float(settings["validation_share"]), config_seed))
    learned, validation = (load_pairs(pairs, rows, results) for rows in (train[~held], train[held]))
    history = fine_tune(backbone, learned, validation, settings, work, config_seed)
    best = _best(history)
    facts = {
        "training pairs": int((~held).sum()), "validation pairs": int(held.sum()), "seed": config_seed,
        "learning rate": settings["learning_rate"], "batch": settings["batch_size"], "epochs run": len(history) - 1,
        "epoch kept": best, "validation MSE": round(history[best]["validation_loss"], 5),
        "validation SRCC": round(history[best]["validation_srcc"], 4),
    }  # fmt: skip
    save_metric(folder, backbone, facts, stamp)
    return pd.DataFrame(history).assign(backbone=backbone.description.name)
