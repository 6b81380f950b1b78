"""Perceptual network: supervised classification of single objects, pictogram class or word."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hlf.nets.vgg import MiniVGG
from hlf.scenes.vocabulary import WORDS, glyph_classes
from hlf.training.loop import cosine_rate, set_rate, train
from hlf.training.pool import Pool
from hlf.training.save import rounded, save_model

WHAT = "A small VGG whose features give the perceptual loss of the mini GAN models."
SIDE = 64  # pixels of a crop
LABELS = {label: i for i, label in enumerate((*glyph_classes(), *WORDS))}


def crop(pool: Pool, row: Any, jitter: np.ndarray) -> Tensor:
    """The square around an object, moved by `jitter` (2 pixels), as (3, 64, 64) in [0, 1]."""
    image = torch.from_numpy(np.ascontiguousarray(pool.images[row.index].transpose(2, 0, 1))).float() / 255
    half = max(row.right - row.left, row.bottom - row.top) // 2 + 3
    x, y = (row.left + row.right) // 2 + int(jitter[0]), (row.top + row.bottom) // 2 + int(jitter[1])
    cut = image[:, max(0, y - half) : y + half, max(0, x - half) : x + half]
    return F.interpolate(cut[None], (SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)[0]


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train the network; the last 400 objects are held out and measured for the card."""
    torch.manual_seed(seed)
    config = {"cfg": settings["cfg"], "classes": len(LABELS)}
    net = MiniVGG(**config)
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings["learning_rate"], weight_decay=0.01)
    rows = list(pool.content[pool.content["kind"] != "code"].itertuples(index=False))
    held = min(400, len(rows) // 10)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on crops of objects: cross entropy."""
        net.train()
        chosen = [rows[k] for k in rng.choice(len(rows) - held, settings["batch_size"], replace=False)]
        crops = torch.stack([crop(pool, r, rng.integers(-3, 4, 2)) for r in chosen])
        loss = F.cross_entropy(net(crops), torch.tensor([LABELS[str(r.label)] for r in chosen]))
        set_rate(optimizer, cosine_rate(settings["learning_rate"], i, settings["steps"], warmup=20))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": float(loss.detach())}

    facts = train("vgg", {"net": net, "optimizer": optimizer}, step, settings["steps"], work, seed)
    rounded(net).eval()
    with torch.inference_mode():
        right = [int(net(crop(pool, r, np.zeros(2))[None]).argmax()) == LABELS[str(r.label)] for r in rows[-held:]]
    facts |= {"held-out accuracy": round(float(np.mean(right)), 4), "seed": seed, "batch": settings["batch_size"]}
    # the head has done its work: whoever reads the model wants features
    kept = {name: value for name, value in net.state_dict().items() if not name.startswith("head.")}
    save_model(folder, "VGG", WHAT, {**config, "classes": None}, kept, facts)
