"""The command `hlf` as a process; `python -m hlf` where its script is not on the path."""

import sys

from hlf.cli import main
from hlf.process import swift


def command() -> int:
    """Run `hlf` with the arguments of this process; returns the exit code."""
    done = swift()
    code = main()
    done(code)
    return code


if __name__ == "__main__":
    sys.exit(command())
