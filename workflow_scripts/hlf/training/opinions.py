"""Mini KonIQ++ and JOINT: judges of quality, trained on distortions of known strength in place of people's ratings."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hlf.images import from_tensor
from hlf.iqa.joint_images import MOSAIC, shuffle_patches, structure_image
from hlf.iqa.pixels import centre, denormalised, squashed
from hlf.nets import joint, koniqpp
from hlf.stats import srcc
from hlf.training.distortions import distort, draw_strengths, quality
from hlf.training.loop import batch_of, cosine_rate, descend, train
from hlf.training.optim import BlockMuon
from hlf.training.pool import Pool
from hlf.training.save import rounded, save_model
from hlf.training.teacher import PatchTeacher

WHAT = {
    "koniqpp": "KonIQ++'s architecture at small width, trained on scenes with distortions of known strength.",
    "joint": "JOINT's architecture at small width: technical quality from distortions of known strength, rationality "
    "from bent outlines as well. There is no detector of artifacts at this scale.",
}
HELD = 400  # scenes at the end of the pool that only measure, at most a fifth of it
OPINIONS = ("technical", "rationality")
DEFECTS = {"artifacts": ("noise", "compression"), "blur": ("blur",), "contrast": ("contrast",), "color": ("colour",)}


def norm_in_norm(found: Tensor, wanted: Tensor) -> Tensor:
    """Distance in [0, 2] of two lists (N,) after centring and scaling each to length 1 (Li et al. 2020, p = 1, q = 2).

    Scale and shift of `found` do not count, which is how KonIQ++ was trained.
    """
    parts = [(x - x.mean()) / ((x - x.mean()).norm() + 1e-8) for x in (found, wanted)]
    return (parts[0] - parts[1]).abs().sum() / (2 * len(found) ** 0.5)


class _Views:
    """Distorted scenes with their strengths; the last ones of the pool are held back."""

    def __init__(self, pool: Pool, kinds: tuple[str, ...]):
        self.pool, self.kinds = pool, kinds
        self.learned = len(pool.captions) - min(HELD, len(pool.captions) // 5)

    def draw(
        self, count: int, rng: np.random.Generator, held: bool = False
    ) -> tuple[list[np.ndarray], dict[str, Tensor]]:
        """uint8 pictures (H, W, 3) and their strengths (count,) by kind."""
        low, high = (self.learned, len(self.pool.captions)) if held else (0, self.learned)
        index = np.sort(rng.choice(np.arange(low, high), min(count, high - low), replace=False))
        strengths = draw_strengths(len(index), rng, self.kinds)
        return [from_tensor(x) for x in distort(batch_of(self.pool.images, index), strengths, rng)], strengths


def _opinions(strengths: dict[str, Tensor]) -> Tensor:
    """What KonIQ++'s five outputs should follow, (N, 5), in the order of its OUTPUTS."""
    defects = [torch.stack([strengths[k] for k in kinds]).amax(0) for kinds in DEFECTS.values()]
    return torch.stack([quality(strengths), *defects], 1)


