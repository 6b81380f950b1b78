"""Official files against their first use: recorded when a run that reads them starts, compared at every later start."""

from pathlib import Path

from hlf.digest import file_hashes
from hlf.errors import HlfError
from hlf.zoo.lock import Locked, problem, record
from hlf.zoo.registry import weight_paths


def used(folder: Path, name: str, hashes: Path) -> dict[str, Locked]:
    """Files of an official entry that are there: path as in the manifest -> hash and size.

    Args:
        folder: of the official zoo.
        name: of the entry.
        hashes: see `hlf.digest.file_hashes`.
    """
    paths = [path for path in weight_paths("official", folder, name) if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): Locked(found, path.stat().st_size)
        for path, found in file_hashes(paths, hashes).items()
    }


def changed(folder: Path, name: str, hashes: Path) -> str:
    """Which files of an official entry are others than at their first use, in a sentence; arguments as for `used`."""
    try:
        files = used(folder, name, hashes).items()
        return "; ".join(filter(None, (problem(folder, path, one.sha256, one.bytes) for path, one in files)))
    except HlfError as error:
        return str(error)


def note(folder: Path, names: list[str], hashes: Path) -> None:
    """Record the files of official entries in the lock of their folder, where they are not yet.

    Raises:
        HlfError: one of them is another file than at its first use, or the lock cannot be written.
    """
    record(folder, {path: one for name in names for path, one in used(folder, name, hashes).items()})
