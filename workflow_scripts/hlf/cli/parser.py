"""The form that all commands share: help with an example and exit codes, wrong use told in one sentence."""

import argparse
import re
import sys
import textwrap
from collections.abc import Callable
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn, TypeAlias

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
else:
    Commands = object  # argparse's own name for what add_subparsers gives is private

Command: TypeAlias = Callable[[argparse.Namespace], int]
DONE, FAILED, REFUSED = 0, 1, 2
STOPPED, UNREAD = 130, 141  # as a shell reports what SIGINT and SIGPIPE end
CODES = """exit codes:
  0    done
{failed}  2    refused: wrong arguments, or what is needed is missing or wrong; the reason stands on stderr
  130  stopped with Ctrl+C"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence with what may have been meant; exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and leave."""
        if wrong := re.fullmatch(r"argument (.+): invalid choice: '(.*)' \(choose from (.+)\)", message, re.DOTALL):
            name, given, known = wrong[1], wrong[2], re.findall(r"'([^']*)'", wrong[3])
            message = f"{name} is '{given}', expected one of {', '.join(known)}{_meant(given, known)}"
        self.exit(REFUSED, f"{self.prog}: {message}; see `{self.prog} -h`\n")

    def refuse_unknown(self, arguments: list[str]) -> NoReturn:
        """Leave because of arguments that the command does not know."""
        known = [word for action in self._actions for word in action.option_strings]
        self.error(f"unknown argument '{arguments[0]}'{_meant(arguments[0].partition('=')[0], known)}")


def _meant(given: str, known: list[str]) -> str:
    """A question about the most similar known word; "" where none is similar."""
    close = get_close_matches(given, known, 1)
    return f"; did you mean {close[0]}?" if close else ""


def add_command(
    commands: Commands, name: str, text: str, function: Command, example: str, failed: str = "", more: str = ""
) -> argparse.ArgumentParser:
    """Add a command.

    Args:
        commands: what `add_subparsers` gave.
        name: of the command.
        text: what it does, for the list of commands and on top of its help.
        function: what runs it; gets the arguments and gives the exit code.
        example: a command line that works, from the folder of the workflow.
        failed: when the exit code is 1; "" where it never is.
        more: further sentences on top of its help.
    """
    top = textwrap.fill(f"{text[0].upper()}{text[1:]}. {more}", 79)
    codes = CODES.format(failed=f"  1    {failed}\n" if failed else "")
    parser = commands.add_parser(
        name, help=text, description=top, epilog=f"example:\n  {example}\n\n{codes}", allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.set_defaults(function=function, parser=parser)
    return parser


def add_group(commands: Commands, name: str, text: str) -> Commands:
    """Add a word that has commands of its own; alone it prints them."""
    group = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=f"`hlf {name} WHAT -h` tells more.",
        allow_abbrev=False,
    )  # fmt: skip
    group.set_defaults(function=show_help, parser=group)
    return group.add_subparsers(metavar="WHAT")


def show_help(args: argparse.Namespace) -> int:
    """Run a command that was not said in full: its help, on stderr."""
    args.parser.print_help(sys.stderr)
    return REFUSED
