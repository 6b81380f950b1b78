"""What the paper's scale needs from elsewhere, read from assets.yaml: data sets, checkpoints and files beside them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hlf.errors import HlfError

MANIFEST = Path(__file__).with_name("assets.yaml")
KINDS = ("model", "data")
FORMATS = ("safetensors", "torch", "torchscript", "json", "text", "csv", "zip", "folder")
TENSORS = FORMATS[:3]


@dataclass(frozen=True)
class Origin:
    """How one file is got: exactly one of `url`, `hub` and `hand` is given.

    Attributes:
        url: plain URL.
        hub: model hub repository "owner/name".
        hub_file: path in that repository.
        revision: its branch, tag or commit.
        hand: sentence on what a person must do, where a form or a drive link stands between.
    """

    url: str = ""
    hub: str = ""
    hub_file: str = ""
    revision: str = "main"
    hand: str = ""


@dataclass(frozen=True)
class File:
    """One file, or one folder of images.

    Attributes:
        path: relative; below the official zoo's folder for models, below the working folder for data.
        origin: how it is got.
        format: one of FORMATS.
        bytes: size as published; 0: unknown.
        sha256: hexadecimal, whole or the first 8 or more digits where only those are published; "": unknown.
        keys: names and shapes of its tensors, see `hlf.zoo.expected`; "" where it holds none or none are known.
        older: other paths that do as well, such as names of older publications.
        unpack: of a zip archive: folder that its images end up in.
        images: how many images there are in `unpack`, or in the folder itself.
        about: rough size in bytes, for plans; 0: the size of its tensors.
        holds: values that a JSON file must have.
    """

    path: str
    origin: Origin
    format: str
    bytes: int = 0
    sha256: str = ""
    keys: str = ""
    older: tuple[str, ...] = ()
    unpack: str = ""
    images: int = 0
    about: int = 0
    holds: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Asset:
    """Files that are used together, as one network or one data set.

    Attributes:
        name: of the entry of the official zoo, or of the data set.
        kind: "model" or "data".
        title: what it is, in words.
        publisher: who made it.
        page: where it is published, for people.
        licence: SPDX name, or the name its publisher gives where SPDX has none.
        source: where it is published, in words, for errors.
        loader: module that reads it; "" for data.
        needs: other assets that a network cannot do without.
        setting: of data: configuration key that says where it lies; the path of its file is the default there.
        files: all needed.
    """

    name: str
    kind: str
    title: str
    publisher: str
    page: str
    licence: str
    source: str
    loader: str
    needs: tuple[str, ...]
    setting: str
    files: tuple[File, ...]


@cache
def assets() -> dict[str, Asset]:
    """All assets by name, in the manifest's order.

    Raises:
        HlfError: the manifest is no YAML or holds something else than assets; names file, asset and key.
    """
    return read_manifest(MANIFEST)


def read_manifest(path: Path) -> dict[str, Asset]:
    """Assets of one manifest; see its head for the layout.

    Raises:
        HlfError: as `assets`.
    """
    found: dict[str, Asset] = {}
    for name, values in read_yaml(path).items():
        if not str(name).startswith("_"):  # parts that several assets share
            found[name] = _asset(str(name), values, f"{path.name}: asset '{name}'")
    for asset in found.values():
        for need in asset.needs:
            if need not in found:
                raise HlfError(
                    f"{path.name}: asset '{asset.name}' needs '{need}', which is no asset; mend the manifest"
                )
    return found


def read_yaml(path: Path) -> dict[str, Any]:
    """Keys and values of a YAML file of this package; HlfError names it when it has none."""
    import yaml

    # the loader in C reads it in a tenth of the time
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        content = yaml.load(path.read_text(encoding="utf8"), Loader=loader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise HlfError(f"{path} cannot be read as YAML ({' '.join(str(error).split())}); mend it") from error
    if not isinstance(content, dict):
        raise HlfError(f"{path} holds {type(content).__name__}, expected keys and values; mend it")
    return content


# what a manifest says of an asset and of a file; those with a value need not be there
_ASSET: dict[str, Any] = {
    "title": None, "publisher": None, "page": None, "licence": None, "source": None, "kind": "model", "loader": "",
    "needs": [], "setting": "", "folder": "", "files": None, "url": "", "hub": "", "hub_folder": "", "hand": "",
}  # fmt: skip
_FILE: dict[str, Any] = {
    "path": None, "format": "", "bytes": 0, "sha256": "", "keys": "", "older": [], "unpack": "", "images": 0,
    "about": 0, "holds": {}, "url": "", "hub": "", "hub_file": "", "revision": "main", "hand": "",
}  # fmt: skip
_SUFFIXES = {
    ".safetensors": "safetensors", ".pth": "torch", ".bin": "torch", ".ckpt": "torch", ".pt": "torchscript",
    ".json": "json", ".txt": "text", ".csv": "csv", ".zip": "zip",
}  # fmt: skip


def _asset(name: str, values: Any, where: str) -> Asset:
    given = _values(values, _ASSET, where)
    if given["kind"] not in KINDS:
        raise HlfError(f"{where}: kind is '{given['kind']}', expected one of {', '.join(KINDS)}; mend the manifest")
    shared = {key: given.pop(key) for key in ("folder", "url", "hub", "hub_folder", "hand")}
    files = [
        _file(_values(one, _FILE, f"{where}, file {number}"), shared, f"{where}, file {number}")
        for number, one in enumerate(given.pop("files"), 1)
    ]
    given["needs"] = tuple(given["needs"])
    return Asset(name=name, files=tuple(files), **given)


def _file(given: dict[str, Any], shared: Mapping[str, str], where: str) -> File:
    """One file; what its asset says of origin and folder holds for it unless it says so itself."""
    path, ways = given["path"], ("url", "hub", "hand")
    origin = {key: given.pop(key) for key in (*ways, "hub_file", "revision")}
    if not any(origin[way] for way in ways):
        origin |= {way: shared[way] for way in ways}
    if origin["url"].endswith("/"):
        origin["url"] += path
    if origin["hub"] and not origin["hub_file"]:
        origin["hub_file"] = "/".join(filter(None, (shared["hub_folder"], path)))
    if sum(bool(origin[way]) for way in ways) != 1:
        raise HlfError(f"{where} ({path}): expected exactly one of {', '.join(ways)}; mend the manifest")
    given["format"] = given["format"] or _SUFFIXES.get(Path(path).suffix, "folder")
    if given["format"] not in FORMATS:
        raise HlfError(f"{where}: format is '{given['format']}', expected one of {', '.join(FORMATS)}")
    if given["sha256"] and not re.fullmatch(r"[0-9a-f]{8,64}", given["sha256"]):
        raise HlfError(f"{where}: sha256 is '{given['sha256']}', expected 8 to 64 hexadecimal digits")
    below = f"{shared['folder']}/" if shared["folder"] else ""
    given |= {"path": below + path, "older": tuple(below + other for other in given["older"])}
    return File(origin=Origin(**origin), **given)


def _values(values: Any, known: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What stands there with the values of what does not; HlfError on keys unknown or missing and on other types."""
    if not isinstance(values, dict):
        raise HlfError(f"{where} is {type(values).__name__}, expected keys and values; mend the manifest")
    for key in values:
        if key not in known:
            raise HlfError(f"{where} has unknown key '{key}', known are {', '.join(known)}; mend the manifest")
    for key, default in known.items():
        kind = type("" if default is None and key != "files" else default or ([] if key == "files" else default))
        if key not in values and default is None:
            raise HlfError(f"{where} lacks '{key}'; mend the manifest")
        if key in values and not isinstance(values[key], kind):
            raise HlfError(f"{where}: {key} is {values[key]!r}, expected {kind.__name__}; mend the manifest")
    return {key: values.get(key, default) for key, default in known.items()}
