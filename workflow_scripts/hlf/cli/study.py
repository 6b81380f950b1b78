"""Command `hlf study`: make a user study of the chain's pairs, run it, watch it, close it, and take its scores home."""

import argparse
from pathlib import Path

from hlf.cli import study_run as run
from hlf.cli.options import Commands
from hlf.study.running.folder import LOCAL_URL

PORT = 8000


def add(commands: Commands) -> None:
    """Arguments of `hlf study` and its commands."""
    study = commands.add_parser("study", help="run a yes/no study with people on the web (docs/study.md)")
    parts = study.add_subparsers(required=True, metavar="WHAT")
    _add_making(parts)
    _add_running(parts)
    _add_results(parts)
    _add_keeping(parts)


def _part(parts: Commands, name: str, text: str, function: run.Command) -> argparse.ArgumentParser:
    """A command that works on one study's folder."""
    part = parts.add_parser(name, help=text)
    part.add_argument("folder", type=Path, help="folder of the study")
    part.set_defaults(function=function)
    return part


def _add_making(parts: Commands) -> None:
    init = _part(parts, "init", "make the folder of a new study: settings, secret key, database", run.init)
    init.add_argument("--name", help="id of the study (default: the folder's name)")
    init.add_argument(
        "--database", default="sqlite:///study.sqlite", metavar="URL",
        help="sqlite:///FILE or postgresql://USER@HOST/NAME (default: %(default)s)",
    )  # fmt: skip
    init.add_argument(
        "--public-url", metavar="URL", default=LOCAL_URL, help="how people reach it (default: %(default)s)"
    )
    pairs = _part(
        parts, "import-pairs", "take over the pairs and images of a bundle (snakemake study_bundle)", run.pairs
    )
    pairs.add_argument("--bundle", type=Path, required=True, help="such as results/mini/study/bundle")
    _part(parts, "check", "look whether the study could start: settings, pairs, images, traps, disk", run.check)
    admin = _part(parts, "admin", "give somebody access to the dashboard; the password is asked for", run.admin)
    admin.add_argument("name")
    admin.add_argument("--role", choices=["owner", "analyst"], default="owner", help="analyst: may only look")
    admin.add_argument("--totp", action="store_true", help="ask for a one-time code too; prints its secret once")
    admin.add_argument("--remove", action="store_true", help="take the access away")


def _add_running(parts: Commands) -> None:
    serve = _part(parts, "serve", "serve the study to browsers", run.serve)
    option = serve.add_argument
    option("--bundle", type=Path, help="make and open the study first, if the folder holds none: one command for all")
    option("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    option("--port", type=int, default=PORT, help="(default: %(default)s)")
    option("--public-url", metavar="URL", help="how people reach it (default: public_url of study.yaml)")
    option("--trusted-proxy", metavar="ADDRESS", help="address of the reverse proxy whose X-Forwarded-For is believed")
    option(
        "--allow-http", action="store_true", help="serve other machines without HTTPS: cookies can be read on the way"
    )
    option("--log", action="store_true", help="print a line per request: id, route, status, ms; nothing of the person")
    option("--no-limits", action="store_true", help="do not limit requests; for tests with robots only")
    option("--frame-ancestors", default="'none'", metavar="HOSTS", help="sites that may show the study in a frame")
    invite = _part(parts, "invite", "print a link for people", run.invite)
    invite.add_argument("--label", default="", help="a note on whom it is for; people do not see it")
    invite.add_argument("--one-use", action="store_true", help="for one person")
    invite.add_argument("--count", type=int, default=1, help="number of links (default: %(default)s)")
    invite.add_argument("--public-url", metavar="URL", help="how people reach it (default: public_url of study.yaml)")
    _part(parts, "status", "how far the study is", run.status)
    for name, text in (
        ("open", "let people in"),
        ("pause", "send people away for now; answers under way are still saved"),
        ("close", "end the study; final"),
    ):
        _part(parts, name, text, run.change).set_defaults(status={"pause": "paused", "close": "closed"}.get(name, name))
    simulate = _part(
        parts, "simulate", "send simulated people to a running server; marks the study as simulated", run.simulate
    )
    option = simulate.add_argument
    option("--url", default=LOCAL_URL, help="of the server (default: %(default)s)")
    option("--people", type=int, default=40, help="who come at once (default: %(default)s)")
    option("--errors", type=Path, metavar="FILE", help="content_error.parquet of a run; without it changes are made up")
    option("--careless", type=float, default=0.12, help="share of careless people (default: %(default)s)")
    option("--think", type=float, default=1.0, help="1: people take their time, 0: none (default: %(default)s)")
    option("--no-images", action="store_true", help="do not load the images")
    option("--seed", type=int, default=42, help="(default: %(default)s)")


def _add_results(parts: Commands) -> None:
    screen = _part(parts, "screen", "judge all people by the screening rules and keep the verdicts", run.screen)
    screen.add_argument("--output", "-o", type=Path, help="CSV file for them")
    export = _part(parts, "export", "write votes, scores and statistics as files (docs/study.md)", run.export)
    export.add_argument("--output", "-o", type=Path, required=True, help="folder, replaced if it holds an export")
    export.add_argument(
        "--allow-simulated", action="store_true", help="export simulated votes, which say so everywhere"
    )
    export.add_argument("--with-recruit-ids", action="store_true", help="add the recruiting site's ids of people")
    export.add_argument("--sureal", type=Path, metavar="FILE", help="write the votes as a SUREAL dataset too")
    report = _part(parts, "report", "print scores per model, agreement and the people", run.report)
    report.add_argument(
        "--unblind", action="store_true", help="show scores of models before the study is closed; noted"
    )


def _add_keeping(parts: Commands) -> None:
    backup = _part(parts, "backup", "copy the database (SQLite), also while the study runs", run.backup)
    backup.add_argument("--output", "-o", type=Path, required=True, help="file to write")
    _part(parts, "verify", "recount everything from the votes; exit code 1 when something does not add up", run.verify)
    withdraw = _part(parts, "withdraw", "erase the votes and data of one participant", run.withdraw)
    who = withdraw.add_mutually_exclusive_group(required=True)
    who.add_argument("--participant", help="id, as the dashboard and exports show it")
    who.add_argument("--resume-code", help="the person's four words")
    who.add_argument("--recruit-id", help="the recruiting site's id of the person")
