"""What is kept of a picture that may not be copied: enough to know it again when somebody has made it anew."""

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hlf.errors import HlfError
from hlf.images import decode_image

GRID = 8  # parts of a side whose mean grey is kept
# grey levels by which a mean may differ in a picture that another processor or library made; our choice: what last bits
# of a convolution do to a mean of hundreds of pixels is far below one
CLOSE = 2

SAME, SAME_PIXELS, ALIKE, OTHER = "same", "same pixels", "alike", "other"


@dataclass(frozen=True)
class Print:
    """Marks of a picture.

    Attributes:
        width: pixels.
        height: pixels.
        sha256: of the file.
        pixels_sha256: of its RGB bytes, row by row.
        means: mean grey of GRID x GRID parts, two hexadecimal digits each.
    """

    width: int
    height: int
    sha256: str
    pixels_sha256: str
    means: str


def print_of(data: bytes, name: str) -> Print:
    """Marks of a picture file; `name` stands in the sentence when it is none."""
    pixels = decode_image(data, name)
    height, width = pixels.shape[:2]
    found = hashlib.sha256(data).hexdigest(), hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()
    return Print(width, height, *found, _means(pixels))


def _means(pixels: np.ndarray) -> str:
    """Hexadecimal mean grey levels of the parts, row by row; a picture smaller than the grid repeats pixels."""
    grey = pixels.astype(np.float64).mean(axis=2)
    rows, columns = (np.linspace(0, side, GRID + 1) for side in grey.shape)
    parts = [
        grey[int(top) : max(int(bottom), int(top) + 1), int(left) : max(int(right), int(left) + 1)].mean()
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
    return bytes(np.rint(parts).astype(np.uint8)).hex()


def compare(made: Print, wanted: Print) -> str:
    """How a picture that was made again stands to the one released.

    Returns:
        SAME: the same file; SAME_PIXELS: another PNG writer; ALIKE: every mean within CLOSE grey levels, as another
        processor or library version gives; OTHER: another picture.
    """
    if made.sha256 == wanted.sha256:
        return SAME
    if made.pixels_sha256 == wanted.pixels_sha256:
        return SAME_PIXELS
    if (made.width, made.height) != (wanted.width, wanted.height):
        return OTHER
    try:
        ours, theirs = (np.frombuffer(bytes.fromhex(m.means), dtype=np.uint8).astype(int) for m in (made, wanted))
    except ValueError as error:
        raise HlfError(f"marks of a picture are no hexadecimal digits ({error}); fetch the package again") from error
    return ALIKE if ours.shape == theirs.shape and np.abs(ours - theirs).max() <= CLOSE else OTHER
