"""Final answers of a study, added up by pair and by SR model: the queries that the owner's pages are made of.

"Valid" are final answers of people whose votes count; traps and practice are no votes on pairs.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Integer, and_, case, cast, func, literal, select
from sqlalchemy.orm import aliased

from hlf.study.running.storage.tables import assignment, image, pair, participant, vote_event

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row
    from sqlalchemy.sql.selectable import Subquery

SHOWN = ("id", "width", "height")  # columns of table `image`


@dataclass(frozen=True)
class ModelScore:
    """Scores of one SR model: pairs with a valid vote, valid votes, mean of their scores, share of scores above 0.5."""

    model: str
    pairs: int
    votes: int
    score: float
    above_half: float


@dataclass(frozen=True)
class Picture:
    """An image: opaque id, width and height in pixels."""

    id: str
    width: int
    height: int


@dataclass(frozen=True)
class SplitPair:
    """A pair on which people disagree; `model` and `level` are not to be shown before the study is unblinded."""

    image_id: str
    model: str
    level: str
    n: int
    yes: int
    gt: Picture
    sr: Picture


def final_answers(name: str) -> "Subquery":
    """Every final answer of study `name`: assignment, participant, pair, is_trap, answer, rt_active_ms, server_utc."""
    later = aliased(vote_event)
    follows = and_(later.c.assignment == vote_event.c.assignment, later.c.revision == vote_event.c.revision + 1)
    return (
        select(
            assignment.c.id.label("assignment"), assignment.c.participant, assignment.c.pair, assignment.c.is_trap,
            vote_event.c.answer, vote_event.c.rt_active_ms, vote_event.c.server_utc,
        )
        .join(vote_event, vote_event.c.assignment == assignment.c.id)
        .outerjoin(later, follows)
        .where(assignment.c.study == name, assignment.c.state == "voted", later.c.id.is_(None))
        .subquery()
    )  # fmt: skip


def votes_per_pair(name: str) -> "Subquery":
    """Every pair of study `name` with n valid votes, y of them yes: pair, target, model, n, y; y is 0 where n is."""
    final = final_answers(name)
    counted = and_(participant.c.id == final.c.participant, participant.c.counted)
    n = func.count(participant.c.id)
    y = func.coalesce(func.sum(case((participant.c.counted, final.c.answer), else_=0)), 0)
    return (
        select(pair.c.id.label("pair"), pair.c.target, pair.c.model, n.label("n"), cast(y, Integer).label("y"))
        .outerjoin(final, final.c.pair == pair.c.id)
        .outerjoin(participant, counted)
        .where(pair.c.study == name, pair.c.role == "trial", pair.c.enabled)
        .group_by(pair.c.id, pair.c.target, pair.c.model)
        .subquery()
    )


def read_models(connection: "Connection", name: str) -> list[ModelScore]:
    """Scores of study `name` by SR model; to be shown only when it is closed or unblinded."""
    one = votes_per_pair(name)
    score = one.c.y * literal(1.0) / one.c.n
    query = (
        select(one.c.model, func.count(), func.sum(one.c.n), func.avg(score), how_many(one.c.y * 2 > one.c.n))
        .where(one.c.n > 0)
        .group_by(one.c.model)
        .order_by(one.c.model)
    )
    return [
        ModelScore(model, int(pairs), int(votes), float(mean), int(above) / int(pairs))
        for model, pairs, votes, mean, above in connection.execute(query)
    ]


def how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows fulfil a condition; 0 of no rows."""
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def read_split(connection: "Connection", name: str, least: int, limit: int) -> list[SplitPair]:
    """The `limit` pairs with the most even votes, most even first; they have both answers and `least` valid votes."""
    one, gt, sr = votes_per_pair(name), aliased(image), aliased(image)
    uneven = func.abs(one.c.y * literal(1.0) / one.c.n - 0.5)
    query = (
        select(
            pair.c.image_id, pair.c.model, pair.c.level, one.c.n, one.c.y,
            *picture_columns(gt, sr),
        )
        .select_from(one)
        .join(pair, pair.c.id == one.c.pair)
        .join(gt, gt.c.id == pair.c.gt_image)
        .join(sr, sr.c.id == pair.c.sr_image)
        .where(one.c.n >= least, one.c.y > 0, one.c.y < one.c.n)
        # among equals by opaque id: the order of the import would give the models away
        .order_by(uneven, one.c.n.desc(), sr.c.id)
        .limit(limit)
    )  # fmt: skip
    return [
        SplitPair(row.image_id, row.model, row.level, row.n, row.y, *pictures(row)) for row in connection.execute(query)
    ]


def picture_columns(gt: Any, sr: Any) -> list[ColumnElement[Any]]:
    """Columns of both images of a pair, for `pictures`; `gt` and `sr`: aliases of table `image`."""
    return [table.c[c].label(f"{side}_{c}") for side, table in (("gt", gt), ("sr", sr)) for c in SHOWN]


def pictures(row: "Row[Any]") -> tuple[Picture, Picture]:
    """Both images of a row with `picture_columns`."""
    return Picture(row.gt_id, row.gt_width, row.gt_height), Picture(row.sr_id, row.sr_width, row.sr_height)
