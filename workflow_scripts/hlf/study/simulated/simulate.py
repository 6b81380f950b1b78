"""A whole study with simulated people, in process: the platform's own assignment, votes and trap rule, no network.

The default of the chain. Each person goes through `platform.Platform` as a browser does through the server, on a
database in memory; what is left out is HTTP and waiting, which `hlf study simulate` exercises on a running server.
"""

import logging
import math
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.columns import conform
from hlf.errors import HlfError
from hlf.seeds import generator
from hlf.study.settings import Settings
from hlf.study.simulated.observers import TRAP_STRENGTH, Observer, draw_observer, strength_of

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from hlf.study.running.platform import Platform
    from hlf.study.shown.bundle import Bundle, Shown

log = logging.getLogger(__name__)

# people tried, as a multiple of those needed if everybody were kept, before the study is called impossible
MAX_PEOPLE = 20
STUDY = "simulated"


def simulate_votes(
    shown: "Sequence[Shown]",
    content_error: "pd.DataFrame",
    settings: Settings,
    careless: float,
    seed: int,
    run: str,
) -> "pd.DataFrame":
    """Let simulated people arrive one after another until every pair has its valid votes.

    Everybody passes the practice: who is careless becomes so later, or the traps would have nobody to find.

    Args:
        shown: rows of a bundle's pairs.csv: trials, traps and practice pairs.
        content_error: columns pair_id, content_error in [0, 1] of every trial (see `observers.strength_of`).
        settings: of the study.
        careless: expected share of careless people, in [0, 1).
        seed: the run's `seed`; every person has a generator of their own.
        run: name of the run, written into the rows.

    Returns:
        Table `votes` with source "simulated", by person and order; votes that do not count stay with valid False.

    Raises:
        HlfError: a wrong argument, a pair without content error, or so many careless people that the study cannot end.
    """
    if not 0.0 <= careless < 1.0:
        raise HlfError(f"study.careless must be a share in [0, 1), got {careless}")
    # sorted, so that the order of the rows changes nothing
    shown = sorted(shown, key=lambda pair: pair.pair_id)
    trials = [pair for pair in shown if pair.role == "trial"]
    if not trials:
        raise HlfError("there is no pair to vote on; run the sampling stage first")
    strength = _strengths(trials, content_error)
    platform = _platform(shown, settings, seed)
    quota = min(settings.people_quota, len(trials))
    limit = MAX_PEOPLE * math.ceil(len(trials) * settings.votes_per_pair / quota)
    for number in count(1):
        open_pairs = _open_pairs(platform)
        if not open_pairs:
            break
        if number > limit:
            raise HlfError(
                f"after {limit} simulated people {open_pairs} of {len(trials)} pairs still lack valid votes; lower "
                f"study.careless ({careless})"
            )
        rng = generator(seed, "study", "person", number)
        _sit(platform, draw_observer(f"sim{number:05d}", careless, rng), strength, rng)
    return _votes(platform, run)


def _strengths(trials: "Sequence[Shown]", content_error: "pd.DataFrame") -> dict[str, float]:
    import pandas as pd

    names = pd.DataFrame({"pair_id": [pair.pair_id for pair in trials]})
    return dict(zip(names["pair_id"], map(float, strength_of(names, content_error)), strict=True))


class _Clock:
    """Time that passes only while people look at pairs."""

    def __init__(self) -> None:
        self.ms = 0

    def __call__(self) -> int:
        return self.ms


def _platform(shown: "Sequence[Shown]", settings: Settings, seed: int) -> "Platform":
    """An open study in memory; its ids count up, so that nothing in it is left to chance."""
    from sqlalchemy import update

    from hlf.study.running.platform import Platform
    from hlf.study.running.storage import open_storage, tables
    from hlf.study.running.studies import fill_study

    storage, bundle, numbers = open_storage("sqlite://", create=True), _bundle(shown, seed), count(1)
    storage.write(lambda c: fill_study(c, STUDY, bundle, settings, 0, source="simulated"))
    storage.write(lambda c: c.execute(update(tables.study).values(status="open")))
    return Platform(storage, STUDY, bytes(32), Path(), _Clock(), lambda: f"sim{next(numbers):09d}")


def _bundle(shown: "Sequence[Shown]", seed: int) -> "Bundle":
    """The pairs as a bundle whose images nobody looks at."""
    from hlf.study.shown.bundle import Bundle, Picture

    names = {name for pair in shown for name in (pair.gt_file, pair.sr_file)}
    pictures = {name: Picture(name, "", 0, 0) for name in sorted(names)}
    return Bundle(Path(), {}, seed, {}, tuple(shown), pictures)


def _sit(platform: "Platform", observer: Observer, strength: dict[str, float], rng: "np.random.Generator") -> None:
    """One person's sitting from consent to the last answer."""
    from hlf.study.running.answers import Answer

    person, _, _ = platform.consent("0" * 64)
    for number, row in enumerate(platform.practice_pairs(), 1):
        platform.practise(person, number, row.answer)
    names = _names(platform)
    while True:
        trials, _ = platform.next(person)
        if not trials:
            return
        one = trials[0]
        seen = strength[names[one.pair]] if one.answer < 0 else TRAP_STRENGTH * (2 * one.answer - 1)
        answer, ms = observer.answer(seen, rng)
        platform.clock.ms += ms  # type: ignore[attr-defined]
        platform.vote(person, Answer(one.assignment, answer, f"{person}-{one.number}", ms, ms, {}))


def _names(platform: "Platform") -> dict[int, str]:
    from sqlalchemy import select

    from hlf.study.running.storage.tables import pair

    return {
        row.id: row.name for row in platform.storage.read(lambda c: c.execute(select(pair.c.id, pair.c.name)).all())
    }


def _open_pairs(platform: "Platform") -> int:
    """Pairs that still lack valid votes."""
    from sqlalchemy import func, select

    from hlf.study.running.storage.tables import pair

    query = select(func.count()).select_from(pair).where(pair.c.role == "trial", pair.c.load < pair.c.target)
    return platform.storage.read(lambda c: int(c.execute(query).scalar_one()))


def _votes(platform: "Platform", run: str) -> "pd.DataFrame":
    """Table `votes`; people are named by their number."""
    from hlf.study.running.reading import chain_votes, read_study

    data = platform.storage.read(lambda c: read_study(c, STUDY))
    votes = chain_votes(data).assign(run=run)
    number = data.participants.set_index("participant")["number"]
    votes["participant"] = [f"sim{n:05d}" for n in votes["participant"].map(number)]
    people = votes.drop_duplicates("participant")
    log.info("%d simulated people, %d rejected, %d votes", len(people), int((~people["valid"]).sum()), len(votes))
    return conform(votes.sort_values(["participant", "order_index"]), "votes")
