"""The practice before the first trial: a few pairs with known answers and a reason after each. It never counts."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from hlf.study.running.people import Person, Refused, finish
from hlf.study.running.storage.tables import pair, participant
from hlf.study.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

ATTEMPTS = 2


@dataclass(frozen=True)
class Feedback:
    """What practice says after an answer.

    Attributes:
        correct: whether the answer was right.
        answer: the right one.
        reason: one line that says why.
        finished: whether this attempt is over.
        passed: whether it was passed, None before its end.
        again: whether another attempt follows.
    """

    correct: bool
    answer: int
    reason: str
    finished: bool
    passed: bool | None
    again: bool


def pairs(connection: "Connection", study: str) -> "list[Row[Any]]":
    """Rows of the practice pairs, in order; practice pair 1 is the first."""
    query = select(pair).where(pair.c.study == study, pair.c.role == "practice", pair.c.enabled)
    return list(connection.execute(query.order_by(pair.c.id)))


def done(person: Person) -> int:
    """Practice pairs answered in the present attempt."""
    return len(person.practice.get("answers", {}))


def answer(connection: "Connection", person: Person, settings: Settings, number: int, given: int, now: int) -> Feedback:
    """Record an answer to practice pair `number` (from 1) and say what is right; the first answer stands.

    Raises:
        Refused: the practice is over, or the pair is not the next one.
    """
    rows = pairs(connection, person.study)
    state = person.practice
    if not 1 <= number <= len(rows):
        raise Refused(404, f"there is no practice pair {number}")
    before = state.get("before", {})
    if number == len(rows) > 1 and not state["answers"] and before.get(str(number)) == given:
        # the reply to the last answer of the failed attempt was lost, and this is the same answer again
        row = rows[number - 1]
        return Feedback(given == row.answer, row.answer, row.reason, True, False, True)
    known = state["answers"].get(str(number))
    if known is None and (person.passed or person.outcome is not None or number != done(person) + 1):
        raise Refused(409, f"practice pair {number} is not the next one")
    answers = state["answers"] if known is not None else {**state["answers"], str(number): given}
    row = rows[number - 1]
    finished = len(answers) == len(rows)
    right = sum(answers[str(i + 1)] == one.answer for i, one in enumerate(rows) if str(i + 1) in answers)
    passed = (right >= min(settings.practice_pass, len(rows))) if finished else None
    again = finished and not passed and state["attempt"] < ATTEMPTS
    if known is None:
        _keep(connection, person, state["attempt"], answers, passed, again, now)
    return Feedback(answers[str(number)] == row.answer, row.answer, row.reason, finished, passed, again)


def _keep(
    connection: "Connection", person: Person, attempt: int, answers: dict[str, int], passed: bool | None, again: bool,
    now: int,
) -> None:  # fmt: skip
    # a second attempt begins empty, a failed last one stays as it was
    state: dict[str, Any] = {"attempt": attempt, "answers": answers}
    if again:
        state = {"attempt": attempt + 1, "answers": {}, "before": answers}
    mine = participant.c.id == person.id
    connection.execute(update(participant).where(mine).values(practice=state, passed=bool(passed)))
    if passed is False and not again:
        finish(connection, person, "screened", None, now)
