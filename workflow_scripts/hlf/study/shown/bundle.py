"""The bundle: what a study shows, as a folder of pictures under opaque names and two tables that explain them.

    study.json   run, scale, source, seed, digest of the configuration, settings that the configuration sets
    pairs.csv    one row per pair, `COLUMNS`; the study's owner may edit it before the import
    images/      one PNG per shown side, 8-bit RGB without metadata, pixels equal to the pipeline's files

`hlf.study.shown.bundle_writer` makes it; here it is read and checked. Imports no heavy package.
"""

import csv
import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from hlf.errors import HlfError
from hlf.files import read_json
from hlf.study.settings import Settings
from hlf.study.shown.png import png_size
from hlf.study.shown.traps import traps_for

FORMAT = 1  # of the folder; changes when an older reader would go wrong
FACTS = ("run", "scale", "seed", "config_hash")
COLUMNS = (
    "pair_id", "role", "image_id", "level", "model", "gt_file", "sr_file", "gt_name", "sr_name", "trap_kind", "answer",
    "reason",
)  # fmt: skip
# role -> what stands in column answer; 1 = the content changes
ANSWERS = {"trial": ("-1",), "trap": ("0", "1"), "practice": ("0", "1")}


@dataclass(frozen=True)
class Picture:
    """One file of the bundle: its path below images/, hexadecimal SHA-256, and size in pixels."""

    path: str
    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class Shown:
    """One row of pairs.csv; level is empty but for trials, answer is -1 for trials and 0 or 1 for all others."""

    pair_id: str
    role: str
    image_id: str
    level: str
    model: str
    gt_file: str
    sr_file: str
    gt_name: str
    sr_name: str
    trap_kind: str
    answer: int
    reason: str


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and found good.

    Attributes:
        folder: where it lies.
        facts: run, scale, source, config_hash.
        seed: of the run.
        settings: those `Settings` that the configuration sets, by name.
        pairs: rows of pairs.csv in its order.
        pictures: of all files that a row names, by that name.
    """

    folder: Path
    facts: dict[str, Any]
    seed: int
    settings: dict[str, Any]
    pairs: tuple[Shown, ...]
    pictures: dict[str, Picture]

    def image_rows(self, study: str) -> list[dict[str, Any]]:
        """Rows of the database's table `image`; ids differ between studies that show the same bundle."""
        return [
            {
                "id": image_key(study, picture.path), "study": study, "sha256": picture.sha256, "path": picture.path,
                "width": picture.width, "height": picture.height,
            }
            for picture in self.pictures.values()
        ]  # fmt: skip

    def pair_rows(self, study: str, votes_per_pair: int) -> list[dict[str, Any]]:
        """Rows of the database's table `pair`; traps and practice pairs want no votes."""
        return [
            {
                "study": study, "name": pair.pair_id, "role": pair.role, "gt_image": image_key(study, pair.gt_file),
                "sr_image": image_key(study, pair.sr_file), "image_id": pair.image_id, "model": pair.model,
                "level": pair.level, "gt_name": pair.gt_name, "sr_name": pair.sr_name, "trap_kind": pair.trap_kind,
                "answer": pair.answer, "reason": pair.reason, "target": votes_per_pair if pair.role == "trial" else 0,
            }
            for pair in self.pairs
        ]  # fmt: skip


def image_key(study: str, path: str) -> str:
    """Id of an image in the database: 32 hexadecimal digits from the study and the file's path."""
    return hashlib.blake2b(f"{study}\x1f{path}".encode(), digest_size=16).hexdigest()


def read_bundle(folder: Path, own: Mapping[str, Any] | None = None) -> Bundle:
    """Read a bundle and check all of it, every image to its last byte.

    Args:
        folder: the bundle.
        own: settings of the study's owner, which go before those of the bundle; they decide how many traps are needed.

    Raises:
        HlfError: one sentence on the first thing that is wrong: a missing file, a cell of pairs.csv, a picture that is
            no plain PNG, GT and SR of different size, too few traps for a full quota, too few practice pairs.
    """
    folder = Path(folder)
    facts = _facts(folder / "study.json")
    settings = Settings.from_dict({**facts["settings"], **(own or {})})
    pairs = read_shown(folder / "pairs.csv")
    _check_numbers(pairs, settings, folder / "pairs.csv")
    pictures = _pictures(folder / "images", pairs)
    for pair in pairs:
        gt, sr = pictures[pair.gt_file], pictures[pair.sr_file]
        if (gt.width, gt.height) != (sr.width, sr.height):
            raise HlfError(
                f"{folder / 'pairs.csv'}: pair {pair.pair_id} shows {pair.gt_file} of {gt.width}x{gt.height} beside "
                f"{pair.sr_file} of {sr.width}x{sr.height} pixels; both must be of one size"
            )
    named = {name: facts[name] for name in ("run", "scale", "source", "config_hash")}
    return Bundle(folder, named, facts["seed"], facts["settings"], pairs, pictures)


