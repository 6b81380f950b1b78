"""Zip archives of images, unpacked whole or not at all, and never outside their folder."""

import itertools
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from hlf.errors import HlfError
from hlf.images import SUFFIXES
from hlf.zoo.content import count_images
from hlf.zoo.fetching.download import alone
from hlf.zoo.fetching.part import checked_space
from hlf.zoo.progress import Progress

_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db")


def unpack(archive: Path, folder: Path, images: int = 0, progress: bool = True) -> int:
    """Unpack an archive so that `folder` holds its images; returns how many.

    The folder that all images of the archive have in common is left out. Files come into `.<folder>.part` first, one by
    one, so a killed run goes on where it was; the folder takes its name when all are there.

    Args:
        archive: a zip file.
        folder: must not be there yet, or be empty.
        images: how many there must be; 0 any number.
        progress: as for `hlf.zoo.fetching.download.download`.

    Raises:
        HlfError: no zip archive or a damaged one, names that lead outside, encrypted files, another number of images,
            or no space left.
    """
    with alone(folder):
        if folder.is_dir() and any(folder.iterdir()):  # another process was quicker
            return count_images(folder)
        try:
            with zipfile.ZipFile(archive) as opened:
                members = _members(opened, archive)
                found = sum(name.lower().endswith(SUFFIXES) for name in members)
                if not found or (images and found != images):
                    raise HlfError(
                        f"{archive} holds {found} images, expected {images or 'some'}; it is another archive: move it "
                        "away and fetch it again"
                    )
                _extract(opened, members, folder, progress)
        # zipfile raises NotImplementedError where a damaged entry names a compression that it does not know
        except (zipfile.BadZipFile, EOFError, NotImplementedError, zlib.error) as error:
            raise HlfError(
                f"{archive} cannot be unpacked ({error}); it is truncated or no zip archive: move it away and fetch it "
                "again"
            ) from error
        except OSError as error:
            raise HlfError(
                f"cannot unpack {archive} into {folder}: {error.strerror or error}; free some space or fix the rights, "
                "and run the same command again, which goes on from there"
            ) from error
    return found


def _members(opened: zipfile.ZipFile, archive: Path) -> dict[str, zipfile.ZipInfo]:
    """Files of an archive by their paths in the folder to come."""
    files = {}
    for info in opened.infolist():
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if info.is_dir() or any(part in _JUNK or part.startswith("._") for part in path.parts):
            continue
        mode = info.external_attr >> 16
        unsafe = path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or "\0" in info.filename
        if unsafe or stat.S_ISLNK(mode):
            raise HlfError(
                f"{archive} would write outside its folder ({info.filename!r}), so nothing was unpacked; it is not the "
                "archive that was published: move it away and fetch it from another place"
            )
        if info.flag_bits & 1:
            raise HlfError(f"{archive} is encrypted ({info.filename!r}); unpack it by hand")
        files[path] = info
    top = _common(path for path in files if path.name.lower().endswith(SUFFIXES))
    return {(path.relative_to(top) if path.is_relative_to(top) else path).as_posix(): i for path, i in files.items()}


def _common(paths: Iterable[PurePosixPath]) -> PurePosixPath:
    """Folder that paths have in common.

    >>> _common([PurePosixPath("a/b/1.jpg"), PurePosixPath("a/b/c/2.jpg")])
    PurePosixPath('a/b')
    """
    folders = [path.parent.parts for path in paths] or [()]
    # what the first and the last in order have in common, all between have
    same = itertools.takewhile(lambda two: two[0] == two[1], zip(min(folders), max(folders), strict=False))
    return PurePosixPath(*(part for part, _ in same))


def _extract(opened: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], folder: Path, progress: bool) -> None:
    staging = folder.with_name(f".{folder.name}.part")
    staging.mkdir(parents=True, exist_ok=True)
    missing = {
        name: info
        for name, info in members.items()
        if not (staging / name).is_file() or (staging / name).stat().st_size != info.file_size
    }
    size, left = (sum(info.file_size for info in some.values()) for some in (members, missing))
    checked_space(folder, left)
    bar = Progress(folder.name, size, size - left, progress)
    try:
        for name, info in missing.items():
            path, tmp = staging / name, staging / ".member"
            path.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(info) as source, tmp.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            tmp.replace(path)  # only now it has its name: whole, and its checksum is right
            bar.add(info.file_size)
    finally:
        bar.close()
    os.sync()
    staging.replace(folder)
