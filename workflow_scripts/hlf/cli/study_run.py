"""What the commands of `hlf study` do, one function each."""

import argparse
import getpass
import logging
import secrets
import shutil
import sys
from typing import TYPE_CHECKING

from hlf.cli.parser import DONE, FAILED
from hlf.errors import HlfError

if TYPE_CHECKING:
    from hlf.study.running.folder import StudyFolder
    from hlf.study.shown.bundle import Bundle

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# free space below which a study should not start, in bytes
DISK = 500_000_000


def init(args: argparse.Namespace) -> int:
    """Run `hlf study init`."""
    from hlf.study.running.folder import init_study

    study = init_study(args.folder, args.name or args.folder.resolve().name, args.database, args.public_url)
    print(f"study '{study.id}' in {args.folder}; edit {args.folder / 'study.yaml'}")
    print(f"then: hlf study import-pairs {args.folder} --bundle results/<run>/study/bundle")
    return DONE


def pairs(args: argparse.Namespace) -> int:
    """Run `hlf study import-pairs`."""
    from hlf.study.running.studies import import_pairs
    from hlf.study.shown.bundle import read_bundle

    study = _open(args)
    bundle = read_bundle(args.bundle, study.settings)
    import_pairs(study, bundle)
    counts = {role: sum(pair.role == role for pair in bundle.pairs) for role in ("trial", "trap", "practice")}
    print(f"{counts['trial']} pairs, {counts['trap']} traps, {counts['practice']} practice pairs in study '{study.id}'")
    return DONE


def check(args: argparse.Namespace) -> int:
    """Run `hlf study check`."""
    from hlf.study.running.studies import check_study, people_needed

    study = _open(args)
    study.storage().close()  # a database that cannot be opened is refused, not listed
    problems = check_study(study)
    free = shutil.disk_usage(args.folder).free
    if free < DISK:
        problems.append(f"only {free // 1_000_000} MB are free on the disk of {args.folder}")
    for problem in problems:
        print(f"hlf: {problem}", file=sys.stderr)
    if problems:
        return FAILED
    least = people_needed(study)
    print(f"the study can start; it needs {least} people, about {-(-least * 8 // 7)} if one in eight fails the traps")
    return DONE


