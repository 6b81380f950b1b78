"""A real server that is killed under load, and people whose browsers never give up; for the test and the benchmark."""

import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
from sqlalchemy import select

from hlf.study.running.keeping import verify
from hlf.study.running.storage import tables
from hlf.study.running.studies import new_invite
from hlf.study.simulated.observers import Observer
from hlf.study.simulated.robots import Record, Robot
from study_server import free_port

ROOT = Path(__file__).resolve().parent.parent
# the command line, with the time of every request in a log of its own
SERVE = """
import logging, sys
from hlf.cli import main
log = logging.getLogger("hlf.study.server")
log.setLevel(logging.INFO)
log.addHandler(logging.FileHandler(sys.argv[1]))
log.propagate = False
sys.exit(main(sys.argv[2:]))
"""


class Server:
    """`hlf study serve` in a process of its own, on one port for all its lives."""

    def __init__(self, folder, log=None):
        self.folder, self.port, self.process, self.log = folder, free_port(), None, log
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "hlf"] if self.log is None else [sys.executable, "-c", SERVE, str(self.log)]
        command += ["study", "serve", str(self.folder), "--port", str(self.port), "--no-limits"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts"), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(1200):
            try:
                assert httpx.get(self.url).status_code == 200
                return
            except httpx.TransportError:
                assert self.process.poll() is None, "the server has ended"
                time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def kill(self):
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ask it to end, and wait until it has answered what is under way."""
        self.process.terminate()
        self.process.wait(30)


class Gone(Exception):
    """The robots were called off."""


class Stubborn(Robot):
    """Someone whose browser sends again what was not answered, until it is."""

    def request(self, kind, method, path, body=None):
        while not self._stop.is_set():
            try:
                answer = super().request(kind, method, path, body)
            except httpx.TransportError:
                self._record.refused += 1
            else:
                if answer.status_code < 500:
                    return answer
                self._record.errors.pop()
                self._record.statuses.append((kind, answer.status_code))
            self._stop.wait(0.05)
        raise Gone


@dataclass
class CrashRecord(Record):
    """A record that also counts requests without an answer, lists answers of 500 and more, and knows who is there."""

    refused: int = 0
    statuses: list = field(default_factory=list)
    threads: list = field(default_factory=list)


@contextmanager
def crowd(served, url, people, seed=0, think=0.0, images=False, honest=False, endless=False):
    """People who answer by chance until the block ends; yields their record.

    honest: traps are answered rightly; endless: when one has finished, another sits down.
    """
    platform, record, stop = served.platform(), CrashRecord(started=time.monotonic()), threading.Event()
    code = new_invite(platform.storage, served, "robots", one_use=False)
    practice = [row.answer for row in platform.practice_pairs()]
    a, p = tables.assignment, tables.pair
    known = select(p.c.answer).join(a, a.c.pair == p.c.id)
    # 10 is more than anybody overlooks; without a trap, and for the dishonest always, a coin
    sure = {-1: 0.0, 0: -10.0, 1: 10.0}

    def strength(one):
        if not honest:
            return 0.0
        return sure[platform.storage.read(lambda c: c.execute(known.where(a.c.id == one)).scalar_one())]

    def live(number):
        rng = np.random.default_rng((seed, number))
        try:
            observer = Observer(str(number), "attentive", lapse=0.0, threshold=0.0, spread=0.5)
            while True:
                robot = Stubborn(url, code, observer, rng, record, stop)
                robot.join(practice)
                robot.sit(strength, think, images)
                if not endless:
                    break
        except Gone:
            pass
        except Exception as error:
            record.errors.append(f"person {number}: {type(error).__name__}: {error}")

    record.threads += [threading.Thread(target=live, args=(number,), daemon=True) for number in range(people)]
    for thread in record.threads:
        thread.start()
    try:
        yield record
    finally:
        stop.set()
        for thread in record.threads:
            thread.join()
        platform.storage.close()
        record.ended = time.monotonic()


def lost_votes(storage, study, acknowledged):
    """Votes that the server said were saved, and that are not in the database as they were sent."""
    event = tables.vote_event
    query = select(event.c.key, event.c.assignment, event.c.answer).where(event.c.study == study)
    found = {row.key: (row.assignment, row.answer) for row in storage.read(lambda c: c.execute(query).all())}
    return [one for one in acknowledged if found.get(one[0]) != one[1:]]


def drift(storage, study):
    """What does not add up."""
    return storage.read(lambda c: verify(c, study))


def wait_for(record, votes, seconds=60):
    """Wait until so many votes are acknowledged."""
    end = time.monotonic() + seconds
    while len(record.acknowledged) < votes:
        assert time.monotonic() < end, f"only {len(record.acknowledged)} votes of {votes}; {record.errors[:3]}"
        time.sleep(0.01)


@dataclass
class Crashes:
    """What rounds of killing came to."""

    acknowledged: int
    lost: list
    problems: list
    errors: list
    unanswered: int
    seconds: float


def kill_rounds(served, rounds, people=8, seed=0, shortest=0.2, longest=1.0):
    """Kill the server `rounds` times at random moments while people answer; look into the database after each."""
    server, rng, begun = Server(served.path), np.random.default_rng(seed), time.monotonic()
    storage, lost, problems = served.storage(), [], []
    server.start()
    try:
        with crowd(served, server.url, people, seed, endless=True) as record:
            for _ in range(rounds):
                # at least some votes, so that there is something to lose
                wait_for(record, len(record.acknowledged) + people)
                time.sleep(rng.uniform(shortest, longest))
                server.kill()
                lost += lost_votes(storage, served.id, list(record.acknowledged))
                problems += drift(storage, served.id)
                server.start()
        server.stop()
        problems += drift(storage, served.id)
        lost += lost_votes(storage, served.id, record.acknowledged)
    finally:
        server.kill()
        storage.close()
    errors = record.errors + [f"{kind}: {status}" for kind, status in record.statuses]
    return Crashes(len(record.acknowledged), lost, problems, errors, record.refused, time.monotonic() - begun)
