"""One URL into one file: right or refused, against a server with the faults of real ones."""

import hashlib
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from fetch_helpers import DATA, HASTY, SHA, get, names, ranges, refused, server
from file_faults import Cut, Page, Slow, Stall, Status, Swap
from file_server import file_server
from hlf.errors import HlfError
from hlf.zoo.fetching import download as module
from hlf.zoo.fetching.download import PATIENT
from study_programs import program

__all__ = ["server"]

OTHER = DATA[::-1]


def test_a_file_comes_whole_and_nothing_else_stays(server, tmp_path: Path) -> None:
    url = server.share("a/weights.pth", DATA)
    assert get(url, tmp_path / "new/folder/weights.pth", len(DATA), SHA) == SHA
    assert (tmp_path / "new/folder/weights.pth").read_bytes() == DATA
    assert names(tmp_path / "new/folder") == ["weights.pth"]
    assert server.seen[0].headers["accept-encoding"] == "identity"


def test_size_and_hash_need_not_be_known(server, tmp_path: Path) -> None:
    assert get(server.share("a.pth", DATA), tmp_path / "a.pth") == SHA
    assert get(server.share("b.pth", DATA, length=False), tmp_path / "b.pth", sha256=SHA[:8].upper()) == SHA


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(DATA)
    assert get(server.share("a.pth", OTHER), tmp_path / "a.pth", len(DATA), SHA) == SHA
    assert server.seen == []
    with pytest.raises(HlfError, match="expected 5; it is truncated or another version: move it away"):
        get(f"{server.url}/a.pth", tmp_path / "a.pth", 5)
    assert (tmp_path / "a.pth").read_bytes() == DATA


def test_a_wrong_hash_is_told_and_nothing_stays(server, tmp_path: Path) -> None:
    url = server.share("a.pth", OTHER)
    found = hashlib.sha256(OTHER).hexdigest()
    text = refused(url, tmp_path / "a.pth", sha256=SHA[:8])
    assert f"what came has SHA-256 {found}, expected {SHA[:8]}..., so it was removed" in text
    assert names(tmp_path) == [".a.pth.lock"] and len(server.seen) == 1


@pytest.mark.parametrize("length", [True, False])
def test_a_wrong_file_that_came_in_parts_is_fetched_once_more_at_most(server, tmp_path: Path, length: bool) -> None:
    url = server.share("a.pth", OTHER, faults=[Cut(9), None, Cut(9)], length=length)
    assert "so it was removed" in refused(url, tmp_path / "a.pth", sha256=SHA)
    assert len(server.seen) == 4


def test_a_truncated_file_is_refused_before_it_comes(server, tmp_path: Path) -> None:
    text = refused(server.share("a.pth", DATA[:-1]), tmp_path / "a.pth", len(DATA))
    assert f"has {len(DATA) - 1} bytes of it, expected {len(DATA)}" in text and len(server.seen) == 1
    assert names(tmp_path) == [".a.pth.lock"]


def test_a_truncated_file_of_untold_size_is_refused(server, tmp_path: Path) -> None:
    text = refused(server.share("a.pth", DATA[:-1], length=False, etag=""), tmp_path / "a.pth", len(DATA))
    assert "the connection ended early, 3 times in a row" in text


def test_more_than_the_published_size_is_refused(server, tmp_path: Path) -> None:
    text = refused(server.share("a.pth", DATA * 8, length=False), tmp_path / "a.pth", 1000)
    assert "sends more than its 1000 bytes" in text and names(tmp_path) == [".a.pth.lock"]


def test_an_empty_answer_is_no_file(server, tmp_path: Path) -> None:
    assert "the server sends nothing, 3 times in a row" in refused(server.share("a.pth", b""), tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (404, "it is not there (the server answers 404 Not Found); look for its new place on its page"),
        (410, "it is not there"),
        (401, "it is not for everybody (the server answers 401 Unauthorized); log in on its page"),
        (403, "it is not for everybody"),
        (400, "the server answers 400 Bad Request; fetch it with a browser"),
        (304, "the server answers 304 Not Modified"),
        (204, "the server answers 204 No Content"),
    ],
)
def test_refusals_are_told_at_once(server, tmp_path: Path, code: int, told: str) -> None:
    assert told in refused(server.share("a.pth", DATA, [Status(code, page=b"")]), tmp_path / "a.pth")
    assert len(server.seen) == 1


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(server, tmp_path: Path, code: int) -> None:
    assert get(server.share("a.pth", DATA, [Status(code), Status(code)]), tmp_path / "a.pth") == SHA


