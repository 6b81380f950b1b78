"""Scenes: procedural pictures with a known content list and a caption, the mini world's stand-in for photographs."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from hlf.scenes.backgrounds import background
from hlf.scenes.objects import Thing, draw_code, draw_glyph, draw_sign
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


Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels, right and bottom excluded


@dataclass(frozen=True)
class Plan:
    """What a scene is drawn from, so that it can be drawn again with one thing changed.

    Attributes:
        background: uint8 (size, size, 3).
        place: word for the background.
        things: what stands on it, from back to front, each with its box.
    """

    background: np.ndarray
    place: str
    things: tuple[tuple[Thing, Box], ...]


TRAINING_SHARE = (0.2, 0.55)  # of the side, taken by a pictogram of a training scene; our choice


def scene_for(config_seed: int, role: str, index: int, size: int, share: tuple[float, float] = TRAINING_SHARE) -> Scene:
    """Scene number `index` of a role ("dataset", "evaluation", "train", ...): roles have disjoint seeds."""
    return make_scene(generator(config_seed, "scene", role, index), size, share)


def make_scene(rng: np.random.Generator, size: int = 128, share: tuple[float, float] = TRAINING_SHARE) -> Scene:
    """Draw a scene of 1 to 3 objects that do not overlap; arguments as of `plan_scene`."""
    return draw(plan_scene(rng, size, share))


def plan_scene(rng: np.random.Generator, size: int = 128, share: tuple[float, float] = TRAINING_SHARE) -> Plan:
    """Choose what a scene shows: 1 to 3 objects that do not overlap.

    Args:
        rng: source of every draw.
        size: side of the picture in pixels, at least 64.
        share: smallest and largest side of a pictogram as a share of the picture's; signs are about half as high. It
            decides what x4 degradation leaves readable, so how content errors are spread.
    """
    pixels, place = background(rng, size)
    things: list[tuple[Thing, Box]] = []
    for _ in range(int(rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2]))):
        thing = _draw_object(rng, size, share)
        box = free_box(rng, size, thing.picture().size, [b for _, b in things])
        if box is not None:
            things.append((thing, box))
    return Plan(pixels, place, tuple(things))


def draw(plan: Plan) -> Scene:
    """The scene of a plan."""
    canvas = Image.fromarray(plan.background)
    for thing, box in plan.things:
        tile = thing.picture()
        canvas.paste(tile, box[:2], tile)
    objects = [SceneObject(t.kind, t.label, box, t.detail) for t, box in plan.things]
    return Scene(np.asarray(canvas), tuple(objects), caption(objects, plan.place), plan.place)


def _draw_object(rng: np.random.Generator, size: int, share: tuple[float, float]) -> Thing:
    chance = rng.random()
    if chance < 0.66:
        return draw_glyph(rng, int(size * rng.uniform(*share)))
    if chance < 0.95:
        return draw_sign(rng, int(size * rng.uniform(share[0] * 0.65, share[1] * 0.26 / 0.55)))
    # M1 with quiet zone is 15 modules wide: 45 or 60 of 128 pixels
    return draw_code(rng, max(2, size // 128 * int(rng.integers(3, 5))))


def free_box(rng: np.random.Generator, size: int, tile: tuple[int, int], taken: list[Box]) -> Box | None:
    """A free box for a tile of (width, height), None when 20 random places do not fit (it is then left out)."""
    width, height = tile
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
