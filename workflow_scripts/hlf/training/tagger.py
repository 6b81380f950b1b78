"""Mini RAM and mini DAPE: a tagger of scenes, and its adapter for degraded ones.

RAM's recipe in small (Zhang et al. 2023): every tag is a yes/no question with a query of its own, asymmetric loss; its
patch sequence is taught by the mini VGG. DAPE's recipe (SeeSR, section 3.2): only a low-rank adapter is trained, so
that the sequence and the tags of a degraded picture come near those of the clean one.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hlf.files import read_json, write_text
from hlf.nets import ram
from hlf.nets.ram_files import SCALE, lora_delta, lora_shapes, lora_targets, merge_dape
from hlf.training.augment import augment
from hlf.training.gan import batch as degraded_batch
from hlf.training.loop import batch_of, cosine_rate, set_rate, train
from hlf.training.optim import BlockMuon
from hlf.training.pool import Pool
from hlf.training.save import rounded, save_model
from hlf.training.tags import TAGS, tags_of
from hlf.training.teacher import PatchTeacher
from hlf.zoo.load import load_strict, read_state

RAM = "RAM's architecture at small width: Swin encoder and tagging head; tags are what scenes can show."
DAPE = "Low-rank adapter of the mini RAM for degraded pictures, trained as DAPE."
HELD = 400  # scenes at the end of the pool that only measure, at most a tenth of it


def targets(pool: Pool) -> Tensor:
    """Which tags fit each scene, float (count, tags) of 0 and 1."""
    place = {tag: i for i, tag in enumerate(TAGS)}
    found = torch.zeros(len(pool.captions), len(TAGS))
    for row, tags in enumerate(tags_of(pool)):
        found[row, [place[tag] for tag in tags]] = 1
    return found


def asymmetric_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Asymmetric loss (Ridnik et al. 2021) of (N, tags): sum over tags, mean over images; easy negatives count less."""
    p = torch.sigmoid(logits)
    negative = (p - 0.05).clamp(min=0)  # margin and exponent of the paper's defaults
    loss = wanted * F.logsigmoid(logits) + (1 - wanted) * negative**4 * torch.log((1 - negative).clamp(min=1e-8))
    return -loss.sum(1).mean()


