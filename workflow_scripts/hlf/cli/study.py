"""Command `hlf study`: make a user study of the chain's pairs, run it, watch it, close it, and take its scores home."""

import argparse
from pathlib import Path

from hlf.cli import study_run as run
from hlf.cli.options import add_seed, natural, number, share
from hlf.cli.parser import Command, Commands, add_command, add_group
from hlf.study.running.folder import LOCAL_URL

PORT = 8000


def add(commands: Commands) -> None:
    """Arguments of `hlf study` and its commands."""
    parts = add_group(commands, "study", "run a yes/no study with people on the web (docs/study.md)")
    _add_making(parts)
    _add_serving(parts)
    _add_running(parts)
    _add_results(parts)
    _add_keeping(parts)


def _part(
    parts: Commands, name: str, text: str, function: Command, more: str = "", failed: str = ""
) -> argparse.ArgumentParser:
    """A command that works on one study's folder; `more` is what its example has behind that."""
    part = add_command(parts, name, text, function, f"hlf study {name} my_study {more}".rstrip(), failed)
    part.add_argument("folder", type=Path, metavar="DIR", help="folder of the study")
    return part


def _add_url(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    shown = default or "public_url of study.yaml"
    parser.add_argument(
        "--public-url", metavar="URL", default=default, help=f"how people reach the study (default: {shown})"
    )


def _add_making(parts: Commands) -> None:
    init = _part(parts, "init", "make the folder of a new study: settings, secret key, database", run.init)
    init.add_argument("--name", metavar="NAME", help="id of the study (default: the folder's name)")
    init.add_argument(
        "--database", default="sqlite:///study.sqlite", metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME (default: %(default)s)",
    )  # fmt: skip
    _add_url(init, LOCAL_URL)
    pairs = _part(
        parts, "import-pairs", "take over the pairs and images of a bundle (snakemake study_bundle)", run.pairs,
        "--bundle results/mini/study/bundle",
    )  # fmt: skip
    pairs.add_argument("--bundle", type=Path, required=True, metavar="DIR", help="such as results/mini/study/bundle")
    _part(
        parts, "check", "look whether the study could start: settings, pairs, images, traps, disk", run.check,
        failed="something is in the way",
    )  # fmt: skip
    admin = _part(
        parts, "admin", "give somebody access to the dashboard; the password is asked for", run.admin,
        "ben --role analyst",
    )  # fmt: skip
    admin.add_argument("name", metavar="NAME", help="with which to log in")
    admin.add_argument("--role", choices=["owner", "analyst"], default="owner", help="analyst: may only look")
    admin.add_argument("--totp", action="store_true", help="ask for a one-time code too; prints its secret once")
    admin.add_argument("--remove", action="store_true", help="take the access away")


def _add_serving(parts: Commands) -> None:
    serve = _part(
        parts, "serve", "serve the study to browsers, until Ctrl+C (then the exit code is 0)", run.serve,
        "--bundle results/mini/study/bundle",
    )  # fmt: skip
    option = serve.add_argument
    option(
        "--bundle", type=Path, metavar="DIR",
        help="make and open the study of this bundle first, if the folder holds none: one command for all",
    )  # fmt: skip
    option("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default: %(default)s)")
    option("--port", type=natural, default=PORT, metavar="N", help="port to listen on (default: %(default)s)")
    _add_url(serve)
    option("--trusted-proxy", metavar="ADDRESS", help="address of the reverse proxy whose X-Forwarded-For is believed")
    option(
        "--allow-http", action="store_true", help="serve other machines without HTTPS: cookies can be read on the way"
    )
    option("--log", action="store_true", help="print a line per request: id, route, status, ms; nothing of the person")
    option("--no-limits", action="store_true", help="do not limit requests; for tests with robots only")
    option("--frame-ancestors", default="'none'", metavar="HOSTS", help="sites that may show the study in a frame")


def _add_running(parts: Commands) -> None:
    invite = _part(parts, "invite", "print a link for people", run.invite, "--label class-7")
    invite.add_argument("--label", default="", metavar="TEXT", help="whom it is for; people do not see it")
    invite.add_argument("--one-use", action="store_true", help="for one person")
    invite.add_argument("--count", type=natural, default=1, metavar="N", help="number of links (default: %(default)s)")
    _add_url(invite)
    _part(parts, "status", "tell how far the study is", run.status)
    for name, text in (
        ("open", "let people in"),
        ("pause", "send people away for now; answers under way are still saved"),
        ("close", "end the study; final"),
    ):
        _part(parts, name, text, run.change).set_defaults(status={"pause": "paused", "close": "closed"}.get(name, name))
    simulate = _part(
        parts, "simulate", "send simulated people to a running server; marks the study as simulated", run.simulate,
        "--url http://127.0.0.1:8000 --people 40 --think 0", "the server refused something or is gone",
    )  # fmt: skip
    option = simulate.add_argument
    option("--url", default=LOCAL_URL, metavar="URL", help="of the server (default: %(default)s)")
    option("--people", type=natural, default=40, metavar="N", help="who come at once (default: %(default)s)")
    option("--errors", type=Path, metavar="FILE", help="content_error.parquet of a run (default: changes are made up)")
    option("--careless", type=share, default=0.12, metavar="SHARE", help="careless people (default: %(default)s)")
    option(
        "--think", type=_pace, default=1.0, metavar="PACE",
        help="1: people take their time, 0: none (default: %(default)s)",
    )  # fmt: skip
    option("--no-images", action="store_true", help="do not load the images")
    add_seed(simulate, "what the people answer")


def _add_results(parts: Commands) -> None:
    screen = _part(parts, "screen", "judge all people by the screening rules and keep the verdicts", run.screen)
    screen.add_argument("-o", "--output", type=Path, metavar="FILE", help="CSV file for them (default: none)")
    export = _part(
        parts, "export", "write votes, scores and statistics as files (docs/study.md)", run.export, "-o my_export"
    )
    option = export.add_argument
    option("-o", "--output", type=Path, required=True, metavar="DIR", help="replaced if it holds an export")
    option("--allow-simulated", action="store_true", help="export simulated votes, which say so everywhere")
    option("--with-recruit-ids", action="store_true", help="add the recruiting site's ids of people")
    option("--sureal", type=Path, metavar="FILE", help="write the votes as a SUREAL dataset too")
    report = _part(parts, "report", "print scores per model, agreement and the people", run.report)
    report.add_argument(
        "--unblind", action="store_true", help="show scores of models before the study is closed; noted"
    )


def _add_keeping(parts: Commands) -> None:
    backup = _part(
        parts, "backup", "copy the database (SQLite), also while the study runs", run.backup, "-o backup.sqlite"
    )
    backup.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the copy")
    _part(parts, "verify", "recount everything from the votes", run.verify, failed="something does not add up")
    withdraw = _part(
        parts, "withdraw", "erase the votes and data of one participant", run.withdraw, "--participant P7K2QX"
    )
    who = withdraw.add_mutually_exclusive_group(required=True)
    who.add_argument("--participant", metavar="ID", help="as the dashboard and exports show it")
    who.add_argument("--resume-code", metavar="WORDS", help="the person's four words")
    who.add_argument("--recruit-id", metavar="ID", help="the recruiting site's id of the person")


def _pace(text: str) -> float:
    """Value of --think."""
    return number(text, 100.0, "a pace from 0 to 100")
