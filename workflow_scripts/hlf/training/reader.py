"""Content reader: supervised reading of known boxes, on clean and mildly degraded crops."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from hlf.scenes.reader import ContentReader, crop_box, letter_targets
from hlf.scenes.vocabulary import glyph_classes
from hlf.training.loop import cosine_rate, set_rate, train
from hlf.training.pool import Pool
from hlf.training.save import rounded, save_model

WHAT = "Reads the pictogram or the word in a known box. It is the eye of the simulated observers and no metric."


def _crop(pool: Pool, row: Any, rng: np.random.Generator) -> torch.Tensor:
    """Crop of one object with a jittered box; half of them a little blurred or noisy, as people read such pictures."""
    image = torch.from_numpy(np.ascontiguousarray(pool.images[row.index].transpose(2, 0, 1))).float() / 255
    size, jitter = image.shape[-1], rng.integers(-2, 3, 4)
    left, top = max(0, row.left + jitter[0]), max(0, row.top + jitter[1])
    right, bottom = min(size, row.right + jitter[2]), min(size, row.bottom + jitter[3])
    if rng.random() < 0.5:
        image = _soften(image[:, top:bottom, left:right], rng)
        return F.interpolate(image[None], (32, 64), mode="bilinear", antialias=True, align_corners=False)[0]
    return crop_box(image, (left, top, right, bottom))


def _soften(crop: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Down and up by 1 to 2.2, contrast change and noise up to 4 %."""
    height, width = crop.shape[-2:]
    factor = rng.uniform(1, 2.2)
    small = F.interpolate(crop[None], (max(4, int(height / factor)), max(4, int(width / factor))), mode="area")
    soft = F.interpolate(small, (height, width), mode="bicubic", align_corners=False)[0]
    soft = (soft - 0.5) * float(rng.uniform(0.8, 1.1)) + 0.5 + float(rng.uniform(-0.06, 0.06))
    noise = rng.standard_normal(soft.shape, dtype=np.float32) * rng.uniform(0, 0.04)
    return (soft + torch.from_numpy(noise)).clamp(0, 1)


def _losses(net: ContentReader, crops: torch.Tensor, rows: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    glyph, letters = net(crops)
    names = {n: i for i, n in enumerate(glyph_classes())}
    is_glyph = [i for i, r in enumerate(rows) if r.kind == "glyph"]
    is_sign = [i for i, r in enumerate(rows) if r.kind == "sign"]
    classes = torch.tensor([names[rows[i].label] for i in is_glyph])
    words = torch.tensor([letter_targets(rows[i].label) for i in is_sign])
    return F.cross_entropy(glyph[is_glyph], classes), F.cross_entropy(letters[is_sign].flatten(0, 1), words.flatten())


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train the reader; the last 5 % of the pool's objects are held out and measured for the card."""
    torch.manual_seed(seed)
    config = {"width": settings["width"]}
    net = ContentReader(**config)
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings["learning_rate"], weight_decay=0.01)
    content = pool.content[pool.content["kind"] != "code"]
    rows = list(content.itertuples(index=False))
    held = len(rows) // 20

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on boxes of scenes: cross entropy of glyph and letters."""
        net.train()
        chosen = [rows[k] for k in rng.choice(len(rows) - held, settings["batch_size"], replace=False)]
        glyph, letters = _losses(net, torch.stack([_crop(pool, r, rng) for r in chosen]), chosen)
        set_rate(optimizer, cosine_rate(settings["learning_rate"], i, settings["steps"]))
        optimizer.zero_grad()
        (glyph + letters).backward()
        optimizer.step()
        return {"glyph_loss": float(glyph.detach()), "letter_loss": float(letters.detach())}

    facts = train("reader", {"net": net, "optimizer": optimizer}, step, settings["steps"], work, seed)
    facts |= accuracy(rounded(net), pool, rows[-held:]) | {"seed": seed, "batch": settings["batch_size"]}
    save_model(folder, "content reader", WHAT, config, net.state_dict(), facts)


@torch.inference_mode()
def accuracy(net: ContentReader, pool: Pool, rows: list[Any]) -> dict[str, float]:
    """Share of held-out clean pictograms named right, and of signs with every letter right."""
    net.eval()
    names = glyph_classes()
    right: dict[str, list[bool]] = {"glyph": [], "sign": []}
    for row in rows:
        image = torch.from_numpy(np.ascontiguousarray(pool.images[row.index].transpose(2, 0, 1))).float() / 255
        glyph, letters = net(crop_box(image, (row.left, row.top, row.right, row.bottom))[None])
        if row.kind == "glyph":
            right["glyph"].append(names[int(glyph.argmax())] == row.label)
        else:
            right["sign"].append(letters[0].argmax(-1).tolist() == letter_targets(row.label))
    return {f"held-out {k} accuracy": round(float(np.mean(v)), 4) for k, v in right.items()}
