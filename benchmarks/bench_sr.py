"""Speed of the five SR models: hot paths of `make bench`.

Mini zoo, settings of config.yaml, files in and files out. Ours is the loop of the workflow (checks, digests, records,
files flushed to disk). Against it stands a plain program (plain_sr.py): read, network, write. Both make the same
pictures.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frame import ROOT, Call, HotPath

if TYPE_CHECKING:
    import numpy as np

ZOO, SIDE, LEVEL, SEED = ROOT / "resources/zoo/mini", 128, 0.7, 42
FEW, MANY = 2, 8  # pictures of a call: diffusion models, the others
AGAINST = {"bsrgan": "basicsr's network in a plain loop", "swinir": "spandrel in a plain loop"}


def prepare(count: int, folder: Path) -> None:
    """LR pictures of scenes, as the chain makes them."""
    from hlf.degradation import degrade
    from hlf.images import to_float, to_uint8, write_png
    from hlf.scenes.scene import scene_for
    from hlf.seeds import generator

    for number in range(count):
        gt = to_float(scene_for(SEED, "bench", number, SIDE).image)
        write_png(folder / f"lr/{number}.png", to_uint8(degrade(gt, generator(SEED, "bench-sr", number), LEVEL)[0]))


def load(name: str) -> Any:
    """A mini model with its settings of config.yaml."""
    import yaml

    from hlf.device import one_thread
    from hlf.sr.registry import load_upscaler

    one_thread()
    options = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf8"))["sr"].get(name, {})
    return load_upscaler(name, "mini", ZOO, "cpu", "fp32", options)


def forget(model: Any) -> None:
    """Make a model ask tagger, captioner and text encoder again for pictures that it has seen."""
    if hasattr(model, "tagger"):
        model.tagger._seen.clear()
    if hasattr(model, "captions"):
        model.captions._known.clear()
    if hasattr(model, "tagger") or hasattr(model, "captions"):
        model.networks("fp32").text._cached.cache_clear()


@contextmanager
def ours(name: str, count: int, folder: Path) -> Iterator[Call]:
    """The loop that the workflow and `hlf sr` share."""
    from hlf.sr.engine import Item, Settings, upscale_items

    model, out = load(name), folder / "ours"
    items = [Item(str(n), LEVEL, folder / f"lr/{n}.png", out / f"{n}.png", n) for n in range(count)]

    def call() -> "list[np.ndarray]":
        forget(model)
        _, failed = upscale_items(items, model, Settings("bench", resume=False))
        if failed:
            raise RuntimeError(failed[0].reason)
        return pictures(out, count)

    yield call


@contextmanager
def plain(name: str, count: int, folder: Path) -> Iterator[Call]:
    """A program that reads, enlarges and writes."""
    import numpy as np
    import plain_sr
    import torch
    from PIL import Image

    torch.set_num_threads(1)
    upscale = getattr(plain_sr, name)(ZOO / name) if name in AGAINST else plain_sr.diffusion(name, load(name))
    out = folder / "plain"
    out.mkdir(exist_ok=True)

    def call() -> "list[np.ndarray]":
        for number in range(count):
            lr = np.asarray(Image.open(folder / f"lr/{number}.png").convert("RGB"), np.float32) / 255
            sr = upscale(torch.from_numpy(lr).permute(2, 0, 1).contiguous(), number)
            levels = (sr * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
            Image.fromarray(levels).save(out / f"{number}.png")
        return pictures(out, count)

    yield call


def pictures(folder: Path, count: int) -> "list[np.ndarray]":
    """Pictures of a folder, int16 (H, W, 3)."""
    import numpy as np
    from PIL import Image

    return [np.asarray(Image.open(folder / f"{number}.png"), np.int16) for number in range(count)]


def apart(first: "list[np.ndarray]", second: "list[np.ndarray]") -> float:
    """Mean difference in grey levels: a network rounds its last bit in another way than the next one."""
    return max(float(abs(a - b).mean()) for a, b in zip(first, second, strict=True))


def path(name: str) -> HotPath:
    """Hot path of one model."""
    count = MANY if name in AGAINST else FEW
    against = AGAINST.get(name, "its networks in a plain loop as diffusers has")
    ways = partial(ours, name, count), partial(plain, name, count)
    title = f"{name} of a {SIDE // 4}x{SIDE // 4} image"
    return HotPath(name, title, against, "image", count, partial(prepare, count), *ways, apart, 0.1, rounds=3)


PATHS = [path(name) for name in ("bsrgan", "swinir", "stablesr", "seesr", "pasd")]
