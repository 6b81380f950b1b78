"""Archives of images: unpacked whole or not at all, never outside their folder."""

import hashlib
import io
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from fetch_helpers import environment, failed, got, python, server
from file_faults import Cut
from hlf.errors import HlfError
from hlf.zoo.assets import File, Origin
from hlf.zoo.fetching.archive import unpack
from hlf.zoo.lock import read_lock

__all__ = ["server"]


def zipped(members: dict[str, bytes], links: tuple[str, ...] = ()) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            if name in links:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, data)
    return buffer.getvalue()


IMAGES = {f"set/1024/{i}.jpg": bytes([i]) * 500 for i in range(6)}
ARCHIVE = zipped({"set/": b"", **IMAGES, "set/1024/list.txt": b"x", "__MACOSX/set/1024/._1.jpg": b"junk"})


def of_zip(url: str, images: int = 6, **values) -> File:
    path = "data/set.zip"
    return File(path, Origin(url=url), "zip", unpack="data/set/pictures", images=images, **values)


def test_an_archive_is_fetched_and_unpacked(server, tmp_path: Path) -> None:
    file = of_zip(server.share("set.zip", ARCHIVE, [Cut(500)]), sha256=hashlib.sha256(ARCHIVE).hexdigest())
    one = got(file, tmp_path, kind="data")
    assert one.note == f"from {server.url}/set.zip, unpacked: 6 images in data/set/pictures"
    folder = tmp_path / "lab/data/set/pictures"
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        **{f"{i}.jpg": bytes([i]) * 500 for i in range(6)},
        "list.txt": b"x",
    }
    assert sorted(p.name for p in folder.parent.iterdir()) == ["pictures"]
    assert (tmp_path / "lab/data/set.zip").exists() and "data/set.zip" in read_lock(tmp_path / "zoo")
    server.seen.clear()
    one = got(file, tmp_path, kind="data")
    assert (one.status, one.note) == ("present", "6 images in data/set/pictures") and server.seen == []


def test_an_archive_goes_away_on_request_only_and_is_not_missed(server, tmp_path: Path) -> None:
    file = of_zip(server.share("set.zip", ARCHIVE))
    got(file, tmp_path, kind="data")
    assert got(file, tmp_path, kind="data", remove_archives=True).status == "present"
    assert not (tmp_path / "lab/data/set.zip").exists()
    assert got(file, tmp_path, kind="data").status == "present" and len(server.seen) == 1
    other = replace(file, path="data/b.zip", unpack="data/b")
    assert got(other, tmp_path, kind="data", remove_archives=True).status == "fetched"
    assert not (tmp_path / "lab/data/b.zip").exists() and (tmp_path / "lab/data/b").is_dir()


def test_an_archive_that_is_there_is_only_unpacked(server, tmp_path: Path) -> None:
    (tmp_path / "lab/data").mkdir(parents=True)
    (tmp_path / "lab/data/set.zip").write_bytes(ARCHIVE)
    one = got(of_zip(f"{server.url}/none"), tmp_path, kind="data")
    assert (one.status, one.note) == ("fetched", "unpacked: 6 images in data/set/pictures") and server.seen == []


def test_a_folder_that_lacks_images_is_told(server, tmp_path: Path) -> None:
    folder = tmp_path / "lab/data/set/pictures"
    folder.mkdir(parents=True)
    (folder / "1.jpg").write_bytes(b"x")
    text = failed(of_zip(server.share("set.zip", ARCHIVE)), tmp_path, kind="data")
    assert "holds 1 images, expected 6; it is not complete: move it away" in text and server.seen == []


@pytest.mark.parametrize("name", ["../evil.jpg", "set/../../evil.jpg", "/evil.jpg", "C:\\evil.jpg", "..\\evil.jpg"])
def test_names_that_lead_outside_are_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    path = tmp_path / "inner/bad.zip"
    path.parent.mkdir()
    path.write_bytes(zipped({**IMAGES, name: b"evil"}))
    with pytest.raises(HlfError, match=r"would write outside its folder \('.*evil.jpg'\), so nothing was unpacked"):
        unpack(path, tmp_path / "inner/out")
    assert {p.name for p in tmp_path.rglob("*")} == {"inner", "bad.zip", ".out.lock"}


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(zipped({**IMAGES, "set/1024/passwd.jpg": b"/etc/passwd"}, links=("set/1024/passwd.jpg",)))
    with pytest.raises(HlfError, match="would write outside its folder"):
        unpack(path, tmp_path / "out")


@pytest.mark.parametrize("change", ["cut", "flip", "text", "empty"])
def test_a_damaged_archive_leaves_no_folder(tmp_path: Path, change: str) -> None:
    data = bytearray(ARCHIVE)
    if change == "flip":
        data[data.index(bytes([3]) * 500) + 7] ^= 1
    path = tmp_path / "set.zip"
    path.write_bytes({"cut": ARCHIVE[:-30], "flip": bytes(data), "text": b"hello", "empty": b""}[change])
    with pytest.raises(HlfError, match=r"set\.zip cannot be unpacked \(.*\); it is truncated or no zip archive"):
        unpack(path, tmp_path / "out", 6)
    assert not (tmp_path / "out").exists()


