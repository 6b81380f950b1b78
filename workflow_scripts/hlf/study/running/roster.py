"""Lists of a study for its owner: people, traps and practice pairs, and what was done. Functions of a connection."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import aliased

from hlf.study.running.storage.tables import assignment, audit, image, pair, participant, screening, vote_event
from hlf.study.running.tallies import Picture, final_answers, how_many, picture_columns, pictures

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class PersonRow:
    """A participant as the owner sees them.

    Attributes:
        id: opaque.
        number: order of arrival.
        outcome: why the sitting has ended, None while it goes on.
        passed: whether the practice is passed.
        counted: whether the votes count.
        last_seen: ms UTC.
        votes: final answers to pairs.
        yes: of them "the content changed".
        median_rt_ms: median active reaction time of all final answers, None when none is known.
        traps: traps answered.
        failed: of them wrongly.
        comment: what they wrote at the end.
        flags: reasons of the rules that fired in the newest screening.
    """

    id: str
    number: int
    outcome: str | None
    passed: bool
    counted: bool
    last_seen: int
    votes: int
    yes: int
    median_rt_ms: float | None
    traps: int
    failed: int
    comment: str | None
    flags: list[str]


@dataclass(frozen=True)
class Known:
    """A trap or practice pair.

    Attributes:
        pair: its number in the database.
        name: such as trap_yes_01.
        role: trap or practice.
        kind: such as yes_swap; empty for practice.
        answer: right answer, 1 = "the content changed".
        reason: what practice says after the answer, for traps a note.
        enabled: whether it is shown.
        seen: people who answered it.
        failed: of them wrongly.
        fixed: whether somebody has answered it, even if they took it back; it then stays as it is.
        gt: first image.
        sr: second image.
    """

    pair: int
    name: str
    role: str
    kind: str
    answer: int
    reason: str
    enabled: bool
    seen: int
    failed: int
    fixed: bool
    gt: Picture
    sr: Picture


@dataclass(frozen=True)
class Deed:
    """A line of the audit log."""

    utc: int
    who: str
    what: str
    detail: str


def read_people(connection: "Connection", name: str) -> list[PersonRow]:
    """Everybody of study `name` in order of arrival."""
    final, p = final_answers(name), participant.c
    trial = and_(~final.c.is_trap, final.c.assignment.is_not(None))
    trap = and_(final.c.is_trap, final.c.assignment.is_not(None))
    query = (
        select(
            p.id, p.number, p.outcome, p.passed, p.counted, p.last_seen, p.comment,
            how_many(trial).label("votes"), how_many(and_(trial, final.c.answer == 1)).label("yes"),
            how_many(trap).label("traps"), how_many(and_(trap, final.c.answer != pair.c.answer)).label("failed"),
        )
        .outerjoin(final, final.c.participant == p.id)
        .outerjoin(pair, pair.c.id == final.c.pair)
        .where(p.study == name)
        .group_by(p.id, p.number, p.outcome, p.passed, p.counted, p.last_seen, p.comment)
        .order_by(p.number)
    )  # fmt: skip
    medians, flags = _medians(connection, name), _flags(connection, name)
    return [
        PersonRow(
            row.id, row.number, row.outcome, row.passed, row.counted, row.last_seen, int(row.votes), int(row.yes),
            medians.get(row.id), int(row.traps), int(row.failed), row.comment, flags.get(row.id, []),
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def _medians(connection: "Connection", name: str) -> dict[str, float]:
    """Median active reaction time of every person in ms: mean of the middle value or the middle two."""
    final = final_answers(name)
    who, rt = final.c.participant, final.c.rt_active_ms
    place = func.row_number().over(partition_by=who, order_by=rt).label("place")
    ranked = select(who, rt, place, func.count().over(partition_by=who).label("n")).where(rt.is_not(None)).subquery()
    twice = ranked.c.place * 2
    middle = and_(twice >= ranked.c.n, twice <= ranked.c.n + 2)
    query = select(ranked.c.participant, func.avg(ranked.c.rt_active_ms)).where(middle).group_by(ranked.c.participant)
    return {person: float(median) for person, median in connection.execute(query)}


def _flags(connection: "Connection", name: str) -> dict[str, list[str]]:
    """Reasons of the rules that fired in the newest screening, by person."""
    newest = select(func.max(screening.c.run)).where(screening.c.study == name).scalar_subquery()
    query = select(screening).where(screening.c.study == name, screening.c.run == newest).order_by(screening.c.rule)
    found: dict[str, list[str]] = {}
    for row in connection.execute(query):
        # "number reason", without a reason where nothing is to be said
        reason = row.value.partition(" ")[2]
        if reason:
            found.setdefault(row.participant, []).append(reason)
    return found


def read_known(connection: "Connection", name: str) -> list[Known]:
    """Traps, then practice pairs, of study `name`, each in order of the import."""
    gt, sr = aliased(image), aliased(image)
    query = (
        select(pair, *picture_columns(gt, sr))
        .join(gt, gt.c.id == pair.c.gt_image)
        .join(sr, sr.c.id == pair.c.sr_image)
        .where(pair.c.study == name, pair.c.role.in_(("trap", "practice")))
        .order_by(pair.c.role.desc(), pair.c.id)
    )
    rows = connection.execute(query).all()
    shown = [(row.id, row.answer) for row in rows if row.role == "practice" and row.enabled]
    counts = _trap_counts(connection, name) | _practice_counts(connection, name, shown)
    answered = answered_pairs(connection, name)
    return [
        Known(
            row.id, row.name, row.role, row.trap_kind, row.answer, row.reason, row.enabled,
            *counts.get(row.id, (0, 0)), row.id in answered, *pictures(row),
        )
        for row in rows
    ]  # fmt: skip


def answered_pairs(connection: "Connection", name: str) -> set[int]:
    """Traps and practice pairs that somebody has answered, so that they must stay as they are.

    Practice pairs are numbered in order, so an answer to one of them fixes all.
    """
    query = (
        select(assignment.c.pair)
        .join(vote_event, vote_event.c.assignment == assignment.c.id)
        .where(assignment.c.study == name, assignment.c.is_trap)
        .distinct()
    )
    traps = set(connection.execute(query).scalars())
    states = connection.execute(select(participant.c.practice).where(participant.c.study == name)).scalars()
    # who withdrew has an empty state, and may have practised
    if any(not state or state["answers"] or state["attempt"] > 1 for state in states):
        practice = select(pair.c.id).where(pair.c.study == name, pair.c.role == "practice")
        traps |= set(connection.execute(practice).scalars())
    return traps


def read_audit(connection: "Connection", name: str, limit: int) -> list[Deed]:
    """The newest `limit` lines of the audit log of study `name`, newest first."""
    columns = (audit.c.utc, audit.c.who, audit.c.what, audit.c.detail)
    query = select(*columns).where(audit.c.study == name).order_by(audit.c.id.desc()).limit(limit)
    return [Deed(*row) for row in connection.execute(query)]


def _trap_counts(connection: "Connection", name: str) -> dict[int, tuple[int, int]]:
    """Traps -> people who answered it, and those of them who were wrong."""
    final = final_answers(name)
    query = (
        select(pair.c.id, func.count(), how_many(final.c.answer != pair.c.answer))
        .join(final, final.c.pair == pair.c.id)
        .where(final.c.is_trap)
        .group_by(pair.c.id)
    )
    return {number: (int(seen), int(wrong)) for number, seen, wrong in connection.execute(query)}


def _practice_counts(connection: "Connection", name: str, shown: list[tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """The same for practice pairs, by everybody's present or last round; `shown`: their numbers and right answers."""
    states: list[dict[str, Any]] = list(
        connection.execute(select(participant.c.practice).where(participant.c.study == name)).scalars()
    )
    found = {}
    for i, (number, right) in enumerate(shown):
        given = [state["answers"][str(i + 1)] for state in states if str(i + 1) in state.get("answers", {})]
        found[number] = (len(given), sum(answer != right for answer in given))
    return found
