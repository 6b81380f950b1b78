"""Planted edits: a scene, and the same scene with one thing changed, so that the right answer is known.

Kinds are the paper's three levels of content (details, local structure, holistic), and edits of texture only, which
leave all content. Codes, signs and pictograms stand in for the numbers, words and faces of photographs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hlf.errors import HlfError
from hlf.scenes.backgrounds import background
from hlf.scenes.objects import Code, Glyph, Sign, Thing, Warped, draw_code, draw_glyph
from hlf.scenes.scene import TRAINING_SHARE, Box, Plan, draw, free_box, plan_scene
from hlf.scenes.texture import contrasted, grained, sharpened
from hlf.scenes.vocabulary import GLYPHS, LETTERS, WORDS
from hlf.seeds import generator

TEXTURE = "texture only"
# kind -> the ways to make one, drawn in turn
KINDS = {
    "details": ("letter", "payload", "small glyph"),
    "local structure": ("swap", "warp"),
    "holistic": ("objects", "place"),
    TEXTURE: ("grain", "sharpening", "contrast"),
}
SINGLE = ("letter", "payload", "small glyph", "swap", "warp")  # ways that change one object inside its box
TRIES = 200  # scenes drawn before giving up: one in twenty holds a code
SMALL = 0.16  # side of a small pictogram as a share of the picture's; our choice, the smallest that can still be read


@dataclass(frozen=True)
class Edit:
    """A picture before and after, and the right answer.

    Attributes:
        before: uint8 (size, size, 3), the GT.
        after: the same with the edit.
        kind: a key of KINDS.
        way: one of the kind's.
        boxes: where it was made, left, top, right, bottom in pixels, right and bottom excluded; the whole picture for a
            new place; none for texture.
        changed: 1 when the content changed, else 0.
    """

    before: np.ndarray
    after: np.ndarray
    kind: str
    way: str
    boxes: tuple[Box, ...]
    changed: int


def planted_edits(
    config_seed: int, kind: str, count: int, size: int, share: tuple[float, float] = TRAINING_SHARE
) -> list[Edit]:
    """The first `count` edits of a kind, its ways in turn; `planted_edit` explains the arguments."""
    ways = _ways(kind)
    return [planted_edit(config_seed, ways[i % len(ways)], i // len(ways), size, share) for i in range(count)]


def planted_edit(
    config_seed: int, way: str, number: int, size: int, share: tuple[float, float] = TRAINING_SHARE
) -> Edit:
    """Edit number `number` of a way, on a scene of its own.

    Args:
        config_seed: the run's seed.
        way: "letter" (one letter of a sign), "payload" (digits of a code), "small glyph" (another small pictogram),
            "swap" (another pictogram in its place), "warp" (one object sheared or bent), "objects" (every object,
            two at least), "place" (the background), or "grain", "sharpening", "contrast".
        number: from 0; equal arguments give equal edits.
        size: side of the pictures in pixels, at least 64.
        share: side of a pictogram, see `plan_scene`.

    Raises:
        HlfError: the way is unknown, or no scene of that size can hold it.
    """
    kind = next((k for k, ways in KINDS.items() if way in ways), None)
    if kind is None:
        raise HlfError(f"planted edit '{way}' is unknown, expected one of {', '.join(sum(KINDS.values(), ()))}")
    rng = generator(config_seed, "edit", way, number)
    if kind == TEXTURE:
        before, after = _TEXTURES[way](draw(plan_scene(rng, size, share)).image, rng)
        return Edit(before, after, kind, way, (), 0)
    for _ in range(TRIES):
        found = _CHANGES[way](plan_scene(rng, size, share), rng, size)
        if found is not None:
            old, new = found
            pairs = zip(old.things, new.things, strict=True)
            boxes = tuple(box for (thing, box), (other, _) in pairs if thing != other) or ((0, 0, size, size),)
            return Edit(draw(old).image, draw(new).image, kind, way, boxes, 1)
    raise HlfError(f"no scene of {size} pixels with pictograms of {share} of its side holds an edit '{way}'")


def _ways(kind: str) -> tuple[str, ...]:
    if kind not in KINDS:
        raise HlfError(f"kind of planted edit '{kind}' is unknown, expected one of {', '.join(KINDS)}")
    return KINDS[kind]


# a plan before and after; None when this scene holds nothing to change that way
Change = Callable[[Plan, np.random.Generator, int], tuple[Plan, Plan] | None]


def _with(plan: Plan, index: int, thing: Thing) -> Plan:
    """The plan with another thing in the box of number `index`."""
    things = list(plan.things)
    things[index] = (thing, things[index][1])
    return replace(plan, things=tuple(things))


def _in_one(kinds: tuple[type[Thing], ...], change: Callable[[Any, np.random.Generator], Thing | None]) -> Change:
    """The change of a scene by a change of one random thing of the given classes."""

    def changed(plan: Plan, rng: np.random.Generator, size: int) -> tuple[Plan, Plan] | None:
        """The scene, and the scene with one thing of these kinds changed; None when none can be."""
        found = [i for i, (thing, _) in enumerate(plan.things) if isinstance(thing, kinds)]
        if not found:
            return None
        index = found[rng.integers(len(found))]
        other = change(plan.things[index][0], rng)
        return None if other is None else (plan, _with(plan, index, other))

    return changed


def _relettered(sign: Sign, rng: np.random.Generator) -> Sign | None:
    """The same plate with one letter of its word changed."""
    word = sign.word
    words = [word[:i] + c + word[i + 1 :] for i in range(len(word)) for c in LETTERS if c != word[i]]
    return _reworded(sign, words, rng)


def _reworded(sign: Sign, words: Sequence[str], rng: np.random.Generator) -> Sign | None:
    """The same plate with one of the words that take about as much room on it; None when none does."""
    width = sign.picture().width
    signs = [replace(sign, word=word, width=width) for word in words if word != sign.word]
    near = [s for s in signs if abs(s.text_width() - sign.text_width()) <= 0.08 * width]
    return near[rng.integers(len(near))] if near else None


def _small_glyph(plan: Plan, rng: np.random.Generator, size: int) -> tuple[Plan, Plan] | None:
    small = draw_glyph(rng, int(size * SMALL))
    box = free_box(rng, size, (small.side, small.side), [b for _, b in plan.things])
    if box is None:
        return None
    old = replace(plan, things=(*plan.things, (small, box)))
    return old, _with(old, len(plan.things), _swapped(small, rng))


def _swapped(glyph: Glyph, rng: np.random.Generator) -> Glyph:
    """Another class on the same badge in the same colours."""
    others = [g for g in GLYPHS if g != glyph.glyph]
    return replace(glyph, glyph=others[rng.integers(len(others))])


def _warped(thing: Glyph | Sign, rng: np.random.Generator) -> Warped:
    """The thing sheared or bent."""
    sign = 1.0 if rng.random() < 0.5 else -1.0
    sheared = rng.random() < 0.5
    return Warped(thing, sign * 0.6 if sheared else 0.0, 0.0 if sheared else sign * 0.16)


def _objects(plan: Plan, rng: np.random.Generator, size: int) -> tuple[Plan, Plan] | None:
    others = [_another(thing, rng) for thing, _ in plan.things]
    if len(others) < 2 or None in others:
        return None
    things = tuple((other, box) for other, (_, box) in zip(others, plan.things, strict=True) if other is not None)
    return plan, replace(plan, things=things)


def _another(thing: Thing, rng: np.random.Generator) -> Thing | None:
    """A thing of the same kind and size that shows something else; None when there is none."""
    match thing:
        case Glyph():
            return replace(_swapped(thing, rng), shape=int(rng.integers(3)))
        case Sign():
            return _reworded(thing, WORDS, rng)
        case Code():
            other = draw_code(rng, thing.module)
            return other if other != thing else None
    return None


def _place(plan: Plan, rng: np.random.Generator, size: int) -> tuple[Plan, Plan] | None:
    pixels, place = background(rng, size)
    return (plan, replace(plan, background=pixels, place=place)) if place != plan.place else None


_CHANGES: dict[str, Change] = {
    "letter": _in_one((Sign,), _relettered),
    "payload": _in_one((Code,), _another),
    "small glyph": _small_glyph,
    "swap": _in_one((Glyph,), _swapped),
    "warp": _in_one((Glyph, Sign), _warped),
    "objects": _objects,
    "place": _place,
}
_TEXTURES = {"grain": grained, "sharpening": sharpened, "contrast": contrasted}
