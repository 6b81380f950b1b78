"""What jobs lack, as their keys tell it: a value "missing: <why>" or "wrong: <why>" stands where a digest would."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from hlf.zoo.entries import ENTRIES
from hlf.zoo.registry import get_advice

WEIGHTS = "weights."  # begins the name of a digest of a zoo entry in a key


def problems(keys: Iterable[str], zoo: str, folder: str | Path) -> tuple[str, list[str]]:
    """What is amiss, in a word or two, and one sentence for each thing that is missing or has changed.

    Args:
        keys: of the jobs that would run, as `hlf.digest.key` makes them.
        zoo: mini or official.
        folder: of that zoo, for the advice.

    Returns:
        "missing" or "missing or has changed"; sentences, sorted, each once; none when nothing is amiss.

    >>> problems(['{"code": "0a", "votes": "missing: no file of votes"}'], "mini", "zoo")
    ('missing', ['votes: no file of votes'])
    """
    texts = list(keys)
    changed = any('"wrong: ' in text for text in texts)
    told = [text for text in texts if changed or '"missing: ' in text]
    found = sorted({sentence for text in told for sentence in _sentences(text, zoo, folder)})
    return ("missing or has changed" if changed else "missing"), found


def _sentences(key: str, zoo: str, folder: str | Path) -> Iterator[str]:
    for name, value in json.loads(key).items():
        kind, _, reason = str(value).partition(": ")
        if kind not in ("missing", "wrong"):
            continue
        what = name.removeprefix(WEIGHTS)
        known = ENTRIES.get((zoo, what)) if name.startswith(WEIGHTS) else None
        where = (
            f"; source: {known.source}, licence {known.licence}; put it below {folder}{get_advice(zoo, what)}"
            if known and kind == "missing"
            else ""
        )
        yield f"{what}: {reason}{where}"


def entries_in(keys: Iterable[str]) -> list[str]:
    """Names of the zoo entries whose digests stand in keys, sorted."""
    texts = (text for text in keys if f'"{WEIGHTS}' in text)
    return sorted(
        {name.removeprefix(WEIGHTS) for text in texts for name in json.loads(text) if name.startswith(WEIGHTS)}
    )