def admin(args: argparse.Namespace) -> int:
    """Run `hlf study admin`."""
    from hlf.study.running.accounts import add_admin, remove_admin

    study = _open(args)
    storage = study.storage()
    if args.remove:
        remove_admin(storage, study.id, args.name)
        print(f"{args.name} has no access any more")
        return DONE
    # from a pipe in scripts, without an echo from a keyboard
    password = getpass.getpass("password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    secret = add_admin(storage, study.id, args.name, args.role, password, args.totp)
    print(f"{args.name} may log in at /owner/login as {args.role}")
    if secret:
        print(f"secret for one-time codes, shown only now: {secret}")
    return DONE


def serve(args: argparse.Namespace) -> int:
    """Run `hlf study serve`."""
    from urllib.parse import urlsplit

    from hlf.study.running.folder import open_folder
    from hlf.study.server.security import Options
    from hlf.study.server.serving import refuse_port, run_server

    refuse_port(args.host, args.port)
    if args.bundle:
        _start(args)
    study = open_folder(args.folder)
    url = _url(args, study.public_url)
    secure, host = urlsplit(url).scheme == "https", urlsplit(url).hostname
    if not secure and not args.allow_http and (args.host not in LOOPBACK or host not in LOOPBACK):
        raise HlfError(
            f"{url} would carry cookies unprotected; put a proxy with HTTPS before the server and name it with "
            "--public-url https://..., or say --allow-http"
        )
    print(f"study '{study.id}' at {url}; dashboard at {url}/owner; stop with Ctrl+C", flush=True)
    if args.log:
        logging.getLogger("hlf.study.server").setLevel(logging.INFO)
    options = Options(secure=secure, limits=not args.no_limits, frame_ancestors=args.frame_ancestors)
    run_server(study.platform(), options, args.host, args.port, args.trusted_proxy)
    return DONE


def invite(args: argparse.Namespace) -> int:
    """Run `hlf study invite`."""
    from hlf.study.running.studies import new_invite

    study = _open(args)
    study.platform()  # refuses where no pairs were imported
    storage, url = study.storage(), (args.public_url or study.public_url).rstrip("/")
    for _ in range(args.count):
        print(f"{url}/join/{new_invite(storage, study, args.label, args.one_use)}")
    return DONE


def status(args: argparse.Namespace) -> int:
    """Run `hlf study status`."""
    from hlf.study.running.overview import read_overview, sentences

    study = _open(args)
    platform = study.platform()
    overview = platform.storage.read(lambda c: read_overview(c, study.id, platform.now()))
    print("\n".join(sentences(overview)))
    return DONE


def change(args: argparse.Namespace) -> int:
    """Run `hlf study open`, `pause` and `close`."""
    from hlf.study.running.studies import check_study, set_status

    study = _open(args)
    problems = check_study(study) if args.status == "open" else []
    if problems:
        raise HlfError(problems[0])
    set_status(study.storage(), study.id, args.status, "command line")
    print(f"study '{study.id}' is {args.status}")
    return DONE


def simulate(args: argparse.Namespace) -> int:
    """Run `hlf study simulate`."""
    from hlf.study.running.studies import mark_simulated, new_invite
    from hlf.study.simulated.robots import content_strengths, planted_strengths, refuse_silent, send_people

    study = _open(args)
    platform = study.platform()
    refuse_silent(args.url)
    mark_simulated(platform.storage, study.id)
    code = new_invite(platform.storage, study, "simulated people", one_use=False, source="simulated")
    strength = content_strengths(platform, args.errors) if args.errors else planted_strengths(platform, args.seed)
    record = send_people(
        platform, args.url, code, args.people, strength, args.careless, args.seed, args.think, not args.no_images
    )
    for kind, value in record.summary().items():
        print(f"{kind}: {value}")
    for error in record.errors[:20]:
        print(f"hlf: {' '.join(error.split())}", file=sys.stderr)
    return FAILED if record.errors else DONE


def screen(args: argparse.Namespace) -> int:
    """Run `hlf study screen`."""
    from hlf.files import write_table
    from hlf.study.running.verdicts import screen_study

    platform = _open(args).platform()
    table = screen_study(platform, "command line")
    if args.output:
        write_table(table, args.output)
    flagged = table[~table["keep"]]
    people = table["participant"].nunique()
    print(f"{people} people, {flagged['participant'].nunique()} flagged by a rule")
    for row in flagged.itertuples():
        print(f"{row.participant}: {row.rule} {row.value}")
    return DONE


def export(args: argparse.Namespace) -> int:
    """Run `hlf study export`."""
    from hlf.study.results.export import to_sureal, write_export
    from hlf.study.running.reading import read_study

    study = _open(args)
    data = study.storage().read(lambda c: read_study(c, study.id))
    write_export(args.output, data, allow_simulated=args.allow_simulated, with_recruit_ids=args.with_recruit_ids)
    if args.sureal:
        to_sureal(args.output, args.sureal)
    traps = int(data.votes["pair"].isin(data.traps["pair"]).sum())
    votes = f"{len(data.votes) - traps} votes and {traps} answers to traps"
    people = f"{data.votes['participant'].nunique()} of {len(data.participants)} participants"
    print(f"{votes} from {people} in {args.output}")
    return DONE


def report(args: argparse.Namespace) -> int:
    """Run `hlf study report`."""
    from hlf.study.running.reading import read_study
    from hlf.study.running.verdicts import report_text, unblind

    study = _open(args)
    platform = study.platform()
    if args.unblind:
        unblind(platform, "command line")
    data = platform.storage.read(lambda c: read_study(c, study.id))
    print(report_text(data, blind=not (args.unblind or data.status == "closed")))
    return DONE


def backup(args: argparse.Namespace) -> int:
    """Run `hlf study backup`."""
    from hlf.study.running.keeping import backup as copy

    copy(_open(args).storage(), args.output)
    print(f"database copied to {args.output}; keep secret.key, study.yaml and images/ with it")
    return DONE


def verify(args: argparse.Namespace) -> int:
    """Run `hlf study verify`."""
    from hlf.study.running.keeping import verify as recount

    study = _open(args)
    problems = study.platform().storage.read(lambda c: recount(c, study.id))
    for problem in problems:
        print(f"hlf: {problem}", file=sys.stderr)
    print("everything adds up" if not problems else f"{len(problems)} things do not add up")
    return FAILED if problems else DONE


def withdraw(args: argparse.Namespace) -> int:
    """Run `hlf study withdraw`."""
    platform = _open(args).platform()
    person = platform.look_up(args.participant, args.resume_code, args.recruit_id)
    erased = platform.withdraw(person, "command line")
    print(f"{erased} stored answers erased; the pairs are open again")
    return DONE


def _open(args: argparse.Namespace) -> "StudyFolder":
    from hlf.study.running.folder import open_folder

    return open_folder(args.folder)


def _url(args: argparse.Namespace, public_url: str) -> str:
    """How people reach a server: as told, as study.yaml says, or at the address that it listens on."""
    from hlf.study.running.folder import LOCAL_URL

    here = f"http://{args.host}:{args.port}"
    return str(args.public_url or (public_url if public_url != LOCAL_URL else here)).rstrip("/")


def _start(args: argparse.Namespace) -> None:
    """Make and open a study of a bundle, with an invite and an owner, unless it was opened before."""
    from hlf.study.running.accounts import add_admin, list_admins
    from hlf.study.running.folder import FILE, init_study, open_folder
    from hlf.study.running.studies import check_study, import_pairs, new_invite, set_status
    from hlf.study.shown.bundle import read_bundle

    folder = args.folder
    known = (folder / FILE).exists()
    study = open_folder(folder) if known else None
    if study is not None and study.is_open():
        print(f"{folder} holds an open study; its pairs stay as they are")
        return
    # read first: a broken bundle must leave no half-made study
    bundle: Bundle = read_bundle(args.bundle, study.settings if study else None)
    study = study or init_study(folder, folder.resolve().name)
    import_pairs(study, bundle)
    storage, url = study.storage(), _url(args, study.public_url)
    set_status(storage, study.id, "open", "command line")
    print(f"link for people: {url}/join/{new_invite(storage, study, 'first link', one_use=False)}")
    if not list_admins(storage):
        password = secrets.token_urlsafe(12)
        add_admin(storage, study.id, "owner", "owner", password)
        print(f"dashboard: user owner, password {password} (shown only now; change: hlf study admin {folder} owner)")
    for problem in check_study(study):
        print(f"before you send the link: {problem}")
    storage.close()