def run(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train the tagger, choose the thresholds on scenes that it has not seen, and write both lists beside it."""
    torch.manual_seed(seed)
    config = {**settings["network"], "tags": len(TAGS)}
    net, wanted = ram.build(config), targets(pool)
    learned = len(wanted) - min(HELD, len(wanted) // 10)
    teacher = PatchTeacher(config.get("embed_width", 512), zoo_folder)
    optimizer = BlockMuon([net, teacher], settings["learning_rate"], weight_decay=0.01)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on scenes: asymmetric loss of their tags, and the teacher."""
        index = np.sort(rng.choice(learned, settings["batch_size"], replace=False))
        images = augment(batch_of(pool.images, index), rng)
        embeds, logits = net(ram.preprocess(images, net.image_size))
        tagged, taught = asymmetric_loss(logits, wanted[index]), teacher(embeds[:, 1:], images)
        rate = cosine_rate(settings["learning_rate"], i, settings["steps"])
        optimizer.step(tagged + settings["teacher_weight"] * taught, rate)
        return {"loss": float(tagged.detach()), "teacher": float(taught.detach())}

    parts = {"net": net, "teacher": teacher, "optimizer": optimizer}
    facts = train("ram", parts, step, settings["steps"], work, seed) | {"seed": seed, "batch": settings["batch_size"]}
    held = batch_of(pool.images, np.arange(learned, len(wanted)))
    logits = read_all(rounded(net).eval(), held)
    thresholds = best_thresholds(torch.sigmoid(logits), wanted[learned:])
    fires = torch.sigmoid(logits) > torch.tensor(thresholds)
    facts |= agreement(fires, wanted[learned:])
    write_text(folder / "ram_tag_list.txt", "\n".join(TAGS))
    write_text(folder / "ram_tag_list_threshold.txt", "\n".join(str(t) for t in thresholds))
    save_model(folder, "RAM", RAM, config, net.state_dict(), facts)


@torch.inference_mode()
def read_all(net: ram.Ram, images: Tensor) -> Tensor:
    """Tag logits (N, tags) of images (N, 3, H, W) in [0, 1]."""
    return torch.cat([net(ram.preprocess(part, net.image_size))[1] for part in images.split(50)])


def best_thresholds(scores: Tensor, wanted: Tensor) -> list[float]:
    """One threshold for all tags, the one of best F1: single tags are too rare in the held-out scenes for their own."""
    steps = [round(0.3 + 0.05 * k, 2) for k in range(14)]
    f1 = [agreement(scores > step, wanted)["held-out F1"] for step in steps]
    return [steps[int(np.argmax(f1))]] * scores.shape[1]


def agreement(fires: Tensor, wanted: Tensor) -> dict[str, float]:
    """Precision, recall and F1 over all tags and images, of booleans and 0 or 1, both (N, tags)."""
    hits = float((fires & (wanted > 0)).sum())
    precision, recall = hits / max(1.0, float(fires.sum())), hits / max(1.0, float(wanted.sum()))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    names = ("held-out precision", "held-out recall", "held-out F1")
    return {name: round(value, 4) for name, value in zip(names, (precision, recall, f1), strict=True)}


class Adapter(nn.Module):
    """Low-rank factors under the official names; calling it runs a tagger with them, the tagger's weights untouched."""

    def __init__(self, net: ram.Ram):
        super().__init__()
        self.names = list(lora_shapes(net))
        self.factors = nn.ParameterList(
            torch.zeros(shape) if name.endswith("lora_B") else torch.randn(shape) * 0.02
            for name, shape in lora_shapes(net).items()
        )

    def named(self) -> dict[str, Tensor]:
        """Factors by their official names."""
        return dict(zip(self.names, self.factors, strict=True))

    def forward(self, net: ram.Ram, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Sequence (N, 1 + tokens, width) and logits (N, tags) of the adapted tagger."""
        factors = self.named()
        changed = {
            f"{name}.weight": layer.weight + lora_delta(factors[f"{name}.lora_A"], factors[f"{name}.lora_B"]) * SCALE
            for name, layer in lora_targets(net).items()
        }
        result: tuple[Tensor, Tensor] = torch.func.functional_call(net, changed, (pixels,))
        return result


def run_dape(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train the adapter: sequence of the degraded picture against that of the clean one, and the same for the tags."""
    torch.manual_seed(seed)
    net = ram.build(read_json(zoo_folder / "ram/config.json"))
    weights = zoo_folder / "ram/model.safetensors"
    load_strict(net, read_state(weights), weights)
    net.eval().requires_grad_(False)
    adapter, side = Adapter(net), pool.images.shape[1]
    optimizer = torch.optim.AdamW(adapter.parameters(), lr=settings["learning_rate"], weight_decay=0.0)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on degraded scenes: features and tags as of the clean ones."""
        lr, gt = degraded_batch(pool, rng, settings["batch_size"], side, settings["levels"])
        with torch.no_grad():
            clean, tags = net(ram.preprocess(gt, net.image_size))
        seen, logits = adapter(net, ram.preprocess(lr, net.image_size))
        near = F.mse_loss(seen, clean)
        told = F.binary_cross_entropy_with_logits(logits, torch.sigmoid(tags))
        set_rate(optimizer, cosine_rate(settings["learning_rate"], i, settings["steps"], warmup=20))
        optimizer.zero_grad()
        (near + told).backward()
        optimizer.step()
        return {"sequence": float(near.detach()), "tags": float(told.detach())}

    facts = train("dape", {"adapter": adapter, "optimizer": optimizer}, step, settings["steps"], work, seed)
    facts |= measure_dape(net, adapter, pool, settings["levels"], seed) | {"seed": seed}
    save_model(
        folder, "DAPE", DAPE, {"rank": 8, "alpha": 1}, {k: v.detach() for k, v in adapter.named().items()}, facts
    )


def measure_dape(net: ram.Ram, adapter: Adapter, pool: Pool, levels: list[float], seed: int) -> dict[str, float]:
    """Mean squared error of the sequence on 128 degraded scenes, without and with the adapter."""
    lr, gt = degraded_batch(pool, np.random.default_rng(seed), 128, pool.images.shape[1], levels)
    with torch.inference_mode():
        clean = net.embed(ram.preprocess(gt, net.image_size))
        before = F.mse_loss(net.embed(ram.preprocess(lr, net.image_size)), clean)
        merge_dape(net, {k: v.half() for k, v in adapter.named().items()}, "the adapter just trained")
        after = F.mse_loss(net.embed(ram.preprocess(lr, net.image_size)), clean)
    return {"sequence error without": round(float(before), 5), "sequence error with": round(float(after), 5)}
