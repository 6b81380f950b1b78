"""Servers of other processes, for tests: ports that stay free, and waiting until one answers."""

import random
import socket
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path

import httpx

HLF = Path(sys.executable).with_name("hlf")


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
    for _ in range(200):
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        threading.Event().wait(0.05)
    raise AssertionError("the server did not come up")
