"""Whether the files of an asset are there and right, told without loading any of them.

In this order, the cheap looks first: is it there; is it a file at all or a web page; has it the published size; are its
tensors those of its network; has it the published hash, and that of its first use.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zipfile import is_zipfile

from hlf.digest import file_hashes
from hlf.zoo.assets import TENSORS, Asset, File
from hlf.zoo.content import count_images, no_file, wrong
from hlf.zoo.expected import expected, size_of
from hlf.zoo.headers import Unreadable, read_headers
from hlf.zoo.lock import problem
from hlf.zoo.progress import Progress

PRESENT, MISSING, WRONG = "present", "missing", "wrong"
_SHOWN = 200 << 20  # bytes from which hashing a file shows how far it is
_BLOCK = 1 << 22


@dataclass(frozen=True)
class State:
    """State of one file of an asset.

    Attributes:
        path: as in the manifest; of images that are there: their folder.
        place: where it is or should be.
        status: PRESENT, MISSING or WRONG.
        note: why, to be put behind its name; "" where there is nothing to say.
        bytes: its size on disk; where it is missing, as published or roughly, 0 unknown.
    """

    path: str
    place: Path
    status: str
    note: str = ""
    bytes: int = 0


@dataclass(frozen=True)
class Places:
    """Where files are looked for.

    Attributes:
        zoo: folder of the official zoo, and of its lock.
        data: folder that paths of data are relative to.
        hashes: file that remembers hashes by path, size and time (`hlf.digest`); None: nothing is hashed.
        moved: data set -> where the configuration has it, if not where the manifest does.
        images: data set -> number of images that the configuration takes from it.
    """

    zoo: Path
    data: Path
    hashes: Path | None = None
    moved: Mapping[str, str] | None = None
    images: Mapping[str, int] | None = None


def check(asset: Asset, places: Places) -> list[State]:
    """State of every file of an asset."""
    if asset.kind == "data":
        return [_data(asset, file, places) for file in asset.files]
    return [_file(file, places.zoo, places) for file in asset.files]


def _data(asset: Asset, file: File, places: Places) -> State:
    """State of a data set: of the folder of its images, or of its file."""
    usual = file.unpack or file.path
    moved = (places.moved or {}).get(asset.name, usual)
    place = places.data / moved
    if not file.images:
        if moved != usual and place.is_dir():  # a folder that `hlf study export` wrote
            return State(file.path, place, PRESENT)
        return _file(file, places.data, places, place)
    wanted = file.images if moved == usual else (places.images or {}).get(asset.name, 1)
    found = count_images(place)
    if found >= wanted:
        return State(moved, place, PRESENT, f"{found:,} images")
    if place.is_dir() and found:
        return State(moved, place, WRONG, f"holds {found:,} of {wanted:,} images; fetch or unpack it again")
    archive = _file(file, places.data, places) if moved == usual else State(file.path, place, MISSING)
    if archive.status == PRESENT:
        return State(file.path, place, MISSING, f"its archive is there: `hlf zoo fetch {asset.name}` unpacks it")
    return archive


def _file(file: File, base: Path, places: Places, place: Path | None = None) -> State:
    names = (file.path, *file.older)
    name = next((name for name in names if (base / name).is_file()), file.path)
    place = place or base / name
    if not place.is_file():
        return State(file.path, place, MISSING, bytes=size_of(file))
    size = place.stat().st_size
    try:
        note = _content(file, name, place, size) or _history(file, name, place, size, places)
    except OSError as error:
        note = f"cannot be read ({error.strerror or error}); fix the rights"
    return State(file.path, place, WRONG if note else PRESENT, note, size)


def _content(file: File, name: str, place: Path, size: int) -> str:
    """What is wrong with a file as such; "" for nothing."""
    with place.open("rb") as handle:
        head = handle.read(512)
    again = "fetch it again"
    if not size:
        return f"is empty; {again}"
    if other := no_file(head, name):
        return f"is {other} instead of the file; {again}"
    if other := wrong("", size, "", file.bytes if name == file.path else 0):
        return f"{other}; it is truncated or another version: {again}"
    try:
        return _tensors(file, place) if file.format in TENSORS else _text(file, place)
    except Unreadable as error:
        return f"{error}: {again}"


def _tensors(file: File, place: Path) -> str:
    content = read_headers(place)
    if content.program != (file.format == "torchscript"):
        kinds = ("a state dict", "a TorchScript archive")
        return f"is {kinds[content.program]}, expected {kinds[not content.program]}; fetch the file of that name"
    if not file.keys:
        return ""
    # of several layouts that a file may have, the one that it is nearest to
    nearest = max(expected(file.keys), key=lambda one: one.shared(content.tensors))
    return nearest.problem(content.tensors)


def _text(file: File, place: Path) -> str:
    """What is wrong with a file of text, or with an archive of images; "" for nothing."""
    if file.format == "zip":
        return "" if is_zipfile(place) else "lacks the directory at its end; it is truncated: fetch it again"
    try:
        text = place.read_text(encoding="utf8")
        content = json.loads(text) if file.format == "json" else {}
    except ValueError as error:
        return f"is no {file.format.upper()} in UTF-8 ({error}); fetch it again"
    for key, value in file.holds.items():
        if not isinstance(content, dict) or content.get(key) != value:
            found = content.get(key) if isinstance(content, dict) else None
            return f"has {key} {json.dumps(found)}, expected {json.dumps(value)}; it belongs to another model or size"
    return ""


def _history(file: File, name: str, place: Path, size: int, places: Places) -> str:
    """How a file differs from what is published and from its first use; "" where it does not, or is not hashed."""
    if places.hashes is None or file.unpack:  # an archive is of no more use once it is unpacked
        return problem(places.zoo, name, "", size).removeprefix(f"{name} ")
    (digest,) = file_hashes([place], places.hashes, _hash).values()
    if name == file.path and (other := wrong(digest, size, file.sha256, 0)):
        return f"{other}; it is another version, or was changed on the way: fetch it again"
    return problem(places.zoo, name, digest, size).removeprefix(f"{name} ")


def _hash(path: Path) -> str:
    """SHA-256 of a file, with a bar for a large one on a terminal."""
    size = path.stat().st_size
    bar, found = Progress(f"hashing {path.name}", size, 0, size > _SHOWN), sha256()
    with path.open("rb", buffering=0) as handle:
        while block := handle.read(_BLOCK):
            found.update(block)
            bar.add(len(block))
    bar.close()
    return found.hexdigest()
