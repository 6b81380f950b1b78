"""The one kind of picture that a study shows: PNG of 8-bit RGB that holds pixels and nothing else.

Any other format or any text in a file could give the SR side away, so files are looked at byte by byte.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hlf.images import ImageError

if TYPE_CHECKING:
    import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 100_000_000  # of one picture; a larger one is a mistake or an attack
TODO = "save it as PNG with 8 bits of red, green and blue, without alpha, metadata or interlacing"


def resaved(array: "np.ndarray") -> bytes:
    """PNG bytes of uint8 RGB (H, W, 3) that differ from those of `hlf.images.encode_png`, for the same pixels."""
    from PIL import Image

    buffer = io.BytesIO()
    # the compression level stands in the header of the data, so one other than 1 gives other bytes for any picture
    Image.fromarray(array).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def png_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height in pixels of a whole PNG file without metadata.

    Args:
        data: the file.
        name: stands in the error sentence.

    Raises:
        ImageError: no PNG, truncated or damaged, another kind of pixels, or anything in it beside pixels.
    """
    if not data.startswith(SIGNATURE):
        raise ImageError(f"image {name} is not a PNG file; {TODO}")
    chunks = list(_chunks(data, name))
    extra = sorted({kind.decode("latin1") for kind, _ in chunks} - {"IHDR", "IDAT", "IEND"})
    if extra:
        raise ImageError(f"image {name} carries metadata (PNG chunks {', '.join(map(ascii, extra))}); {TODO}")
    if chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        raise ImageError(f"image {name} is a damaged PNG file; {TODO}")
    width, height, *kind = struct.unpack(">IIBBBBB", chunks[0][1])
    if kind != [8, 2, 0, 0, 0]:
        raise ImageError(f"image {name} is a PNG file with other pixels than 8-bit RGB; {TODO}")
    if not 0 < width * height <= MOST_PIXELS:
        raise ImageError(f"image {name} is {width}x{height}, expected 1 to {MOST_PIXELS} pixels")
    _check_pixels(b"".join(body for kind, body in chunks if kind == b"IDAT"), width, height, name)
    return width, height


def _chunks(data: bytes, name: str) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each chunk up to the last byte of the file."""
    offset, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if offset + 12 > len(data):
            raise ImageError(f"image {name} is a truncated PNG file; copy it again")
        length, kind = struct.unpack_from(">I4s", data, offset)
        end = offset + 12 + length
        body, check = data[offset + 8 : end - 4], data[end - 4 : end]
        if end > len(data) or zlib.crc32(kind + body).to_bytes(4, "big") != check:
            raise ImageError(f"image {name} is a truncated or damaged PNG file; copy it again")
        yield kind, body
        offset = end
    if offset != len(data):
        raise ImageError(f"image {name} carries {len(data) - offset} bytes behind the picture; {TODO}")


def _check_pixels(packed: bytes, width: int, height: int, name: str) -> None:
    """Whether the packed rows are as many as the header says, each with a known filter."""
    row = 1 + 3 * width
    try:
        # never more than the header promises, whatever the data would unpack to
        unpacker = zlib.decompressobj()
        rows = unpacker.decompress(packed, row * height + 1)
    except zlib.error as error:
        raise ImageError(f"image {name} is a damaged PNG file ({error}); copy it again") from error
    if len(rows) != row * height or not unpacker.eof or unpacker.unused_data or max(rows[::row]) > 4:
        raise ImageError(f"image {name} is a PNG file whose rows do not fit its {width}x{height} pixels; {TODO}")