def _facts(path: Path) -> dict[str, Any]:
    """Contents of study.json."""
    found = read_json(path)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        got = found.get("format") if isinstance(found, dict) else found
        raise HlfError(f"{path} has format {got!r}, this version of hlf reads {FORMAT}; make the bundle again")
    kinds = {"run": str, "scale": str, "source": str, "config_hash": str, "seed": int, "settings": dict}
    for name, kind in kinds.items():
        if type(found.get(name)) is not kind:
            raise HlfError(f"{path}: {name} is {found.get(name)!r}, expected a value of type {kind.__name__}")
    return found


def read_shown(path: Path) -> tuple[Shown, ...]:
    """Rows of pairs.csv; HlfError on the first wrong cell, with its row as editors count: the header is row 1."""
    try:
        # a spreadsheet puts a mark before the first column's name
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise HlfError(f"{path} lacks columns {', '.join(missing)}; expected {', '.join(COLUMNS)}")
            found = [_row(row, f"{path} row {reader.line_num}") for row in reader]
    except FileNotFoundError as error:
        raise HlfError(f"{path} does not exist; make the bundle again: snakemake study_bundle") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HlfError(f"{path} cannot be read as CSV in UTF-8 ({error}); save it as such") from error
    twice = [name for name, count in Counter(pair.pair_id for pair in found).items() if count > 1]
    if twice:
        raise HlfError(f"{path} names pair {twice[0]} more than once; give every row a pair_id of its own")
    return tuple(found)


def _row(cells: Mapping[str | None, Any], where: str) -> Shown:
    """One row; HlfError on the first cell that is wrong."""
    if None in cells or None in cells.values():
        raise HlfError(f"{where} has another number of cells than the header; mend that line")
    row = {name: cells[name].strip() for name in COLUMNS}
    needed = ("pair_id", "image_id", "gt_file", "sr_file")
    empty = [name for name in needed if not row[name]]
    if empty:
        raise HlfError(f"{where}: {', '.join(empty)} is empty; fill it in")
    if row["role"] not in ANSWERS:
        raise HlfError(f"{where}: role is '{row['role']}', allowed is one of {', '.join(ANSWERS)}")
    role, where = row["role"], f"{where} ({row['pair_id']})"
    if row["answer"] not in ANSWERS[role]:
        allowed = " or ".join(ANSWERS[role])
        raise HlfError(f"{where}: answer is '{row['answer']}', allowed for a {role} is {allowed}")
    if role == "trial" and not (row["model"] and row["level"]):
        raise HlfError(f"{where}: a trial needs model and level")
    if role == "practice" and not row["reason"]:
        raise HlfError(f"{where}: a practice pair needs a reason, which people read after their answer")
    if row["gt_file"] == row["sr_file"]:
        raise HlfError(f"{where}: gt_file and sr_file are the same file; save one of them again under another name")
    for name in ("gt_file", "sr_file"):
        _refuse_escape(row[name], f"{where}: {name}")
    return Shown(**{**row, "answer": int(row["answer"])})  # type: ignore[arg-type]


def _refuse_escape(name: str, where: str) -> None:
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts or parts.as_posix() != name or any(c in name for c in "\\:\0"):
        raise HlfError(f"{where} is {name!r}, expected the path of a file below images/, such as 'mine.png'")


def _check_numbers(pairs: tuple[Shown, ...], settings: Settings, path: Path) -> None:
    """Whether there are pairs, and enough traps and practice pairs for one person."""
    trials = sum(pair.role == "trial" for pair in pairs)
    if not trials:
        raise HlfError(f"{path} holds no pair of role trial; make the bundle again")
    quota = min(settings.people_quota, trials)
    wanted = traps_for(quota, settings.trap_rate)
    yes, no = (sum(pair.role == "trap" and pair.answer == answer for pair in pairs) for answer in (1, 0))
    if yes + no < wanted or min(yes, no) < wanted // 2:
        raise HlfError(
            f"{path} holds {yes} traps with the answer yes and {no} with no, but a person who answers {quota} pairs "
            f"meets {wanted} traps, half of each; add traps or lower people_quota"
        )
    practice = sum(pair.role == "practice" for pair in pairs)
    if practice < settings.practice_pass:
        raise HlfError(
            f"{path} holds {practice} practice pairs, but {settings.practice_pass} right answers are needed to pass; "
            "add practice pairs or lower practice_pass"
        )


def _pictures(images: Path, pairs: tuple[Shown, ...]) -> dict[str, Picture]:
    """All files that rows name, read and checked."""
    found: dict[str, Picture] = {}
    root = images.resolve()
    for pair in pairs:
        for name in (pair.gt_file, pair.sr_file):
            if name in found:
                continue
            path = images / name
            if not path.resolve().is_relative_to(root):
                raise HlfError(f"image {path} of pair {pair.pair_id} leads out of {images}; copy the file there")
            try:
                data = path.read_bytes()
            except OSError as error:
                raise HlfError(
                    f"image {path} of pair {pair.pair_id} cannot be opened: {error.strerror}; copy the file there"
                ) from error
            found[name] = Picture(name, hashlib.sha256(data).hexdigest(), *png_size(data, str(path)))
    return found
