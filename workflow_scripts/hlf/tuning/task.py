"""One fine-tuning as plain data, and the card of what comes out of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlf.tuning.pictures import Pairs
from hlf.tuning.schedule import Schedule

CARD = """# SeeSR fine-tuned for high-level fidelity, alpha {alpha}

L = L_ori + alpha * L_HLF. The folders unet/ and controlnet/ take the place of those of the SeeSR it started from.
{stamp}

| fact | value |
|---|---|
{rows}
"""


@dataclass(frozen=True)
class Task:
    """What one fine-tuning needs; a new process can be given it.

    Attributes:
        alpha: weight of the image loss in Equation 1.
        settings: the configuration's group `tuning`.
        zoo: official or mini.
        folder: folder of that zoo.
        options: of SeeSR, for the sample grids.
        metric: model folder of the fine-tuned metric.
        pairs: the training pairs.
        config_seed: the run's seed.
        device: cpu or cuda.
        work: folder of the checkpoints.
        events: folder of TensorBoard's file.
        samples: folder of the sample grids.
        result: folder that is written at the end.
        stamp: sentence for the card.
    """

    alpha: float
    settings: dict[str, Any]
    zoo: str
    folder: Path
    options: dict[str, Any]
    metric: Path
    pairs: Pairs
    config_seed: int
    device: str
    work: Path
    events: Path
    samples: Path
    result: Path
    stamp: str


def card(task: Task, schedule: Schedule, history: list[dict[str, float]], refused: int) -> str:
    """Text of the model's README.md, from the facts of the training.

    Args:
        task: what was asked for.
        schedule: its steps.
        history: one entry a step, see `hlf.tuning.train`.
        refused: number of training images that could not be used.
    """
    settings, last = task.settings, history[-schedule.per_epoch :]
    facts = {
        "alpha": task.alpha, "metric in the loss": f"fine-tuned {settings['backbone']}",
        "images": schedule.images, "epochs": schedule.epochs, "steps": schedule.steps, "batch": schedule.whole,
        "learning rate": settings["learning_rate"], "optimiser": settings["optimizer"],
        "precision": settings["precision"], "EMA": settings["ema"] or "none", "seed": task.config_seed,
        "L_ori, last epoch": round(sum(h["loss_ori"] for h in last) / len(last), 5),
        "L_HLF, last epoch": round(sum(h["loss_hlf"] for h in last) / len(last), 5),
        "steps skipped": int(sum(h["skipped"] for h in history)), "images refused": refused,
    }  # fmt: skip
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return CARD.format(alpha=task.alpha, stamp=task.stamp, rows=rows)
