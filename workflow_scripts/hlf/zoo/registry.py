"""Where the weights of a model lie, by the list in `hlf.zoo.entries`. Two zoos, never mixed."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hlf.errors import HlfError
from hlf.files import sha256
from hlf.zoo.assets import assets
from hlf.zoo.entries import ENTRIES, ZOOS, Entry


def zoo_folder(zoo: str, folder: str | Path | None = None) -> Path:
    """Folder of a zoo: `folder` itself, else $HLF_ZOO, else resources/zoo/<zoo> below the working folder.

    Where the working folder has none, that of the checkout which this library stands in is taken.
    """
    if folder or os.environ.get("HLF_ZOO"):
        return Path(folder or os.environ["HLF_ZOO"])
    here, checkout = (root / "resources/zoo" / zoo for root in (Path(), Path(__file__).parents[3]))
    return checkout if checkout.is_dir() and not here.is_dir() else here


def entry(zoo: str, name: str) -> Entry:
    """Registry entry of a model; HlfError lists what the zoo holds when there is none."""
    if zoo not in ZOOS:
        raise HlfError(f"zoo '{zoo}' is unknown, expected one of {', '.join(ZOOS)}")
    if (zoo, name) not in ENTRIES:
        known = ", ".join(n for z, n in ENTRIES if z == zoo)
        raise HlfError(f"zoo '{zoo}' has no model '{name}', expected one of {known}")
    return ENTRIES[zoo, name]


def with_needs(zoo: str, name: str) -> list[str]:
    """Names of an entry and of all entries that it needs, in turn; an unknown name stands alone.

    >>> with_needs("official", "seesr"), with_needs("official", "none such")
    (['seesr', 'sd-base', 'ram', 'dape'], ['none such'])
    """
    names = [name]
    for one in names:
        known = ENTRIES.get((zoo, one))
        names += [need for need in (known.needs if known else ()) if need not in names]
    return names


def entry_name(zoo: str, model: str, variant: str = "") -> str:
    """Entry of an SR model, whose option `variant` may choose another file.

    >>> entry_name("official", "swinir", "L"), entry_name("official", "swinir", "M")
    ('swinir-l', 'swinir')
    """
    name = f"{model}-{variant.lower()}"
    return name if (zoo, name) in ENTRIES else model


def needed(zoo: str, model: str, options: Mapping[str, Any]) -> list[str]:
    """Entries that an SR model reads with these options: `with_needs`, but no captioner where nothing asks for it.

    >>> needed("official", "pasd", {"captions": "captions.csv"}), needed("official", "pasd", {})
    (['pasd', 'sd15'], ['pasd', 'sd15', 'coca'])
    """
    names = with_needs(zoo, entry_name(zoo, model, options.get("variant", "")))
    silent = options.get("captions") or options.get("information") == "none"
    return [name for name in names if not (silent and name == "coca")]


def weight_paths(zoo: str, folder: str | Path, name: str) -> list[Path]:
    """Where a model's own files are expected in `folder`, present or not; older names where only those exist."""
    wanted = entry(zoo, name)
    paths = []
    for file in wanted.files:
        names = [file, *(old for new, old in wanted.older if new == file)]
        paths.append(
            next((path for path in (Path(folder) / one for one in names) if path.is_file()), Path(folder) / file)
        )
    return paths


def get_advice(zoo: str, name: str, file: str = "") -> str:
    """How official files are got, to be put behind a sentence on their absence; "" for the mini zoo.

    Args:
        zoo: mini or official.
        name: of the entry.
        file: one of its files, whose size and hash are told where they are published.
    """
    if zoo != "official":
        return ""
    from hlf.zoo.content import megabytes
    from hlf.zoo.expected import size_of

    found = [one for one in assets()[name].files if one.path == file]
    facts = [f"{'' if one.bytes else 'about '}{megabytes(size)}" for one in found if (size := size_of(one))]
    facts += [f"SHA-256 {one.sha256}" for one in found if one.sha256]
    return f", or run `hlf zoo fetch {name}`{'; expected ' if facts else ''}{', '.join(facts)}"


def find_weights(zoo: str, folder: str | Path, name: str) -> list[Path]:
    """Paths of a model's own files in `folder`, the folder of that zoo; another zoo is never looked at.

    Raises:
        HlfError: unknown zoo or name, or a file is missing; names it, its source, licence and the folder to put it in.
    """
    wanted, paths = entry(zoo, name), weight_paths(zoo, folder, name)
    for file, path in zip(wanted.files, paths, strict=True):
        if not path.is_file():
            raise HlfError(
                f"zoo '{zoo}' lacks the weights of '{name}': {path} does not exist; source: {wanted.source}, "
                f"licence {wanted.licence}; put {path.name} into {path.parent}{get_advice(zoo, name, file)}"
            )
    return paths


def find_all_weights(zoo: str, folder: str | Path, name: str) -> dict[str, list[Path]]:
    """`find_weights` of a model and of every entry that it needs, by entry; nothing is read before all are there."""
    return {one: find_weights(zoo, folder, one) for one in with_needs(zoo, name)}


def weights_sha256(paths: list[Path]) -> str:
    """One SHA-256 for a model's files: of the file itself, or of the sorted names and digests when there are several.

    Names without folders, so that a moved zoo keeps its digest.
    """
    digests = sorted(f"{path.name} {sha256(path)}" for path in paths)
    if len(digests) == 1:
        return digests[0].split()[-1]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
