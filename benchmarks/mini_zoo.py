"""What the mini zoo reaches, on held-out scenes: python benchmarks/mini_zoo.py (about 10 minutes on one core).

Writes docs/mini_zoo.md and docs/images/mini_sr.png: SR models against bicubic by the content reader and by sharpness,
backbones against a random twin by a linear probe, the content reader on clean scenes.
"""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from hlf.backbones.registry import BACKBONES, build_backbone, load_backbone  # noqa: E402
from hlf.degradation import degrade  # noqa: E402
from hlf.device import one_thread  # noqa: E402
from hlf.files import write_text  # noqa: E402
from hlf.images import from_tensor, to_float, to_tensor, to_uint8, write_png  # noqa: E402
from hlf.iqa.picture import Picture  # noqa: E402
from hlf.iqa.registry import Source, load_measure  # noqa: E402
from hlf.scenes.reader import crop_box, letter_targets, read  # noqa: E402
from hlf.scenes.scene import Scene, SceneObject, scene_for  # noqa: E402
from hlf.scenes.vocabulary import glyph_classes  # noqa: E402
from hlf.seeds import generator, seed_for  # noqa: E402
from hlf.sr.measures import READABLE, shown  # noqa: E402
from hlf.sr.registry import load_upscaler  # noqa: E402
from hlf.study.simulated.content import load_reader  # noqa: E402

ZOO = ROOT / "resources/zoo/mini"
SEED, SIZE, SCENES, PROBE = 42, 128, 48, 3000
CHAIN_OBJECTS = (0.35, 0.75)  # images.objects of the chain
POOLINGS = {"vit": "class"}  # a probe wants one vector of a picture
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf8"))
SR, LEVELS = CONFIG["sr"], CONFIG["degradation"]["levels"]  # models, their options and levels as in the chain


def belief(reader: Any, image: torch.Tensor, thing: SceneObject) -> float:
    """Log-probability that the reader gives to a pictogram, or per letter to a sign, of the content list."""
    glyph, letters = read(reader, crop_box(image, thing.box)[None])
    if thing.kind == "glyph":
        return float(glyph[0, glyph_classes().index(thing.label)].clamp_min(1e-12).log())
    return float(letters[0].gather(1, torch.tensor(letter_targets(thing.label))[:, None]).clamp_min(1e-12).log().mean())


def measure_sr(scenes: list[Scene], reader: Any) -> tuple[pd.DataFrame, np.ndarray]:
    """Per level and way of upscaling: what is measured; and a contact sheet of four scenes a level."""
    names = [*SR["baselines"], *SR["models"]]
    upscalers = {name: load_upscaler(name, "mini", ZOO, "cpu", "fp32", SR.get(name, {})) for name in names}
    rows, sheet, psnr = [], [], load_measure("psnr", Source("mini", ZOO))
    for level in LEVELS:
        for number, scene in enumerate(scenes):
            lr, _ = degrade(to_float(scene.image), generator(SEED, "mini-zoo", number, level), level)
            low = to_uint8(lr)
            tensor = to_tensor(low)[None]
            seed = seed_for(SEED, "mini-zoo", number, level) % 2**63
            ways, seconds = {}, {}
            for name, upscaler in upscalers.items():
                start = time.process_time()
                ways[name] = from_tensor(upscaler.upscale(tensor, [seed])[0])
                seconds[name] = time.process_time() - start
            ways["GT"] = scene.image
            things = [
                {**asdict(o), **dict(zip(("left", "top", "right", "bottom"), o.box, strict=True))}
                for o in scene.objects
                if o.kind in READABLE
            ]
            gt = Picture(scene.image)
            for name, image in ways.items():
                facts = {"level": level, "way": name, "seconds": seconds.get(name, np.nan)}
                rows.append({**facts, **shown(Picture(image), things, reader), **psnr(Picture(image), gt)})
            if number < 4:
                enlarged = np.asarray(Image.fromarray(low).resize((SIZE, SIZE), Image.Resampling.NEAREST))
                sheet.append(np.concatenate([enlarged, *ways.values()], axis=1))
    return pd.DataFrame(rows), np.concatenate(sheet)


