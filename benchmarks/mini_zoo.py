"""What the mini zoo reaches, on held-out scenes: python benchmarks/mini_zoo.py (about 3 minutes on one core).

Writes docs/mini_zoo.md and docs/images/mini_sr.png: SR models against bicubic by the content reader and by sharpness,
backbones against a random twin by nearest neighbours, the content reader on clean scenes.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch.nn import functional as F

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from hlf.backbones.registry import build_backbone, load_backbone  # noqa: E402
from hlf.degradation import degrade  # noqa: E402
from hlf.files import write_text  # noqa: E402
from hlf.images import from_tensor, to_float, to_tensor, to_uint8, write_png  # noqa: E402
from hlf.nets.reader import crop_box, letter_targets, read  # noqa: E402
from hlf.scenes.scene import Scene, SceneObject, scene_for  # noqa: E402
from hlf.scenes.vocabulary import glyph_classes  # noqa: E402
from hlf.seeds import generator  # noqa: E402
from hlf.sr.registry import load_upscaler  # noqa: E402
from hlf.study.content import load_reader  # noqa: E402
from hlf.threads import one_thread  # noqa: E402

ZOO = ROOT / "resources/zoo/mini"
SEED, SIZE, SCENES, PROBE = 42, 128, 64, 900
MODELS, BACKBONES, LEVELS = ("bsrgan", "swinir"), ("pe-core", "dinov2"), (0.3, 0.7, 1.0)


def right(reader: Any, image: torch.Tensor, thing: SceneObject) -> bool:
    """Whether the reader names a pictogram, or every letter of a sign, as the content list does."""
    glyph, letters = read(reader, crop_box(image, thing.box)[None])
    if thing.kind == "glyph":
        return glyph_classes()[int(glyph.argmax())] == thing.label
    return letters[0].argmax(-1).tolist() == letter_targets(thing.label)


def gradient(image: np.ndarray) -> float:
    """Mean absolute difference of neighbouring pixels, in grey levels: how sharp a picture looks."""
    grey = image.astype(float).mean(-1)
    return float((np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()) / 2)


def measure_sr(scenes: list[Scene], reader: Any) -> tuple[pd.DataFrame, np.ndarray]:
    """Per level and way of upscaling: share read right, sharpness, PSNR; and a contact sheet of four scenes a level."""
    upscalers = {name: load_upscaler(name, "mini", ZOO, "cpu", "fp32", {}) for name in MODELS}
    rows, sheet = [], []
    for level in LEVELS:
        for number, scene in enumerate(scenes):
            lr, _ = degrade(to_float(scene.image), generator(SEED, "mini-zoo", number, level), level)
            low = to_uint8(lr)
            tensor = to_tensor(low)[None]
            ways = {"bicubic": np.asarray(Image.fromarray(low).resize((SIZE, SIZE), Image.Resampling.BICUBIC))}
            ways |= {name: from_tensor(u.upscale(tensor, [0])[0]) for name, u in upscalers.items()}
            ways |= {"GT": scene.image}
            things = [o for o in scene.objects if o.kind != "code"]
            for name, image in ways.items():
                error = ((image.astype(float) - scene.image) ** 2).mean()
                read_right = [right(reader, to_tensor(image), thing) for thing in things]
                facts = {"level": level, "way": name, "sharpness": gradient(image), "objects": len(things)}
                rows.append({**facts, "right": sum(read_right), "psnr": 10 * np.log10(255**2 / max(error, 1e-8))})
            if number < 4:
                enlarged = np.asarray(Image.fromarray(low).resize((SIZE, SIZE), Image.Resampling.NEAREST))
                sheet.append(np.concatenate([enlarged, *ways.values()], axis=1))
    return pd.DataFrame(rows), np.concatenate(sheet)


def probe_set(count: int) -> tuple[torch.Tensor, np.ndarray]:
    """Crops around single pictograms of held-out scenes, 128 pixels wide, and their class names."""
    crops, names = [], []
    for index in range(count):
        scene = scene_for(SEED, "probe", index, SIZE)
        for thing in scene.objects:
            if thing.kind == "glyph":
                left, top, right_, bottom = thing.box
                half = max(right_ - left, bottom - top) // 2 + 4
                x, y = (left + right_) // 2, (top + bottom) // 2
                cut = to_tensor(scene.image)[None, :, max(0, y - half) : y + half, max(0, x - half) : x + half]
                crops.append(F.interpolate(cut, (SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False))
                names.append(thing.label)
    return torch.cat(crops), np.array(names)


@torch.inference_mode()
def neighbours(backbone: Any, crops: torch.Tensor, names: np.ndarray) -> float:
    """Share of crops whose five nearest of all others (cosine) vote for their class."""
    unit = F.normalize(torch.cat([backbone(c) for c in crops.split(50)]), dim=-1)
    similarity = unit @ unit.T - 2 * torch.eye(len(unit))
    votes = names[similarity.topk(5).indices.numpy()]
    chosen = [max(sorted(set(v)), key=list(v).count) for v in votes]
    return float(np.mean(np.array(chosen) == names))


def probe_backbones() -> pd.DataFrame:
    """Accuracy of each mini backbone and of its twin with random weights, among 68 classes."""
    crops, names = probe_set(PROBE)
    rows = []
    for name in BACKBONES:
        trained = load_backbone(name, "mini", ZOO)
        torch.manual_seed(0)
        twin = build_backbone(trained.description).eval()
        rows.append(
            {"backbone": name, "trained": neighbours(trained, crops, names), "random": neighbours(twin, crops, names)}
        )
    return pd.DataFrame(rows)


def page(sr: pd.DataFrame, probe: pd.DataFrame) -> str:
    """docs/mini_zoo.md."""
    grouped = sr.groupby(["level", "way"], sort=False)
    table = grouped[["sharpness", "psnr"]].mean().assign(right=grouped["right"].sum() / grouped["objects"].sum())
    table.loc[table.index.get_level_values("way") == "GT", "psnr"] = np.nan
    lines = ["| level | image | read right | sharpness | PSNR to GT (dB) |", "|---|---|---:|---:|---:|"]
    for (level, way), row in table.iterrows():
        psnr = "" if np.isnan(row["psnr"]) else f"{row['psnr']:.2f}"
        lines.append(f"| {level} | {way} | {row['right']:.3f} | {row['sharpness']:.2f} | {psnr} |")
    probes = ["| backbone | trained | random twin |", "|---|---:|---:|"]
    probes += [f"| {r.backbone} | {r.trained:.3f} | {r.random:.3f} |" for r in probe.itertuples(index=False)]
    template = (ROOT / "benchmarks/mini_zoo.md.in").read_text(encoding="utf8")
    return template.format(
        sr="\n".join(lines), probe="\n".join(probes), scenes=SCENES, crops=int(probe["crops"].iloc[0])
    )


def main() -> None:
    """Measure, print and write."""
    one_thread()
    sr, sheet = measure_sr([scene_for(SEED, "held-out", i, SIZE) for i in range(SCENES)], load_reader(ZOO))
    text = page(sr, probe_backbones())
    write_png(ROOT / "docs/images/mini_sr.png", sheet)
    write_text(ROOT / "docs/mini_zoo.md", text)
    print(text)


if __name__ == "__main__":
    main()
