"""Tags of the mini world: what a tagger names in a scene, as RAM names things in a photograph."""

from hlf.scenes.vocabulary import PLACES, WORDS, glyph_classes
from hlf.training.pool import Pool

# pictogram classes, words, kinds and places; the order is part of the trained tagger
TAGS = (*glyph_classes(), *(word.lower() for word in WORDS), "sign", "code", *PLACES)
_PLACE = {tag: place for place, tag in enumerate(TAGS)}


def in_order(tags: set[str]) -> list[str]:
    """Tags in the order of TAGS."""
    return sorted(tags, key=_PLACE.__getitem__)


def tags_of_object(kind: str, label: str) -> set[str]:
    """What a tagger may say of one object."""
    return {"sign", label.lower()} if kind == "sign" else {label}


def tags_of(pool: Pool) -> list[list[str]]:
    """Tags of every scene of a pool in the order of TAGS."""
    found: list[set[str]] = [{caption.split()[-1]} for caption in pool.captions]
    columns = (pool.content[name].tolist() for name in ("index", "kind", "label"))
    for number, kind, label in zip(*columns, strict=True):
        if number < len(found):
            found[number] |= tags_of_object(kind, label)
    return [in_order(tags) for tags in found]
