"""Studies without pictures for tests of the core: time stands still unless told, ids count up, people do as told."""

import threading
import uuid
from collections import Counter
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select, update

from hlf.columns import pair_id
from hlf.study.running.answers import Answer
from hlf.study.running.keeping import verify
from hlf.study.running.platform import Platform
from hlf.study.running.storage import open_storage, tables
from hlf.study.running.studies import fill_study
from hlf.study.settings import Settings
from hlf.study.shown.bundle import Bundle, Picture, Shown

MODELS = ("bsrgan", "swinir", "stablesr", "seesr", "pasd")
CONSENT = "c" * 64
SECOND, MINUTE = 1000, 60_000  # ms


class Clock:
    """Ms UTC, moved by hand."""

    def __init__(self):
        self.ms = 1_767_225_600_000  # 2026-01-01

    def __call__(self):
        return self.ms

    def pass_(self, ms):
        self.ms += ms


def shown(trials, traps, practice, models=MODELS):
    """Rows of a bundle: each GT has one pair of every model; traps and practice pairs are no, yes, no, ..."""
    rows = []
    for i in range(trials):
        model, image = models[i % len(models)], f"img{i // len(models):03d}"
        rows.append((pair_id(image, 1.0, model), "trial", image, "1.0", model, -1))
    rows += [(f"trap_{i:02d}", "trap", f"trap{i}", "", "", i % 2) for i in range(traps)]
    rows += [(f"practice_{i + 1}", "practice", f"practice{i}", "", "", i % 2) for i in range(practice)]
    return tuple(
        Shown(name, role, image, level, model, f"{name}a.png", f"{name}b.png", "gt", "sr",
              "yes_swap" if role == "trap" else "", answer, "why" if role == "practice" else "")
        for name, role, image, level, model, answer in rows
    )  # fmt: skip


def make_platform(
    url, trials=20, traps=16, practice=0, study="s", source="human", seed=42, status="open", models=MODELS, **settings
):
    """A study in a database, which may hold others."""
    pairs = shown(trials, traps, practice, models)
    pictures = {name: Picture(name, "", 8, 8) for pair in pairs for name in (pair.gt_file, pair.sr_file)}
    bundle = Bundle(Path(), {"run": study}, seed, {}, pairs, pictures)
    storage, clock, numbers = open_storage(url, create=True), Clock(), count(1)
    values = Settings(**settings)
    storage.write(lambda c: fill_study(c, study, bundle, values, clock(), source))
    mine = tables.study.c.id == study
    storage.write(lambda c: c.execute(update(tables.study).where(mine).values(status=status)))
    return Platform(storage, study, study.encode().ljust(32), Path(), clock, lambda: f"{study}-{next(numbers):06d}")


@pytest.fixture
def make(database, tmp_path):
    """Makes studies in one database of each kind; at the end of the test everything must add up in all of them."""
    url, made = database or f"sqlite:///{tmp_path / 'study.sqlite'}", []

    def make(**values):
        made.append(make_platform(url, **values))
        return made[-1]

    yield make
    for platform in made:
        assert drift(platform) == []
        platform.storage.close()


def drift(platform):
    return platform.storage.read(lambda c: verify(c, platform.study))


def rows(platform, table, *conditions):
    """Rows of a table, those of the study where the table knows studies."""
    query = select(table).where(table.c.study == platform.study, *conditions)
    order = table.c.id if "id" in table.c else next(iter(table.c))
    return platform.storage.read(lambda c: c.execute(query.order_by(order)).all())


def loads(platform):
    """Load of every pair, by its number."""
    return {row.id: row.load for row in rows(platform, tables.pair, tables.pair.c.role == "trial")}


def votes(platform):
    """Assignments of pairs that stand as voted, counted by pair."""
    a = tables.assignment
    return Counter(row.pair for row in rows(platform, a, a.c.state == "voted", ~a.c.is_trap))


def events(platform):
    table = tables.vote_event
    return platform.storage.read(lambda c: c.execute(select(func.count()).select_from(table)).scalar_one())


def participant(platform, person):
    return rows(platform, tables.participant, tables.participant.c.id == person)[0]


def join(platform, **values):
    """A person who has consented, and passed the practice if there is one."""
    person = platform.consent(CONSENT, **values)[0]
    for number, row in enumerate(platform.practice_pairs(), 1):
        platform.practise(person, number, row.answer)
    return person


def answer(platform, person, trial, value=1, key=None):
    """Answer a trial; value: 0, 1, or None for what is right of a trap, and yes for a pair."""
    value = (1 if trial.answer < 0 else trial.answer) if value is None else value
    return platform.vote(person, Answer(trial.assignment, value, key or uuid.uuid4().hex, 900, 800, {"dpr": 1}))


def sit(platform, person, choose=None, trials=10**6):
    """Answer up to so many trials by `choose(trial)`, else what is right; returns them, in the order shown."""
    done = []
    while len(done) < trials:
        queue = platform.next(person)[0]
        if not queue:
            break
        answer(platform, person, queue[0], choose(queue[0]) if choose else None)
        done.append(queue[0])
    return done


def coin(seed):
    """Answers by chance."""
    rng = np.random.default_rng(seed)
    return lambda _: int(rng.integers(2))


def slips(seed, rate=0.05):
    """Right answers to traps but for a few slips; coins for pairs."""
    rng = np.random.default_rng(seed)
    return lambda trial: int(rng.integers(2)) if trial.answer < 0 else trial.answer ^ int(rng.random() < rate)


def together(work, arguments):
    """Run `work(argument)` for all arguments at the same moment, one thread each; returns values or what was raised."""
    arguments = list(arguments)
    found, gate = [None] * len(arguments), threading.Barrier(len(arguments))

    def run(index):
        gate.wait()
        try:
            found[index] = work(arguments[index])
        except Exception as error:
            found[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(arguments))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
