"""Keeping a study: copies of its database, and a recount that finds whatever does not add up."""

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.files import atomic

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hlf.study.running.storage import Storage


def backup(storage: "Storage", target: Path) -> None:
    """Copy a SQLite database while it is in use, whole and of one moment.

    Args:
        storage: the database.
        target: file to write; replaced if it exists.

    Raises:
        HlfError: the database is PostgreSQL, which has tools of its own, or the file cannot be written.
    """
    import sqlite3

    if storage.postgres:
        raise HlfError(
            "this study is kept in PostgreSQL; back it up with: pg_dump --format=custom --file=FILE DATABASE"
        )
    with atomic(target) as tmp, storage.engine.connect() as connection:
        os.close(os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # as private as the database itself
        copy = sqlite3.connect(tmp)
        try:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.backup(copy)
            # one plain file, readable without its journal beside it
            copy.execute("PRAGMA journal_mode = DELETE")
        finally:
            copy.close()


def verify(connection: "Connection", study: str) -> list[str]:
    """Recount a study from its votes; one sentence for each thing that does not add up, [] when all does.

    Checked: the load of every pair, that each assignment marked as voted ends with an answer and no other does, that
    people count or do not as the rules say, and on SQLite the file itself.
    """
    problems = _file_problems(connection)
    problems += _load_problems(connection, study)
    problems += _answer_problems(connection, study)
    problems += _verdict_problems(connection, study)
    return problems


def _file_problems(connection: "Connection") -> list[str]:
    if connection.dialect.name != "sqlite":
        return []
    found = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check")]
    broken = [f"the database file is damaged: {line}" for line in found if line != "ok"]
    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    return broken + [f"a row of table {row[0]} points to a row of table {row[2]} that is gone" for row in lost]


def _load_problems(connection: "Connection", study: str) -> list[str]:
    from sqlalchemy import select

    from hlf.study.running.holds import LIVE
    from hlf.study.running.storage.tables import assignment, pair, participant

    counted = (
        select(assignment.c.pair)
        .join(participant, participant.c.id == assignment.c.participant)
        .where(assignment.c.study == study, assignment.c.state.in_(LIVE), participant.c.counted)
    )
    load = Counter(connection.execute(counted).scalars())
    query = select(pair.c.id, pair.c.name, pair.c.load).where(pair.c.study == study, pair.c.role == "trial")
    return [
        f"pair {row.name} has load {row.load}, its votes and holds give {load[row.id]}"
        for row in connection.execute(query.order_by(pair.c.id))
        if row.load != load[row.id]
    ]


def _answer_problems(connection: "Connection", study: str) -> list[str]:
    from sqlalchemy import select

    from hlf.study.running.storage.tables import assignment, vote_event

    query = select(vote_event.c.assignment, vote_event.c.answer).where(vote_event.c.study == study)
    final = {row.assignment: row.answer for row in connection.execute(query.order_by(vote_event.c.id))}
    states = connection.execute(select(assignment.c.id, assignment.c.state).where(assignment.c.study == study))
    problems = []
    for row in states:
        answer = final.get(row.id)
        if row.state == "voted" and answer is None:
            problems.append(f"assignment {row.id} is marked as voted but has no answer")
        elif row.state != "voted" and answer is not None:
            problems.append(f"assignment {row.id} has an answer but is marked as {row.state}")
    return problems


def _verdict_problems(connection: "Connection", study: str) -> list[str]:
    """People who count although a rule leaves them out, or do not although none does."""
    from sqlalchemy import select

    from hlf.study.running.answers import objections
    from hlf.study.running.storage import tables
    from hlf.study.settings import Settings

    people = tables.participant
    known = connection.execute(select(tables.study.c.settings).where(tables.study.c.id == study)).scalar_one()
    settings = Settings.from_dict(known)
    mine = (people.c.study == study) & (people.c.outcome.is_distinct_from("withdrawn"))
    problems = []
    for row in connection.execute(select(people.c.id, people.c.counted).where(mine).order_by(people.c.number)).all():
        against = objections(connection, row.id, settings)
        if row.counted and against:
            problems.append(f"participant {row.id} counts, but is out by {', '.join(against)}")
        if not row.counted and not against:
            problems.append(f"participant {row.id} does not count, but no rule is against it")
    return problems
