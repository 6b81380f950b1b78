"""How a study stands, for its owner: pure functions of a connection, a few aggregate queries each.

"Valid" are final answers of people whose votes count; traps and practice are no votes on pairs.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select

from hlf.study.running.assignment import ONLINE
from hlf.study.running.storage.tables import assignment, invite, participant, problem, study
from hlf.study.running.tallies import final_answers, how_many, votes_per_pair
from hlf.study.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

HOUR = 3_600_000  # ms
NEWEST = 5  # problems on the dashboard
# how a sitting ends, in words
OUTCOMES = {
    "complete": "answered all",
    "nothing_left": "found nothing open",
    "time": "ran out of time",
    "screened": "failed the practice",
    "withdrawn": "withdrew",
}
BARS = 30  # of the histogram; a study with more votes per pair groups them


@dataclass(frozen=True)
class Bar:
    """Pairs with `first` to `last` valid votes; `last` None: or more."""

    first: int
    last: int | None
    pairs: int


@dataclass(frozen=True)
class Votes:
    """Votes on pairs.

    Attributes:
        target: valid votes that each pair needs.
        pairs: of the study.
        complete: pairs with at least `target` valid votes.
        bars: pairs by number of valid votes.
        valid: answers of people who count.
        left_out: answers of people who do not.
        missing: valid votes still needed.
        last_hour: valid votes of the last hour.
        last_day: of the last 24 hours.
        holds: pairs that somebody has on the screen or loaded ahead.
    """

    target: int
    pairs: int
    complete: int
    bars: list[Bar]
    valid: int
    left_out: int
    missing: int
    last_hour: int
    last_day: int
    holds: int

    @property
    def hours_left(self) -> float | None:
        """Hours to the end at the pace of the last hour, else of the last day; None when nobody answered in it."""
        if self.missing == 0:
            return 0.0
        pace = self.last_hour or self.last_day / 24
        return self.missing / pace if pace else None


@dataclass(frozen=True)
class Crowd:
    """People of a study.

    Attributes:
        consented: everybody who ever did.
        declined: people who did not consent.
        online: seen in the last minutes, and not finished.
        practising: in the practice.
        under_way: answering, or away without having finished.
        ended: outcome -> people: complete, nothing_left, time, screened, withdrawn.
        left_out: people with enough failed traps that their votes do not count.
    """

    consented: int
    declined: int
    online: int
    practising: int
    under_way: int
    ended: dict[str, int]
    left_out: int


@dataclass(frozen=True)
class Invites:
    """Invite links of one label and kind.

    Attributes:
        label: as the owner named them.
        source: of the people who come with them.
        made: how many.
        one_use: whether each is for one person.
        used: how many have been used.
        revoked: how many are no longer valid.
        last_used: ms UTC, None before the first use.
    """

    label: str
    source: str
    made: int
    one_use: bool
    used: int
    revoked: int
    last_used: int | None


@dataclass(frozen=True)
class Problem:
    """What went wrong in a browser; `person` is the number of the participant, None when it is not known."""

    utc: int
    person: int | None
    kind: str
    message: str


@dataclass(frozen=True)
class Overview:
    """All that the dashboard shows.

    Attributes:
        study: id.
        status: draft, open, paused or closed.
        source: of the votes: human, simulated, vlm:NAME.
        unblinded: when somebody looked at scores of models before the end, ms UTC, or None.
        votes: on pairs.
        crowd: people.
        invites: links by label.
        problems: the newest few.
    """

    study: str
    status: str
    source: str
    unblinded: int | None
    votes: Votes
    crowd: Crowd
    invites: list[Invites]
    problems: list[Problem]

    @property
    def scores_shown(self) -> bool:
        """Whether scores and names of models may be shown."""
        return self.status == "closed" or self.unblinded is not None


def read_overview(connection: "Connection", name: str, now: int) -> Overview:
    """How study `name`, which must exist, stands at time `now` (ms UTC)."""
    row = connection.execute(select(study).where(study.c.id == name)).one()
    target = Settings.from_dict(row.settings).votes_per_pair
    return Overview(
        name, row.status, row.source, row.unblinded, read_votes(connection, name, target, now),
        read_crowd(connection, name, now), read_invites(connection, name), read_problems(connection, name, NEWEST),
    )  # fmt: skip


def sentences(seen: Overview) -> list[str]:
    """The same in words, without scores; the first line tells of votes that are not from people."""
    votes, crowd = seen.votes, seen.crowd
    ended = ", ".join(f"{number} {OUTCOMES.get(name, name)}" for name, number in crowd.ended.items() if number)
    warning = source_warning(seen.source)
    return [
        *([warning] if warning else []),
        f"study '{seen.study}' is {seen.status}",
        f"{votes.complete} of {votes.pairs} pairs have {votes.target} valid votes; {votes.missing} are missing",
        f"{votes.valid} valid votes, {votes.left_out} of people who do not count, {votes.holds} pairs on screens",
        f"{votes.last_hour} valid votes in the last hour, {votes.last_day} in the last 24 hours"
        f"{f'; {time_left(votes)}' if seen.status == 'open' else ''}",
        f"{crowd.consented} people consented, {crowd.declined} did not; {crowd.online} are here now, "
        f"{crowd.practising} in the practice, {crowd.under_way} under way{f'; ended: {ended}' if ended else ''}",
    ]


def source_warning(source: str) -> str:
    """What stands above everything made of votes that are not from people; empty for people's.

    >>> source_warning("human")
    ''
    """
    if source == "human":
        return ""
    if source == "simulated":
        return "votes are simulated; they test the software and say nothing about any SR model or any person"
    return f"votes are answers of a model ({source}), not of people"


def time_left(votes: Votes) -> str:
    """How long the study will take at its pace, in words."""
    hours = votes.hours_left
    if hours is None:
        return "no vote in the last 24 hours, so the end cannot be told"
    if hours == 0:
        return "nothing is missing"
    long = (
        f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours" if hours >= 2 else f"{hours * 60:.0f} minutes"
    )
    return f"about {long} to go at the pace of the last {'hour' if votes.last_hour else '24 hours'}"


def read_votes(connection: "Connection", name: str, target: int, now: int) -> Votes:
    """Votes of study `name` at time `now` (ms UTC); `target` valid ones are wanted of each pair."""
    per_pair = votes_per_pair(name)
    query = select(per_pair.c.n, func.count()).group_by(per_pair.c.n)
    found = {int(n): int(pairs) for n, pairs in connection.execute(query)}
    final = final_answers(name)
    recent = connection.execute(
        select(
            how_many(participant.c.counted), how_many(~participant.c.counted),
            how_many(and_(participant.c.counted, final.c.server_utc > now - HOUR)),
            how_many(and_(participant.c.counted, final.c.server_utc > now - 24 * HOUR)),
        )
        .select_from(final).join(participant, participant.c.id == final.c.participant)
        .where(~final.c.is_trap)
    ).one()  # fmt: skip
    live = and_(assignment.c.study == name, assignment.c.state == "held", assignment.c.expires > now)
    holds = connection.execute(select(func.count()).select_from(assignment).where(live)).scalar_one()
    missing = sum(max(0, target - n) * pairs for n, pairs in found.items())
    complete = sum(pairs for n, pairs in found.items() if n >= target)
    valid, left_out, last_hour, last_day = (int(number) for number in recent)
    return Votes(
        target, sum(found.values()), complete, bars(found, target), valid, left_out, missing, last_hour, last_day, holds
    )


def bars(found: dict[int, int], target: int) -> list[Bar]:
    """Histogram of pairs by number of valid votes; the last bar is "`target` or more".

    >>> [(bar.first, bar.last, bar.pairs) for bar in bars({0: 2, 3: 5, 4: 1}, 3)]
    [(0, 0, 2), (1, 1, 0), (2, 2, 0), (3, None, 6)]
    """
    width = -(-target // BARS)
    edges = [(first, min(first + width, target) - 1) for first in range(0, target, width)]
    made = [Bar(first, last, sum(found.get(n, 0) for n in range(first, last + 1))) for first, last in edges]
    return [*made, Bar(target, None, sum(pairs for n, pairs in found.items() if n >= target))]


def read_crowd(connection: "Connection", name: str, now: int) -> Crowd:
    """People of study `name` at time `now` (ms UTC)."""
    p = participant
    counts = connection.execute(
        select(
            p.c.outcome, p.c.passed, func.count(), how_many(and_(p.c.last_seen > now - ONLINE, p.c.finished.is_(None)))
        )
        .where(p.c.study == name)
        .group_by(p.c.outcome, p.c.passed)
    ).all()
    query = select(study.c.arrived, study.c.declined).where(study.c.id == name)
    arrived, declined = connection.execute(query).one()
    out = and_(p.c.study == name, ~p.c.counted, p.c.outcome.is_distinct_from("withdrawn"))
    left_out = connection.execute(select(func.count()).select_from(p).where(out)).scalar_one()
    ended = dict.fromkeys(OUTCOMES, 0)
    for outcome, _, number, _ in counts:
        if outcome is not None:
            ended[outcome] = ended.get(outcome, 0) + int(number)
    on = {bool(passed): int(number) for outcome, passed, number, _ in counts if outcome is None}
    online = sum(int(row[3]) for row in counts)
    return Crowd(arrived, declined, online, on.get(False, 0), on.get(True, 0), ended, left_out)


def read_invites(connection: "Connection", name: str) -> list[Invites]:
    """Invite links of study `name` by label and kind."""
    i = invite.c
    kind = (i.label, i.source, i.one_use)
    counts = (func.count(), func.count(i.used), func.count(i.revoked), func.max(i.used))
    query = select(*kind, *counts).where(i.study == name).group_by(*kind).order_by(*kind)
    return [
        Invites(label, source, made, one_use, used, revoked, last)
        for label, source, one_use, made, used, revoked, last in connection.execute(query)
    ]


def read_problems(connection: "Connection", name: str, limit: int) -> list[Problem]:
    """The newest `limit` problems of study `name`, newest first."""
    query = (
        select(problem.c.utc, participant.c.number, problem.c.kind, problem.c.message)
        .outerjoin(participant, participant.c.id == problem.c.participant)
        .where(problem.c.study == name)
        .order_by(problem.c.id.desc())
        .limit(limit)
    )
    return [Problem(*row) for row in connection.execute(query)]
