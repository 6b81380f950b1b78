"""What a person sees of a download."""

import logging
import os
import subprocess
import sys
import termios
import threading
from contextlib import suppress
from pathlib import Path

from fetch_helpers import DATA, environment, get, server
from file_faults import Cut
from study_programs import wait_for

__all__ = ["server"]


def test_lines_in_a_log_where_no_terminal_is(server, tmp_path: Path, caplog, monkeypatch, capfd) -> None:
    monkeypatch.setattr("hlf.zoo.progress.EVERY", 0.0)
    with caplog.at_level(logging.INFO, "hlf.zoo"):
        get(server.share("a.pth", DATA, [Cut(100_000)]), tmp_path / "a.pth")
    lines = caplog.messages
    assert lines[0] == "a.pth: begins of 256.0 kB" and "a.pth: goes on at 100.0 kB of 256.0 kB" in lines
    assert any(line.startswith("a.pth: 256.0 kB of 256.0 kB, ") and line.endswith("/s") for line in lines)
    assert capfd.readouterr() == ("", "")


def test_a_bar_on_a_terminal(server, tmp_path: Path) -> None:
    code = "import sys; from hlf.zoo.fetching.download import download; download(sys.argv[1], sys.argv[2])"
    url, (main, side) = server.share("a.pth", DATA, [Cut(100_000)]), os.openpty()
    termios.tcsetwinsize(side, (24, 80))
    process = subprocess.Popen(
        [sys.executable, "-c", code, url, str(tmp_path / "a.pth")], stderr=side, stdout=-1, env=environment()
    )
    shown: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # the other side is closed at the end
            while data := os.read(main, 4096):
                shown.append(data)

    threading.Thread(target=read, daemon=True).start()
    assert process.wait(20) == 0
    wait_for(lambda: b"100%" in b"".join(shown))
    assert b"a.pth:" in b"".join(shown) and b"256k/256k" in b"".join(shown)
    os.close(side)
