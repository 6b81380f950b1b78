"""Giving pairs to people: what comes next, and when a sitting ends. Every function runs inside one transaction."""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, func, select

from hlf.seeds import generator
from hlf.study.choice import Candidate, Frame, choose, sitting
from hlf.study.running.holds import LIVE, add_load, expire, held, some_are_due
from hlf.study.running.storage import TryAgain
from hlf.study.running.storage.tables import assignment, pair, participant
from hlf.study.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from hlf.study.running.people import Person

MINUTE = 60_000  # ms
# a page that is open sends a sign of life every minute; after two and a half somebody counts as gone
ONLINE = 150_000

# statements of every trial, built once: building them anew takes longer than running them
_OF_STUDY = and_(pair.c.study == bindparam("study"), pair.c.role == "trial", pair.c.enabled)
_OPEN = and_(_OF_STUDY, pair.c.load < pair.c.target)
_HAD = (
    select(
        assignment.c.pair, assignment.c.state, assignment.c.is_trap, assignment.c.order_index, pair.c.model,
        pair.c.image_id, pair.c.answer,
    )
    .join(pair, pair.c.id == assignment.c.pair)
    .where(assignment.c.participant == bindparam("person"))
    .order_by(assignment.c.order_index)
)  # fmt: skip
_CANDIDATES = select(pair.c.id, pair.c.image_id, pair.c.model, pair.c.load).where(_OPEN).order_by(pair.c.id)
_PLACE = select(pair).where(pair.c.id == bindparam("number"), pair.c.load < pair.c.target)
_PLACES = {skip: _PLACE.with_for_update(skip_locked=skip) for skip in (True, False)}
_TRAPS = (
    select(pair)
    .where(pair.c.study == bindparam("study"), pair.c.role == "trap", pair.c.enabled)
    .where(pair.c.answer == bindparam("answer"))
    .order_by(pair.c.id)
)
_FREE = select(func.coalesce(func.sum(pair.c.target - pair.c.load), 0)).where(_OPEN)
_ONLINE = (
    select(func.count())
    .select_from(participant)
    .where(participant.c.study == bindparam("study"), participant.c.last_seen > bindparam("since"))
    .where(participant.c.finished.is_(None))
)
_INSERT = assignment.insert()


def next_trials(
    connection: "Connection", person: "Person", settings: Settings, frame: Frame, now: int, new_id: Callable[[], str]
) -> "list[Row[Any]]":
    """The person's live holds, oldest first, topped up to one pair and the look-ahead; [] when nothing is left.

    Args:
        connection: of a writing transaction in which `people.lock_person` was called.
        person: who asks.
        settings: of the study.
        frame: of the study, see `read_frame`.
        now: ms UTC.
        new_id: gives a new opaque id.
    """
    expire(connection, person.study, now)
    queue = held(connection, person.id)
    if time_is_up(person, settings, now):
        return queue
    had: list[Any] = list(connection.execute(_HAD, {"person": person.id}))
    while len(queue) < 1 + settings.lookahead:
        if queue and _is_scarce(connection, person.study, now):
            break
        chosen = _choose_one(connection, person, settings, frame, had, wait=not queue)
        if chosen is None:
            # while another transaction gives places back, nobody can say that nothing is left
            if not queue and some_are_due(connection, person.study, now):
                raise TryAgain
            break
        had.append(chosen)
        _hold(connection, person, settings, chosen, now, new_id())
        queue = held(connection, person.id)
    return queue


def read_frame(connection: "Connection", study: str, settings: Settings) -> Frame:
    """What everybody's sitting has in common; it stays the same while the study runs."""
    query = select(pair.c.model, func.count()).where(_OF_STUDY).group_by(pair.c.model)
    counts = {str(model): int(count) for model, count in connection.execute(query, {"study": study})}
    total = sum(counts.values())
    shares = {model: count / total for model, count in counts.items()}
    return Frame(min(settings.people_quota, total), settings.trap_rate, shares)


def time_is_up(person: "Person", settings: Settings, now: int) -> bool:
    """Whether the person's sitting has reached its longest time."""
    return now - person.sitting >= settings.minutes * MINUTE


