"""Command `hlf iqa`: two folders of pictures in, one row per picture and measure out; pairs are found by name."""

from pathlib import Path
from typing import TYPE_CHECKING

from hlf.errors import HlfError
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
    import pandas as pd

    ours, theirs = _by_name(target, suffix), _by_name(reference, "")
    if target.is_file() and reference.is_file():  # two files are a pair whatever their names
        ours, theirs = {target.stem: target}, {target.stem: reference}
    lonely = [f"{ours[name]} has no partner in {reference}" for name in sorted(set(ours) - set(theirs))]
    lonely += [f"{theirs[name]} has no partner in {target}" for name in sorted(set(theirs) - set(ours))]
    names = sorted(set(ours) & set(theirs))
    if not names:
        raise HlfError(f"no picture of {target} has one of the same name in {reference}; give --suffix if names differ")
    rows = [(name, str(theirs[name].resolve()), str(ours[name].resolve())) for name in names]
    pairs = pd.DataFrame(rows, columns=["pair_id", "gt_path", "sr_path"])
    table = measure_pairs(pairs, Path("/"), metrics, source, "", {}, None)[0]
    named = table.assign(
        image=table["pair_id"].map({name: str(path) for name, path in ours.items()}),
        ref=table["pair_id"].map({name: str(path) for name, path in theirs.items()}),
    )
    return named[COLUMNS], lonely


def _by_name(place: Path, suffix: str) -> dict[str, Path]:
    """Pictures by their path below `place` without the file's ending and without `suffix`."""
    if place.is_file():
        return {place.stem.removesuffix(suffix): place}
    found: dict[str, Path] = {}
    for path in list_images(place):
        name = path.relative_to(place).with_suffix("").as_posix()
        if suffix and not name.endswith(suffix):
            continue
        name = name.removesuffix(suffix)
        if name in found:
            raise HlfError(f"{found[name]} and {path} have one name; pairs are found by name, so keep one of them")
        found[name] = path
    return found
