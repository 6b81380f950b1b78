"""Programs run in copies of a process that has imported much already: most of what a tiny job takes are its imports.

A server imports nothing of the project; each copy finds that where it is started, as a new process does. Nor does it
import anything before the first program comes.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path


class ForkServer:
    """A process to be copied, which ends with this one.

    Attributes:
        python: words that take the place of `python` before the path of a script, for the shell.
    """

    def __init__(self, folder: Path, *modules: str) -> None:
        """Start it.

        Args:
            folder: where its socket goes; the path of a socket must stay below 108 characters.
            modules: what it imports, as early as the first program comes.
        """
        import subprocess

        self._path = str(folder / f"{os.getpid()}-{modules[0]}")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._path)
            listener.listen()
            words = [sys.executable, __file__, "--serve", str(listener.fileno()), *modules]
            # it ends when the last holder of the other end does, however that is
            self._process = subprocess.Popen(words, pass_fds=[listener.fileno()], stdin=subprocess.PIPE)
        self.python = f"{sys.executable} -I -S {__file__} {self._path}"

    def run(
        self,
        words: list[str],
        folder: Path,
        environment: dict[str, str],
        files: list[int],
        limit: int = 0,
        python: str = sys.executable,
    ) -> int:
        """Run a program to its end.

        Args:
            words: what would follow `python` on the command line: a script or "-m" and a module, then arguments.
            folder: where it runs.
            environment: its variables.
            files: its standard input, output and error.
            limit: seconds after which SIGALRM ends it; 0 for none.
            python: what it will see as `sys.executable`.

        Returns:
            Its exit code; 128 and the number of the signal that ended it.
        """
        order = {"words": words, "folder": str(folder), "environment": environment, "limit": limit, "python": python}
        return _ask(self._path, order, files)


def _ask(path: str, order: dict, files: list[int]) -> int:
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        text = json.dumps(order).encode()
        socket.send_fds(server, [len(text).to_bytes(8, "big")], files)
        server.sendall(text)
        answer = server.recv(4)
    return int.from_bytes(answer, "big") if answer else 1


def _serve(listener: socket.socket, modules: list[str]) -> None:
    """Take orders until standard input ends."""
    import importlib
    import select

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        while modules:
            importlib.import_module(modules.pop(0))
        assert "hlf" not in sys.modules, "an import has brought the project"
        # a copy has one thread: what another one held would stay locked in it, but for jemalloc, which minds copies
        threads = {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")}
        assert len(threads - {"jemalloc_bg_thd"}) == 1, threads
        if not os.fork():
            listener.close()
            _watch(connection)
        connection.close()


def _watch(connection: socket.socket) -> None:
    """Run one program in a copy, and tell how it ended; it ends with whoever asked for it."""
    import select

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, files, _, _ = socket.recv_fds(connection, 8, 3)
    order = json.loads(connection.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
    program = os.fork()
    if not program:
        connection.close()
        _become(order, files)
    end = os.pidfd_open(program)
    left = end not in select.select([end, connection], [], [])[0]
    if left:
        os.kill(program, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    if not left:
        connection.sendall((code if code >= 0 else 128 - code).to_bytes(4, "big"))
    os._exit(0)


def _become(order: dict, files: list[int]) -> None:
    """Take the place that a new process would have, and end as one."""
    import atexit
    import threading
    import traceback

    for here, there in enumerate(files):
        os.dup2(there, here)
        os.close(there)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.executable = order["python"]
    signal.alarm(order["limit"])
    code: object = None
    try:
        _run(order["words"])
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    # without taking thousands of modules apart, which takes longer than a job
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def _run(words: list[str]) -> None:
    import runpy

    if words[0] == "-m":
        sys.argv, sys.path[0] = words[1:], str(Path.cwd())
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = words, str(Path(words[0]).parent)
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        _serve(socket.socket(fileno=int(sys.argv[2])), sys.argv[3:])
    else:
        here = {"words": sys.argv[2:], "folder": str(Path.cwd()), "environment": dict(os.environ)}
        sys.exit(_ask(sys.argv[1], {**here, "limit": 0, "python": sys.executable}, [0, 1, 2]))
