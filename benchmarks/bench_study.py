"""Speed and safety of the user study: python benchmarks/bench_study.py (about ten minutes; less with fewer --rounds).

Load: simulated people over HTTP, with images and the time that people take, on a server of its own process; server
times are those of the server's log, from the request's arrival to the last byte. Fill: 40 people without time to think
until each of 723 pairs has its 12 votes. Kill: `kill -9` at random moments while people answer (tests/study_crash.py).
The hot path of `make bench`: one person who answers without a pause, against a bare FastAPI application on the same
server that answers the same requests with constants.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from frame import ROOT, Call, HotPath

sys.path[:0] = [str(ROOT / "tests")]

from sqlalchemy import func, select  # noqa: E402

from hlf.study.running.folder import open_folder  # noqa: E402
from hlf.study.running.storage import tables  # noqa: E402
from hlf.study.running.studies import new_invite  # noqa: E402
from hlf.study.simulated.observers import Observer  # noqa: E402
from hlf.study.simulated.robots import Record, Robot  # noqa: E402
from study_crash import Server, crowd, drift, kill_rounds  # noqa: E402
from study_programs import wait_for  # noqa: E402
from study_server import Postgres, free_port, make_study  # noqa: E402

PAIRS, VOTES = 723, 12  # of the paper
ANSWERS = 40  # pairs of a call of the hot path
BARE = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
app.post("/api/next")(lambda: {"trials": [{"assignment": "one"}]})
app.post("/api/vote")(lambda: {"saved": True})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
"""
LINE = re.compile(r"POST /api/(\w+) (\d+) ([\d.]+) ms")
PARTS = (50, 95, 99)


@contextmanager
def ours(folder: Path) -> Iterator[Call]:
    """Next pair and vote, on the real server with its database on disk."""
    study = open_folder(folder / "study")
    platform = study.platform()
    with serve(study, folder / "log") as server:
        robot = person(server.url, new_invite(platform.storage, study, "robots", one_use=False))
        robot.join([row.answer for row in platform.practice_pairs()])
        yield lambda: answer(robot)
        platform.storage.close()


@contextmanager
def bare(_: Path) -> Iterator[Call]:
    """The same requests, on an application that knows nothing."""
    import httpx

    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", BARE, str(port)])
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: httpx.get(url).status_code == 404)
        robot = person(url, "")
        yield lambda: answer(robot)
    finally:
        process.kill()
        process.wait()


def person(url: str, code: str) -> Robot:
    """A simulated person at a server."""
    observer = Observer("1", "attentive", lapse=0.0, threshold=0.0, spread=0.5)
    return Robot(url, code, observer, np.random.default_rng(1), Record(), threading.Event())


def answer(robot: Robot) -> None:
    """Answer ANSWERS pairs, yes and no by turns."""
    for number in range(ANSWERS):
        robot.vote(robot.post("next", {})["trials"][0]["assignment"], number % 2, 800)


def prepare(folder: Path) -> None:
    """An open study on SQLite, with more pairs than one person answers here."""
    make_study(folder, trials=400, traps=60, size=8, votes_per_pair=1000, people_quota=400, minutes=240)


PATHS = [
    HotPath(
        "study",
        "study server: next pair and vote",
        "a bare FastAPI application, constant answers",
        "request",
        2 * ANSWERS,
        prepare,
        ours,
        bare,
        floor=True,
        server=True,
    )
]


class Databases:
    """Empty databases of each kind."""

    def __init__(self, folder: Path, kinds: list[str]) -> None:
        self.server = None
        if "postgresql" in kinds:
            (folder / "postgres").mkdir()
            folder.chmod(0o755)
            self.server = Postgres(folder / "postgres")

    def url(self, kind: str) -> str | None:
        """A new one; None for a file in the study's folder."""
        return self.server.database() if kind == "postgresql" and self.server else None

    def close(self) -> None:
        """Stop the database server."""
        if self.server:
            self.server.stop("immediate")


@contextmanager
def serve(study, log: Path):
    """A server with a log of its own."""
    server = Server(study.path, log)
    server.start()
    try:
        yield server
        server.stop()
    finally:
        server.kill()


def server_times(log: Path, start: int) -> tuple[dict[str, list[float]], Counter]:
    """Milliseconds of next and vote in a log from byte `start` on, and how often each status came."""
    with log.open() as file:
        file.seek(start)
        found = LINE.findall(file.read())
    times = {kind: [float(ms) for name, _, ms in found if name == kind] for kind in ("next", "vote")}
    return times, Counter(status for _, status, _ in found)


def percentiles(ms: list[float]) -> str:
    """Three of them, as one cell."""
    return " / ".join(f"{value:.0f}" for value in np.percentile(ms, PARTS))


