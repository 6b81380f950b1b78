"""Seeds, files and tables: the ground that every stage stands on."""

import hashlib
import os
import socket
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlf.columns import TABLES, conform, level_name, pair_id
from hlf.errors import HlfError
from hlf.files import atomic, read_json, read_table, sha256, write_json, write_table, write_text
from hlf.seeds import generator, seed_for

NAMES = st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"]), max_size=6)


def test_seeds_never_change():
    # pinned: another value would change every published result
    assert seed_for(42, "degradation", "img", 0.3) == 17439289292925504515
    assert seed_for(42, "scene", "dataset", 0) == 11863538747119011695
    assert seed_for(0, "sr") == 6960183293353663504
    assert generator(42, "sr", "a").integers(0, 1000, 3).tolist() == [767, 267, 392]


def test_seed_is_the_hash_of_the_joined_names():
    digest = hashlib.blake2b(b"42\x1fsr\x1fa\x1f1.0", digest_size=8).digest()
    assert seed_for(42, "sr", "a", 1.0) == int.from_bytes(digest, "big")


@given(st.lists(NAMES, max_size=4), st.lists(NAMES, max_size=4))
def test_other_names_give_other_seeds(first, second):
    assert (seed_for(1, "s", *first) == seed_for(1, "s", *second)) == (first == second)


def test_borders_between_names_count():
    assert seed_for(1, "a", "bc") != seed_for(1, "ab", "c") != seed_for(1, "abc")
    assert seed_for(1, "a", "b", "c") != seed_for(1, "a", "bc")
    assert seed_for(1, "1") != seed_for(11, "")


@given(st.floats(allow_nan=False))
def test_a_level_from_numpy_gives_the_same_seed(level):
    assert seed_for(7, "lr", "a", np.float64(level)) == seed_for(7, "lr", "a", level)
    assert level_name(np.float64(level)) == level_name(level)


def test_generators_are_independent_and_leave_numpys_own_alone():
    np.random.seed(0)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    a, b, again = (generator(1, "stage", name).random(5) for name in ("a", "b", "a"))
    assert np.random.random() == expected  # noqa: NPY002
    assert (a == again).all() and not (a == b).any()


def names_in(folder):
    return sorted(p.name for p in folder.iterdir())


