"""Writing that leaves nothing half-written, and reading that says which file is wrong."""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError

if TYPE_CHECKING:
    import pandas as pd


DAY = 86400.0  # seconds after which a temporary name of another machine is given up


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Temporary name beside `path`, flushed to disk and renamed to it when the block ends well, removed otherwise.

    Works for a file or a folder; what a killed writer left beside it goes away first. Raises HlfError when the disk is
    full or the folder cannot be written.
    """
    path = Path(path)
    # host and process tell the next writer whether this one still lives
    tmp = path.with_name(f".{path.stem}.{_host()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path.parent)
        yield tmp
        if tmp.is_dir() and path.is_dir():
            shutil.rmtree(path)
        if tmp.is_file():
            with tmp.open("rb") as handle:
                os.fsync(handle.fileno())
        tmp.replace(path)
    except OSError as error:
        raise HlfError(f"cannot write {path}: {error.strerror or error}; free some space or fix the rights") from error
    finally:
        _remove(tmp)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _host() -> str:
    return socket.gethostname().replace(".", "_").replace("-", "_")


@functools.cache  # once a process and folder: listing a large folder for each image would take longer than writing it
def _remove_leftovers(folder: Path) -> None:
    """Remove temporary names of writers that are gone: kill -9 leaves no time to tidy up."""
    for path in folder.glob(".*.tmp*"):
        with contextlib.suppress(OSError):
            if _is_left(path):
                _remove(path)


def _is_left(tmp: Path) -> bool:
    writer = tmp.name.partition(".tmp")[0].rpartition(".")[2].split("-")
    if len(writer) != 3 or not writer[1].isdigit():
        return False  # no name of ours
    if writer[0] != _host():
        return time.time() - tmp.stat().st_mtime > DAY
    return not _runs(int(writer[1]))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic(path) as tmp:
        tmp.write_text(text, encoding="utf8")


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON atomically, keys sorted, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON; HlfError names the file when it is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf8"))
    except FileNotFoundError as error:
        raise HlfError(f"{path} does not exist; check its name, or make it first") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise HlfError(f"{path} is not valid JSON ({error}); make or fetch it again") from error


def write_table(table: "pd.DataFrame", path: str | Path) -> None:
    """Write a table atomically as Parquet or CSV, chosen by the suffix; equal tables give equal bytes."""
    with atomic(path) as tmp:
        if tmp.suffix == ".parquet":
            table.to_parquet(tmp, index=False, compression="zstd")
        elif tmp.suffix == ".csv":
            table.to_csv(tmp, index=False, lineterminator="\n")
        else:
            raise HlfError(f"cannot write a table to {path}: expected a name ending in .parquet or .csv")


def read_table(path: str | Path) -> "pd.DataFrame":
    """Read a Parquet or CSV table, image ids and names as text; HlfError names a missing or broken file."""
    import pandas as pd

    path = Path(path)
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        # KonIQ ids are digits only: read as numbers they would lose leading zeros and their type
        names = {"image_id": str, "pair_id": str, "participant": str, "model": str, "level": float}
        return pd.read_csv(path, dtype=names, keep_default_na=False, na_values=[""])  # type: ignore[arg-type]
    except FileNotFoundError as error:
        raise HlfError(f"table {path} does not exist; check its name, or make it first") from error
    except Exception as error:
        raise HlfError(f"table {path} cannot be read ({error}); make or fetch it again") from error


def sha256(path: str | Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
