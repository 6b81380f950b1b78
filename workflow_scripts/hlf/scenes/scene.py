"""Scenes: procedural pictures with a known content list and a caption, the mini world's stand-in for photographs."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from hlf.scenes.backgrounds import background
from hlf.scenes.objects import Tile, code_tile, glyph_tile, sign_tile
from hlf.seeds import generator


@dataclass(frozen=True)
class SceneObject:
    """One thing a scene shows.

    Attributes:
        kind: "glyph", "sign" or "code".
        label: class name of the pictogram, word on the sign, or "code".
        box: left, top, right, bottom in pixels, right and bottom excluded.
        detail: colour of a glyph's drawing or of a sign's plate; payload of a code.
    """

    kind: str
    label: str
    box: tuple[int, int, int, int]
    detail: str


@dataclass(frozen=True)
class Scene:
    """A picture (uint8 RGB, size x size x 3), what it shows, its caption and its place word."""

    image: np.ndarray
    objects: tuple[SceneObject, ...]
    caption: str
    place: str


TRAINING_SHARE = (0.2, 0.55)  # of the side, taken by a pictogram of a training scene; our choice


def scene_for(config_seed: int, role: str, index: int, size: int, share: tuple[float, float] = TRAINING_SHARE) -> Scene:
    """Scene number `index` of a role ("dataset", "evaluation", "train", ...): roles have disjoint seeds."""
    return make_scene(generator(config_seed, "scene", role, index), size, share)


def make_scene(rng: np.random.Generator, size: int = 128, share: tuple[float, float] = TRAINING_SHARE) -> Scene:
    """Draw a scene of 1 to 3 objects that do not overlap.

    Args:
        rng: source of every draw.
        size: side of the picture in pixels, at least 64.
        share: smallest and largest side of a pictogram as a share of the picture's; signs are about half as high. It
            decides what x4 degradation leaves readable, so how content errors are spread.
    """
    pixels, place = background(rng, size)
    canvas = Image.fromarray(pixels)
    objects: list[SceneObject] = []
    for _ in range(int(rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2]))):
        kind, (tile, label, detail) = _draw_object(rng, size, share)
        box = _place(rng, size, tile, [o.box for o in objects])
        if box is not None:
            canvas.paste(tile, box[:2], tile)
            objects.append(SceneObject(kind, label, box, detail))
    return Scene(np.asarray(canvas), tuple(objects), caption(objects, place), place)


def _draw_object(rng: np.random.Generator, size: int, share: tuple[float, float]) -> tuple[str, Tile]:
    draw = rng.random()
    if draw < 0.66:
        return "glyph", glyph_tile(rng, int(size * rng.uniform(*share)))
    if draw < 0.95:
        return "sign", sign_tile(rng, int(size * rng.uniform(share[0] * 0.65, share[1] * 0.26 / 0.55)))
    # M1 with quiet zone is 15 modules wide: 45 or 60 of 128 pixels
    return "code", code_tile(rng, max(2, size // 128 * int(rng.integers(3, 5))))


def _place(
    rng: np.random.Generator, size: int, tile: Image.Image, taken: list[tuple[int, int, int, int]]
) -> tuple[int, int, int, int] | None:
    """A free box for the tile, None when 20 random places do not fit (the object is then left out)."""
    width, height = tile.size
    if width > size - 4 or height > size - 4:
        return None
    for _ in range(20):
        left, top = int(rng.integers(2, size - width - 1)), int(rng.integers(2, size - height - 1))
        box = (left, top, left + width, top + height)
        if all(box[2] + 2 <= o[0] or o[2] + 2 <= box[0] or box[3] + 2 <= o[1] or o[3] + 2 <= box[1] for o in taken):
            return box
    return None


def caption(objects: list[SceneObject], place: str) -> str:
    """Caption of a scene: words of `vocabulary.caption_words` only, objects from left to right."""
    names = {"glyph": "a {o.detail} {o.label}", "sign": "a {o.detail} sign reading {word}", "code": "a code"}
    ordered = sorted(objects, key=lambda o: o.box)
    parts = [names[o.kind].format(o=o, word=o.label.lower()) for o in ordered]
    return " and ".join(parts) + f" on a {place}"
