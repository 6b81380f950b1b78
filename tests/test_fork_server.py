"""Programs run in copies of a process: they act as in their own, and bring nothing of the project along."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fork_server import ForkServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> ForkServer:
    return ForkServer(Path(tmp_path_factory.mktemp("s")), "decimal")


def shell(server: ForkServer, script: Path, **more: object) -> subprocess.CompletedProcess:
    command = f"{server.python} {shlex.quote(str(script))}"
    return subprocess.run(command, shell=True, text=True, capture_output=True, check=False, **more)


@pytest.mark.parametrize(
    ("end", "code", "error"),
    [("", 0, ""), ("sys.exit(3)", 3, ""), ("raise KeyError('lost')", 1, "KeyError: 'lost'"),
     ("os.kill(os.getpid(), 9)", 137, "")],
)  # fmt: skip
def test_a_script_ends_as_it_would(server: ForkServer, tmp_path: Path, end: str, code: int, error: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"import atexit, os, sys\nprint('decimal' in sys.modules, __name__, sys.argv, os.getcwd(), flush=True)\n{end}\n"
    )
    found = shell(server, script, cwd=tmp_path)
    assert (found.returncode, found.stdout) == (code, f"True __main__ ['{script}'] {tmp_path}\n")
    assert error in found.stderr


def test_it_imports_from_where_its_environment_says(server: ForkServer, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "hlf").mkdir(parents=True)
        (tmp_path / name / "hlf/__init__.py").write_text(f"print('{name}')")
    script = tmp_path / "script.py"
    script.write_text("import hlf, sys\nprint(sys.executable)")
    for name in ("one", "two"):
        found = shell(server, script, env={**os.environ, "PYTHONPATH": str(tmp_path / name)})
        assert found.stdout == f"{name}\n{sys.executable}\n"


def test_it_is_gone_with_whoever_asked_for_it(server: ForkServer, tmp_path: Path) -> None:
    script, told = tmp_path / "script.py", tmp_path / "pid"
    script.write_text(f"import os, time\nopen({str(told)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    asker = subprocess.Popen([*shlex.split(server.python), script])
    end = time.monotonic() + 60
    while not (told.is_file() and told.read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
    asker.send_signal(signal.SIGKILL)
    asker.wait()
    while psutil.pid_exists(int(told.read_text())):
        assert time.monotonic() < end
        time.sleep(0.02)
