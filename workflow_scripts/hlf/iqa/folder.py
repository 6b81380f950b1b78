"""Command `hlf iqa`: two folders of pictures in, one row per picture and measure out; pairs are found by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.files import read_table
from hlf.images import list_images
from hlf.iqa.measure import measure_pairs
from hlf.iqa.registry import Source

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    "image",
    "ref",
    "metric",
    "value",
    "lower_better",
    "convention",
    "zoo",
    "weights_sha256",
    "version",
    "status",
]
PAIR_BY = ("stem", "name", "csv")


@dataclass(frozen=True)
class Pairing:
    """Pictures of two places, by the name under which they were looked for.

    Attributes:
        images: SR pictures.
        refs: GT pictures; those of a name that `images` has too are its partners.
        places: where SR and GT were looked for, for sentences.
    """

    images: dict[str, Path]
    refs: dict[str, Path]
    places: tuple[Path, Path]

    @property
    def names(self) -> list[str]:
        """Names of the pairs, sorted."""
        return sorted(set(self.images) & set(self.refs))

    def lonely(self) -> list[tuple[str, str, str]]:
        """(image, ref, sentence) of every picture without a partner, the other of both empty; SR first, by name."""
        target, reference = self.places
        ours = [self.images[n] for n in sorted(set(self.images) - set(self.refs))]
        theirs = [self.refs[n] for n in sorted(set(self.refs) - set(self.images))]
        return [
            *((str(path), "", f"{path} has no partner in {reference}") for path in ours),
            *(("", str(path), f"{path} has no partner in {target}") for path in theirs),
        ]


def find_pairs(target: Path, reference: Path | None, suffix: str = "", pair_by: str = "stem") -> Pairing:
    """Pair SR pictures with their GT.

    Args:
        target: SR picture, or folder of them, searched recursively; with "csv" a table with columns image and ref.
        reference: GT picture, or folder of them; not needed with "csv".
        suffix: what the stems of the SR pictures have behind those of the GT pictures, such as "_SwinIR".
        pair_by: "stem": same path below the folder but for the ending; "name": with the ending; "csv": as the table
            says, paths relative to it.

    Raises:
        HlfError: no picture, no pair at all, two pictures of one name in a folder, a table without these columns.
    """
    if pair_by not in PAIR_BY:
        raise HlfError(f"pair_by '{pair_by}' is unknown, expected one of {', '.join(PAIR_BY)}")
    if pair_by == "csv":
        return _listed(target)
    if reference is None:
        raise HlfError(f"pairing by {pair_by} needs a GT picture or folder")
    if target.is_file() and reference.is_file():  # two files are a pair whatever their names
        return Pairing({target.stem: target}, {target.stem: reference}, (target, reference))
    ending = pair_by == "name"
    found = Pairing(_by_name(target, suffix, ending), _by_name(reference, "", ending), (target, reference))
    if not found.names:
        raise HlfError(f"no picture of {target} has one of the same name in {reference}; give --suffix if names differ")
    return found


def _listed(path: Path) -> Pairing:
    """Pairs of a table; their names are the numbers of its rows."""
    table = read_table(path)
    lacking = [column for column in ("image", "ref") if column not in table]
    if lacking or table.empty:
        what = f"lacks column {lacking[0]}" if lacking else "has no row"
        raise HlfError(f"table of pairs {path} {what}; expected columns image and ref, a row for each pair")
    if table[["image", "ref"]].isna().any(axis=None):
        raise HlfError(f"table of pairs {path} has an empty cell; expected image and ref in every row")
    numbers = [f"{number:08d}" for number in range(len(table))]
    images, refs = (
        {number: path.parent / str(text) for number, text in zip(numbers, table[column], strict=True)}
        for column in ("image", "ref")
    )
    return Pairing(images, refs, (path, path))


def measure_folders(
    target: Path, reference: Path, metrics: list[str], source: Source, suffix: str = ""
) -> "tuple[pd.DataFrame, list[str]]":
    """Measure the pictures of one folder against those of the same name in another; see `measure_pairs`.

    Args:
        target: SR picture, or folder of them, searched recursively.
        reference: GT picture, or folder of them.
        metrics: names from `hlf.iqa.registry`.
        source: of weights.
        suffix: what the stems of the SR pictures have behind those of the GT pictures, such as "_SwinIR".

    Returns:
        Table with COLUMNS, by metric and name, failures as rows; and a sentence for every picture without a partner.

    Raises:
        HlfError: no picture, no pair at all, two pictures of one name in a folder, an unknown metric, wrong weights.
    """
    pairing = find_pairs(target, reference, suffix)
    return measure_pairing(pairing, metrics, source), [sentence for _, _, sentence in pairing.lonely()]


def measure_pairing(pairing: Pairing, metrics: list[str], source: Source) -> "pd.DataFrame":
    """Table with COLUMNS of the pairs, by metric and name, failures as rows; HlfError as `measure_pairs`."""
    import pandas as pd

    rows = [(n, str(pairing.refs[n].resolve()), str(pairing.images[n].resolve())) for n in pairing.names]
    pairs = pd.DataFrame(rows, columns=["pair_id", "gt_path", "sr_path"])
    table = measure_pairs(pairs, Path("/"), metrics, source, "", {}, None)[0]
    named = table.assign(
        image=table["pair_id"].map({name: str(path) for name, path in pairing.images.items()}),
        ref=table["pair_id"].map({name: str(path) for name, path in pairing.refs.items()}),
    )
    return named[COLUMNS]


def _by_name(place: Path, suffix: str, ending: bool) -> dict[str, Path]:
    """Pictures by their path below `place` without `suffix`, and without the file's ending unless asked for."""
    if place.is_file():
        return {place.stem.removesuffix(suffix) + (place.suffix if ending else ""): place}
    found: dict[str, Path] = {}
    for path in list_images(place):
        name = path.relative_to(place).with_suffix("").as_posix()
        if suffix and not name.endswith(suffix):
            continue
        name = name.removesuffix(suffix) + (path.suffix if ending else "")
        if name in found:
            raise HlfError(f"{found[name]} and {path} have one name; pairs are found by name, so keep one of them")
        found[name] = path
    return found
