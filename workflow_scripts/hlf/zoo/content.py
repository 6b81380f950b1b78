"""What a file is by its first bytes, its size and its hash, against what it should be."""

import html
import os
import re
from pathlib import Path

from hlf.errors import HlfError
from hlf.files import sha256 as hash_of
from hlf.images import SUFFIXES

HEAD = 512  # bytes looked at to tell a file from a web page
_PAGE = re.compile(rb"\s*(<!doctype\s+html|<html[\s>])", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


class WrongFile(HlfError):
    """A file that is not the one expected."""


def no_file(head: bytes, name: str, kind: str = "") -> str:
    """What stands in place of a file, in words; "" where nothing speaks against it.

    Args:
        head: its first bytes.
        name: the file's name; web pages are what is wanted when it ends in .htm or .html.
        kind: content type that the server told.

    >>> no_file(b"<!DOCTYPE html><title>Sign in</title>", "weights.pth")
    "a web page ('Sign in')"
    """
    if Path(name).suffix.lower() in (".html", ".htm"):
        return ""
    if kind.partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml") or _PAGE.match(_plain(head)):
        title = _TITLE.search(head)
        words = " ".join(html.unescape(title[1].decode("utf8", "replace")).split()) if title else ""
        return f"a web page ('{words[:80]}')" if words else "a web page"
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a pointer of Git LFS, which stands for the file in a clone without its large files,"
    return ""


def _plain(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf")


def wrong(found: str, size: int, sha256: str, expected: int) -> str:
    """How a file differs from what is published: by its size, else by its hash; "" when it does not.

    Args:
        found: its SHA-256; "" where only the size is to be looked at.
        size: its bytes.
        sha256: the published hash, or its first digits; "" unknown.
        expected: published size; 0 unknown.

    >>> wrong("abcd", 3, "", 4), wrong("abcd", 4, "ab", 4), wrong("abcd", 4, "ff", 4)
    ('has 3 bytes, expected 4', '', 'has SHA-256 abcd, expected ff')
    """
    if expected and size != expected:
        return f"has {size} bytes, expected {expected}"
    if found and sha256 and not found.startswith(sha256.lower()):
        return f"has SHA-256 {found}, expected {sha256}{'...' if 8 <= len(sha256) < 64 else ''}"
    return ""


def look(path: Path, sha256: str, expected: int, name: str = "") -> tuple[str, str]:
    """SHA-256 of a file, and how it differs from what is expected, in words.

    Args:
        path: where it is.
        sha256: as for `wrong`.
        expected: as for `wrong`.
        name: what it is called when it is in place.

    Returns:
        The hash, "" where a cheaper look told enough; and "" where nothing is wrong.
    """
    try:
        with path.open("rb") as handle:
            head, size = handle.read(HEAD), path.stat().st_size
        if problem := wrong("", size, "", expected):
            return "", problem
        if other := no_file(head, name or path.name):
            return "", f"is {other} instead of the file"
        found = hash_of(path)
    except OSError as error:
        raise HlfError(f"cannot read {path}: {error.strerror or error}; fix the rights") from error
    return found, wrong(found, size, sha256, expected) or ("" if size else "is empty")


def checked(path: Path, sha256: str, expected: int) -> str:
    """SHA-256 of a file in its place; arguments as for `wrong`.

    Raises:
        HlfError: it is another file than expected, or no file at all but a web page.
    """
    found, problem = look(path, sha256, expected)
    if problem:
        raise WrongFile(f"{path} {problem}; it is truncated or another version: move it away and fetch it again")
    return found


def count_images(folder: Path) -> int:
    """Number of image files below a folder; 0 where there is none."""
    return sum(name.lower().endswith(SUFFIXES) for _, _, files in os.walk(folder) for name in files)


def megabytes(size: int) -> str:
    """A size for people.

    >>> megabytes(500), megabytes(1_500_000), megabytes(10_490_000_000)
    ('500 bytes', '1.5 MB', '10.5 GB')
    """
    if size < 1000:
        return f"{size} bytes"
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    raise AssertionError
