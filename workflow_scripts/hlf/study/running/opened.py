"""One study of a database, opened: what it is, who somebody is, and where its images lie."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select

from hlf.errors import HlfError
from hlf.seeds import generator
from hlf.study.choice import Frame
from hlf.study.running import assignment, people, practice_round
from hlf.study.running.people import Person, Refused
from hlf.study.running.storage import tables
from hlf.study.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from hlf.study.running.storage import Storage

# statements of every trial, built once
_STATUS = select(tables.study.c.status).where(tables.study.c.id == bindparam("name"))
_SHOWN = (
    select(tables.assignment.c.gt_side, tables.pair.c.gt_image, tables.pair.c.sr_image)
    .join(tables.pair, tables.pair.c.id == tables.assignment.c.pair)
    .where(tables.assignment.c.id == bindparam("one"), tables.assignment.c.participant == bindparam("person"))
)
_PATH = select(tables.image.c.path).where(tables.image.c.id == bindparam("image"))


class OpenedStudy:
    """One study in a database.

    Attributes:
        storage: the database.
        study: id of the study.
        secret: key of all hashes.
        clock: ms UTC.
        settings: of the study.
        facts: run, scale and configuration hash of its pairs.
        folder: where its images lie.
    """

    def __init__(
        self,
        storage: "Storage",
        study: str,
        secret: bytes,
        folder: Path = Path(),
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(16),
    ) -> None:
        """Open a study.

        Args:
            storage: an open database.
            study: id of the study.
            secret: key of all hashes, at least 32 bytes.
            folder: where its images lie.
            clock: ms UTC.
            new_id: a new opaque id.

        Raises:
            HlfError: the database does not hold the study.
        """
        self.storage, self.study, self.secret, self.folder = storage, study, secret, folder
        self.clock, self._new_id = clock, new_id
        self._known_frame: Frame | None = None
        row = storage.read(lambda c: c.execute(select(tables.study).where(tables.study.c.id == study)).first())
        if row is None:
            raise HlfError(f"study '{study}' has no pairs yet; run: hlf study import-pairs")
        self.settings, self.facts = Settings.from_dict(row.settings), row.facts

    def now(self) -> int:
        """Ms UTC."""
        return self.clock()

    def state(self) -> tuple[str, str]:
        """Status of the study (draft, open, paused or closed) and source of its votes."""
        query = select(tables.study.c.status, tables.study.c.source).where(tables.study.c.id == self.study)
        row = self.storage.read(lambda c: c.execute(query).one())
        return str(row.status), str(row.source)

    def invited(self, code: str) -> bool:
        """Whether an invite code may still be used for this study."""
        code_hash = people.hashed(self.secret, code)
        row = self.storage.read(lambda c: people.find_invite(c, code_hash))
        return row is not None and row.study == self.study

    def person(self, token: str) -> Person | None:
        """Participant behind a cookie, None when it opens nothing (any more)."""
        token_hash = people.hashed(self.secret, token)
        found = self.storage.read(lambda c: people.find_person(c, token_hash))
        return found if found is not None and found.study == self.study else None

    def look_up(self, participant: str | None, code: str | None, recruit_id: str | None) -> str:
        """Participant by id, by the four words, or by a recruiting site's id.

        Raises:
            HlfError: nobody of this study is known by it.
        """
        from hlf.study.running.words import normal_code

        table, condition = tables.participant, tables.participant.c.id == participant
        if code is not None:
            condition = table.c.resume_hash == people.hashed(self.secret, normal_code(code))
        query = select(table.c.id).where(table.c.study == self.study, condition)
        if recruit_id is not None:
            found = self.storage.read(lambda c: people.find_recruit(c, self.study, recruit_id))
        else:
            found = self.storage.read(lambda c: c.execute(query).scalar())
        if found is None:
            raise HlfError(f"study '{self.study}' knows nobody by that id or code; check it in the dashboard")
        return str(found)

    def trials_of(self, person: Person | None) -> int:
        """Trials of a person's sitting, traps included; without a person those of the first, as an estimate."""
        frame = self.storage.read(self._frame)
        return frame.total(person.seed, person.number) if person else frame.total(0, 1)

    def practice_pairs(self) -> "list[Row[Any]]":
        """Rows of the practice pairs, in order."""
        return self.storage.read(lambda c: practice_round.pairs(c, self.study))

    def image_file(self, person: str, one: str, side: str) -> Path | None:
        """File of the image on side "a" (left) or "b" of a trial; None unless it was given to this person."""
        return self.storage.read(lambda c: self._image(c, person, one, side))

    def practice_file(self, person: Person, number: int, side: str) -> Path | None:
        """File of the image on side "a" (left) or "b" of a practice pair; None when there is no such pair."""
        rows = self.practice_pairs()
        if not 1 <= number <= len(rows):
            return None
        rng = generator(person.seed, "study", "practice side", person.number, number)
        gt_first = self.settings.gt_side == "left" or bool(rng.integers(2))
        row = rows[number - 1]
        wanted = row.gt_image if gt_first == (side == "a") else row.sr_image
        return self.storage.read(lambda c: self._file(c, wanted))

    def problem(self, person: str | None, kind: str, message: str) -> None:
        """Note what went wrong in a browser, for the owner."""
        row = {"utc": self.now(), "study": self.study, "participant": person, "kind": kind, "message": message}
        self.storage.write(lambda c: c.execute(tables.problem.insert().values(row)))

    def decline(self) -> None:
        """Count somebody who did not consent."""
        self.storage.write(lambda c: people.decline(c, self.study))

    def _image(self, connection: "Connection", person: str, one: str, side: str) -> Path | None:
        row = connection.execute(_SHOWN, {"one": one, "person": person}).first()
        if row is None:
            return None
        return self._file(connection, row.gt_image if (row.gt_side == "left") == (side == "a") else row.sr_image)

    def _file(self, connection: "Connection", image: str) -> Path:
        return self.folder / connection.execute(_PATH, {"image": image}).scalar_one()

    def _need(self, connection: "Connection", wanted: tuple[str, ...]) -> None:
        status = connection.execute(_STATUS, {"name": self.study}).scalar_one()
        if status not in wanted:
            word = "closed" if status == "closed" else "paused; please come back later"
            raise Refused(503 if status == "paused" else 409, f"this study is {word}")

    def _frame(self, connection: "Connection") -> Frame:
        """Read once: pairs cannot change once people take part."""
        if self._known_frame is None:
            self._known_frame = assignment.read_frame(connection, self.study, self.settings)
        return self._known_frame
