"""Hashes of the official files, as they were when this zoo got them: recorded at first use, verified ever after."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hlf.errors import HlfError
from hlf.extras import needed_for
from hlf.files import read_json, sha256, write_json

LOCK = "assets.lock.json"


@dataclass(frozen=True)
class Locked:
    """SHA-256, hexadecimal, and size of a file when it was first used."""

    sha256: str
    bytes: int


def read_lock(folder: str | Path) -> dict[str, Locked]:
    """What is recorded in an official zoo's folder, by path as in the manifest; empty where nothing is yet.

    Raises:
        HlfError: the lock is no JSON, or holds something else than hashes and sizes.
    """
    path = Path(folder) / LOCK
    if not path.exists():
        return {}
    try:
        return {name: Locked(str(one["sha256"]), int(one["bytes"])) for name, one in read_json(path).items()}
    except (HlfError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise HlfError(
            f"{path} is damaged, so no file can be compared with its first use; put back an older copy of it, or "
            "remove it to trust the files as they are now"
        ) from error


def record(folder: str | Path, files: Mapping[str, "Path | Locked"]) -> None:
    """Record files at their first use; one that is recorded already is compared, never overwritten.

    Processes may do so at the same time; each adds to what the others wrote.

    Args:
        folder: of the official zoo.
        files: path as in the manifest -> the file, or its hash and size where they are known.

    Raises:
        HlfError: a file is another one than at its first use (then nothing is recorded), or the lock cannot be written.
    """
    found = {name: file if isinstance(file, Locked) else _locked(file) for name, file in files.items()}
    if not _news(folder, found):
        return  # a zoo that is only read needs no rights to write
    with _one_writer(Path(folder)):
        if new := _news(folder, found):  # what others wrote meanwhile counts
            whole = read_lock(folder) | new
            write_json(Path(folder) / LOCK, {name: asdict(one) for name, one in whole.items()})


def _locked(file: Path) -> Locked:
    try:
        return Locked(sha256(file), file.stat().st_size)
    except OSError as error:
        raise HlfError(f"cannot read {file}: {error.strerror or error}; fix the path or the rights") from error


def _news(folder: str | Path, found: Mapping[str, Locked]) -> dict[str, Locked]:
    """Those that are not recorded yet; HlfError for one that is recorded otherwise."""
    known = read_lock(folder)
    for name, one in found.items():
        if name in known and (told := problem(folder, name, one.sha256, one.bytes)):
            raise HlfError(told)
    return {name: one for name, one in found.items() if name not in known}


@contextlib.contextmanager
def _one_writer(folder: Path) -> Iterator[None]:
    with needed_for("recording hashes of official files", "'.[workflow]'"):
        from filelock import FileLock
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{LOCK}.lock")
        lock.acquire()
    except OSError as error:
        raise HlfError(f"cannot write {folder / LOCK}: {error.strerror or error}; fix the rights") from error
    try:
        yield
    finally:
        lock.release()


def problem(folder: str | Path, path: str, sha256: str, bytes: int) -> str:
    """How a file differs from its first use, as a sentence; "" when it does not, or is not recorded.

    Args:
        folder: of the official zoo.
        path: as in the manifest.
        sha256: hexadecimal, of the file now; "" where only sizes are to be compared.
        bytes: its size now.
    """
    first = read_lock(folder).get(path)
    if first is None or (first.bytes == bytes and sha256 in ("", first.sha256)):
        return ""
    now = f"{bytes} bytes" if first.bytes != bytes else f"SHA-256 {sha256}"
    then = f"{first.bytes} bytes" if first.bytes != bytes else f"SHA-256 {first.sha256}"
    return (
        f"{path} is not the file that was used first: it has {now}, {Path(folder) / LOCK} has {then}; put that file "
        "back, or remove its entry there if the new one is meant, and what was made with the old one is made again"
    )
