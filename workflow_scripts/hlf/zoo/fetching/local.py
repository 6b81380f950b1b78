"""Files of a local folder in place of the network: found by their paths, linked or copied, checked the same way."""

import os
import shutil
from collections import Counter, defaultdict
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from hlf.errors import HlfError
from hlf.files import atomic
from hlf.zoo.assets import File, assets
from hlf.zoo.content import WrongFile, look
from hlf.zoo.fetching.part import checked_space


class LocalFolder:
    """A folder with files that were brought here by hand.

    It may be laid out as the zoo, hold clones of hub repositories or the hub's cache, or just be a heap of files.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise HlfError(f"local folder {self.folder} does not exist; give one that holds the files")

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Files below the folder by their names."""
        found: dict[str, list[Path]] = defaultdict(list)
        for place, folders, files in os.walk(self.folder, followlinks=True):
            folders.sort()
            for name in sorted(files):
                found[name].append(Path(place, name))
        return found

    def find(self, file: File) -> tuple[str, Path] | None:
        """Which path of the manifest (the file's own, or an older one) is there, and where; None when none is.

        By its relative path first; then below a folder of the hub repository's name; then by its name alone, where
        that cannot mean another file: it is told by a hash or size, or neither manifest nor folder has the name twice.

        Raises:
            HlfError: several files could be meant.
        """
        names = (file.path, *file.older)
        for name in names:
            if (self.folder / name).is_file():
                return name, self.folder / name
        for name in names:
            for candidates in (self._by_path(name), self._of_repository(file, name), self._by_name_alone(file, name)):
                if candidates:
                    return name, self._the_one(file, name, candidates)
        return None

    def _the_one(self, file: File, name: str, candidates: list[Path]) -> Path:
        """The right one of several files, where they are told apart by what is published, or are all the same file."""
        several = list({p.resolve(): p for p in candidates}.values())
        if len(several) > 1 and name == file.path and (file.sha256 or file.bytes):
            # none right: any, so that somebody is told what is wrong with it
            several = [p for p in several if not look(p, file.sha256, file.bytes)[1]][:1] or several[:1]
        if len(several) > 1:
            raise HlfError(
                f"local folder {self.folder} has several files that could be {name}: {several[0]} and {several[1]}; "
                f"put the right one at {self.folder / name}"
            )
        return several[0]

    def _named(self, name: str) -> list[Path]:
        return self._by_name.get(PurePosixPath(name).name, [])

    def _by_path(self, name: str) -> list[Path]:
        """Files whose paths end with the whole path, where that has a folder in it."""
        return [p for p in self._named(name) if "/" in name and _ends(p, name)]

    def _of_repository(self, file: File, name: str) -> list[Path]:
        """Files of a clone, or of the hub's cache, of the file's repository."""
        owner, _, repository = file.origin.hub.partition("/")
        inside = hub_name(file, name)
        if not repository or not inside:
            return []
        return [
            p
            for p in self._named(inside)
            if _ends(p, f"{repository}/{inside}")
            or (_ends(p, inside) and f"models--{owner}--{repository}" in p.relative_to(self.folder).parts)
        ]

    def _by_name_alone(self, file: File, name: str) -> list[Path]:
        """Files of the name, or of the name that the URL has."""
        theirs = unquote(PurePosixPath(urlsplit(file.origin.url).path).name) if name == file.path else ""
        told = name == file.path and (file.sha256 or file.bytes)
        if not told and _manifest_names()[PurePosixPath(name).name] > 1:
            return []
        return [*self._named(name), *(self._named(theirs) if theirs else [])]


@cache
def _manifest_names() -> Counter[str]:
    """How many different paths of the manifest have a name."""
    paths = {name for asset in assets().values() for file in asset.files for name in (file.path, *file.older)}
    return Counter(PurePosixPath(path).name for path in paths)


def _ends(path: Path, tail: str) -> bool:
    parts = PurePosixPath(tail).parts
    return path.parts[-len(parts) :] == parts


def hub_name(file: File, name: str) -> str:
    """Path in the hub repository of one of a file's names; "" where that cannot be told.

    >>> from hlf.zoo.assets import Origin
    >>> file = File("vit/model.safetensors", Origin(hub="a/vit", hub_file="model.safetensors"), "safetensors")
    >>> hub_name(file, "vit/model.safetensors"), hub_name(file, "vit/pytorch_model.bin")
    ('model.safetensors', 'pytorch_model.bin')
    """
    inside = file.origin.hub_file
    if name == file.path:
        return inside
    before = file.path.removesuffix(inside)  # of the zoo only, such as the folder of the model
    return name.removeprefix(before) if before != file.path and name.startswith(before) else ""


def place(source: Path, target: Path, sha256: str, bytes: int) -> str:
    """Bring a local file to `target` as a hard link, or as a copy onto another disk; returns its SHA-256.

    Raises:
        HlfError: it is not the file that is expected, or the target cannot be written.
    """
    source = source.resolve()
    with atomic(target) as tmp:
        try:
            os.link(source, tmp)
        except OSError:
            checked_space(target, source.stat().st_size)
            shutil.copyfile(source, tmp)
        found, problem = look(tmp, sha256, bytes, target.name)
        if problem:
            raise WrongFile(f"{source} {problem}; it is truncated or another version: put the right file there")
    return found
