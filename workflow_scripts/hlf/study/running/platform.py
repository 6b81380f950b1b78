"""A running study as its callers see it: one method per thing a person can do, each one transaction.

The web server and the simulated people both go through this class, so that what is simulated is what runs.
"""

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from hlf.study.running import answers, assignment, holds, people, practice_round
from hlf.study.running.answers import Answer
from hlf.study.running.opened import OpenedStudy
from hlf.study.running.people import Person, Recruit, Refused
from hlf.study.running.storage import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

OPEN_TO_VOTES = ("open", "paused")

# of every trial, built once
_ANSWERS = select(tables.pair.c.id, tables.pair.c.answer).where(
    tables.pair.c.id.in_(bindparam("numbers", expanding=True))
)


@dataclass(frozen=True)
class Trial:
    """A pair on its way to a person.

    Attributes:
        assignment: opaque id.
        number: its place in the sitting, from 1.
        pair: its number in the database; not for the browser.
        answer: right answer of a trap, -1 for a pair; not for the browser.
    """

    assignment: str
    number: int
    pair: int
    answer: int


@dataclass(frozen=True)
class Progress:
    """How far a person is.

    Attributes:
        answered: trials answered.
        total: trials of the sitting.
        undo: whether an answer can be taken back now.
        outcome: why the sitting has ended, None while it goes on.
    """

    answered: int
    total: int
    undo: bool
    outcome: str | None


