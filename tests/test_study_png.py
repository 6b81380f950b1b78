"""The one kind of picture that a study shows: whatever is more or less than plain pixels is refused."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hlf.errors import HlfError
from hlf.images import encode_png
from hlf.study.shown.png import png_size, resaved

PLAIN = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


def as_png(image, **kwargs):
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **kwargs)
    return buffer.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_plain_files_are_taken_and_resaving_changes_bytes_only():
    plain, again = encode_png(PLAIN), resaved(PLAIN)
    assert png_size(plain, "x") == png_size(again, "x") == (7, 5)
    assert plain != again
    assert (np.asarray(Image.open(io.BytesIO(again))) == PLAIN).all()


@given(st.integers(0, len(encode_png(PLAIN)) - 1), st.integers(1, 255))
def test_no_byte_may_change(place, flip):
    data = bytearray(encode_png(PLAIN))
    data[place] ^= flip
    with pytest.raises(HlfError, match="image x "):
        png_size(bytes(data), "x")


@given(st.integers(0, len(encode_png(PLAIN)) - 1))
def test_no_byte_may_be_missing(length):
    with pytest.raises(HlfError, match=r"not a PNG file|truncated"):
        png_size(encode_png(PLAIN)[:length], "x")


def headed(width, height):
    """Signature and header of an RGB8 PNG."""
    return encode_png(PLAIN)[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def with_rows(rows, lacking=0, more=b""):
    """A PNG of 7x5 pixels whose packed rows are the given bytes, without the last bytes or with some behind them."""
    packed = zlib.compress(rows)
    return headed(7, 5) + chunk(b"IDAT", packed[: len(packed) - lacking] + more) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (as_png(Image.fromarray(PLAIN), dpi=(72, 72)), r"carries metadata \(PNG chunks 'pHYs'\)"),
        (as_png(Image.fromarray(PLAIN), icc_profile=b"x"), r"carries metadata \(PNG chunks 'iCCP'\)"),
        (as_png(Image.fromarray(PLAIN).convert("P")), r"carries metadata \(PNG chunks 'PLTE'\)"),
        (as_png(Image.fromarray(PLAIN).convert("RGBA")), "other pixels than 8-bit RGB"),
        (as_png(Image.fromarray(PLAIN).convert("L")), "other pixels than 8-bit RGB"),
        (encode_png(PLAIN) + b"model: seesr", "carries 12 bytes behind the picture"),
        (b"\xff\xd8\xff\xe0 a JPEG", "is not a PNG file; save it as PNG"),
        (b"", "is not a PNG file"),
        (with_rows(bytes(5 * 22 - 1)), "rows do not fit its 7x5 pixels"),
        (with_rows(bytes(5 * 22 + 1)), "rows do not fit its 7x5 pixels"),
        (with_rows(bytes(5 * 22), lacking=4), "rows do not fit its 7x5 pixels"),
        (with_rows(bytes(5 * 22), more=b"seesr"), "rows do not fit its 7x5 pixels"),
        (with_rows(bytes(10**7)), "rows do not fit its 7x5 pixels"),
        (with_rows(b"\x09" + bytes(5 * 22 - 1)), "rows do not fit its 7x5 pixels"),
        (encode_png(PLAIN)[:8] + chunk(b"IEND", b""), "is a damaged PNG file"),
        (
headed(10**6, 10**6) + chunk(b"IEND", b""),
            "is 1000000x1000000, expected 1 to",
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_more_or_less_than_a_picture_is_refused(data, sentence):
    with pytest.raises(HlfError, match=sentence):
        png_size(data, "x")