def test_nothing_half_written_when_a_block_fails(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(ValueError, match="stop"), atomic(tmp_path / "a.txt") as tmp:
        tmp.write_text("half")
        raise ValueError("stop")
    assert (tmp_path / "a.txt").read_text() == "old" and names_in(tmp_path) == ["a.txt"]
    with pytest.raises(KeyboardInterrupt), atomic(tmp_path / "new.txt") as tmp:
        tmp.write_text("half")
        raise KeyboardInterrupt
    assert names_in(tmp_path) == ["a.txt"]


def test_a_folder_is_replaced_whole_or_kept(tmp_path):
    for text in ("one", "two"):
        with atomic(tmp_path / "model") as tmp:
            tmp.mkdir()
            (tmp / f"{text}.txt").write_text(text)
    assert names_in(tmp_path / "model") == ["two.txt"]
    with pytest.raises(ValueError, match="stop"), atomic(tmp_path / "model") as tmp:
        tmp.mkdir()
        (tmp / "three.txt").write_text("3")
        raise ValueError("stop")
    assert names_in(tmp_path / "model") == ["two.txt"] and names_in(tmp_path) == ["model"]


def killed_while_writing(path):
    """Write half of a file in a process of its own that kills itself."""
    code = (
        "import os, sys; from hlf.files import atomic\n"
        "with atomic(sys.argv[1]) as tmp:\n    tmp.write_text('half'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path):
    killed_while_writing(tmp_path / "image.png")
    assert [n.endswith(".tmp.png") for n in names_in(tmp_path)] == [True]
    write_text(tmp_path / "other.txt", "x")
    assert names_in(tmp_path) == ["other.txt"]


def test_temporary_names_of_living_writers_and_of_other_programs_stay(tmp_path):
    host = socket.gethostname().replace(".", "_").replace("-", "_")
    kept = [f".a.{host}-{os.getpid()}-0a0a0a0a.tmp.png", ".a.elsewhere-1-0a0a0a0a.tmp.png", ".notes.tmp", ".b.tmp.png"]
    old = ".a.elsewhere-2-0a0a0a0a.tmp.png"
    for name in (*kept, old):
        (tmp_path / name).touch()
    os.utime(tmp_path / old, (0, 0))
    write_text(tmp_path / "c.txt", "x")
    assert names_in(tmp_path) == sorted([*kept, "c.txt"])


def no_space(*args, **kwargs):
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_told_and_keeps_the_old_file(tmp_path, monkeypatch):
    write_json(tmp_path / "a.json", {"old": 1})
    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(HlfError, match=r"cannot write .*a.json: No space left on device; free some space"):
        write_json(tmp_path / "a.json", {"new": 2})
    monkeypatch.undo()
    assert read_json(tmp_path / "a.json") == {"old": 1} and names_in(tmp_path) == ["a.json"]
    monkeypatch.setattr("pathlib.Path.write_text", no_space)
    with pytest.raises(HlfError, match=r"b.txt: No space left"):
        write_text(tmp_path / "b.txt", "x")
    assert names_in(tmp_path) == ["a.json"]


def test_a_path_through_a_file_cannot_be_written(tmp_path):
    write_text(tmp_path / "file", "x")
    with pytest.raises(HlfError, match="cannot write"):
        write_text(tmp_path / "file" / "a.txt", "y")


def test_equal_json_gives_equal_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": "é"})
    write_json(tmp_path / "b.json", {"a": "é", "b": 1})
    assert sha256(tmp_path / "a.json") == sha256(tmp_path / "b.json")
    with pytest.raises(HlfError, match=r"gone.json does not exist"):
        read_json(tmp_path / "gone.json")
    for content in (b"{", b"\xff\xfe"):
        (tmp_path / "bad.json").write_bytes(content)
        with pytest.raises(HlfError, match=r"bad.json is not valid JSON"):
            read_json(tmp_path / "bad.json")


def split_table():
    rows = [("007", "a", 0.25, "train", 2**64 - 1), ("100", "NA", 1.0, "test", 3)]
    table = pd.DataFrame(rows, columns=["image_id", "model", "score", "part", "seed"])
    return conform(table.assign(pair_id=table["image_id"] + "@0.3@m"), "split")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_tables_come_back_as_they_were(tmp_path, suffix):
    table = split_table()
    write_table(table, tmp_path / f"a.{suffix}")
    write_table(table, tmp_path / f"b.{suffix}")
    assert sha256(tmp_path / f"a.{suffix}") == sha256(tmp_path / f"b.{suffix}")
    read = conform(read_table(tmp_path / f"a.{suffix}"), "split")
    pd.testing.assert_frame_equal(read, table)
    # ids of digits stay text with their zeros; a model may be called NA; seeds keep all 64 bits
    assert read["image_id"].tolist() == ["007", "100"] and read["model"].tolist() == ["a", "NA"]
    assert int(read["seed"][0]) == 2**64 - 1


def test_an_unreadable_table_is_named(tmp_path):
    with pytest.raises(HlfError, match=r"cannot write a table to .*a.xlsx: expected a name ending in"):
        write_table(split_table(), tmp_path / "a.xlsx")
    assert names_in(tmp_path) == []
    for name in ("gone.csv", "gone.parquet"):
        with pytest.raises(HlfError, match=f"table .*{name} does not exist"):
            read_table(tmp_path / name)
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 but no more")
    for name in ("empty.csv", "bad.parquet"):
        with pytest.raises(HlfError, match=f"table .*{name} cannot be read"):
            read_table(tmp_path / name)


@pytest.mark.parametrize("name", list(TABLES))
def test_conform_orders_and_types_the_columns(name):
    values = {"str": "1", "int64": 1, "uint64": 2**63 + 1, "float64": 1, "bool": True}
    columns = TABLES[name]
    table = pd.DataFrame({c: [values[columns[c]]] * 2 for c in reversed(columns)}, index=[5, 5])
    got = conform(table, name)
    assert list(got) == list(columns) and list(got.index) == [0, 1]
    assert {c: str(t) for c, t in got.dtypes.items()} == columns
    assert conform(got, name).equals(got)


def test_conform_names_what_does_not_fit():
    table = split_table()
    with pytest.raises(HlfError, match=r"'split' lacks columns \['score'\] and has unknown columns \['points'\]"):
        conform(table.rename(columns={"score": "points"}), "split")
    with pytest.raises(HlfError, match=r"'split' holds a value of the wrong type.*'high'"):
        conform(table.assign(score=["0.5", "high"]), "split")
    lr = pd.DataFrame({c: [1] for c in TABLES["lr"]})
    for value in (1.5, float("nan")):
        with pytest.raises(HlfError, match="'lr' holds a value of the wrong type: 'width'"):
            conform(lr.assign(width=value), "lr")
    assert conform(lr.assign(width=64.0), "lr")["width"].tolist() == [64]


def test_names_of_pairs_and_levels():
    assert pair_id("007", 1, "bsrgan") == "007@1.0@bsrgan"
    assert level_name(np.float32(0.5)) == "0.5" and level_name(0.3) == "0.3"
