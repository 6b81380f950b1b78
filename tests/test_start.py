"""What is looked for before the first job of a run: other writers of its folder, and what its jobs lack."""

import json
import subprocess
import sys

import pytest

from hlf.start import holders, missing
from hlf.zoo.entries import ENTRIES

LOCK = "0.input.lock"


@pytest.fixture
def folder(tmp_path):
    holders.note_process(tmp_path / "notes")
    (tmp_path / LOCK).touch()
    return tmp_path


def note(folder, name, **changes):
    """A note like this process's own, with other facts."""
    path = folder / "notes" / f"{name}.json"
    path.write_text(json.dumps({**holders.this_process(), **changes}), encoding="utf8")
    return path


def left(folder):
    holders.remove_stale([folder / LOCK], folder / "notes")
    return (folder / LOCK).exists()


def test_a_process_lives_until_it_ends(folder):
    (own,) = (folder / "notes").iterdir()
    assert holders.lives(own) is True
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert holders.lives(note(folder, "ended", pid=ended.pid)) is False
    # a number that was given to another process since
    assert holders.lives(note(folder, "reused", started=0.0)) is False
    assert holders.lives(note(folder, "far", host="elsewhere")) is None


def test_a_lock_goes_when_all_who_held_it_are_known_to_be_gone(folder):
    (own,) = (folder / "notes").iterdir()
    gone = note(folder, "gone", started=0.0)
    assert left(folder) and own.exists() and gone.exists()
    own.unlink()
    far = note(folder, "far", host="elsewhere")
    assert left(folder)
    far.unlink()
    assert not left(folder) and not gone.exists()


def test_a_lock_of_nobody_known_stays(folder):
    (own,) = (folder / "notes").iterdir()
    own.unlink()
    assert left(folder)


def test_notes_of_killed_runs_go_where_there_is_no_lock(folder):
    (own,) = (folder / "notes").iterdir()
    gone = note(folder, "gone", started=0.0)
    holders.remove_stale([], folder / "notes")
    assert own.exists() and not gone.exists()


def test_what_is_missing_is_told_once_with_its_source():
    key = json.dumps({"code": "0a", "weights.dinov2": "missing: model.safetensors", "seed": 1})
    what, found = missing.problems([key, key, '{"code": "0b"}'], "official", "zoo")
    entry = ENTRIES["official", "dinov2"]
    assert what == "missing" and len(found) == 1
    assert found[0].startswith(f"dinov2: model.safetensors; source: {entry.source}, licence {entry.licence}; put it ")
    assert missing.problems(['{"weights.dinov2": "12ab"}'], "official", "zoo") == ("missing", [])


def test_what_has_changed_is_told_beside_what_is_missing():
    keys = ['{"weights.vit": "wrong: another file than at first use"}', '{"votes": "missing: no votes.csv"}']
    what, found = missing.problems(keys, "official", "zoo")
    assert what == "missing or has changed"
    assert found == ["vit: another file than at first use", "votes: no votes.csv"]


def test_entries_behind_keys_are_named_once():
    keys = ['{"weights.vit": "12", "weights.clip": "34"}', '{"weights.vit": "12"}', '{"seed": 1}']
    assert missing.entries_in(keys) == ["clip", "vit"]