def load(folder: Path, url: str | None, people: int, seconds: float, think: float) -> list[str]:
    """Row of the table: people who come together, measured once all of them are at their pairs."""
    study = make_study(folder, url, trials=120, traps=24, size=256, votes_per_pair=1000, people_quota=120)
    with serve(study, folder / "log") as server, crowd(study, server.url, people, 0, think, True, True) as record:
        while len(record.seconds.get("vote", [])) < people:
            time.sleep(0.1)
            assert not record.errors, record.errors[0]
        votes, begun, first = len(record.acknowledged), time.monotonic(), (folder / "log").stat().st_size
        marks = {kind: len(record.seconds[kind]) for kind in ("next", "vote")}
        time.sleep(seconds)
        rate = (len(record.acknowledged) - votes) / (time.monotonic() - begun)
        client = {kind: [1000 * s for s in record.seconds[kind][mark:]] for kind, mark in marks.items()}
        times, statuses = server_times(folder / "log", first)
    bad = sum(count for status, count in statuses.items() if status != "200") + len(record.errors)
    cells = [percentiles(table[kind]) for kind in ("next", "vote") for table in (times, client)]
    return [f"{people} people", *cells, f"{rate:.1f}", str(bad)]


def fill(folder: Path, url: str | None) -> list[str]:
    """Row of the table: 40 people who do not think, until every pair has its votes."""
    study = make_study(folder, url, trials=PAIRS, traps=60, size=8, votes_per_pair=VOTES, people_quota=400, minutes=240)
    with serve(study, folder / "log") as server, crowd(study, server.url, 40, honest=True) as record:
        while any(thread.is_alive() for thread in record.threads):
            time.sleep(0.2)
        seconds = time.monotonic() - record.started
        times, statuses = server_times(folder / "log", 0)
    storage, a = study.storage(), tables.assignment
    voted = select(func.count()).where(a.c.state == "voted", ~a.c.is_trap).group_by(a.c.pair)
    counts = Counter(storage.read(lambda c: c.execute(voted).scalars().all()))
    twice = select(a.c.pair).group_by(a.c.participant, a.c.pair).having(func.count() > 1)
    wrong = drift(storage, study.id) + storage.read(lambda c: c.execute(twice).all()) + record.errors
    storage.close()
    assert not wrong and not record.statuses, (wrong, record.statuses)
    assert counts == {VOTES: PAIRS}, counts
    client = {kind: [1000 * s for s in record.seconds[kind]] for kind in ("next", "vote")}
    cells = [percentiles(table[kind]) for kind in ("next", "vote") for table in (times, client)]
    bad = sum(count for status, count in statuses.items() if status != "200")
    return [f"fill {PAIRS} x {VOTES} exactly", *cells, f"{len(record.acknowledged) / seconds:.1f}", str(bad)]


def kill(folder: Path, url: str | None, rounds: int) -> str:
    """Sentence on the rounds of killing."""
    study = make_study(folder, url, trials=120, traps=24, votes_per_pair=1000, people_quota=120, minutes=240)
    found = kill_rounds(study, rounds)
    return (
        f"kill -9 x {rounds}: {found.acknowledged} acknowledged votes, {len(found.lost)} lost, {len(found.problems)} "
        f"problems found by verify, {len(found.errors)} errors, {found.unanswered} requests sent again, "
        f"{found.seconds:.0f} s"
    )


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, nargs="*", default=[40, 200], help="who come at once")
    parser.add_argument("--storage", nargs="+", choices=["sqlite", "postgresql"], default=["sqlite", "postgresql"])
    parser.add_argument("--rounds", type=int, default=15, help="of kill -9; 0: none")
    parser.add_argument("--seconds", type=float, default=45, help="measured per load")
    parser.add_argument("--think", type=float, default=1.0, help="1: the time that people take (about 4 s a pair)")
    parser.add_argument("--no-fill", action="store_true", help="leave out the filling")
    args = parser.parse_args()
    head = ["storage", "load", "next, server", "next, client", "vote, server", "vote, client", "votes/s", "errors"]
    lines, notes = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)], []
    with tempfile.TemporaryDirectory() as name:
        folder, numbers = Path(name), iter(range(100))
        databases = Databases(folder, args.storage)
        try:
            for kind in args.storage:
                jobs = [lambda f, u, n=n: load(f, u, n, args.seconds, args.think) for n in args.people]
                for job in jobs + [fill] * (not args.no_fill):
                    row = job(folder / str(next(numbers)), databases.url(kind))
                    lines.append("| " + " | ".join([kind, *row]) + " |")
                    print(lines[-1], file=sys.stderr, flush=True)
                if args.rounds:
                    notes.append(f"{kind}, " + kill(folder / str(next(numbers)), databases.url(kind), args.rounds))
        finally:
            databases.close()
    print("\n".join([*lines, "", "ms: p50 / p95 / p99", *notes]))


if __name__ == "__main__":
    main()