def test_the_wait_that_a_server_asks_for_is_kept(server, tmp_path: Path, monkeypatch, caplog) -> None:
    waits: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waits.append)
    url = server.share("a.pth", DATA, [Status(429, retry_after=1)])
    assert get(url, tmp_path / "a.pth") == SHA and waits == [1]
    assert "a.pth: the server answers 429 Too Many Requests at 0 bytes; again in 1 s" in caplog.text


def test_waits_grow(server, tmp_path: Path, monkeypatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waits.append)
    url = server.share("a.pth", DATA, [Status(503)], for_ever=True)
    text = refused(url, tmp_path / "a.pth", patience=PATIENT)
    assert waits == [0, 2, 4, 8, 16, 32] and "503 Service Unavailable, 7 times in a row; run the same" in text


def test_429_without_end_is_given_up(server, tmp_path: Path) -> None:
    url = server.share("a.pth", DATA, [Status(429, retry_after=0)], for_ever=True)
    assert "429 Too Many Requests, 3 times in a row; run the same command again later" in refused(url, tmp_path / "a")
    assert len(server.seen) == 3


@pytest.mark.parametrize("wait", [7200, "Fri, 31 Dec 2999 23:59:59 GMT"])
def test_a_wait_of_hours_is_left_to_the_person(server, tmp_path: Path, wait) -> None:
    url = server.share("a.pth", DATA, [Status(429, retry_after=wait)])
    text = refused(url, tmp_path / "a.pth", patience=PATIENT)
    assert "asks to wait" in text and text.endswith("run the same command again then")


def test_a_nonsense_wait_is_no_crash(server, tmp_path: Path) -> None:
    assert get(server.share("a.pth", DATA, [Status(429, retry_after="soon")]), tmp_path / "a.pth") == SHA


def test_redirects_are_followed(server, tmp_path: Path) -> None:
    place = server.share("cdn/x", DATA, [Cut(5000)])
    url = server.share("a.pth", b"", [Status(302, location=place)], for_ever=True)
    assert get(url, tmp_path / "a.pth", sha256=SHA) == SHA
    assert ranges(server) == ["", "", "bytes=5000-", "bytes=5000-"]


def test_a_redirect_loop_is_told(server, tmp_path: Path) -> None:
    url = server.share("a.pth", b"", [Status(302, location="/b.pth")], for_ever=True)
    server.share("b.pth", b"", [Status(302, location="/a.pth")], for_ever=True)
    assert "redirected again and again" in refused(url, tmp_path / "a.pth")
    assert len(server.seen) == 11


