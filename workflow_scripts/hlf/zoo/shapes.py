"""A tensor without its values, and how the tensors of a file differ from those that a network has."""

import math
from collections.abc import Mapping
from typing import NamedTuple

# bytes of a value
WIDTHS = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1,
    "uint16": 2, "uint32": 4, "uint64": 8, "bool": 1, "float8_e4m3fn": 1, "float8_e5m2": 1, "complex64": 8,
    "complex128": 16,
}  # fmt: skip


class Header(NamedTuple):
    """A tensor without its values.

    Attributes:
        shape: lengths of its axes.
        dtype: such as "float32".
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return math.prod(self.shape) * WIDTHS[self.dtype]

    @property
    def floating(self) -> bool:
        """Whether its values are no integers; loaders widen one floating type to another."""
        return "float" in self.dtype


def difference(expected: Mapping[str, Header], found: Mapping[str, Header]) -> str:
    """The first of a file's tensors that is missing, of another shape or kind, or unexpected; "" where none is.

    Args:
        expected: all that must be there.
        found: all that is there.

    Returns:
        Words to put behind the file's name and a colon.

    >>> difference({"a": Header((2,), "float32")}, {"a": Header((3,), "float16")})
    "key 'a' expected as (2,) float32, received (3,) float16 (1 of 1 so); it belongs to another model or size"
    """
    other, whole = "it belongs to another model or size", len(expected)
    wrong = [key for key, own in expected.items() if not _fits(found.get(key), own)]
    if wrong:
        key = wrong[0]
        own, got = expected[key], found.get(key)
        if got is None:
            missing = sum(name not in found for name in wrong)
            return f"lacks key '{key}', expected with shape {own.shape} ({missing} of {whole} missing); {other}"
        told = f"key '{key}' expected as {own.shape} {own.dtype}, received {got.shape} {got.dtype}"
        return f"{told} ({len(wrong)} of {whole} so); {other}"
    if strange := [key for key in found if key not in expected]:
        return f"has unexpected key '{strange[0]}' of shape {found[strange[0]].shape} ({len(strange)} in all); {other}"
    return ""


def _fits(found: Header | None, own: Header) -> bool:
    return found is not None and (found.shape, found.floating) == (own.shape, own.floating)
