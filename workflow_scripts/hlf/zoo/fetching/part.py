"""A download's unfinished file: what has come so far, its running hash, and what tells whether it may be continued."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from hlf.errors import HlfError
from hlf.files import read_json
from hlf.zoo.content import HEAD, megabytes

_BLOCK = 1 << 20


class Part:
    """`<target>.part`, and beside it `<target>.part.json` with URL, validator and size of what it is a part of.

    Attributes:
        size: bytes so far.
        total: bytes when whole, 0 where the server does not tell.
        joined: whether the bytes came with more than one answer of the server.
    """

    def __init__(self, target: Path) -> None:
        self.target, self.path = target, target.with_name(f"{target.name}.part")
        self._facts = target.with_name(f"{target.name}.part.json")
        self.url = self.validator = ""
        self.total = self.size = 0
        self.joined = False
        with _told(self):
            target.parent.mkdir(parents=True, exist_ok=True)
            # without a buffer, every byte that came is in the file even when the process is killed
            self._file = self.path.open("a+b", buffering=0)
            self._recall()

    def _recall(self) -> None:
        """Take up what an earlier run left; a part without its facts is none."""
        with contextlib.suppress(HlfError):
            facts = read_json(self._facts)
            if isinstance(facts, dict):
                self.url, self.validator = str(facts.get("url", "")), str(facts.get("validator", ""))
                self.total = int(facts.get("total", 0))
        self._hash = hashlib.sha256()
        if not self.url:
            self._file.truncate(0)
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            self._hash.update(block)
            self.size += len(block)
        self.joined = self.size > 0

    def range_headers(self, url: str, verified: bool) -> dict[str, str]:
        """Headers that ask for the rest only; none where nothing could tell an old part from a new file.

        Args:
            url: where the rest would come from.
            verified: whether the whole file's hash is known, so that a wrong join would be noticed.
        """
        if not self.size:
            return {}
        rest = {"Range": f"bytes={self.size}-"}
        if self.validator and url == self.url:
            return rest | {"If-Range": self.validator}
        return rest if verified else {}

    def whole(self, url: str, verified: bool) -> bool:
        """Whether nothing is missing; arguments as for `range_headers`."""
        return 0 < self.size == self.total and (url == self.url or verified)

    def continues(self, url: str, start: int, total: int, etag: str) -> bool:
        """Whether an answer that begins at byte `start` goes on with this file; some servers do not heed `If-Range`."""
        same_tag = url != self.url or not etag or not self.validator.startswith('"') or etag == self.validator
        same_size = not total or not self.total or total == self.total
        self.joined = True
        return start == self.size and same_size and same_tag

    def begin(self, url: str, etag: str, modified: str, total: int) -> None:
        """Start anew, with the bytes of an answer that has these headers; 0 for no size."""
        # a weak tag may name files that differ in their bytes, so it is of no use here (RFC 9110, 13.1.5)
        validator = etag if etag.startswith('"') else modified
        with _told(self):
            self._file.truncate(0)
            self._hash, self.size, self.joined = hashlib.sha256(), 0, False
            self.url, self.validator, self.total = url, validator, total
            facts = {"url": url, "validator": validator, "total": total}
            self._facts.write_text(json.dumps(facts), encoding="utf8")

    def write(self, data: bytes) -> None:
        """Append bytes; HlfError when the disk or a quota is full, after which the part can still be continued."""
        view = memoryview(data)
        with _told(self):
            while view:  # an unbuffered file may take less than it is given
                taken = self._file.write(view)
                self._hash.update(view[:taken])
                self.size += taken
                view = view[taken:]

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the bytes so far."""
        return self._hash.hexdigest()

    def head(self) -> bytes:
        """The first bytes."""
        return os.pread(self._file.fileno(), HEAD, 0)

    def finish(self) -> None:
        """Flush to disk and take the target's name."""
        with _told(self):
            os.fsync(self._file.fileno())
            self.path.replace(self.target)
            self._facts.unlink(missing_ok=True)

    def forget(self) -> None:
        """Throw away what is there."""
        with _told(self):
            self._file.truncate(0)
            self._facts.unlink(missing_ok=True)
        self._hash, self.size, self.joined = hashlib.sha256(), 0, False
        self.url, self.validator, self.total = "", "", 0

    def close(self) -> None:
        """Close the file; an empty part is removed, so that a refusal leaves nothing behind."""
        self._file.close()
        if not self.size:
            self.path.unlink(missing_ok=True)
            self._facts.unlink(missing_ok=True)


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def _told(part: Part) -> Iterator[None]:
    """Errors of the disk as a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            whole = f" of {megabytes(part.total)}" if part.total else ""
            raise HlfError(
                f"no space left for {part.target} ({error.strerror}): {megabytes(part.size)}{whole} have come and are "
                f"kept in {part.path.name}; free some space and run the same command again, which goes on from there"
            ) from error
        raise HlfError(f"cannot write {part.path}: {error.strerror or error}; fix the rights or the folder") from error


def checked_space(target: Path, needed: int) -> None:
    """HlfError unless the disk of a file or folder to come has so many bytes free."""
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise HlfError(
            f"no space left for {target}: it takes {megabytes(needed)} more, and its disk has {megabytes(free)} free; "
            "free some space and run the same command again"
        )
