"""Votes: recorded once, never lost, never overwritten. Every function runs inside one transaction."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from hlf.study.running.holds import add_load
from hlf.study.running.people import Person, Refused, set_counted
from hlf.study.running.storage.tables import assignment, pair, participant, screening, vote_event
from hlf.study.screening import passes
from hlf.study.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

_ANSWERED = (
    select(func.count())
    .select_from(assignment)
    .where(assignment.c.participant == bindparam("person"), assignment.c.state == "voted")
)
_ANSWERED_PAIRS = _ANSWERED.where(~assignment.c.is_trap)
# more than enough to see the answers taken back and the one before them
_LAST_EVENTS = (
    select(vote_event.c.assignment, vote_event.c.answer, assignment.c.state)
    .join(assignment, assignment.c.id == vote_event.c.assignment)
    .where(assignment.c.participant == bindparam("person"))
    .order_by(vote_event.c.id.desc())
    .limit(24)
)
_ONE = select(assignment).where(assignment.c.id == bindparam("one")).with_for_update()
_BY_KEY = select(vote_event).where(vote_event.c.key == bindparam("key"))
_REVISIONS = (
    select(vote_event.c.id, vote_event.c.revision)
    .where(vote_event.c.assignment == bindparam("one"))
    .order_by(vote_event.c.revision.desc())
    .limit(1)
)
_VERDICTS = select(screening.c.run, screening.c.rule, screening.c.keep).where(
    screening.c.participant == bindparam("person")
)
_SET_VOTED = assignment.update().where(assignment.c.id == bindparam("one")).values(state="voted")
_INSERT = vote_event.insert()


@dataclass(frozen=True)
class Answer:
    """An answer as the browser sends it.

    Attributes:
        assignment: id of the trial.
        answer: 1 = "the content changed", 0 = "it did not".
        key: random text made by the browser; a repetition under the same key is the same answer.
        rt_ms: from the frame after both images were painted to the answer, in ms.
        rt_active_ms: the same without the time in which the page was hidden or out of focus.
        display: size, density and layout of the images, and how they were zoomed.
    """

    assignment: str
    answer: int
    key: str
    rt_ms: int | None
    rt_active_ms: int | None
    display: dict[str, Any]


def record(connection: "Connection", person: Person, settings: Settings, given: Answer, now: int) -> bool:
    """Record an answer; whether it came after its hold had run out (it counts all the same).

    Raises:
        Refused: the trial is not this person's, was released or answered under another key, or the key stands for
            another answer.
    """
    row = _locked(connection, given.assignment)
    if row is None or row.participant != person.id:
        raise Refused(404, "this pair was not given to you")
    before = _event_of(connection, given.key)
    if before is not None:
        if (before.assignment, before.answer) != (given.assignment, given.answer):
            raise Refused(409, "this answer was saved before with another value")
        return bool(before.late)
    if row.state not in ("held", "expired"):
        was = "answered before" if row.state == "voted" else "given back"
        raise Refused(409, f"this pair was {was}")
    late = row.expires <= now
    if row.state == "expired" and person.counted:
        add_load(connection, {row.pair: 1}, 1)
    connection.execute(_SET_VOTED, {"one": row.id})
    measured = {"rt_ms": given.rt_ms, "rt_active_ms": given.rt_active_ms, "display": given.display, "late": late}
    _append(connection, row, given.answer, given.key, measured, now)
    if row.is_trap:
        judge(connection, person.id, settings)
    return late


def undo(connection: "Connection", person: Person, settings: Settings, key: str, now: int) -> str:
    """Take back the person's last answer: it counts no longer, and the pair is held again. Returns its assignment.

    Raises:
        Refused: undoing is off or used up, there is no answer, the person has finished, or the key is another event's.
    """
    before = _event_of(connection, key)
    if before is not None:
        row = _locked(connection, before.assignment)
        if row is None or row.participant != person.id or before.answer is not None:
            raise Refused(409, "this step was saved before as something else")
        return str(before.assignment)
    if person.left:
        raise Refused(409, "you have finished, so no answer can be taken back")
    last = last_answer(connection, person, settings)
    if last is None:
        raise Refused(409, "there is no answer to take back")
    row = _locked(connection, last)
    assert row is not None
    until = now + settings.hold_seconds * 1000
    connection.execute(assignment.update().where(assignment.c.id == last).values(state="held", expires=until))
    _append(connection, row, None, key, {"display": {}, "late": False}, now)
    if person.outcome is not None:
        # the last answer of all ends the sitting, so taking it back goes on with it
        going_on = participant.update().where(participant.c.id == person.id).values(outcome=None, finished=None)
        connection.execute(going_on)
    if row.is_trap:
        judge(connection, person.id, settings)
    return last


def last_answer(connection: "Connection", person: Person, settings: Settings) -> str | None:
    """Assignment of the answer that the person may take back now; None when there is none.

    `settings.undo` answers may be open after being taken back; when they are answered again, the last one may be taken
    back again.
    """
    if settings.undo == 0 or person.left:
        return None
    newest_first = connection.execute(_LAST_EVENTS, {"person": person.id})
    latest: dict[str, Row[Any]] = {}
    for row in newest_first:
        latest.setdefault(row.assignment, row)
    taken_back = sum(row.answer is None and row.state == "held" for row in latest.values())
    if taken_back >= settings.undo:
        return None
    return next((name for name, row in latest.items() if row.state == "voted"), None)


def answered(connection: "Connection", person: str) -> int:
    """Trials that a person has answered, traps included."""
    return connection.execute(_ANSWERED, {"person": person}).scalar_one()


def answered_pairs(connection: "Connection", person: str) -> int:
    """The same without traps."""
    return connection.execute(_ANSWERED_PAIRS, {"person": person}).scalar_one()


def trap_record(connection: "Connection", person: str) -> tuple[int, int]:
    """Traps that a person has answered, and how many of them wrongly, by their final answers."""
    query = (
        select(assignment.c.id, pair.c.answer.label("right"), vote_event.c.answer.label("given"))
        .join(pair, pair.c.id == assignment.c.pair)
        .join(vote_event, vote_event.c.assignment == assignment.c.id)
        .where(assignment.c.participant == person, assignment.c.is_trap, assignment.c.state == "voted")
    )
    # of several answers to one trap the last one stands
    final = {row.id: row.right == row.given for row in connection.execute(query.order_by(vote_event.c.id))}
    return len(final), sum(not right for right in final.values())


def judge(connection: "Connection", person: str, settings: Settings) -> None:
    """Let the rules decide, after each trap and each screening, whether the person's votes count for now."""
    set_counted(connection, person, not objections(connection, person, settings))