def test_an_encrypted_archive_is_told(tmp_path: Path) -> None:
    data = bytearray(ARCHIVE)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flags of both headers of each member
        start = 0
        while (start := data.find(mark, start)) >= 0:
            data[start + at] |= 1
            start += 4
    (tmp_path / "set.zip").write_bytes(bytes(data))
    with pytest.raises(HlfError, match=r"is encrypted \('set/1024/0\.jpg'\); unpack it by hand"):
        unpack(tmp_path / "set.zip", tmp_path / "out")


def test_another_number_of_images_is_told_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(ARCHIVE)
    with pytest.raises(HlfError, match="holds 6 images, expected 7; it is another archive"):
        unpack(tmp_path / "set.zip", tmp_path / "out", 7)
    (tmp_path / "none.zip").write_bytes(zipped({"a.txt": b"x"}))
    with pytest.raises(HlfError, match="holds 0 images, expected some"):
        unpack(tmp_path / "none.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / ".out.part").exists()


def test_an_archive_without_folders_and_one_with_several(tmp_path: Path) -> None:
    (tmp_path / "flat.zip").write_bytes(zipped({"a.jpg": b"a", "b.png": b"b"}))
    assert unpack(tmp_path / "flat.zip", tmp_path / "flat", 2) == 2
    (tmp_path / "deep.zip").write_bytes(zipped({"s/x/a.jpg": b"a", "s/y/a.jpg": b"b", "readme": b""}))
    assert unpack(tmp_path / "deep.zip", tmp_path / "deep", 2) == 2
    names = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.parent != tmp_path)
    files = ["deep/readme", "deep/x", "deep/x/a.jpg", "deep/y", "deep/y/a.jpg", "flat/a.jpg", "flat/b.png"]
    assert names == files


def test_no_space_for_the_images_is_told_before_they_are_unpacked(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "set.zip").write_bytes(ARCHIVE)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("hlf.zoo.fetching.part.shutil.disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(HlfError, match=r"no space left for .*out: it takes 3\.0 kB more"):
        unpack(tmp_path / "set.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_disk_that_fills_up_on_the_way_keeps_what_was_unpacked(tmp_path: Path) -> None:
    """Here it is a limit on the length of files."""
    big = {**IMAGES, "set/1024/z.jpg": bytes(50_000)}
    (tmp_path / "set.zip").write_bytes(zipped(big))
    code = (
        "import resource, signal, sys\nfrom hlf.errors import HlfError\nfrom hlf.zoo.fetching.archive import unpack\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (10000, -1))\n"
        "try: unpack(sys.argv[1], __import__('pathlib').Path(sys.argv[2]))\nexcept HlfError as error: print(error)\n"
    )
    text = python(code, tmp_path / "set.zip", tmp_path / "out")
    assert "free some space or fix the rights, and run the same command again, which goes on" in text
    assert len(list((tmp_path / ".out.part").glob("*.jpg"))) == 6 and not (tmp_path / "out").exists()
    assert unpack(tmp_path / "set.zip", tmp_path / "out", 7) == 7


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """Killed in the middle of the fourth file."""
    (tmp_path / "set.zip").write_bytes(ARCHIVE)
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom hlf.zoo.fetching import archive\n"
        "real, done = archive.shutil.copyfileobj, []\n"
        "def count(source, target, size):\n"
        "    if len(done) == 3:\n"
        "        os.write(target.fileno(), b'half')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    done.append(source)\n"
        "    real(source, target, size)\n"
        "archive.shutil.copyfileobj = count\n"
        "archive.unpack(Path(sys.argv[1]), Path(sys.argv[2]), 6)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "set.zip"), str(tmp_path / "out")]
    assert subprocess.run(command, env=environment(), check=False).returncode == -9
    part = tmp_path / ".out.part"
    before = {p.name: p.stat().st_mtime_ns for p in part.glob("*.jpg")}
    assert len(before) == 3 and (part / ".member").read_bytes() == b"half" and not (tmp_path / "out").exists()
    assert unpack(tmp_path / "set.zip", tmp_path / "out", 6) == 6
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in before} == before
    files = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    assert files == {**{f"{i}.jpg": bytes([i]) * 500 for i in range(6)}, "list.txt": b"x"}


def test_two_processes_unpack_once(tmp_path: Path) -> None:
    (tmp_path / "set.zip").write_bytes(ARCHIVE)
    code = (
        "import sys; from pathlib import Path; from hlf.zoo.fetching.archive import unpack\n"
        "print(unpack(Path(sys.argv[1]), Path(sys.argv[2]), 6))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "set.zip"), str(tmp_path / "out")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) for _ in range(2)]
    assert [one.communicate(timeout=30)[0].strip() for one in both] == ["6", "6"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "set.zip"]
