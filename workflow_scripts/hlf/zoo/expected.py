"""Names and shapes that the tensors of a published file must have: lists and layouts of hlf/zoo/keys.

They are facts of the files, under the names that the files have. tests/test_zoo_layouts.py holds them against what the
loaders take.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from hlf.errors import HlfError
from hlf.files import read_json
from hlf.zoo.assets import File, read_yaml
from hlf.zoo.load import WRAPPERS
from hlf.zoo.shapes import Header, difference

KEYS = Path(__file__).with_name("keys")
OR = " or "  # between the layouts of a file that may have several


@dataclass(frozen=True)
class Expected:
    """What one kind of file holds.

    Attributes:
        tensors: names to headers, in the file's order.
        inside: outer keys of which the first that a file has holds the tensors.
        may_lack: patterns of names that files may do without.
        may_hold: patterns of names that they may have besides.
        renamed: part of a name in older files -> its part here.
    """

    tensors: Mapping[str, Header]
    inside: tuple[str, ...] = WRAPPERS
    may_lack: tuple[str, ...] = ()
    may_hold: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return sum(header.size for header in self.tensors.values())

    def problem(self, found: Mapping[str, Any]) -> str:
        """How the content of a file differs, see `hlf.zoo.shapes.difference`; "" where it does not.

        Args:
            found: what `hlf.zoo.headers.read_headers` tells of it.
        """
        state: Mapping[str, Any] = next((found[key] for key in self.inside if isinstance(found.get(key), dict)), found)
        state = {self._new(key): header for key, header in flat(state).items()}
        needed = {key: header for key, header in self.tensors.items() if key in state or not _any(key, self.may_lack)}
        rest = {key: header for key, header in state.items() if key in needed or not _any(key, self.may_hold)}
        return difference(needed, rest)

    def shared(self, found: Mapping[str, Any]) -> int:
        """How many names a file has in common with this."""
        return len(self.tensors.keys() & {self._new(key.rpartition("/")[2]) for key in flat(found)})

    def _new(self, name: str) -> str:
        for old, new in self.renamed:
            name = name.replace(old, new)
        return name


def _any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def flat(tree: Mapping[str, Any]) -> dict[str, Header]:
    """Headers of a dict and of the dicts in it, as `outer/inner`."""
    found: dict[str, Header] = {}
    for name, value in tree.items():
        below = {f"{name}/{key}": one for key, one in flat(value).items()} if isinstance(value, dict) else {name: value}
        found |= below
    return found


def expected(keys: str) -> tuple[Expected, ...]:
    """What a file may be, the usual first; by what its `keys` say in the manifest.

    Raises:
        HlfError: there is no such list or layout, or a size of it is not given.
    """
    return tuple(_one(each.strip()) for each in keys.split(OR))


def size_of(file: File) -> int:
    """Bytes of a file as published, or roughly; 0 where nothing is known."""
    return file.bytes or file.about or (expected(file.keys)[0].size if file.keys else 0)


@cache
def _one(keys: str) -> Expected:
    """List `part/keys_x.json`, or layout with sizes such as `dinov2 d=768 n=12`."""
    if keys.endswith(".json"):
        return Expected(_listed(keys))
    name, *given = keys.split()
    layouts = read_yaml(KEYS / "layouts.yaml")
    if name not in layouts:
        raise HlfError(f"layouts.yaml has no layout '{name}', known are {', '.join(layouts)}; mend assets.yaml")
    layout = layouts[name]
    sizes = {**layout.get("sizes", {}), **{k: int(v) for k, v in (one.split("=") for one in given)}}
    tensors = _listed(layout["list"]) if "list" in layout else dict(_blocks(layout["tensors"], sizes, name))
    return Expected(
        tensors,
        tuple(layout.get("inside", WRAPPERS)),
        tuple(_strings(layout.get("may_lack", ()))),
        tuple(_strings(layout.get("may_hold", ()))),
        tuple(layout.get("renamed", {}).items()),
    )


def _strings(patterns: Any) -> Iterator[str]:
    """Patterns of a list, which may hold lists that another layout has too."""
    for pattern in patterns:
        yield from [pattern] if isinstance(pattern, str) else _strings(pattern)


def _listed(name: str) -> dict[str, Header]:
    """Headers of a list. The lists come from several programs, and each has its own outer key and its own words."""
    content = read_json(KEYS / name)
    content = content.get("keys", content.get("tensors", content))

    def headers(values: Mapping[str, Any]) -> dict[str, Any]:
        """The headers below a part of the file, nested as there."""
        return {key: _header(one) or headers(one) for key, one in values.items()}

    return flat(headers(content))


def _header(value: Any) -> Header | None:
    if isinstance(value, list):
        return Header(tuple(value[0]), value[1])
    return Header(tuple(value["shape"]), value["dtype"]) if "shape" in value else None


def _blocks(blocks: list[dict[str, Any]], sizes: Mapping[str, int], layout: str) -> Iterator[tuple[str, Header]]:
    """Names and headers of a layout's blocks."""
    for block in blocks:
        each = block.get("each", {})
        rounds = [dict(zip(each, values, strict=True)) for values in zip(*each.values(), strict=True)] or [{}]
        for round_ in rounds:
            known = {**sizes, **round_}
            for pattern, shape in block.items():
                if pattern != "each":
                    try:
                        yield from _tensors(pattern, str(shape), known)
                    except KeyError as error:
                        raise HlfError(f"layout '{layout}' needs size {error}, which assets.yaml lacks") from error


def _tensors(pattern: str, shape: str, sizes: Mapping[str, int]) -> Iterator[tuple[str, Header]]:
    """Names and headers of one line; see the head of layouts.yaml."""
    sides = tuple(_side(word, sizes) for word in shape.split() if word != "-")
    pattern = re.sub(r"<(\w+)>", lambda found: str(sizes[found[1]]), pattern)
    parts = re.split(r"\{([^}]*)\}", pattern)
    choices = [[text] if place % 2 == 0 else _choices(text, sizes) for place, text in enumerate(parts)]
    for name in map("".join, product(*choices)):
        stem = name[:-1]
        if name.endswith((".*", ".#")):
            yield f"{stem}weight", Header(sides, "float32")
            yield f"{stem}bias", Header(sides[:1], "float32")
        else:
            yield name, Header(sides, "float32")
        if name.endswith(".#"):
            yield f"{stem}running_mean", Header(sides, "float32")
            yield f"{stem}running_var", Header(sides, "float32")
            yield f"{stem}num_batches_tracked", Header((), "int64")


def _side(word: str, sizes: Mapping[str, int]) -> int:
    """Length of an axis: 768, d or 4d."""
    factor, name = re.fullmatch(r"(\d*)(\w*)", word).groups()  # type: ignore[union-attr]
    return int(factor or 1) * (sizes[name] if name else 1)


def _choices(text: str, sizes: Mapping[str, int]) -> list[str]:
    """What {text} stands for in a name."""
    first, dots, last = text.partition("..")
    if dots or text in sizes:
        return [str(i) for i in range(int(first) if dots else 0, sizes[last if dots else text])]
    return text.split(",")
