"""Writing the bundle of a run: its pairs, traps and practice pairs, as `hlf.study.shown.bundle` describes them."""

import base64
import csv
import functools
import hashlib
import io
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.columns import level_name
from hlf.data.prepare import FOLDER_LIMIT
from hlf.errors import HlfError
from hlf.files import atomic, write_json, write_text
from hlf.images import ImageError, decode_image, encode_png
from hlf.study.settings import Settings
from hlf.study.shown.bundle import COLUMNS, FACTS, FORMAT
from hlf.study.shown.gallery import Gallery
from hlf.study.shown.png import png_size, resaved
from hlf.study.shown.practice import practice
from hlf.study.shown.traps import Known, pool_size, traps

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

log = logging.getLogger(__name__)

NAME = re.compile(
    r"[a-z2-7]{22}\.png"
)  # of an image: 110 bits of a digest, letters that no spreadsheet takes for a sum


@dataclass(frozen=True)
class _Picture:
    """A picture to show: digest of what it is made from, and how its PNG bytes are made."""

    digest: str
    encode: Callable[[], bytes]


def write_bundle(
    folder: Path,
    pairs: "pd.DataFrame",
    results_root: Path,
    facts: Mapping[str, Any],
    settings: Mapping[str, Any],
    content: "pd.DataFrame | None" = None,
) -> None:
    """Write the bundle of a run: its pairs, traps and practice pairs. Equal arguments give equal bytes.

    Images are named after what they are made of, so those that a killed call has left are kept. The tables come last;
    an image of an earlier call that no row names any more goes then.

    Args:
        folder: the bundle.
        pairs: table `pairs`.
        results_root: folder of the run, in which the paths of `pairs` start.
        facts: run, scale, seed and config_hash, for study.json.
        settings: those `Settings` that the configuration sets, by name.
        content: table `content` of a run on scenes, None for photographs.

    Raises:
        HlfError: a wrong setting, a missing or broken image, GT and SR of different size, no room for traps, a full or
            write-protected disk.
    """
    import cv2

    cv2.setNumThreads(1)  # another number of threads may change the last bits of a blurred picture
    started, chosen, seed = time.perf_counter(), Settings.from_dict(settings), int(facts["seed"])
    gallery = Gallery(pairs, results_root, content, seed)
    deck = gallery.deck()
    quota = min(chosen.people_quota, len(pairs))  # nobody answers a pair twice
    known = [*practice(gallery, deck), *traps(gallery, deck, pool_size(quota, chosen.trap_rate))]
    writer = _Writer(Path(folder) / "images", seed, 2 * (len(pairs) + len(known)) > FOLDER_LIMIT)
    rows = [*_trial_rows(pairs, Path(results_root), writer), *(_known_row(pair, writer) for pair in known)]
    # without study.json a folder is no bundle: a killed call cannot leave pairs of one run with the facts of another
    (Path(folder) / "study.json").unlink(missing_ok=True)
    write_text(Path(folder) / "pairs.csv", _csv(rows))
    named = {name: facts[name] for name in FACTS} | {"seed": seed}
    write_json(Path(folder) / "study.json", {"format": FORMAT, "source": "human", "settings": dict(settings), **named})
    writer.remove_strangers()
    seconds = time.perf_counter() - started
    log.info(
        "bundle: %d pairs, %d traps and practice pairs; %d images written, %d kept, %.1f images/s",
        len(pairs), len(known), writer.written, writer.kept, (writer.written + writer.kept) / seconds,
    )  # fmt: skip