class Platform(OpenedStudy):
    """One study, and what people do in it."""

    def progress(self, person: Person) -> Progress:
        """How far a person is."""
        return self.storage.read(lambda c: self._progress(c, person))

    def consent(
        self,
        consent_hash: str,
        invite: str | None = None,
        recruited: Recruit | None = None,
        device: dict[str, Any] | None = None,
    ) -> tuple[str, str, str]:
        """Join after consent, or come back by the recruiting id; returns participant id, cookie, and resume code."""
        from hlf.study.running.words import resume_code

        now, token, code, new = self.now(), secrets.token_urlsafe(32), resume_code(), self._new_id()
        hashes = {
            "token_hash": people.hashed(self.secret, token),
            "resume_hash": people.hashed(self.secret, code),
        }
        values = {"id": new, "consent_hash": consent_hash, "device": device, **hashes}
        code_hash = people.hashed(self.secret, invite) if invite is not None else None
        person = self.storage.write(lambda c: people.consent(c, self.study, code_hash, recruited, values, now))
        return person, token, code

    def resume(self, code: str) -> str:
        """New cookie for the participant with a resume code; the old cookie ends.

        Raises:
            Refused: no participant of this study has that code.
        """
        from hlf.study.running.words import normal_code

        token = secrets.token_urlsafe(32)
        wanted = tables.participant.c.resume_hash == people.hashed(self.secret, normal_code(code))

        def work(connection: "Connection") -> None:
            """Find the participant of these words and give them another cookie."""
            query = select(tables.participant.c.id).where(wanted, tables.participant.c.study == self.study)
            found = connection.execute(query).scalar()
            if found is None:
                raise Refused(404, "these four words are not known; check the spelling")
            people.new_keys(connection, found, people.hashed(self.secret, token), None)

        self.storage.write(work)
        return token

    def questionnaire(self, person: str, given: dict[str, Any]) -> None:
        """Keep the answers about the person; a second time replaces the first."""
        mine = tables.participant.c.id == person

        def work(connection: "Connection") -> None:
            """Keep the answers, unless the participant has left."""
            people.lock_person(connection, person, self.now())
            connection.execute(update(tables.participant).where(mine).values(questionnaire=given))

        self.storage.write(work)

    def practise(self, person: str, number: int, answer: int) -> practice_round.Feedback:
        """Answer practice pair `number`, from 1."""

        def work(connection: "Connection") -> practice_round.Feedback:
            """Judge one practice answer and keep it."""
            found = people.lock_person(connection, person, self.now())
            return practice_round.answer(connection, found, self.settings, number, answer, self.now())

        return self.storage.write(work)

    def next(self, person: str) -> tuple[list[Trial], Progress]:
        """What the person is to see: live holds, oldest first. An empty list ends the sitting.

        Raises:
            Refused: the study is not open, or the practice is not passed.
        """
        now = self.now()

        def work(connection: "Connection") -> tuple[list[Trial], Progress]:
            """Hold pairs for the participant until the queue is full."""
            found = people.lock_person(connection, person, now)
            self._need(connection, ("open",))
            if not found.passed:
                raise Refused(409, "the practice comes first")
            queue = []
            if found.outcome is None:
                frame = self._frame(connection)
                queue = assignment.next_trials(connection, found, self.settings, frame, now, self._new_id)
            progress = self._progress(connection, found)
            if not queue and found.outcome is None:
                outcome = self._outcome(connection, found, now)
                people.finish(connection, found, outcome, None, now)
                progress = self._progress(connection, people.lock_person(connection, person, now))
            return self._trials(connection, queue, progress.answered), progress

        return self.storage.write(work)

    def vote(self, person: str, given: Answer) -> tuple[bool, Progress]:
        """Record an answer; when this returns, it is on the disk. First value: whether it came late."""
        now = self.now()

        def work(connection: "Connection") -> tuple[bool, Progress]:
            """Record one answer; True when its hold had run out."""
            found = people.lock_person(connection, person, now)
            self._need(connection, OPEN_TO_VOTES)
            late = answers.record(connection, found, self.settings, given, now)
            return late, self._progress(connection, found)

        return self.storage.write(work)

    def undo(self, person: str, key: str) -> tuple[Trial, Progress]:
        """Take back the last answer; its pair is shown again."""
        now = self.now()

        def work(connection: "Connection") -> tuple[Trial, Progress]:
            """Take the last answer back and hold its pair again."""
            found = people.lock_person(connection, person, now)
            self._need(connection, ("open",))
            one = answers.undo(connection, found, self.settings, key, now)
            progress = self._progress(connection, replace(found, outcome=None))
            rows = [row for row in holds.held(connection, person) if row.id == one]
            if not rows:
                raise Refused(409, "this answer was given again in the meantime")
            return self._trials(connection, rows, progress.answered)[0], progress

        return self.storage.write(work)

    def release(self, person: str, one: str, reason: str) -> None:
        """Give back a pair that could not be shown."""

        def work(connection: "Connection") -> None:
            """Give back one pair that the participant holds."""
            found = people.lock_person(connection, person, self.now())
            if one in [row.id for row in holds.held(connection, found.id)]:
                holds.end_holds(connection, [one], "released", reason)

        self.storage.write(work)

    def heartbeat(self, person: str) -> None:
        """The page is open: holds live on."""
        now = self.now()
        self.storage.write(lambda c: holds.extend_holds(c, people.lock_person(c, person, now).id, self.settings, now))

    def finish(self, person: str, comment: str | None) -> Progress:
        """End the sitting after the last answer, with a comment or none; may be called again.

        Raises:
            Refused: there is still something to answer.
        """
        now = self.now()

        def work(connection: "Connection") -> Progress:
            """End the participant's part for good."""
            found = people.lock_person(connection, person, now)
            if found.outcome is None:
                raise Refused(409, "there are pairs left to answer")
            people.finish(connection, found, found.outcome, comment, now, left=True)
            return self._progress(connection, replace(found, left=True))

        return self.storage.write(work)

    def withdraw(self, person: str, who: str = "participant") -> int:
        """Erase a person's votes and data; returns the number of votes erased."""
        now = self.now()
        return self.storage.write(lambda c: people.withdraw(c, people.lock_person(c, person, now), who, now))

    def _progress(self, connection: "Connection", person: Person) -> Progress:
        done = answers.answered(connection, person.id)
        total = self._frame(connection).total(person.seed, person.number)
        undo = answers.last_answer(connection, person, self.settings) is not None
        # a trap may be left out where the owner has hidden some: who has answered every pair is at the end all the same
        total = done if person.outcome == "complete" else max(done, total)
        return Progress(done, total, undo, person.outcome)

    def _trials(self, connection: "Connection", rows: "list[Row[Any]]", done: int) -> list[Trial]:
        shown = connection.execute(_ANSWERS, {"numbers": [row.pair for row in rows]})
        right = {int(number): int(answer) for number, answer in shown}
        return [Trial(row.id, done + i + 1, row.pair, right[row.pair]) for i, row in enumerate(rows)]

    def _outcome(self, connection: "Connection", person: Person, now: int) -> str:
        if answers.answered_pairs(connection, person.id) >= self._frame(connection).quota:
            return "complete"
        return "time" if assignment.time_is_up(person, self.settings, now) else "nothing_left"
