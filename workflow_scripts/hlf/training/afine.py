"""Mini A-FINE: its heads, trained on the frozen mini CLIP with distortions of known strength.

The official model is trained on people's choices between pictures; here the strength of what was done to a picture
takes their place. Naturalness sees the picture alone, fidelity compares it with the GT, the combination has to rank.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.images import from_tensor
from hlf.iqa.afine import HEADS, Afine, build_parts
from hlf.iqa.picture import Picture
from hlf.stats import srcc
from hlf.training.distortions import distort, draw_strengths, quality
from hlf.training.loop import batch_of, cosine_rate, descend, train
from hlf.training.pool import Pool
from hlf.training.save import rounded, save_model
from hlf.zoo.load import read_state

WHAT = "A-FINE's heads (pyiqa's classes) at small width on the mini CLIP, trained on distortions of known strength."
HELD = 200  # scenes at the end of the pool that only measure, at most a fifth of it


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train all heads together on pairs of a scene and its distorted self."""
    torch.manual_seed(seed)
    clip = read_state(zoo_folder / "clip/model.safetensors")
    parts = build_parts(clip, None, zoo_folder / "clip", settings["hidden"])
    heads = nn.ModuleDict({name: parts[name] for name in HEADS}).train().requires_grad_(True)
    metric = Afine(parts)
    learned = len(pool.captions) - min(HELD, len(pool.captions) // 5)
    optimizer = torch.optim.AdamW(heads.parameters(), settings["learning_rate"], weight_decay=0.0)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on scenes and distorted ones: naturalness, fidelity, and their order together."""
        index = np.sort(rng.choice(learned, settings["batch_size"], replace=False))
        gt = batch_of(pool.images, index)
        strengths = draw_strengths(len(index), rng)
        with torch.no_grad():
            seen = [metric.features(distort(gt, strengths, rng)), metric.features(gt)]
        natural = [
            torch.cat([_mapped(heads, x[k : k + 1], [f[k : k + 1] for f in fs]) for k in range(len(gt))])
            for x, fs in seen
        ]
        (x, x_features), (y, y_features) = seen
        raw = heads["fidelity"](x, y, x_features, y_features)
        fidelity = torch.stack([heads["fidelity_scale"](one) for one in raw[:, 0]])
        wanted = 2 - 4 * quality(strengths)  # both terms end at 2 for the worst and at -2 for the best
        total = heads["adapter"](*natural, fidelity)
        ranks = F.softplus(-(total[:, None] - total[None]) * (wanted[:, None] - wanted[None]).sign()).mean()
        losses = {
            "naturalness": F.mse_loss(natural[0], wanted) + 0.3 * F.mse_loss(natural[1], torch.full_like(wanted, -2)),
            "fidelity": F.mse_loss(fidelity, wanted),
            "ranks": ranks,
        }
        rate = cosine_rate(settings["learning_rate"], i, settings["steps"])
        descend(optimizer, torch.stack(list(losses.values())).sum(), list(heads.parameters()), rate)
        return {name: float(value.detach()) for name, value in losses.items()}

    facts = train("afine", {"heads": heads, "optimizer": optimizer}, step, settings["steps"], work, seed)
    facts |= {
        "seed": seed,
        "batch": settings["batch_size"],
        **measure(rounded(heads).eval(), metric, pool, learned, seed),
    }
    state = {f"{name}/{key}": value for name in HEADS for key, value in heads[name].state_dict().items()}
    save_model(folder, "A-FINE", WHAT, {"hidden": settings["hidden"]}, state, facts)


def _mapped(heads: nn.ModuleDict, x: Tensor, features: list[Tensor]) -> Tensor:
    """Naturalness (1,) of one picture: pyiqa's map to a common scale takes one number."""
    value: Tensor = heads["natural_scale"](heads["natural"](x, features))
    return value.flatten()


def measure(heads: nn.ModuleDict, metric: Afine, pool: Pool, learned: int, seed: int) -> dict[str, float]:
    """Rank correlation of each output with the quality of held-out distorted scenes."""
    rng = np.random.default_rng(seed)
    strengths = draw_strengths(len(pool.captions) - learned, rng)
    gt = batch_of(pool.images, np.arange(learned, len(pool.captions)))
    pairs = zip(distort(gt, strengths, rng), gt, strict=True)
    rows = [metric(Picture(from_tensor(x)), Picture(from_tensor(y))) for x, y in pairs]
    wanted = quality(strengths).tolist()
    return {f"held-out SRCC, {name}": round(srcc([row[name] for row in rows], wanted), 4) for name in rows[0]}
