"""A local folder in place of the network."""

from dataclasses import replace
from pathlib import Path

import pytest

from fetch_helpers import BY_HAND, DATA, SHA, failed, got, of_hub, of_url, server
from file_server import COMMIT
from hlf.zoo.fetching.local import LocalFolder
from hlf.zoo.lock import read_lock

__all__ = ["server"]


@pytest.fixture
def shelf(tmp_path):
    """A local folder with a file at each of some paths."""

    def fill(*names: str, data: bytes = DATA) -> Path:
        for name in names:
            path = tmp_path / "shelf" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path / "shelf"

    return fill


@pytest.mark.parametrize(
    "place",
    [
        "a/model.safetensors",
        "backup/2025/a/model.safetensors",
        "model/model.safetensors",
        "lab/model/model.safetensors",
        f"hub/models--lab--model/snapshots/{COMMIT}/model.safetensors",
    ],
)
def test_a_file_of_a_local_folder_is_linked_not_fetched(server, tmp_path: Path, shelf, place: str) -> None:
    shelf("other/model.safetensors", "model.safetensors", data=b"another")
    folder = shelf(place)
    one = got(of_hub(), tmp_path, offline=folder)
    assert (one.status, one.note) == ("fetched", f"from {folder / place}")
    assert (tmp_path / "zoo/a/model.safetensors").samefile(folder / place) and server.seen == []
    assert read_lock(tmp_path / "zoo")["a/model.safetensors"].sha256 == SHA


def test_a_copy_is_made_where_no_link_can_be(tmp_path: Path, shelf, monkeypatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("hlf.zoo.fetching.local.os.link", refuse)
    folder = shelf("a/model.safetensors")
    assert got(of_hub(), tmp_path, offline=folder).status == "fetched"
    path = tmp_path / "zoo/a/model.safetensors"
    assert path.read_bytes() == DATA and not path.samefile(folder / "a/model.safetensors")


def test_a_link_in_a_local_folder_is_followed(tmp_path: Path, shelf) -> None:
    folder = shelf("blobs/x")
    (folder / "a.pth").symlink_to("blobs/x")
    assert got(of_url("http://a.invalid/a.pth"), tmp_path, offline=folder).status == "fetched"
    assert not (tmp_path / "zoo/a.pth").is_symlink()


def test_a_name_alone_will_do_where_it_can_mean_nothing_else(tmp_path: Path, shelf) -> None:
    folder = shelf("somewhere/their%20name.pth".replace("%20", " "), "deep/er/b.pth")
    assert got(of_url("http://a.invalid/their%20name.pth"), tmp_path, offline=folder).status == "fetched"
    assert got(of_url("http://a.invalid/x", "b.pth"), tmp_path, offline=folder).status == "fetched"
    assert got(replace(BY_HAND, path="sub/b.pth"), tmp_path, offline=folder).status == "fetched"


def test_a_name_that_many_files_have_will_not(tmp_path: Path, shelf) -> None:
    """A config.json of some other model must not be taken for this one."""
    folder = shelf("x/model.safetensors")
    text = failed(of_hub(), tmp_path, offline=folder)
    assert "has neither that path nor a file that could be it by its name; put it there" in text
    shelf("x/config.json")
    assert "has neither" in failed(of_url("http://a.invalid/x", "config.json"), tmp_path, offline=folder)
    # but when its hash is known it tells which is meant
    shelf("y/model.safetensors", data=b"another")
    one = got(of_hub(sha256=SHA[:8]), tmp_path, offline=folder)
    assert one.status == "fetched" and one.note.endswith("x/model.safetensors")


def test_two_files_of_a_name_are_told(tmp_path: Path, shelf) -> None:
    folder = shelf("x/a.pth", "y/a.pth")
    text = failed(of_url("http://a.invalid/a.pth"), tmp_path, offline=folder)
    assert "several files that could be a.pth" in text and f"; put the right one at {folder}/a.pth" in text


def test_the_same_file_twice_is_one_file(tmp_path: Path, shelf) -> None:
    folder = shelf("hub/models--lab--model/blobs/x")
    for commit in ("aa", "bb"):
        path = folder / f"hub/models--lab--model/snapshots/{commit}/model.safetensors"
        path.parent.mkdir(parents=True)
        path.symlink_to("../../blobs/x")
    assert got(of_hub(), tmp_path, offline=folder).status == "fetched"


def test_what_is_published_tells_which_of_two_is_meant(tmp_path: Path, shelf) -> None:
    shelf("1/a/model.safetensors", data=b"another")
    folder = shelf("2/a/model.safetensors")
    assert got(of_hub(bytes=len(DATA)), tmp_path, offline=folder).note.endswith("2/a/model.safetensors")


def test_a_wrong_local_file_is_told_and_left(tmp_path: Path, shelf) -> None:
    folder = shelf("a.pth", data=DATA[:-1])
    text = failed(of_url("http://a.invalid/a.pth", bytes=len(DATA)), tmp_path, offline=folder)
    assert f"has {len(DATA) - 1} bytes, expected {len(DATA)}" in text and f"{folder}/a.pth" in text
    text = failed(of_url("http://a.invalid/a.pth", sha256=SHA), tmp_path, offline=folder)
    assert f"expected {SHA}" in text and (folder / "a.pth").exists()
    shelf("b.pth", data=b"version https://git-lfs.github.com/spec/v1\noid sha256:ff")
    assert "is a pointer of Git LFS" in failed(of_url("http://a.invalid/b.pth", "b.pth"), tmp_path, offline=folder)
    assert sorted(p.name for p in (tmp_path / "zoo").iterdir()) == []


def test_a_local_folder_keeps_the_first_use(server, tmp_path: Path, shelf) -> None:
    file = of_url(server.share("a.pth", DATA))
    got(file, tmp_path)
    (tmp_path / "zoo/a.pth").unlink()
    folder = shelf("a.pth", data=b"another")
    assert "remove its entry there if a new one is meant" in failed(file, tmp_path, offline=folder)


def test_older_names_count_in_a_local_folder(tmp_path: Path, shelf) -> None:
    folder = shelf("a/pytorch_model.bin")
    assert got(of_hub(older=("a/pytorch_model.bin",)), tmp_path, offline=folder).status == "fetched"
    assert (tmp_path / "zoo/a/pytorch_model.bin").exists()


def test_offline_never_asks_the_network(server, tmp_path: Path, shelf) -> None:
    folder = shelf("unused")
    failed(of_url(server.share("a.pth", DATA)), tmp_path, offline=folder)
    assert got(BY_HAND, tmp_path, offline=folder).status == "by hand"
    assert server.seen == []


def test_the_real_manifest_can_be_searched(shelf) -> None:
    from hlf.zoo.assets import assets

    file = next(f for f in assets()["bsrgan"].files)
    assert LocalFolder(shelf(f"deep/{file.path}")).find(file) == (file.path, shelf() / "deep" / file.path)
