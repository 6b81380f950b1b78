"""Bringing the files of an asset to their places, by whatever way each can be got."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hlf.errors import HlfError
from hlf.zoo.assets import Asset, File
from hlf.zoo.content import WrongFile, checked, count_images, wrong
from hlf.zoo.fetching.archive import unpack
from hlf.zoo.fetching.download import PATIENT, NotThere, Patience, download
from hlf.zoo.fetching.hub import fetch_hub
from hlf.zoo.fetching.local import LocalFolder, hub_name, place
from hlf.zoo.fetching.mirrors import mirrored
from hlf.zoo.lock import LOCK, Locked, read_lock, record

log = logging.getLogger("hlf.zoo")


@dataclass(frozen=True)
class Outcome:
    """What became of one file.

    Attributes:
        path: as in the manifest.
        status: "present": it was there, and right; "fetched": it is there now; "by hand": a person must bring it;
            "failed": it could not be had, or what is there is wrong.
        note: a sentence: where it came from, what to do by hand, or what went wrong.
    """

    path: str
    status: str
    note: str = ""


@dataclass(frozen=True)
class _Ways:
    """Arguments of `fetch` that all files share."""

    zoo: Path
    base: Path
    mirrors: Mapping[str, str]
    offline: LocalFolder | None
    remove_archives: bool
    progress: bool
    patience: Patience
    locked: dict[str, Locked] = field(default_factory=dict)

    def expected(self, file: File, name: str) -> tuple[int, str]:
        """Size and hash under one of a file's names: of its first use, else as published."""
        published = (file.bytes, file.sha256) if name == file.path else (0, "")
        first = self.locked.get(name)
        if first is None:
            return published
        if other := wrong(first.sha256, first.bytes, published[1], published[0]):
            raise HlfError(
                f"{self.zoo / LOCK} has a {name} that {other} by the manifest; remove its entry there, and the file"
            )
        return first.bytes, first.sha256

    def note(self, file: File, name: str, found: Locked) -> None:
        """Record a file's first use; not of data that people make themselves, such as votes, and may make anew."""
        if self.base == self.zoo or not file.origin.hand:
            record(self.zoo, {name: found})


def fetch(
    asset: Asset,
    folder: str | Path,
    *,
    data_folder: str | Path = ".",
    mirrors: Mapping[str, str] | None = None,
    offline: str | Path | None = None,
    remove_archives: bool = False,
    progress: bool = True,
    patience: Patience = PATIENT,
) -> list[Outcome]:
    """Bring all files of an asset to their places; what is there and right is left as it is.

    Each file is checked against what is published and against the lock of the zoo (`hlf.zoo.lock`), which records it at
    its first use. One that fails does not stop the others.

    Args:
        asset: of `hlf.zoo.assets`.
        folder: of the official zoo: models go there, and the lock of all files lies there.
        data_folder: data sets go below it.
        mirrors: what URLs begin with -> what they shall begin with instead.
        offline: a local folder that is asked in place of the network.
        remove_archives: remove archives of images once they are unpacked.
        progress: as for `hlf.zoo.fetching.download.download`.
        patience: how long servers are waited for.

    Raises:
        HlfError: the lock is damaged, the local folder is not there, or a mirror is no pair of URLs.
    """
    mirrored("", mirrors or {})
    ways = _Ways(
        Path(folder),
        Path(folder) if asset.kind == "model" else Path(data_folder),
        mirrors or {},
        LocalFolder(offline) if offline is not None else None,
        remove_archives,
        progress,
        patience,
        read_lock(folder),
    )
    outcomes = []
    for file in asset.files:
        try:
            outcomes.append(_bring(file, ways))
        except HlfError as error:
            first = f"; {LOCK} tells what it was at first use: remove its entry there if a new one is meant"
            known = isinstance(error, WrongFile) and file.path in ways.locked
            note = f"{error}{first if known else ''} (its page: {asset.page})"
            outcomes.append(Outcome(file.path, "failed", note))
    return outcomes


