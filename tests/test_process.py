"""A process that was made swift ends as every other one would, only sooner."""

import os
import subprocess
import sys

import pytest

BEGIN = """
import atexit, sys
atexit.register(print, "registered before")
from hlf.process import swift
done = swift()
atexit.register(print, "left to the end")
import logging
"""


def ended(program: str) -> tuple[int, str, str]:
    # its output waits in a buffer until the end, as in a pipe
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    words = [sys.executable, "-c", BEGIN + program]
    found = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    return found.returncode, found.stdout, found.stderr


@pytest.mark.parametrize("code", [0, 1, 141])
def test_what_was_left_to_the_end_is_done_and_said_and_nothing_taken_apart(code: int) -> None:
    program = (
        f"class Slow:\n    def __del__(self): print('taken apart')\nslow = Slow(); print('said', end=' ')\ndone({code})"
    )
    assert ended(program) == (code, "said left to the end\n", "")


def test_an_error_ends_it_as_ever() -> None:
    code, said, error = ended("raise KeyError('lost')")
    assert (code, said) == (1, "left to the end\nregistered before\n") and "KeyError: 'lost'" in error


def test_a_thread_that_still_works_is_waited_for() -> None:
    program = (
        "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.2), print('late'))).start()\ndone(0)"
    )
    assert ended(program) == (0, "late\nleft to the end\n", "")


def test_what_is_not_written_is_no_success() -> None:
    program = "import os\nprint('said')\nos.close(1)\ndone(0)"
    code, _, error = ended(program)
    assert code == 120 and "Bad file descriptor" in error  # as Python itself ends then


def test_garbage_is_still_collected() -> None:
    program = """
import gc
class Round:
    pass
for _ in range(50_000):
    one = Round(); one.itself = one
print(len([x for x in gc.get_objects() if isinstance(x, Round)]) < 30_000)
done(0)
"""
    assert ended(program)[1] == "True\nleft to the end\n"
