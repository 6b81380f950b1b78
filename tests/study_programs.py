"""Programs of the system and servers, for tests: where they are, ports that stay free, waiting until one answers."""

import os
import random
import shutil
import socket
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

HLF = Path(sys.executable).with_name("hlf")
# A user's machine may lack Chromium, nginx, PostgreSQL or Slurm, and may not be changed by `make test`: there the tests
# that need one say so and are skipped. .ci/run installs all of them and sets this, so that none can be skipped there.
REQUIRED = os.environ.get("HLF_REQUIRE_ALL") == "1"


def program(name: str, package: str, *places: str) -> str:
    """Path of a system program; the test is skipped, or fails in .ci/run, where it is not installed."""
    found = shutil.which(name) or next((str(p) for place in places for p in sorted(Path("/").glob(place))), None)
    if found is None:
        message = f"{name} is not installed; apt-get install {package}"
        if REQUIRED:
            pytest.fail(message)
        pytest.skip(message)
    return found


def quiet_port() -> int:
    """A free port below those that this machine gives to its own connections, so that nobody takes it meanwhile."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 50):
        with closing(socket.socket()) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                one.bind(("127.0.0.1", port))
                return port
    raise AssertionError("50 ports are all in use")


def wait_for(ready) -> None:
    for _ in range(1200):
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        threading.Event().wait(0.05)
    raise AssertionError("the server did not come up")