def objections(connection: "Connection", person: str, settings: Settings) -> list[str]:
    """Rules that leave a person out: traps as answered up to now, the others as they were last screened."""
    rules = settings.screening.split()
    failed = "traps" in rules and not passes(*trap_record(connection, person))
    verdicts = connection.execute(_VERDICTS, {"person": person}).all()
    last = max((row.run for row in verdicts), default=0)
    others = [row.rule for row in verdicts if row.run == last and row.rule != "traps" and not row.keep]
    return ["traps"] * failed + others


def _locked(connection: "Connection", one: str) -> "Row[Any] | None":
    return connection.execute(_ONE, {"one": one}).first()


def _event_of(connection: "Connection", key: str) -> "Row[Any] | None":
    return connection.execute(_BY_KEY, {"key": key}).first()


def _append(
    connection: "Connection", row: "Row[Any]", answer: int | None, key: str, measured: dict[str, Any], now: int
) -> None:
    last = connection.execute(_REVISIONS, {"one": row.id}).first()
    place = {"revision": 0, "supersedes": None}
    if last is not None:
        place = {"revision": last.revision + 1, "supersedes": last.id}
    empty = {"rt_ms": None, "rt_active_ms": None}
    event = {"study": row.study, "assignment": row.id, "answer": answer, "key": key, "server_utc": now}
    connection.execute(_INSERT, {**empty, **event, **place, **measured})
