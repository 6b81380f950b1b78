"""Parquet files that the library `datasets` reads with its own types, pictures included."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.files import atomic
from hlf.release.tables import IMAGE
from hlf.study.results.dictionary import FLAG, INT, REAL, TEXT, Columns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# kind of a column -> type of `datasets` and of Arrow
TYPES = {TEXT: "string", INT: "int64", REAL: "float64", FLAG: "bool", IMAGE: "image"}
ROWS = 50  # rows of a group, which a reader holds at once: 50 pairs of 512 pixels are about 50 MB


def features(columns: Columns) -> list[dict[str, str]]:
    """The columns as the YAML part of a data set card tells them."""
    return [{"name": name, "dtype": TYPES[kind]} for name, (kind, _) in columns.items()]


def write_parquet(path: Path, table: "pd.DataFrame", columns: Columns, folder: Path) -> int:
    """Write rows as one Parquet file; equal rows and pictures give equal bytes.

    Args:
        path: the file.
        table: holds every one of `columns`; in a column of pictures their paths below `folder`.
        columns: what is written, in this order.
        folder: of the pictures.

    Returns:
        Bytes of the rows in memory, as cards tell them.
    """
    import pyarrow.parquet as pq

    schema, size = _schema(columns), 0
    with atomic(path) as tmp, pq.ParquetWriter(tmp, schema, compression="zstd") as writer:
        for start in range(0, max(len(table), 1), ROWS):
            rows = _arrow(table.iloc[start : start + ROWS], columns, schema, folder)
            writer.write_table(rows)
            size += rows.nbytes
    return size


def _schema(columns: Columns) -> "pa.Schema":
    import pyarrow as pa

    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [
        (name, picture if kind == IMAGE else getattr(pa, _arrow_name(kind))()) for name, (kind, _) in columns.items()
    ]
    known = {
        n: {"_type": "Image"} if k == IMAGE else {"dtype": TYPES[k], "_type": "Value"} for n, (k, _) in columns.items()
    }
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": known}})})


def _arrow_name(kind: str) -> str:
    return {"bool": "bool_"}.get(TYPES[kind], TYPES[kind])


def _arrow(rows: "pd.DataFrame", columns: Columns, schema: "pa.Schema", folder: Path) -> "pa.Table":
    import pyarrow as pa

    arrays: list[Any] = []
    for name, (kind, _) in columns.items():
        kept: Any = rows[name]
        if kind == IMAGE:
            kept = [{"bytes": (folder / path).read_bytes(), "path": str(path)} for path in rows[name]]
        arrays.append(pa.array(kept, type=schema.field(name).type, from_pandas=kind != IMAGE))
    return pa.Table.from_arrays(arrays, schema=schema)