def test_credentials_stay_with_their_host(server, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login x password y\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.share("cdn/x", DATA)
    url = server.share("a.pth", b"", [Status(302, location=f"{server.other_host}/cdn/x")])
    assert get(url, tmp_path / "a.pth", headers={"Authorization": "Bearer secret"}) == SHA
    assert [one.headers.get("authorization") for one in server.seen] == ["Bearer secret", None]


@pytest.mark.parametrize(
    "page",
    [
        Page(),
        Page(kind="application/octet-stream"),
        Page("\n\n<html lang='de'><title>Sign\n in</title>", kind=""),
        Page("<p>no head</p>"),
    ],
)
def test_a_web_page_is_no_file_and_destroys_no_part(server, tmp_path: Path, page: Page) -> None:
    url = server.share("a.pth", DATA, [Cut(50_000), *[Cut(0)] * 2, page])
    refused(url, tmp_path / "a.pth")
    text = refused(url, tmp_path / "a.pth")
    assert "the server sends a web page" in text and text.endswith("use a mirror or a local folder")
    assert ("('Sign in')" in text) == ("Sign" in page.text)
    server.seen.clear()
    assert get(url, tmp_path / "a.pth") == SHA and ranges(server) == ["bytes=50000-"]


def test_an_empty_answer_destroys_no_part(server, tmp_path: Path) -> None:
    faults = [Cut(50_000), Swap(b"", '"none"'), Swap(DATA, '"one"')]
    url = server.share("a.pth", DATA, faults, etag='"one"')
    assert get(url, tmp_path / "a.pth") == SHA and ranges(server) == ["", "bytes=50000-", "bytes=50000-"]


def test_a_web_page_that_comes_byte_by_byte_is_no_file(server, tmp_path: Path) -> None:
    page = Page().text.encode()
    text = refused(server.share("a.pth", page, [Slow(1, 0.001)]), tmp_path / "a.pth")
    assert "is a web page ('Sign in') instead of the file" in text and names(tmp_path) == [".a.pth.lock"]


def test_a_web_page_is_taken_where_one_is_wanted(server, tmp_path: Path) -> None:
    page = Page().text.encode()
    assert get(server.share("a.html", page, kind="text/html"), tmp_path / "a.html")


def test_a_pointer_of_git_lfs_is_no_file(server, tmp_path: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 5\n"
    assert "a pointer of Git LFS" in refused(server.share("a.pth", pointer), tmp_path / "a.pth")


def test_a_compressed_answer_is_refused(server, tmp_path: Path) -> None:
    url = server.share("a.pth", DATA, headers={"content-encoding": "gzip"})
    assert "compresses it though not asked to" in refused(url, tmp_path / "a.pth")


def test_a_stalled_connection_is_given_up_and_gone_on_with(server, tmp_path: Path, caplog) -> None:
    url = server.share("a.pth", DATA, [Stall(30_000)])
    assert get(url, tmp_path / "a.pth", patience=HASTY) == SHA
    assert ranges(server) == ["", "bytes=30000-"] and "nothing came for 0.5 s at 30.0 kB" in caplog.text


def test_a_server_that_never_answers_is_given_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(10)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/a.pth"
        assert "nothing came for 0.5 s, 3 times in a row" in refused(url, tmp_path / "a.pth", patience=HASTY)


def test_no_server_is_told_in_plain_words(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{one.getsockname()[1]}/a.pth"
    assert "no connection (Connection refused), 3 times in a row" in refused(url, tmp_path / "a.pth")


def test_an_unknown_host_is_told_in_plain_words(tmp_path: Path, monkeypatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("no_proxy", "*")
    assert "no connection (Name or service not known)" in refused("http://nowhere.invalid/a", tmp_path / "a.pth")


@pytest.mark.parametrize("url", ["file:///etc/hosts", "no url", "http://", "ftp://a.org/b"])
def test_what_is_no_url_is_told_at_once(tmp_path: Path, url: str) -> None:
    assert "that is no URL of http or https; correct it" in refused(url, tmp_path / "a.pth")


def test_a_certificate_that_is_not_trusted_is_told_at_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    both = tmp_path / "both.pem"
    names = ["-subj", "/CN=lab", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(both), "-out", str(tmp_path / "certificate.pem")]
    openssl = [program("openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names, *files]
    subprocess.run(openssl, check=True, capture_output=True)
    both.write_text(both.read_text() + (tmp_path / "certificate.pem").read_text())
    with file_server(both) as server:
        url = server.share("a.pth", DATA)
        text = refused(url, tmp_path / "a.pth")
        assert "certificate is not trusted here; let REQUESTS_CA_BUNDLE name" in text and "in a row" not in text
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "certificate.pem"))
        assert get(url, tmp_path / "a.pth") == SHA


def test_too_little_space_is_told_before_anything_comes(server, tmp_path: Path, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("hlf.zoo.fetching.part.shutil.disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(
        HlfError, match=r"no space left for .*a\.pth: it takes 256\.0 kB more, and its disk has 1\.0 kB"
    ):
        get(server.share("a.pth", DATA), tmp_path / "a.pth")
    assert names(tmp_path) == [".a.pth.lock"]


def test_a_folder_that_cannot_be_written_is_told(server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HlfError, match=r"cannot write .*a\.pth.*; fix the rights or the folder"):
        get(server.share("a.pth", DATA), tmp_path / "file/a.pth")
