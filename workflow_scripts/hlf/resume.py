"""Images that are already there and whole need not be made again: a small record beside each image says what made it.

Declared outputs of a job are removed before it starts again; the images and their records are not declared, so a job
that was killed goes on where it stopped. The record is written after its image: a crash between the two only costs
that one image again.
"""

import json
from pathlib import Path

from hlf.errors import HlfError
from hlf.files import read_json, sha256, write_json


def record_path(image: Path) -> Path:
    """Where the record of `image` stands: `.work/<stem>.json` beside it."""
    return image.parent / ".work" / f"{image.stem}.json"


def kept(image: Path, record: Path, facts: dict) -> bool:
    """True when `image` was made from exactly these facts and its bytes are still the ones written.

    Args:
        image: the image file.
        record: its record, see `record_path`.
        facts: everything the image depends on (hash of the input, seed, key of the job...), JSON values only.

    A missing or broken record, a missing, truncated or altered image, or one other fact gives False.
    """
    if not image.is_file():
        return False
    try:
        known = read_json(record)
    except (HlfError, OSError):  # absent or cut short by a crash: the image is made again
        return False
    # through JSON and back, so that tuples and integer keys compare as they were stored
    wanted = json.loads(json.dumps(facts))
    if not isinstance(known, dict) or known.get("facts") != wanted:
        return False
    return bool(known.get("sha256") == sha256(image))


def remember(image_sha256: str, record: Path, facts: dict) -> None:
    """Write the record of an image that stands complete on disk.

    Args:
        image_sha256: hexadecimal SHA-256 of the image's bytes.
        record: where the record goes, see `record_path`.
        facts: as for `kept`.
    """
    write_json(record, {"sha256": image_sha256, "facts": facts})