class _Writer:
    """Writes images below a folder, each under the name that pair, side and contents give it."""

    def __init__(self, folder: Path, seed: int, sharded: bool) -> None:
        self.folder, self.seed, self.sharded = folder, seed, sharded
        self.written = self.kept = 0
        self.names: set[str] = set()

    def put(self, pair_id: str, side: str, picture: _Picture) -> tuple[str, tuple[int, int]]:
        """Name below the folder, and width and height; a whole image that is there already is kept."""
        name = image_name(self.seed, pair_id, side, picture.digest)
        name = f"{name[:2]}/{name}" if self.sharded else name
        target = self.folder / name
        self.names.add(name)
        try:
            size = png_size(target.read_bytes(), str(target))
            self.kept += 1
        except (OSError, ImageError):  # absent, or spoiled after it was written
            data = picture.encode()
            with atomic(target) as tmp:
                tmp.write_bytes(data)
            size = png_size(data, str(target))
            self.written += 1
        return name, size

    def remove_strangers(self) -> None:
        """Remove images that an earlier call wrote and this one did not."""
        for path in [*self.folder.glob("*.png"), *self.folder.glob("??/*.png")]:
            if NAME.fullmatch(path.name) and path.relative_to(self.folder).as_posix() not in self.names:
                path.unlink()
        for path in self.folder.glob("??"):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()


def image_name(seed: int, pair_id: str, side: str, digest: str) -> str:
    """Opaque name of an image: BLAKE2b of the seed, the pair, its side ("gt" or "sr") and what it is made of."""
    text = "\x1f".join([str(seed), "study-image", pair_id, side, digest])
    code = base64.b32encode(hashlib.blake2b(text.encode(), digest_size=16).digest())
    return f"{code.decode().lower()[:22]}.png"


def _original(path: Path) -> _Picture:
    """A picture of the pipeline: read once, decoded and encoded once, when it is first needed."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(
            f"image {path} cannot be opened: {error.strerror}; run the stage that makes it again"
        ) from error
    return _Picture(
        hashlib.sha256(data).hexdigest(), functools.cache(lambda: encode_png(decode_image(data, str(path))))
    )


def _trial_rows(pairs: "pd.DataFrame", results: Path, writer: _Writer) -> list[dict[str, Any]]:
    """Rows of the run's pairs, their images written; the pairs of a GT follow each other, so it is decoded once."""
    rows, gt_path, gt = [], "", None
    for pair in pairs.sort_values(["image_id", "pair_id"]).to_dict("records"):
        if gt is None or pair["gt_path"] != gt_path:
            gt_path, gt = pair["gt_path"], _original(results / pair["gt_path"])
        files = _put_both(pair["pair_id"], gt, _original(results / pair["sr_path"]), writer)
        about = {name: pair[name] for name in ("pair_id", "image_id", "model")} | {"level": level_name(pair["level"])}
        names = {"gt_name": pair["gt_path"], "sr_name": pair["sr_path"]}
        rows.append({"role": "trial", **about, **files, **names, "trap_kind": "", "answer": -1, "reason": ""})
    return rows


def _known_row(pair: Known, writer: _Writer) -> dict[str, Any]:
    """Row of a trap or practice pair, its images written."""
    gt = _Picture(_digest(pair.gt), lambda: encode_png(pair.gt))
    # a picture beside itself is saved in another way: equal files would stand out
    encode = resaved if pair.kind == "no_identical" else encode_png
    sr = _Picture(_digest(pair.sr), lambda: encode(pair.sr))
    names = {"gt_name": pair.gt_name, "sr_name": pair.sr_name}
    trap = pair.pair_id.startswith("trap")
    about: dict[str, Any] = {"role": "trap" if trap else "practice", "trap_kind": pair.kind if trap else ""}
    about |= {"image_id": pair.image_id, "level": "", "model": "", "answer": pair.answer, "reason": pair.reason}
    return {"pair_id": pair.pair_id, **about, **_put_both(pair.pair_id, gt, sr, writer), **names}


def _digest(pixels: "np.ndarray") -> str:
    return hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _put_both(pair_id: str, gt: _Picture, sr: _Picture, writer: _Writer) -> dict[str, str]:
    """Names of both images of a pair; HlfError when they differ in size."""
    (gt_file, gt_size), (sr_file, sr_size) = writer.put(pair_id, "gt", gt), writer.put(pair_id, "sr", sr)
    if gt_size != sr_size:
        wide, other = ("x".join(map(str, size)) for size in (gt_size, sr_size))
        raise HlfError(f"pair {pair_id}: GT is {wide} and SR is {other} pixels, but both must be of one size")
    return {"gt_file": gt_file, "sr_file": sr_file}


def _csv(rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()
