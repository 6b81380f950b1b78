"""One fine-tuning as plain data, and the card of what comes out of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.sr.options import resolve
from hlf.sr.seesr import OPTIONS
from hlf.tuning.pictures import Pairs, Photographs, Preparation, Scenes
from hlf.tuning.schedule import Schedule

if TYPE_CHECKING:
    import pandas as pd

CARD = """# SeeSR fine-tuned for high-level fidelity, alpha {alpha}

L = L_ori + alpha * L_HLF. The folders unet/ and controlnet/ take the place of those of the SeeSR it started from.
{stamp}

| fact | value |
|---|---|
{rows}
"""


@dataclass(frozen=True)
class Folders:
    """Where a fine-tuning works and writes.

    Attributes:
        work: checkpoints.
        events: TensorBoard's file.
        samples: sample grids.
        result: the model, its history and what was refused, written at the end.
        logs: logs of the processes, where there are many.
    """

    work: Path
    events: Path
    samples: Path
    result: Path
    logs: Path


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
        folders: where it works and writes.
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
    folders: Folders
    stamp: str


def task_of(
    alpha: float,
    settings: dict[str, Any],
    tuning: dict[str, Any],
    zoo_folder: Path,
    metric: Path,
    chosen: "pd.DataFrame",
    device: str,
    folders: Folders,
    stamp: str,
) -> Task:
    """A fine-tuning from the settings of its rule.

    Args:
        alpha: see `Task`.
        settings: of the rule: seed, zoo, images.objects, degradation.levels, sr.seesr.
        tuning: the configuration's group.
        zoo_folder: folder of the zoo.
        metric: see `Task`.
        chosen: columns image_id, file: the training subset.
        device: see `Task`.
        folders: see `Folders`.
        stamp: see `Task`.
    """
    seed, files = int(settings["seed"]), dict(zip(chosen["image_id"], chosen["file"].fillna(""), strict=True))
    low, high = settings["images.objects"]
    source = (
        Scenes(seed, tuning["crop"], (low, high))
        if tuning["source"] == "scenes"
        else Photographs(Path(tuning["folder"]), files, tuning["min_bytes"], tuning["min_pixels"])
    )
    levels = tuple(float(level) for level in settings["degradation.levels"])
    how = Preparation(tuning["crop"], tuning["flip"], tuning["sharpen"], tuning["degradation"], levels)
    options = resolve("seesr", OPTIONS, settings.get("sr.seesr", {}), texts=False)
    pairs = Pairs(list(files), source, how, seed)
    return Task(alpha, tuning, settings["zoo"], zoo_folder, options, metric, pairs, seed, device, folders, stamp)


def card(task: Task, schedule: Schedule, history: list[dict[str, float]], refused: int) -> str:
    """Text of the model's README.md, from the facts of the training.

    Args:
        task: what was asked for.
        schedule: its steps.
        history: one entry a step, see `hlf.tuning.train`.
        refused: number of training images that could not be used.
    """
    settings, last = task.settings, [h for h in history[-schedule.per_epoch :] if not h["skipped"]]
    facts = {
        "alpha": task.alpha, "metric in the loss": f"fine-tuned {settings['backbone']}" if task.alpha else "none",
        "images": schedule.images, "epochs": schedule.epochs, "steps": schedule.steps, "batch": schedule.whole,
        "processes x parts x images": f"{schedule.processes} x {schedule.accumulation} x {schedule.batch_size}",
        "learning rate": settings["learning_rate"], "optimiser": settings["optimizer"],
        "precision": settings["precision"], "EMA": settings["ema"] or "none", "seed": task.config_seed,
        "L_ori, last epoch": round(sum(h["loss_ori"] for h in last) / max(1, len(last)), 5),
        "L_HLF, last epoch": round(sum(h["loss_hlf"] for h in last) / max(1, len(last)), 5) if task.alpha else "none",
        "steps skipped": int(sum(h["skipped"] for h in history)), "images refused": refused,
    }  # fmt: skip
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return CARD.format(alpha=task.alpha, stamp=task.stamp, rows=rows)
