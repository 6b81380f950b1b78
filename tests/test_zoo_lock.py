"""The lock of an official zoo: first use recorded, verified ever after, by many at once."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from hlf.errors import HlfError
from hlf.files import write_json
from hlf.zoo import lock as module
from hlf.zoo.lock import LOCK, Locked, problem, read_lock, record

LIBRARY = Path(__file__).resolve().parent.parent / "workflow_scripts"


def locked(data: bytes) -> Locked:
    return Locked(hashlib.sha256(data).hexdigest(), len(data))


def test_first_use_is_recorded_and_read_back(tmp_path: Path) -> None:
    (tmp_path / "b.pth").write_bytes(b"two")
    record(tmp_path / "zoo", {"z/b.pth": tmp_path / "b.pth", "a.pth": locked(b"one")})
    assert read_lock(tmp_path / "zoo") == {"a.pth": locked(b"one"), "z/b.pth": locked(b"two")}
    text = (tmp_path / "zoo" / LOCK).read_text()
    assert list(json.loads(text)) == ["a.pth", "z/b.pth"] and text.endswith("}\n")
    assert json.loads(text)["a.pth"] == {"sha256": locked(b"one").sha256, "bytes": 3}


def test_no_lock_yet_holds_nothing_and_forbids_nothing(tmp_path: Path) -> None:
    assert read_lock(tmp_path) == {} and read_lock(tmp_path / "none") == {}
    assert problem(tmp_path, "a.pth", "ff", 1) == ""


def test_another_file_is_told_and_never_recorded(tmp_path: Path) -> None:
    record(tmp_path, {"a.pth": locked(b"one")})
    before = (tmp_path / LOCK).read_bytes()
    with pytest.raises(HlfError, match=r"a\.pth is not the file that was used first: it has SHA-256 .*; put that file"):
        record(tmp_path, {"b.pth": locked(b"new"), "a.pth": locked(b"two")})
    with pytest.raises(HlfError, match=r"it has 4 bytes, .*assets\.lock\.json has 3 bytes; put that file back"):
        record(tmp_path, {"a.pth": locked(b"four")})
    assert (tmp_path / LOCK).read_bytes() == before


def test_what_is_known_is_only_compared(tmp_path: Path) -> None:
    record(tmp_path, {"a.pth": locked(b"one")})
    first = locked(b"one")
    assert problem(tmp_path, "a.pth", first.sha256, 3) == "" and problem(tmp_path, "a.pth", "", 3) == ""
    assert "SHA-256 ff" in problem(tmp_path, "a.pth", "ff", 3) and "4 bytes" in problem(tmp_path, "a.pth", "", 4)
    stat = (tmp_path / LOCK).stat()
    (tmp_path / f".{LOCK}.lock").unlink()
    record(tmp_path, {"a.pth": first})
    assert [p.name for p in tmp_path.iterdir()] == [LOCK]  # a zoo that one may only read does as well
    assert (tmp_path / LOCK).stat().st_mtime_ns == stat.st_mtime_ns and (tmp_path / LOCK).stat().st_ino == stat.st_ino


def test_what_another_process_recorded_meanwhile_counts(tmp_path: Path, monkeypatch) -> None:
    alone = module._one_writer

    @contextmanager
    def late(folder: Path) -> Iterator[None]:
        with alone(folder):
            write_json(folder / LOCK, {"a.pth": asdict(locked(b"theirs")), "b.pth": asdict(locked(b"b"))})
        with alone(folder):
            yield

    monkeypatch.setattr(module, "_one_writer", late)
    with pytest.raises(HlfError, match="is not the file that was used first"):
        record(tmp_path, {"a.pth": locked(b"mine")})
    record(tmp_path, {"c.pth": locked(b"c")})
    assert list(read_lock(tmp_path)) == ["a.pth", "b.pth", "c.pth"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": {"sha256": "ff"}}', '{"a": {"bytes": "x"}}', "3"])
def test_a_damaged_lock_is_told_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK).write_text(text)
    for use in (lambda: read_lock(tmp_path), lambda: record(tmp_path, {"a": locked(b"")})):
        with pytest.raises(HlfError, match=r"assets\.lock\.json is damaged, so no file can be compared .*; put back"):
            use()
    assert (tmp_path / LOCK).read_text() == text


def test_a_missing_file_and_a_folder_that_is_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(HlfError, match=r"cannot read .*none\.pth: No such file or directory; fix the path"):
        record(tmp_path, {"a.pth": tmp_path / "none.pth"})
    (tmp_path / "file").write_text("")
    with pytest.raises(HlfError, match=r"cannot write .*; fix the rights"):
        record(tmp_path / "file", {"a.pth": locked(b"one")})


def test_many_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Eight processes record ten files each, all of them one that is the same for all."""
    code = (
        "import sys\nfrom hlf.zoo.lock import Locked, record\n"
        "for i in range(10):\n"
        "    record(sys.argv[1], {f'{sys.argv[2]}/{i}': Locked(sys.argv[2] * 64, i), 'same': Locked('e' * 64, 1)})\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    writers = [subprocess.Popen([*command, name], env=environment) for name in "01234567"]
    assert [writer.wait(60) for writer in writers] == [0] * 8
    found = read_lock(tmp_path)
    assert len(found) == 81 and found["3/7"] == Locked("3" * 64, 7)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f".{LOCK}.lock", LOCK]
