"""Downloads that go on: after cuts, in later runs, after a kill, on a full disk, and with others at the same file."""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fetch_helpers import DATA, SHA, environment, get, names, python, ranges, refused, server
from file_faults import Cut, Hold, Shift, Swap
from hlf.errors import HlfError
from hlf.zoo.fetching.download import Patience
from hlf.zoo.fetching.part import Part
from study_programs import wait_for

__all__ = ["server"]

OTHER = DATA[::-1]


def test_goes_on_after_cuts(server, tmp_path: Path) -> None:
    url = server.share("a.pth", DATA, faults=[Cut(1000), Cut(0), Cut(100_000)])
    assert get(url, tmp_path / "a.pth", len(DATA), SHA) == SHA
    assert (tmp_path / "a.pth").read_bytes() == DATA
    assert ranges(server) == ["", "bytes=1000-", "bytes=1000-", "bytes=101000-"]
    assert sum(one.sent for one in server.seen) == len(DATA)
    assert {one.headers.get("if-range") for one in server.seen[1:]} == {server.files["/a.pth"].etag}


def test_goes_on_in_a_later_run(server, tmp_path: Path) -> None:
    url = server.share("a.pth", DATA, faults=[Cut(70_000), *[Cut(0)] * 2])
    text = refused(url, tmp_path / "a.pth")
    assert "3 times in a row; 70.0 kB are kept; run the same command again" in text
    assert names(tmp_path) == [".a.pth.lock", "a.pth.part", "a.pth.part.json"]
    server.seen.clear()
    assert get(url, tmp_path / "a.pth") == SHA
    assert ranges(server) == ["bytes=70000-"] and names(tmp_path) == ["a.pth"]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    # never what is no file: hypothesis also draws words that it found in the library's source
    data=st.binary(max_size=3000).map(b"PK".__add__),
    cuts=st.lists(st.integers(0, 1500), max_size=8),
    runs=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    ranges=st.booleans(),
    length=st.booleans(),
    tag=st.sampled_from(["auto", "", 'W/"weak"']),
    modified=st.sampled_from([0, 10**9]),
    known=st.booleans(),
)
def test_any_sequence_of_cuts_gives_the_same_bytes(
    server, tmp_path: Path, data, cuts, runs, ranges, length, tag, modified, known
) -> None:
    """Whatever the server tells or does not, over several runs that give up after different numbers of tries."""
    target = tmp_path / "a.pth"
    for path in tmp_path.iterdir():
        path.unlink()
    url = server.share("a.pth", data, [Cut(n) for n in cuts], etag=tag, ranges=ranges, length=length, modified=modified)
    digest = hashlib.sha256(data).hexdigest()
    for tries in [*runs, len(cuts) + 2]:
        try:
            found = get(url, target, *((len(data), digest) if known else ()), patience=Patience(tries, 0.0))
        except HlfError:
            assert not target.exists()
            continue
        assert found == digest and target.read_bytes() == data
        break
    assert target.read_bytes() == data and names(tmp_path) == ["a.pth"]


def test_a_file_that_changed_meanwhile_begins_anew(server, tmp_path: Path) -> None:
    url = server.share("a.pth", OTHER, faults=[Cut(50_000), Swap(DATA, '"new"')])
    assert get(url, tmp_path / "a.pth") == SHA
    assert [one.status for one in server.seen] == [200, 200]


def test_a_file_that_changed_between_two_runs_begins_anew(server, tmp_path: Path) -> None:
    url = server.share("a.pth", OTHER, faults=[Cut(50_000), *[Cut(0)] * 2])
    refused(url, tmp_path / "a.pth")
    server.share("a.pth", DATA)
    assert get(url, tmp_path / "a.pth") == SHA


@pytest.mark.parametrize("length", [len(DATA), len(DATA) - 7])
def test_a_server_that_heeds_no_if_range_cannot_join_two_files(server, tmp_path: Path, length: int) -> None:
    url = server.share("a.pth", OTHER[:length], faults=[Cut(50_000), Swap(DATA, '"new"')], if_range=False)
    assert get(url, tmp_path / "a.pth") == SHA
    assert [one.status for one in server.seen] == [200, 206, 200]


def test_another_size_is_another_file(server, tmp_path: Path) -> None:
    """By a server that has no tags and heeds no `If-Range`."""
    faults = [Cut(50_000), Swap(DATA[:-7], "")]
    url = server.share("a.pth", OTHER, faults, etag="", modified=10**9, if_range=False)
    assert get(url, tmp_path / "a.pth") == hashlib.sha256(DATA[:-7]).hexdigest()
    assert [one.status for one in server.seen] == [200, 206, 200]


