"""People: who they are to the database, how they come back, and how they leave. Inside one transaction each.

Nobody has a name or an address here: a participant is a random id, a cookie and four words, both kept as hashes.
"""

import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, select, update

from hlf.errors import HlfError
from hlf.study.running.holds import LIVE, add_load, end_holds, held
from hlf.study.running.storage.tables import (
    assignment,
    audit,
    invite,
    pair,
    participant,
    problem,
    recruit,
    screening,
    study,
    vote_event,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

# a longer silence begins a new sitting, with its own half hour
PAUSE = 10 * 60_000

_PERSON = select(
    participant.c.id, participant.c.study, study.c.seed, participant.c.number, participant.c.source,
    participant.c.sitting, participant.c.counted, participant.c.passed, participant.c.outcome, participant.c.practice,
    participant.c.left,
).join(study, study.c.id == participant.c.study)  # fmt: skip
_BY_TOKEN = _PERSON.where(participant.c.token_hash == bindparam("token"))
_LOCKED = (
    _PERSON.add_columns(participant.c.last_seen)
    .where(participant.c.id == bindparam("person"))
    .with_for_update(of=participant)
)
_SEEN = (
    update(participant)
    .where(participant.c.id == bindparam("person"))
    .values(last_seen=bindparam("now"), sitting=bindparam("begun"))
)


class Refused(HlfError):
    """A request that cannot be met now, though nothing is broken.

    Attributes:
        status: HTTP status that says so: 401, 404, 409, 503.
    """

    def __init__(self, status: int, sentence: str) -> None:
        """Give the status and one sentence for the person."""
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Person:
    """A participant as transactions see them: columns of table `participant`, and the study's seed."""

    id: str
    study: str
    seed: int
    number: int
    source: str
    sitting: int
    counted: bool
    passed: bool
    outcome: str | None
    practice: dict[str, Any]
    left: bool


@dataclass(frozen=True)
class Recruit:
    """Who a recruiting site says this is: its ids of the person, the study and the visit."""

    pid: str
    study_id: str
    session_id: str


def hashed(secret: bytes, text: str) -> str:
    """Keyed hash of a cookie, a resume code or an invite code, so that a stolen database opens nothing."""
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def find_person(connection: "Connection", token_hash: str) -> Person | None:
    """The participant who holds a cookie; None when there is none (any more)."""
    row = connection.execute(_BY_TOKEN, {"token": token_hash}).first()
    return None if row is None else Person(*row)


def lock_person(connection: "Connection", person: str, now: int) -> Person:
    """The participant, locked against their own other requests, and seen now."""
    row = connection.execute(_LOCKED, {"person": person}).first()
    # also somebody who withdrew while the request was on its way: nothing may be stored of them again
    if row is None or row.outcome == "withdrawn":
        raise Refused(401, "this participant has withdrawn or is not known; open your link again")
    sitting = now if now - row.last_seen > PAUSE else row.sitting
    connection.execute(_SEEN, {"person": person, "now": now, "begun": sitting})
    return replace(Person(*row[:-1]), sitting=sitting)


def find_invite(connection: "Connection", code_hash: str) -> "Row[Any] | None":
    """The invite that may still be used; None when it is unknown, revoked or used up."""
    row = connection.execute(select(invite).where(invite.c.code_hash == code_hash)).first()
    if row is None or row.revoked is not None or (row.one_use and row.used is not None):
        return None
    return row


def find_recruit(connection: "Connection", study_id: str, pid: str) -> str | None:
    """Participant that a recruiting id joined as before."""
    query = select(recruit.c.participant).where(recruit.c.study == study_id, recruit.c.pid == pid)
    return connection.execute(query).scalar()


def consent(
    connection: "Connection", study_id: str, code_hash: str | None, recruited: Recruit | None, values: dict[str, Any],
    now: int,
) -> str:  # fmt: skip
    """Add a participant, who has just consented, or give new keys to one whom a recruiting site sends again.

    Args:
        connection: of a writing transaction.
        study_id: the study.
        code_hash: of the invite, used up by this if it is for one person; None for simulated people.
        recruited: ids of a recruiting site.
        values: columns id, consent_hash, token_hash, resume_hash, device.
        now: ms UTC.

    Returns:
        The participant's id.

    Raises:
        Refused: the study is not open, the invite is unknown or was used in the meantime, or it is for votes of another
            source.
    """
    # locked before the recruiting id is looked for, or two visits at once would join as two people
    row = connection.execute(select(study).where(study.c.id == study_id).with_for_update()).one()
    known = find_recruit(connection, study_id, recruited.pid) if recruited is not None else None
    if known is not None:
        new_keys(connection, known, values["token_hash"], values["resume_hash"])
        return known
    if row.status != "open":
        raise Refused(503, "this study is not open at the moment; please come back later")
    if code_hash is not None:
        _use_invite(connection, row, code_hash, now)
    number = row.arrived + 1
    connection.execute(update(study).where(study.c.id == study_id).values(arrived=number))
    practice = {"attempt": 1, "answers": {}}
    rounds = (pair.c.study == study_id) & (pair.c.role == "practice") & pair.c.enabled
    passed = connection.execute(select(pair.c.id).where(rounds).limit(1)).first() is None  # nothing to practise
    more = {"study": study_id, "source": row.source, "number": number, "passed": passed, "practice": practice}
    times = {"consented": now, "last_seen": now, "sitting": now}
    connection.execute(participant.insert().values({**more, **times, **values}))
    if recruited is not None:
        ids = {"pid": recruited.pid, "study_id": recruited.study_id, "session_id": recruited.session_id}
        connection.execute(recruit.insert().values(study=study_id, participant=values["id"], **ids))
    return str(values["id"])


def _use_invite(connection: "Connection", row: "Row[Any]", code_hash: str, now: int) -> None:
    """Use an invite of a study, given by its row; Refused when nobody can join by it."""
    mine = and_(invite.c.code_hash == code_hash, invite.c.study == row.id)
    source = connection.execute(select(invite.c.source).where(mine)).scalar()
    if source is None:
        raise Refused(404, "this link is not known; ask for another one")
    if source != row.source:
        raise Refused(409, f"this link is for {source} votes, and the study holds {row.source} ones; ask for another")
    free = and_(mine, invite.c.revoked.is_(None))
    used = and_(free, (~invite.c.one_use) | invite.c.used.is_(None))
    if connection.execute(update(invite).where(used).values(used=now)).rowcount != 1:
        raise Refused(409, "this link was used before; ask for another one, or enter your four words")


def new_keys(connection: "Connection", person: str, token_hash: str, resume_hash: str | None) -> None:
    """Give a participant who came back another cookie (the old one ends), and other words unless None."""
    values = {"token_hash": token_hash} | ({"resume_hash": resume_hash} if resume_hash else {})
    connection.execute(update(participant).where(participant.c.id == person).values(values))


def decline(connection: "Connection", study_id: str) -> None:
    """Count somebody who did not consent; nothing else is kept."""
    connection.execute(update(study).where(study.c.id == study_id).values(declined=study.c.declined + 1))


def finish(
    connection: "Connection", person: Person, outcome: str, comment: str | None, now: int, left: bool = False
) -> None:
    """End a person's part and give back what they hold.

    Args:
        connection: of a writing transaction.
        person: who ends.
        outcome: complete, nothing_left, time or screened.
        comment: free text, None to leave it as it is.
        now: ms UTC.
        left: whether this was the person's goodbye, after which nothing can be taken back.
    """
    end_holds(connection, [row.id for row in held(connection, person.id)], "released", "finish")
    values: dict[str, Any] = {} if comment is None else {"comment": comment}
    if left:
        values["left"] = True
    if person.outcome is None:
        values |= {"outcome": outcome, "finished": now}
    if values:
        connection.execute(update(participant).where(participant.c.id == person.id).values(values))


def withdraw(connection: "Connection", person: Person, who: str, now: int) -> int:
    """Erase a person's votes and all they told; their pairs open again. Returns the number of votes erased.

    Of the participant remains a row without content, so that numbers of people stay true.
    """
    set_counted(connection, person.id, False)
    mine = select(assignment.c.id).where(assignment.c.participant == person.id)
    # a row may name the one it supersedes, so the links go first
    connection.execute(update(vote_event).where(vote_event.c.assignment.in_(mine)).values(supersedes=None))
    erased = connection.execute(delete(vote_event).where(vote_event.c.assignment.in_(mine))).rowcount
    connection.execute(delete(assignment).where(assignment.c.participant == person.id))
    connection.execute(delete(recruit).where(recruit.c.participant == person.id))
    connection.execute(delete(screening).where(screening.c.participant == person.id))
    # what went wrong in a browser stays for the owner, without the person
    connection.execute(update(problem).where(problem.c.participant == person.id).values(participant=None))
    nothing = dict.fromkeys(("token_hash", "resume_hash", "device", "questionnaire", "comment"))
    values: dict[str, Any] = {**nothing, "practice": {}, "outcome": "withdrawn", "finished": now, "counted": False}
    connection.execute(update(participant).where(participant.c.id == person.id).values(values))
    note(connection, person.study, who, "withdraw", f"participant {person.id}", now)
    return erased


def set_counted(connection: "Connection", person: str, counted: bool) -> None:
    """Let a person's votes and holds count towards the load of their pairs, or no longer."""
    query = select(participant.c.counted).where(participant.c.id == person)
    if connection.execute(query.with_for_update()).scalar_one() == counted:
        return
    connection.execute(update(participant).where(participant.c.id == person).values(counted=counted))
    query = select(assignment.c.pair).where(assignment.c.participant == person, assignment.c.state.in_(LIVE))
    add_load(connection, Counter(connection.execute(query).scalars()), 1 if counted else -1)


def note(connection: "Connection", study_id: str, who: str, what: str, detail: str, now: int) -> None:
    """Add a line to the audit log."""
    connection.execute(audit.insert().values(utc=now, study=study_id, who=who, what=what, detail=detail))