def probe_set(count: int) -> tuple[torch.Tensor, dict[str, np.ndarray]]:
    """Held-out scenes, and what a probe has to tell of each: place, and colour and class of its largest object."""
    scenes = [scene_for(SEED, "probe", index, SIZE, CHAIN_OBJECTS) for index in range(count)]
    scenes = [s for s in scenes if s.objects]  # a few large objects find no place
    largest = [max(s.objects, key=lambda o: (o.box[2] - o.box[0]) * (o.box[3] - o.box[1])) for s in scenes]
    told = {
        "place": [s.place for s in scenes],
        "colour": ["black" if o.kind == "code" else o.detail for o in largest],
        "object": [o.label for o in largest],
    }
    return torch.stack([to_tensor(s.image) for s in scenes]), {k: np.array(v) for k, v in told.items()}


@torch.inference_mode()
def linear_probe(backbone: Any, images: torch.Tensor, told: dict[str, np.ndarray]) -> dict[str, float]:
    """Accuracy of ridge regression onto the classes: two thirds of the scenes to fit, one third to test."""
    features = torch.cat([backbone(batch) for batch in images.split(50)]).double().numpy()
    cut = len(features) * 2 // 3
    features = (features - features[:cut].mean(0)) / (features[:cut].std(0) + 1e-6)
    features = np.column_stack([features, np.ones(len(features))])
    gram = features[:cut].T @ features[:cut] + 30 * np.eye(features.shape[1])
    reached = {}
    for name, classes in told.items():
        known, index = np.unique(classes, return_inverse=True)
        weights = np.linalg.solve(gram, features[:cut].T @ np.eye(len(known))[index[:cut]])
        reached[name] = float(((features[cut:] @ weights).argmax(1) == index[cut:]).mean())
    return reached


def probe_backbones() -> pd.DataFrame:
    """Probe of each mini backbone and of its twin with random weights."""
    images, told = probe_set(PROBE)
    rows = []
    for name in BACKBONES:
        trained = load_backbone(name, "mini", ZOO, pooling=POOLINGS.get(name, ""))
        torch.manual_seed(0)
        twin = build_backbone(trained.description).eval()
        for weights, backbone in (("trained", trained), ("random", twin)):
            rows.append({"backbone": name, "weights": weights, **linear_probe(backbone, images, told)})
    most = {name: pd.Series(classes).value_counts(normalize=True).iloc[0] for name, classes in told.items()}
    return pd.DataFrame([*rows, {"backbone": "(most frequent class)", "weights": "", **most}])


def page(sr: pd.DataFrame, probe: pd.DataFrame) -> str:
    """docs/mini_zoo.md."""
    grouped = sr.groupby(["level", "way"], sort=False)
    table = (
        grouped[["sharpness", "psnr", "seconds"]].mean().assign(right=grouped["right"].sum() / grouped["things"].sum())
    )
    table.loc[table.index.get_level_values("way") == "GT", "psnr"] = np.nan
    lines = ["| level | image | read right | sharpness | PSNR to GT (dB) | seconds |", "|---|---|---:|---:|---:|---:|"]
    for (level, way), row in table.iterrows():
        psnr, seconds = ("", "") if way == "GT" else (f"{row['psnr']:.2f}", f"{row['seconds']:.2f}")
        lines.append(f"| {level} | {way} | {row['right']:.3f} | {row['sharpness']:.2f} | {psnr} | {seconds} |")
    probes = ["| backbone | weights | place (3) | colour (12) | object (133) |", "|---|---|---:|---:|---:|"]
    for row in probe.itertuples(index=False):
        probes.append(f"| {row.backbone} | {row.weights} | {row.place:.3f} | {row.colour:.3f} | {row.object:.3f} |")
    template = (ROOT / "benchmarks/mini_zoo.md.in").read_text(encoding="utf8")
    return template.format(sr="\n".join(lines), probe="\n".join(probes), scenes=SCENES, probe_scenes=PROBE)


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