def test_a_rest_that_begins_elsewhere_is_not_joined(server, tmp_path: Path) -> None:
    assert get(server.share("a.pth", DATA, [Cut(50_000), Shift(50_000), Shift(7)]), tmp_path / "a.pth") == SHA
    assert [one.status for one in server.seen] == [200, 206, 200]


def test_a_weak_tag_says_nothing_but_a_time_does(server, tmp_path: Path) -> None:
    url = server.share("a.pth", DATA, [Cut(50_000)], etag='W/"one"', modified=10**9)
    assert get(url, tmp_path / "a.pth") == SHA
    assert server.seen[1].headers["if-range"] == "Sun, 09 Sep 2001 01:46:40 GMT"
    assert [one.status for one in server.seen] == [200, 206]


def test_a_join_that_only_the_hash_can_tell_begins_anew_once(server, tmp_path: Path) -> None:
    url = server.share("a.pth", OTHER, faults=[Cut(50_000), Swap(DATA, "")], etag="")
    assert get(url, tmp_path / "a.pth", len(DATA), SHA) == SHA
    assert [one.status for one in server.seen] == [200, 206, 200]


def test_without_hash_and_validator_nothing_is_joined(server, tmp_path: Path) -> None:
    url = server.share("a.pth", OTHER, faults=[Cut(50_000), Swap(DATA, "")], etag="")
    assert get(url, tmp_path / "a.pth", len(DATA)) == SHA
    assert ranges(server) == ["", ""]


def test_the_rest_may_come_from_a_mirror_when_the_hash_is_known(server, tmp_path: Path) -> None:
    refused(server.share("a.pth", DATA, [Cut(50_000), *[Cut(0)] * 2]), tmp_path / "a.pth", sha256=SHA)
    server.seen.clear()
    assert get(server.share("mirror/a.pth", DATA, etag='"other"'), tmp_path / "a.pth", sha256=SHA) == SHA
    assert ranges(server) == ["bytes=50000-"]


def test_a_part_that_is_longer_than_the_file_now_begins_anew(server, tmp_path: Path) -> None:
    url = server.share("a.pth", OTHER, faults=[Cut(50_000), Swap(DATA[:20_000], '"new"')], if_range=False)
    assert get(url, tmp_path / "a.pth") == hashlib.sha256(DATA[:20_000]).hexdigest()
    assert [one.status for one in server.seen] == [200, 416, 200]


def test_a_part_that_was_whole_when_the_process_died_is_not_fetched_again(server, tmp_path: Path) -> None:
    url = server.share("a.pth", DATA)
    (tmp_path / "a.pth.part").write_bytes(DATA)
    (tmp_path / "a.pth.part.json").write_text(json.dumps({"url": url, "validator": "", "total": len(DATA)}))
    assert get(url, tmp_path / "a.pth") == SHA
    assert server.seen == [] and names(tmp_path) == ["a.pth"]


def test_a_whole_part_of_another_place_is_taken_by_its_hash_only(server, tmp_path: Path) -> None:
    for name, known in (("a.pth", ""), ("b.pth", SHA)):
        (tmp_path / f"{name}.part").write_bytes(DATA if known else OTHER)
        facts = {"url": "http://other.invalid/", "validator": "", "total": len(DATA)}
        (tmp_path / f"{name}.part.json").write_text(json.dumps(facts))
        assert get(server.share(name, DATA), tmp_path / name, sha256=known) == SHA
    assert [one.path for one in server.seen] == ["/a.pth"]


def test_a_file_is_on_the_disk_before_it_has_its_name(server, tmp_path: Path, monkeypatch) -> None:
    flushed: list[tuple[int, bool]] = []
    target = tmp_path / "a.pth"
    monkeypatch.setattr(
        "hlf.zoo.fetching.part.os.fsync", lambda file: flushed.append((os.fstat(file).st_size, target.exists()))
    )
    get(server.share("a.pth", DATA), target)
    assert flushed == [(len(DATA), False)]


def test_a_disk_that_takes_less_than_it_is_given_is_given_the_rest(tmp_path: Path) -> None:
    part = Part(tmp_path / "a.pth")
    part.begin("http://a.invalid", "", "", 0)
    real = part._file

    class Small:
        def write(self, view: memoryview) -> int:
            return real.write(view[:1000])

    part._file = Small()
    part.write(DATA)
    part._file = real
    part.finish()
    assert part.sha256 == SHA and (tmp_path / "a.pth").read_bytes() == DATA
    part.close()


@pytest.mark.parametrize("facts", [None, "{", "[]", '{"url": ""}'])
def test_a_part_of_unknown_origin_is_not_used(server, tmp_path: Path, facts) -> None:
    (tmp_path / "a.pth.part").write_bytes(OTHER[:5000])
    if facts:
        (tmp_path / "a.pth.part.json").write_text(facts)
    assert get(server.share("a.pth", DATA), tmp_path / "a.pth", sha256=SHA) == SHA
    assert ranges(server) == [""]


