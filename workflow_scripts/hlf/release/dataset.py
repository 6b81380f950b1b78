"""The data set package of a finished run, written whole or not at all; equal runs give equal bytes."""

from pathlib import Path
from typing import TYPE_CHECKING

from hlf.files import atomic, write_json, write_table, write_text
from hlf.release import tables
from hlf.release.card import card, citation, front_matter
from hlf.release.checksums import write_checksums
from hlf.release.finished import Finished
from hlf.release.licences import dataset_licences
from hlf.release.parquet import write_parquet
from hlf.release.recipes import images_table, shared
from hlf.study.results.dictionary import Columns, dictionary_rows

if TYPE_CHECKING:
    import pandas as pd

RECIPES = "recipes.json"
IMAGES = "data/images/images.parquet"


def write_dataset(run: Finished, target: Path) -> None:
    """Write the package as folder `target`, replacing an earlier one.

    Raises:
        HlfError: pictures that are missing or changed, or a folder that cannot be written.
    """
    images, measures = images_table(run), tables.measures(run)
    paths = dict(zip(images["from"], images["path"], strict=True))
    pairs = tables.PAIRS | (tables.PICTURES if run.copies else {}) | tables.value_columns(measures)
    columns = {"pairs": pairs, "votes": tables.VOTES, "images": tables.IMAGES}
    rows = tables.pairs(run, paths)
    rows = rows.assign(**{kind: rows[f"{kind}_path"] for kind in tables.PICTURES})
    splits = {"pairs": _by_part(rows), "votes": _by_part(tables.votes(run)), "images": {"images": images}}
    with atomic(target) as tmp:
        tmp.mkdir()
        if run.copies:
            for source, path in paths.items():
                (tmp / path).parent.mkdir(parents=True, exist_ok=True)
                (tmp / path).write_bytes((run.results / source).read_bytes())
        sizes = {
            name: {
                part: (len(own), write_parquet(tmp / f"data/{name}/{part}.parquet", own, columns[name], tmp))
                for part, own in parts.items()
            }
            for name, parts in splits.items()
        }
        download = {name: sum(p.stat().st_size for p in (tmp / "data" / name).iterdir()) for name in columns}
        write_table(measures, tmp / "measures.csv")
        write_json(tmp / RECIPES, shared(run))
        write_text(tmp / "data_dictionary.md", _dictionary(columns))
        write_text(tmp / "LICENSES.md", dataset_licences(run))
        write_text(tmp / "CITATION.cff", citation(run))
        write_text(tmp / "README.md", card(run, front_matter(run, columns, sizes, download), measures))
        write_checksums(tmp)


def _by_part(table: "pd.DataFrame") -> "dict[str, pd.DataFrame]":
    """Rows of each part that has any, in the order of PARTS."""
    parts = {part: table[table["part"] == part] for part in tables.PARTS}
    return {part: own for part, own in parts.items() if len(own)}


def _dictionary(columns: "dict[str, Columns]") -> str:
    """Markdown page on every column."""
    lines = ["# Data dictionary"]
    for name, own in {**columns, "measures.csv": tables.MEASURES}.items():
        lines += ["", f"## {name}", "", *dictionary_rows(own)]
    return "\n".join(lines) + "\n"
