"""Command line of the library: `hlf score`, `sr`, `iqa`, `study`, `zoo`, `plan`, `release`; errors are one sentence.

Results go to stdout, sentences on what is wrong to stderr. Exit codes, of every command: 0 done; 1 some of it failed,
is missing or differs (and is listed); 2 refused: wrong arguments, or what is needed is missing or wrong; 130 stopped
with Ctrl+C; 141 nobody reads what is printed, as in `hlf zoo list | head`.
"""

import logging
import os
import sys
from collections.abc import Sequence

from hlf import __version__
from hlf.cli import iqa, plan, release, score, sr, study, zoo
from hlf.cli.parser import REFUSED, STOPPED, UNREAD, Parser, show_help
from hlf.errors import HlfError, of_system
from hlf.extras import needed_for


def parser() -> Parser:
    """The parser of all commands."""
    top = Parser(
        prog="hlf",
        description="Did the upscaled picture keep what the original shows? High-level fidelity of super-resolution.",
        epilog="`hlf COMMAND -h` tells more; docs/errors.md lists what can go wrong.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"hlf {__version__}")
    top.set_defaults(function=show_help, parser=top)
    commands = top.add_subparsers(metavar="COMMAND")
    for command in (score, sr, iqa, study, plan, release, zoo):
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `hlf` with arguments `argv` (default: those of the process); returns the exit code."""
    args, unknown = parser().parse_known_args(argv)
    if unknown:
        args.parser.refuse_unknown(unknown)
    _tell_warnings()
    try:
        with needed_for("this command", "'.[workflow]'"):
            code = int(args.function(args))
        print(end="", flush=True)  # here, where a full disk or a closed pipe is still told
    except HlfError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        print("hlf: stopped with Ctrl+C", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # what is left in the buffer has nowhere to go, and Python would complain of it at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except OSError as error:
        return _refuse(of_system(error))
    return code


def _tell_warnings() -> None:
    """What the library logs, on stderr: progress as it is, warnings and errors as our own sentences."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Form())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class _Form(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """The line, with the command's name before warnings and errors."""
        text = super().format(record)
        return f"hlf: {text}" if record.levelno >= logging.WARNING else text


def _refuse(sentence: str) -> int:
    print(f"hlf: {' '.join(sentence.splitlines())}", file=sys.stderr)
    return REFUSED
