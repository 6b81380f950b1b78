"""Snakemake, imported once and run in copies of the process: nearly half of what a dry run takes goes into imports.

Nothing of the project is imported here; each copy finds it where it is started, as a new process does.
"""

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

# what Snakemake imports as late as in a run
LATE = ("jsonschema", "snakemake.profiles", "snakemake.report.html_reporter", "snakemake.storage", "yte")


def run_snakemake(arguments: list[str], folder: Path, environment: dict[str, str], log: Path, limit: float) -> int:
    """Run `python -m snakemake` in a folder, its output in `log`; its exit code, or the negative number of a signal.

    It is ended by SIGALRM after `limit` seconds.
    """
    server = _server()
    order = {"arguments": arguments, "folder": str(folder), "environment": environment, "log": str(log), "limit": limit}
    server.stdin.write(json.dumps(order) + "\n")
    server.stdin.flush()
    return int(server.stdout.readline())


@cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.stdin.close)  # ends it
    return server


def serve() -> None:
    """Run one order after the other, each in a copy of this process, and answer with exit codes."""
    for name in ("snakemake.cli", *LATE):
        __import__(name)
    for line in sys.stdin:
        process = os.fork()
        if not process:
            _become(json.loads(line))
            runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
            sys.exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def _become(order: dict) -> None:
    """Take the place that a new process would have."""
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    log, nothing = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), os.open(os.devnull, os.O_RDONLY)
    for there, here in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(there, here)
    sys.argv, sys.path[0] = ["snakemake", *order["arguments"]], order["folder"]
    signal.alarm(int(order["limit"]))


if __name__ == "__main__":
    serve()
