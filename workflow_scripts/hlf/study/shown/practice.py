"""Practice: six pairs with an explanation, before the first pair that counts.

Three change: in runs on scenes by the paper's kinds of content, a detail, a structure, everything; in runs on
photographs the whole scene or its middle, until the study's owner has better ones. Three do not, two of them although
they look different: the lesson is that blur and noise are no change of content.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hlf.seeds import generator
from hlf.study.settings import PRACTICE_PAIRS
from hlf.study.shown.gallery import Gallery
from hlf.study.shown.traps import Known, identical, strongest_edit, swapped

if TYPE_CHECKING:
    import numpy as np

# way of planted edit -> what is told after the answer; none says which of the two pictures is the GT
SCENES = {
    "letter": "The words differ by one letter: a detail, but it changes what the sign says.",
    "swap": "One symbol differs: it stands for another thing.",
    "objects": "All things and words differ: the pictures no longer show the same.",
}
WHOLE = "The two pictures show different scenes."
PART = "In the middle the two pictures show different things: a change of one part counts too."
SAME = "The two pictures are the same, point by point."
BLURRED = "One picture is less sharp, but shows the same: blur alone is no change."
NOISY = "One picture has some noise, but shows the same: noise alone is no change."
# stronger than in traps, so that people see what they are told: standard deviations as a share of the shorter side
# (at least one pixel) and in grey levels of 255; our choice
BLUR_SHARE, NOISE_LEVEL = 1 / 300, 10.0
MIDDLE, EDGE = 0.5, 0.06  # side of the swapped middle and width of its soft edge, as shares of the picture; our choice


def practice(gallery: Gallery, deck: Iterator[str]) -> list[Known]:
    """Six practice pairs in a seeded order, named practice_1 to practice_6.

    Args:
        gallery: GT images of the run.
        deck: ids of images to take, see `Gallery.deck`.

    Raises:
        HlfError: as `traps.traps`.
    """
    order = [f"practice_{n}" for n in generator(gallery.seed, "study", "practice").permutation(PRACTICE_PAIRS) + 1]
    names = iter(order)
    found = [_lowlevel(gallery, next(deck), next(names), noise) for noise in (False, True)]
    found.append(identical(gallery, next(deck), next(names), SAME))
    if gallery.scenes:
        found += [_planted(gallery, way, next(names), reason) for way, reason in SCENES.items()]
    else:
        found += [swapped(gallery, next(deck), next(names), WHOLE) for _ in range(2)]
        found.append(_middle_swapped(gallery, next(deck), next(names)))
    return sorted(found, key=lambda pair: pair.pair_id)


def _planted(gallery: Gallery, way: str, pair_id: str, reason: str) -> Known:
    edit = strongest_edit(gallery, way, pair_id)
    return Known(pair_id, pair_id, "yes_planted", 1, reason, edit.before, edit.after)


def _middle_swapped(gallery: Gallery, image_id: str, pair_id: str) -> Known:
    """A photograph beside the same with the middle of another one blended in."""
    import numpy as np

    pixels, other = gallery.image(image_id), gallery.image(gallery.stranger(image_id, pair_id))
    # distance from the picture's middle along each axis, 0 to 1 at the border
    down, across = (np.abs(np.linspace(-1, 1, side)) for side in pixels.shape[:2])
    weight = np.clip((MIDDLE - np.maximum(down[:, None], across[None])) / (2 * EDGE) + 0.5, 0, 1)[..., None]
    mixed = np.rint(pixels * (1 - weight) + other * weight).astype(np.uint8)
    return Known(pair_id, image_id, "yes_planted", 1, PART, pixels, mixed, gallery.paths[image_id])


def _lowlevel(gallery: Gallery, image_id: str, pair_id: str, noise: bool) -> Known:
    pixels, name = gallery.image(image_id), gallery.paths[image_id]
    other = _noisy(pixels, gallery.seed, pair_id) if noise else _blurred(pixels)
    return Known(pair_id, image_id, "no_lowlevel", 0, NOISY if noise else BLURRED, pixels, other, name)


def _blurred(pixels: "np.ndarray") -> "np.ndarray":
    from hlf.scenes.texture import blurred

    return blurred(pixels, max(1.0, BLUR_SHARE * min(pixels.shape[:2])))


def _noisy(pixels: "np.ndarray", seed: int, pair_id: str) -> "np.ndarray":
    from hlf.scenes.texture import noisy

    return noisy(pixels, NOISE_LEVEL, generator(seed, "study", "lowlevel", pair_id))