def full_disk(url: str, target: Path, limit: int) -> str:
    """What a process says whose files may not become longer than `limit` bytes."""
    code = (
        "import resource, signal, sys\n"
        "from hlf.errors import HlfError\n"
        "from hlf.zoo.fetching.download import download\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))\n"
        "try: download(sys.argv[1], sys.argv[2])\n"
        "except HlfError as error: print(error)\n"
    )
    return python(code, url, target)


def test_a_limit_met_on_the_way_keeps_what_came(server, tmp_path: Path) -> None:
    url = server.share("a.pth", DATA)
    text = full_disk(url, tmp_path / "a.pth", 100_000)
    assert "no space left for" in text and "100.0 kB of 256.0 kB have come and are kept in a.pth.part" in text
    server.seen.clear()
    assert get(url, tmp_path / "a.pth", sha256=SHA) == SHA and ranges(server) == ["bytes=100000-"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_really_full_disk_keeps_what_came(server, tmp_path: Path) -> None:
    """A small disk in memory, where this process may make one; otherwise the limit above has shown the same."""
    small = tmp_path / "small"
    small.mkdir()
    options = ["-t", "tmpfs", "-o", "size=128k", "tmpfs", str(small)]
    if os.getuid() or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("only root can make a small disk, where the machine lets it")
    try:
        # no size is told, so nothing can be known before
        url = server.share("a.pth", DATA, length=False)
        with pytest.raises(
            HlfError, match=r"no space left for .* \(No space left on device\): .* kept in a\.pth\.part"
        ):
            get(url, small / "a.pth")
        kept = (small / "a.pth.part").stat().st_size
        assert 50_000 < kept < 131_072
        subprocess.run(["mount", "-o", "remount,size=1m", str(small)], check=True)
        server.seen.clear()
        assert get(url, small / "a.pth") == SHA and ranges(server) == [f"bytes={kept}-"]
    finally:
        subprocess.run(["umount", str(small)], check=True)


FETCH = "import sys; from hlf.zoo.fetching.download import download; print(download(sys.argv[1], sys.argv[2]))"


def start(url: str, target: Path) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    # what runs in the background of a shell is started deaf to Ctrl-C, and so would its children be
    hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, url, str(target)], stdout=pipe, stderr=pipe, text=True, env=environment(),
        preexec_fn=hears,
    )  # fmt: skip


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_ended_process_leaves_a_part_to_go_on_with(server, tmp_path: Path, how: signal.Signals) -> None:
    hold = Hold(32_768)
    url = server.share("a.pth", DATA, [hold])
    process, part = start(url, tmp_path / "a.pth"), tmp_path / "a.pth.part"
    wait_for(lambda: part.exists() and part.stat().st_size > 20_000)
    process.send_signal(how)
    process.communicate(timeout=60)
    hold.go_on.set()
    kept = part.stat().st_size
    assert process.returncode != 0 and 20_000 < kept < len(DATA) and not (tmp_path / "a.pth").exists()
    server.seen.clear()
    assert get(url, tmp_path / "a.pth") == SHA and ranges(server) == [f"bytes={kept}-"]
    assert names(tmp_path) == ["a.pth"]


def test_processes_at_the_same_file_fetch_it_once(server, tmp_path: Path) -> None:
    hold, told = Hold(32_768), []
    url = server.share("a.pth", DATA, [hold])
    processes = [start(url, tmp_path / "a.pth") for _ in range(3)]
    for process in processes:
        threading.Thread(target=lambda lines: [told.append(line) for line in lines], args=[process.stderr]).start()
    wait_for(lambda: len([line for line in told if "another process is at it, waits for that" in line]) == 2)
    hold.go_on.set()
    assert [process.stdout.read().strip() for process in processes] == [SHA] * 3
    assert [process.wait(60) for process in processes] == [0] * 3
    assert len(server.seen) == 1 and names(tmp_path) == ["a.pth"]


def test_one_who_waits_takes_over_when_the_other_is_killed(server, tmp_path: Path) -> None:
    hold = Hold(32_768)
    url = server.share("a.pth", DATA, [hold])
    first, part = start(url, tmp_path / "a.pth"), tmp_path / "a.pth.part"
    wait_for(lambda: part.exists() and part.stat().st_size > 20_000)
    second = start(url, tmp_path / "a.pth")
    assert "waits" in second.stderr.readline()
    first.kill()
    first.communicate(timeout=60)
    hold.go_on.set()
    assert second.communicate(timeout=60)[0].strip() == SHA
    assert server.seen[1].headers["range"].startswith("bytes=") and (tmp_path / "a.pth").read_bytes() == DATA