def _bring(file: File, ways: _Ways) -> Outcome:
    if file.format == "folder":
        return _folder(file, ways)
    if file.unpack and (ways.base / file.unpack).is_dir():
        return _unpacked(file, ways)
    for name in (file.path, *file.older):
        path = ways.base / name
        if path.is_file():
            size, digest = ways.expected(file, name)
            log.info("%s: there, is checked", name)
            ways.note(file, name, Locked(checked(path, digest, size), path.stat().st_size))
            outcome = Outcome(file.path, "present", "" if name == file.path else f"as {name}")
            break
    else:
        found = _get(file, ways)
        if found is None:
            there = f"; it goes to {ways.base / file.path}"
            return Outcome(file.path, "by hand", file.origin.hand + there)
        name, digest, note = found
        path = ways.base / name
        ways.note(file, name, Locked(digest, path.stat().st_size))
        outcome = Outcome(file.path, "fetched", note)
    return _unpack(file, path, ways, outcome) if file.unpack else outcome


def _get(file: File, ways: _Ways) -> tuple[str, str, str] | None:
    """Name under which a missing file came, its hash and a note; None when only a person can bring it."""
    if ways.offline is not None:
        if local := ways.offline.find(file):
            name, source = local
            size, digest = ways.expected(file, name)
            return name, place(source, ways.base / name, digest, size), f"from {source}"
        if not file.origin.hand:
            raise HlfError(
                f"cannot fetch {file.path}: local folder {ways.offline.folder} has neither that path nor a file that "
                "could be it by its name; put it there, or fetch it from the network"
            )
    origin, target = file.origin, ways.base / file.path
    if origin.hand:
        return None
    if origin.hub:
        return _from_hub(file, ways)
    size, digest = ways.expected(file, file.path)
    url = mirrored(origin.url, ways.mirrors)
    found = download(url, target, size, digest, patience=ways.patience, progress=ways.progress)
    return file.path, found, f"from {url}"


def _from_hub(file: File, ways: _Ways) -> tuple[str, str, str]:
    """The file from its repository, or an older name of it where only that is there."""
    origin, missing = file.origin, None
    for name in (file.path, *file.older):
        inside = hub_name(file, name)
        if not inside:
            continue
        size, digest = ways.expected(file, name)
        try:
            found = fetch_hub(
                origin.hub, inside, ways.base / name, revision=origin.revision, bytes=size, sha256=digest,
                mirrors=ways.mirrors, patience=ways.patience, progress=ways.progress,
            )  # fmt: skip
        except NotThere as error:
            missing = missing or error
            continue
        return name, found, f"{inside} of {origin.hub}"
    raise missing or HlfError(f"{file.path} has no name in {origin.hub}; mend the manifest")


def _folder(file: File, ways: _Ways) -> Outcome:
    """A folder that a person brings."""
    path = ways.base / file.path
    if not path.is_dir():
        return Outcome(file.path, "by hand", f"{file.origin.hand}; it goes to {path}")
    _enough(path, file.images)
    return Outcome(file.path, "present")


def _enough(folder: Path, images: int) -> int:
    """Number of images in a folder; HlfError when there are fewer than so many."""
    found = count_images(folder)
    if found < max(images, 1):
        raise HlfError(
            f"{folder} holds {found} images, expected {images or 'some'}; it is not complete: move it away and fetch "
            "it again"
        )
    return found


def _unpacked(file: File, ways: _Ways) -> Outcome:
    """An archive whose folder is there; the archive itself is of no more use."""
    found = _enough(ways.base / file.unpack, file.images)
    if ways.remove_archives:
        (ways.base / file.path).unlink(missing_ok=True)
    return Outcome(file.path, "present", f"{found} images in {file.unpack}")


def _unpack(file: File, archive: Path, ways: _Ways, outcome: Outcome) -> Outcome:
    found = unpack(archive, ways.base / file.unpack, file.images, ways.progress)
    if ways.remove_archives:
        archive.unlink(missing_ok=True)
    note = f"{outcome.note}, unpacked" if outcome.note else "unpacked"
    return Outcome(file.path, "fetched", f"{note}: {found} images in {file.unpack}")
