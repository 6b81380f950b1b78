"""Traps: pairs whose right answer everybody knows (paper 3.1: "an obvious change or no change").

Half of them change, half do not. In runs on scenes half of the changes are planted edits; runs on photographs have none
of these, because a good one is made by hand: the study's owner may add some.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.seeds import generator, seed_for
from hlf.study.choice import FIRST_TRAP, JITTER, MIN_TRAPS
from hlf.study.shown.gallery import Gallery

if TYPE_CHECKING:
    import numpy as np

    from hlf.scenes.edits import Edit

MIN_POOL = 16  # traps in a study, however small a person's share; our choice: the owner may drop some
PLANTED_DRAWS = 3  # edits made for one trap; the strongest is shown
PLANTED_SHARE = (0.35, 0.6)  # of the side, taken by a pictogram: large, for a change that nobody overlooks
PLANTED = {"swap": "one thing became another", "objects": "all things and words became others"}
BLUR, NOISE, QUALITY = (0.6, 1.0), (4.0, 8.0), 90  # pixels; grey levels of 255; JPEG: mild, our choice


@dataclass(frozen=True)
class Known:
    """A pair with a known answer.

    Attributes:
        pair_id: such as "trap_yes_01" or "practice_1".
        image_id: of the GT; the pair's own id where the GT was made for it.
        kind: no_identical, no_lowlevel, yes_swap or yes_planted.
        answer: 1 = the content changes, 0 = it does not.
        reason: one line, for the owner or for the person who practises.
        gt: uint8 (H, W, 3).
        sr: the other picture, of the same shape.
        gt_name: path of the GT below the results folder, empty for one made for this pair.
        sr_name: likewise of the other picture.
    """

    pair_id: str
    image_id: str
    kind: str
    answer: int
    reason: str
    gt: "np.ndarray"
    sr: "np.ndarray"
    gt_name: str = ""
    sr_name: str = ""


def traps_for(pairs: int, trap_rate: int) -> int:
    """Traps that a person usually meets who answers `pairs` pairs: one in `trap_rate` trials, 8 at least if they fit.

    >>> traps_for(150, 10), traps_for(60, 10), traps_for(4, 10)
    (17, 8, 1)
    """
    return max(0, min(max(MIN_TRAPS, round(pairs / (trap_rate - 1))), pairs - FIRST_TRAP))


def pool_size(pairs: int, trap_rate: int) -> int:
    """Traps that a study has: enough for the most that chance can put among `pairs` pairs; even, 16 at least.

    >>> pool_size(150, 10), pool_size(60, 10)
    (22, 16)
    """
    between = max(1, trap_rate - JITTER - 1)  # pairs between the nearest two traps
    most = 1 + (pairs - FIRST_TRAP - 1) // between
    return 2 * math.ceil(max(most, traps_for(pairs, trap_rate), MIN_POOL) / 2)


def traps(gallery: Gallery, deck: Iterator[str], count: int) -> list[Known]:
    """`count` traps, half of them with the answer yes; equal arguments give equal pictures.

    Args:
        gallery: GT images of the run.
        deck: ids of images to take, see `Gallery.deck`.
        count: even.

    Raises:
        HlfError: no two images differ enough, or one cannot be read.
    """
    found = []
    for number in range(1, count // 2 + 1):
        no, yes = f"trap_no_{number:02d}", f"trap_yes_{number:02d}"
        found.append(identical(gallery, next(deck), no) if number % 2 else lowlevel(gallery, next(deck), no, number))
        planted_one = gallery.scenes and number % 2 == 0
        found.append(planted(gallery, yes, number) if planted_one else swapped(gallery, next(deck), yes))
    return sorted(found, key=lambda pair: pair.pair_id)


def identical(gallery: Gallery, image_id: str, pair_id: str, reason: str = "both pictures are the same") -> Known:
    """A GT beside itself; `bundle` saves the two with different bytes."""
    pixels, name = gallery.image(image_id), gallery.paths[image_id]
    return Known(pair_id, image_id, "no_identical", 0, reason, pixels, pixels, name, name)


def lowlevel(gallery: Gallery, image_id: str, pair_id: str, number: int) -> Known:
    """A GT beside the same with mild blur, noise or JPEG, in turn by `number`."""
    from hlf.scenes.texture import blurred, compressed, noisy

    rng, pixels = generator(gallery.seed, "study", "lowlevel", pair_id), gallery.image(image_id)
    sigma, level = rng.uniform(*BLUR), rng.uniform(*NOISE)
    match number // 2 % 3:
        case 0:
            other, reason = blurred(pixels, sigma), f"one is blurred (sigma {sigma:.1f} pixels)"
        case 1:
            other, reason = noisy(pixels, level, rng), f"one has noise ({level:.1f} grey levels of 255)"
        case _:
            other, reason = compressed(pixels, QUALITY), f"one is the other as JPEG of quality {QUALITY}"
    return Known(pair_id, image_id, "no_lowlevel", 0, reason, pixels, other, gallery.paths[image_id])


def swapped(gallery: Gallery, image_id: str, pair_id: str, reason: str = "two different scenes") -> Known:
    """A GT beside the GT of another scene."""
    other = gallery.stranger(image_id, pair_id)
    pictures, names = (gallery.image(image_id), gallery.image(other)), (gallery.paths[image_id], gallery.paths[other])
    return Known(pair_id, image_id, "yes_swap", 1, reason, *pictures, *names)


def planted(gallery: Gallery, pair_id: str, number: int) -> Known:
    """A scene of its own beside the same with things or words replaced, ways in turn by `number`."""
    ways = list(PLANTED)
    way = ways[number // 2 % len(ways)]
    edit = strongest_edit(gallery, way, pair_id)
    return Known(pair_id, pair_id, "yes_planted", 1, PLANTED[way], edit.before, edit.after)


def strongest_edit(gallery: Gallery, way: str, pair_id: str) -> "Edit":
    """Of a few planted edits of the size of the run's scenes, the one that changes most pixels most.

    Raises:
        HlfError: the run's images are no squares, which scenes are, or too small for one.
    """
    import numpy as np

    from hlf.scenes.edits import planted_edit

    height, width = gallery.image(next(iter(gallery.paths))).shape[:2]
    if height != width:
        raise HlfError(f"planted traps need square scenes, the run's images are {width}x{height}")
    # scenes of this pair only: the metric is tested on edits of the run's seed itself
    seed = seed_for(gallery.seed, "study", "planted", pair_id)
    edits = [planted_edit(seed, way, draw, height, PLANTED_SHARE) for draw in range(PLANTED_DRAWS)]
    return max(edits, key=lambda e: float(np.mean((e.after.astype(np.float64) - e.before) ** 2)))
