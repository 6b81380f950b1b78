"""Holds: pairs reserved for a person, and the load that they and valid votes put on a pair. Inside one transaction.

A pair given to a person is held for some minutes. Holds count as load, so that a crowd that opens the same pair cannot
overfill it; a hold that runs out gives the place back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, select

from hlf.study.running.storage.tables import assignment, pair, participant
from hlf.study.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

LIVE = ("held", "voted")

# statements of every trial, built once: building them anew takes longer than running them
_HELD = (
    select(assignment)
    .where(assignment.c.participant == bindparam("person"), assignment.c.state == "held")
    .order_by(assignment.c.order_index)
)
_DUE = (
    select(assignment.c.id)
    .join(participant, participant.c.id == assignment.c.participant)
    .where(assignment.c.study == bindparam("study"), assignment.c.state == "held")
    .where(assignment.c.expires <= bindparam("now"))
)
# what another transaction is working on is left to it, and so is who it is working for: the trap rule may just be
# taking that person's holds off the loads, and none may be taken off twice
_DUE_FREE = _DUE.with_for_update(skip_locked=True, of=[assignment, participant])
_ANY_DUE = _DUE.limit(1)
_ADD_LOAD = (
    pair.update()
    .where(pair.c.id == bindparam("number"), pair.c.role == "trial")
    .values(load=pair.c.load + bindparam("change"))
)


def held(connection: "Connection", person: str) -> "list[Row[Any]]":
    """Rows of a person's live holds, oldest first."""
    return list(connection.execute(_HELD, {"person": person}))


def expire(connection: "Connection", study: str, now: int) -> None:
    """Give back the places of all holds of a study that have run out."""
    found = connection.execute(_DUE_FREE, {"study": study, "now": now}).scalars().all()
    if found:
        end_holds(connection, found, "expired", "")


def some_are_due(connection: "Connection", study: str, now: int) -> bool:
    """Whether holds have run out whose places another transaction is giving back at this moment."""
    return connection.execute(_ANY_DUE, {"study": study, "now": now}).first() is not None


def end_holds(connection: "Connection", ids: Iterable[str], state: str, reason: str) -> None:
    """Set held assignments to "expired" or "released" and take them off the load of their pairs."""
    mine = and_(assignment.c.id.in_(list(ids)), assignment.c.state == "held")
    rows = connection.execute(
        assignment.update().where(mine).values(state=state, reason=reason)
        .returning(assignment.c.pair, assignment.c.participant)
    ).all()  # fmt: skip
    people = {row.participant for row in rows}
    query = select(participant.c.id).where(participant.c.id.in_(people), participant.c.counted)
    counted = set(connection.execute(query).scalars())
    add_load(connection, Counter(row.pair for row in rows if row.participant in counted), -1)


def extend_holds(connection: "Connection", person: str, settings: Settings, now: int) -> None:
    """Heartbeat: the person is still there, so their holds live longer, up to the longest time."""
    for row in held(connection, person):
        until = min(now + settings.hold_seconds * 1000, row.issued + settings.hold_max_seconds * 1000)
        if until > row.expires:
            connection.execute(assignment.update().where(assignment.c.id == row.id).values(expires=until))


def add_load(connection: "Connection", pairs: Mapping[int, int], sign: int) -> None:
    """Add `sign` times a count to the load of pairs; traps have none. In order of number, so that nobody deadlocks."""
    for number in sorted(pairs):
        connection.execute(_ADD_LOAD, {"number": number, "change": sign * pairs[number]})
