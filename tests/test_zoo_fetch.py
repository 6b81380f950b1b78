"""Bringing assets to their places: from URLs and their mirrors, or by hand; checked and recorded."""

import json
from pathlib import Path

import pytest

from fetch_helpers import BY_HAND, DATA, QUICK, SHA, asset, failed, got, of_url, server
from file_faults import Page
from hlf.errors import HlfError
from hlf.zoo.assets import File, Origin
from hlf.zoo.fetching.fetch import fetch
from hlf.zoo.lock import LOCK, Locked, read_lock, record

__all__ = ["server"]


def test_a_file_is_fetched_once_and_recorded(server, tmp_path: Path) -> None:
    file = of_url(server.share("a.pth", DATA), bytes=len(DATA), sha256=SHA[:8])
    one = got(file, tmp_path)
    assert (one.status, one.note) == ("fetched", f"from {server.url}/a.pth")
    assert (tmp_path / "zoo/a.pth").read_bytes() == DATA
    assert read_lock(tmp_path / "zoo") == {"a.pth": Locked(SHA, len(DATA))}
    server.seen.clear()
    assert got(file, tmp_path).status == "present" and server.seen == []


def test_data_goes_below_the_working_folder_and_its_hash_to_the_zoo(server, tmp_path: Path) -> None:
    assert got(of_url(server.share("a.csv", DATA), "data/a.csv"), tmp_path, kind="data").status == "fetched"
    assert (tmp_path / "lab/data/a.csv").read_bytes() == DATA
    assert set(read_lock(tmp_path / "zoo")) == {"data/a.csv"}


def test_one_that_fails_stops_no_other(server, tmp_path: Path) -> None:
    files = [of_url(f"{server.url}/none", "none.pth"), BY_HAND, of_url(server.share("b.pth", DATA), "b.pth")]
    outcomes = fetch(asset(*files), tmp_path / "zoo", patience=QUICK)
    assert [one.status for one in outcomes] == ["failed", "by hand", "fetched"]
    assert "404" in outcomes[0].note and outcomes[0].note.endswith(" (its page: https://lab.org/a)")
    assert outcomes[1].note == f"open the form of the lab and download it; it goes to {tmp_path}/zoo/a.pth"


def test_a_file_put_there_by_hand_is_accepted_and_from_then_on_the_same(tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo/a.pth").write_bytes(DATA)
    assert got(BY_HAND, tmp_path).status == "present" and read_lock(tmp_path / "zoo")["a.pth"].sha256 == SHA
    (tmp_path / "zoo/a.pth").write_bytes(DATA[::-1])
    text = failed(BY_HAND, tmp_path)
    assert "it is truncated or another version: move it away" in text and "remove its entry there if a new one" in text
    assert (tmp_path / "zoo/a.pth").read_bytes() == DATA[::-1]


@pytest.mark.parametrize("content", [Page().text.encode(), b"version https://git-lfs.github.com/spec/v1\n", b""])
def test_what_is_no_file_is_not_accepted_from_a_person_either(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo/a.pth").write_bytes(content)
    assert "move it away and fetch it again" in failed(BY_HAND, tmp_path)
    assert not (tmp_path / "zoo" / LOCK).exists()


def test_an_older_name_does_as_well(server, tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo/old.bin").write_bytes(DATA)
    file = of_url(f"{server.url}/a.pth", older=("old.bin",), bytes=5, sha256="ff" * 32)
    one = got(file, tmp_path)
    assert (one.status, one.note) == ("present", "as old.bin") and set(read_lock(tmp_path / "zoo")) == {"old.bin"}


def test_a_file_fetched_again_must_be_that_of_the_first_time(server, tmp_path: Path) -> None:
    """Though nothing is published of it."""
    file = of_url(server.share("a.pth", DATA))
    got(file, tmp_path)
    (tmp_path / "zoo/a.pth").unlink()
    server.share("a.pth", DATA[:-1] + b"!")
    text = failed(file, tmp_path)
    assert f"expected {SHA}" in text and "remove its entry there if a new one is meant" in text
    assert not (tmp_path / "zoo/a.pth").exists()
    server.share("a.pth", DATA)
    assert got(file, tmp_path).status == "fetched"


def test_a_lock_against_the_manifest_is_told(server, tmp_path: Path) -> None:
    record(tmp_path / "zoo", {"a.pth": Locked("0" * 64, len(DATA))})
    text = failed(of_url(server.share("a.pth", DATA), sha256=SHA), tmp_path)
    assert f"expected {SHA}" in text and "remove its entry there" in text and server.seen == []


def test_a_damaged_lock_and_a_folder_that_is_not_there_stop_all(tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    with pytest.raises(HlfError, match=r"local folder .*none does not exist"):
        got(BY_HAND, tmp_path, offline=tmp_path / "none")
    with pytest.raises(HlfError, match=r"mirror 'a=b' is no pair of http or https URLs"):
        got(BY_HAND, tmp_path, mirrors={"a": "b"})
    (tmp_path / "zoo" / LOCK).write_text("{")
    with pytest.raises(HlfError, match="is damaged"):
        got(BY_HAND, tmp_path)


def test_the_longest_prefix_of_the_mirrors_counts(server, tmp_path: Path) -> None:
    server.share("lab/x/a%20b.pth".replace("%20", " "), DATA)
    mirrors = {"https://a.invalid/": "http://b.invalid/", "https://a.invalid/x/": f"{server.url}/lab/x/"}
    one = got(of_url("https://a.invalid/x/a%20b.pth"), tmp_path, mirrors=mirrors)
    assert (one.status, one.note) == ("fetched", f"from {server.url}/lab/x/a%20b.pth")


def test_a_folder_by_hand(tmp_path: Path) -> None:
    file = File("data/photos", Origin(hand="ask the lab for its photographs"), "folder", images=2)
    one = got(file, tmp_path, kind="data")
    assert (one.status, one.note.partition("; ")[2]) == ("by hand", f"it goes to {tmp_path}/lab/data/photos")
    folder = tmp_path / "lab/data/photos"
    folder.mkdir(parents=True)
    (folder / "1.JPG").write_bytes(b"x")
    assert "holds 1 images, expected 2" in failed(file, tmp_path, kind="data")
    (folder / "2.png").write_bytes(b"x")
    assert got(file, tmp_path, kind="data").status == "present"


def test_the_lock_is_plain_json(server, tmp_path: Path) -> None:
    got(of_url(server.share("a.pth", DATA)), tmp_path)
    assert json.loads((tmp_path / "zoo" / LOCK).read_text()) == {"a.pth": {"bytes": len(DATA), "sha256": SHA}}