def run_koniqpp(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train all five outputs together, quality with weight 1 and each defect with 0.2 (official weights)."""
    torch.manual_seed(seed)
    network = koniqpp.build(settings)
    views = _Views(pool, ("blur", "noise", "compression", "contrast", "colour"))
    size = settings["size"]
    optimizer = torch.optim.AdamW(network.parameters(), settings["learning_rate"], weight_decay=0.01)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on distorted pictures: norm-in-norm loss of quality and of its four attributes."""
        pictures, strengths = views.draw(settings["batch_size"], rng)
        found, wanted = network(torch.cat([squashed(p, *size) for p in pictures])), _opinions(strengths)
        losses = [norm_in_norm(found[:, k], wanted[:, k]) for k in range(5)]
        total = losses[0] + 0.2 * torch.stack(losses[1:]).sum()
        descend(
            optimizer, total, list(network.parameters()), cosine_rate(settings["learning_rate"], i, settings["steps"])
        )
        return {"loss": float(total.detach()), "quality": float(losses[0].detach())}

    facts = train("koniqpp", {"network": network, "optimizer": optimizer}, step, settings["steps"], work, seed)
    pictures, strengths = views.draw(HELD, np.random.default_rng(seed), held=True)
    final, wanted = rounded(network).eval(), _opinions(strengths)
    with torch.inference_mode():
        found = torch.cat([final(squashed(p, *size)) for p in pictures])
    # the offset and factor that bring the quality to a scale of 0 to 100, as the official file holds them
    k, b = np.polyfit(found[:, 0].numpy(), 100 * wanted[:, 0].numpy(), 1)
    config = {"network": settings["network"], "size": size, "k": float(k), "b": float(b)}
    facts |= {"seed": seed, "batch": settings["batch_size"]}
    for name, column in zip(koniqpp.OUTPUTS, range(5), strict=True):
        facts[f"held-out SRCC, {name}"] = round(srcc(found[:, column].tolist(), wanted[:, column].tolist()), 4)
    save_model(folder, "KonIQ++", WHAT["koniqpp"], config, network.state_dict(), facts)


def _naturalness(strengths: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Technical quality and rationality that JOINT should give, (N,) each, 0 to 5 as opinion scores.

    Patches are shuffled for the first, so that only the second can tell whether outlines are bent.
    """
    technical = quality({kind: strength for kind, strength in strengths.items() if kind != "warp"})
    return 5 * technical, 5 * quality(strengths)


def run_joint(settings: dict[str, Any], pool: Pool, folder: Path, work: Path, seed: int, zoo_folder: Path) -> None:
    """Train both networks, each on its own kind of picture; the transformer's patch tokens are taught by the mini VGG.

    Opinions first as `norm_in_norm`, since a mean squared error let both settle on the mean; the scale comes after.
    """
    torch.manual_seed(seed)
    network = joint.build(settings)
    views = _Views(pool, ("blur", "noise", "compression", "warp"))
    transformer, seen = network.technical_feature_extraction, list[Tensor]()
    teacher = PatchTeacher(transformer.norm.normalized_shape[0], zoo_folder)
    transformer.norm.register_forward_hook(lambda _module, _inputs, tokens: seen.append(tokens))
    optimizer = BlockMuon([network, teacher], settings["learning_rate"], weight_decay=0.01)

    def step(i: int, rng: np.random.Generator) -> dict[str, float]:
        """One step on distorted pictures: norm-in-norm loss of both perspectives, and the teacher."""
        pictures, strengths = views.draw(settings["batch_size"], rng)
        shuffled, structure = _seen_by_joint(pictures, settings, rng)
        seen.clear()
        found, wanted = (network.technical(shuffled), network.rationality(structure)), _naturalness(strengths)
        losses = [norm_in_norm(a, b) for a, b in zip(found, wanted, strict=True)]
        taught = teacher(seen[0].flatten(1, 2), denormalised(shuffled))
        rate = cosine_rate(settings["learning_rate"], i, settings["steps"])
        optimizer.step(losses[0] + losses[1] + settings["teacher_weight"] * taught, rate)
        shown = {"technical": losses[0], "rationality": losses[1], "teacher": taught}
        return {name: float(value.detach()) for name, value in shown.items()}

    parts = {"network": network, "teacher": teacher, "optimizer": optimizer}
    facts = train("joint", parts, step, settings["steps"], work, seed)
    facts |= {"seed": seed, "batch": settings["batch_size"], **_scaled(network.eval(), views, settings, seed)}
    config = {name: settings[name] for name in ("network", "short_side", "crop")}
    save_model(folder, "JOINT", WHAT["joint"], config, network.state_dict(), facts)


def _seen_by_joint(
    pictures: list[np.ndarray], settings: dict[str, Any], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Inputs of the technical and of the rationality network, (N, 3, crop, crop) each, of uint8 pictures (H, W, 3)."""
    nothing, sizes = np.zeros((MOSAIC, MOSAIC), bool), (settings["short_side"], settings["crop"])
    seeds = rng.integers(0, 2**31, len(pictures))
    shuffled = [shuffle_patches(p, nothing, int(s)) for p, s in zip(pictures, seeds, strict=True)]
    made = [centre(p, *sizes) for p in shuffled], [centre(structure_image(p), *sizes) for p in pictures]
    return torch.cat(made[0]), torch.cat(made[1])


def _scaled(network: Any, views: _Views, settings: dict[str, Any], seed: int) -> dict[str, float]:
    """Bring both outputs to the scale of opinions on learned scenes; rank correlations on held-out ones."""
    rng, facts = np.random.default_rng(seed), {}
    for held in (False, True):
        pictures, strengths = views.draw(HELD, rng, held=held)
        with torch.inference_mode():
            found = network(*_seen_by_joint(pictures, settings, rng))[:2]
        lasts = (network.quality_T[1], network.quality_R[1])
        for name, last, one, wanted in zip(OPINIONS, lasts, found, _naturalness(strengths), strict=True):
            if held:
                facts[f"held-out SRCC, {name}"] = round(srcc(one.tolist(), wanted.tolist()), 4)
            else:
                _rescale(last, one, wanted)
        rounded(network)
    return facts


@torch.no_grad()
def _rescale(last: Any, found: Tensor, wanted: Tensor) -> None:
    """Bring a last layer's outputs to the scale of opinions by a straight line."""
    factor, offset = np.polyfit(found.numpy(), wanted.numpy(), 1)
    last.weight.mul_(float(factor))
    last.bias.mul_(float(factor)).add_(float(offset))