class _Given:
    """A pair just chosen, with the columns that `_HAD` reads."""

    def __init__(self, row: "Row[Any]", order_index: int) -> None:
        self.pair, self.model, self.image_id, self.answer = row.id, row.model, row.image_id, row.answer
        self.is_trap, self.state, self.order_index = row.role == "trap", "held", order_index


def _choose_one(
    connection: "Connection", person: "Person", settings: Settings, frame: Frame, had: list[Any], wait: bool
) -> _Given | None:
    """The next trial of a person, its place taken; None when the quota is reached or nothing is open.

    With `wait`, pairs that others are taking this moment are waited for before nothing is said to be open.
    """
    live = [row for row in had if row.state in LIVE]
    if sum(not row.is_trap for row in live) >= frame.quota:
        return None
    order = had[-1].order_index + 1 if had else 0
    rng = generator(person.seed, "study", "choice", person.number, order)
    given = {row.pair for row in had}
    for expected in traps_due(sitting(person.seed, person.number, frame.quota, frame.trap_rate), had):
        traps = connection.execute(_TRAPS, {"study": person.study, "answer": expected}).all()
        unseen = [row for row in traps if row.id not in given]
        if unseen:
            return _Given(unseen[int(rng.integers(len(unseen)))], order)
    # as the driver gives them: making rows of hundreds of pairs would take longer than all the rest
    cursor = connection.execute(_CANDIDATES, {"study": person.study}).cursor
    candidates = [one for one in map(Candidate._make, cursor.fetchall()) if one[0] not in given]
    seen = Counter(row.model for row in live if not row.is_trap)
    recent = {row.image_id for row in live[-settings.gt_gap :]} if settings.gt_gap else set()
    row = _take(connection, choose(candidates, frame.shares, seen, recent, rng), wait)
    return None if row is None else _Given(row, order)


def traps_due(spots: dict[int, int], had: list[Any]) -> list[int]:
    """Right answers of the traps of which one is to come next, best first; [] for a pair.

    A hold that ran out moves the count of trials back, a late answer moves it on; neither may put two traps side by
    side, nor cost or add one.

    Args:
        spots: trials that are traps, in order, with their right answers.
        had: all trials that the person was given, in order: their `state`, `is_trap` and `answer`.
    """
    live = [row for row in had if row.state in LIVE]
    due = [answer for spot, answer in spots.items() if spot <= len(live)]
    met = [row.answer for row in live if row.is_trap]
    # the last thing on the screen; what ran out after it is not known to have been seen
    last = next((row for row in reversed(had) if row.is_trap or row.state in LIVE), None)
    if len(met) >= len(due) or (last is not None and last.is_trap):
        return []
    for answer in met:
        if answer in due:
            due.remove(answer)
    return list(dict.fromkeys(due))


def _take(connection: "Connection", numbers: list[int], wait: bool) -> "Row[Any] | None":
    """The first of the pairs that still has a place, locked.

    On PostgreSQL another transaction may hold a row or have filled it since it was read: first comes what is free at
    once, and if that is nothing, the others are waited for. Who has taken a pair already must not wait: two who wait
    for each other would stop both.
    """
    for skip in (True, False) if wait else (True,):
        for number in numbers:
            row = connection.execute(_PLACES[skip], {"number": number}).first()
            if row is not None:
                return row
    return None


def _hold(
    connection: "Connection", person: "Person", settings: Settings, chosen: _Given, now: int, new_id: str
) -> None:
    side = "left"
    if settings.gt_side == "random":
        rng = generator(person.seed, "study", "side", person.number, chosen.pair)
        side = "left" if rng.integers(2) else "right"
    row = {
        "id": new_id, "study": person.study, "participant": person.id, "pair": chosen.pair, "state": "held",
        "gt_side": side, "issued": now, "expires": now + settings.hold_seconds * 1000,
        "order_index": chosen.order_index, "is_trap": chosen.is_trap, "reason": "",
    }  # fmt: skip
    connection.execute(_INSERT, row)
    if person.counted:
        add_load(connection, {chosen.pair: 1}, 1)


def _is_scarce(connection: "Connection", study: str, now: int) -> bool:
    """Whether so few places are left that looking ahead would make the study look full to others."""
    free = connection.execute(_FREE, {"study": study}).scalar_one()
    people = connection.execute(_ONLINE, {"study": study, "since": now - ONLINE}).scalar_one()
    return bool(free < 3 * people)
