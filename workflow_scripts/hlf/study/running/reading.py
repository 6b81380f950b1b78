"""A study read from its database, as the tables that screening, statistics and exports work on."""

from typing import TYPE_CHECKING, Any

from hlf.errors import HlfError

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection

    from hlf.study.results.data import StudyData

DEVICE = ("viewport_w", "viewport_h", "screen_w", "screen_h", "dpr", "touch")
QUESTIONS = ("age_band", "vision", "colour_vision", "expertise")


def read_study(connection: "Connection", study: str) -> "StudyData":
    """Everything of one study but who withdrew, in one consistent state.

    Raises:
        HlfError: there is no such study.
    """
    from sqlalchemy import select

    from hlf.study.results.data import StudyData
    from hlf.study.running.storage import tables
    from hlf.study.settings import Settings

    row = connection.execute(select(tables.study).where(tables.study.c.id == study)).first()
    if row is None:
        raise HlfError(f"the database holds no study '{study}'; check its id, or import its pairs first")
    settings = Settings.from_dict(row.settings)
    return StudyData(
        study=study,
        run=str(row.facts.get("run", "")),
        title=settings.title,
        status=row.status,
        seed=row.seed,
        config_hash=str(row.facts.get("config_hash", "")),
        votes_per_pair=settings.votes_per_pair,
        settings=row.settings,
        votes=_votes(connection, study),
        pairs=_pairs(connection, study),
        traps=_traps(connection, study),
        participants=_participants(connection, study),
        recruit=_recruit(connection, study),
        rules=tuple(settings.screening.split()),
        declined=row.declined,
    )


def _votes(connection: "Connection", study: str) -> "pd.DataFrame":
    """Final answers: of each assignment that stands as voted, its newest event."""
    from sqlalchemy import select

    from hlf.study.results.data import VOTES
    from hlf.study.running.storage.tables import assignment, pair, vote_event

    columns = (
        assignment.c.participant, pair.c.name.label("pair"), assignment.c.order_index, assignment.c.gt_side,
        vote_event.c.assignment, vote_event.c.answer, vote_event.c.rt_ms, vote_event.c.rt_active_ms,
        vote_event.c.late, vote_event.c.display,
    )  # fmt: skip
    query = (
        select(*columns)
        .join(pair, pair.c.id == assignment.c.pair)
        .join(vote_event, vote_event.c.assignment == assignment.c.id)
        .where(assignment.c.study == study, assignment.c.state == "voted")
        .order_by(vote_event.c.id)
    )
    final: dict[str, dict[str, Any]] = {}
    for row in connection.execute(query).mappings():
        answers = final[row["assignment"]]["answers"] + 1 if row["assignment"] in final else 1
        # events without an answer are undone ones; an assignment that is voted ends with an answer
        final[row["assignment"]] = {**row, "answers": answers}
    rows = [
        {**row, "revisions": row["answers"] // 2, **{k: row["display"].get(k) for k in ("zoom_max", "dpr", "css_w")}}
        for row in final.values()
    ]
    return _table(rows, VOTES)


def _pairs(connection: "Connection", study: str) -> "pd.DataFrame":
    from sqlalchemy import select

    from hlf.study.results.data import PAIRS
    from hlf.study.running.storage.tables import pair

    query = select(pair).where(pair.c.study == study, pair.c.role == "trial").order_by(pair.c.name)
    rows = [
        {
            "pair": row.name, "image_id": row.image_id, "model": row.model, "degradation": float(row.level),
            "gt_file": row.gt_name, "sr_file": row.sr_name,
        }
        for row in connection.execute(query)
    ]  # fmt: skip
    return _table(rows, PAIRS)


def _traps(connection: "Connection", study: str) -> "pd.DataFrame":
    from sqlalchemy import select

    from hlf.study.results.data import TRAPS
    from hlf.study.running.storage.tables import pair

    query = select(pair).where(pair.c.study == study, pair.c.role == "trap").order_by(pair.c.name)
    rows = [
        {
            "pair": row.name, "kind": row.trap_kind, "answer": row.answer, "gt_file": row.gt_name,
            "sr_file": row.sr_name,
        }
        for row in connection.execute(query)
    ]  # fmt: skip
    return _table(rows, TRAPS)


def _participants(connection: "Connection", study: str) -> "pd.DataFrame":
    from sqlalchemy import select

    from hlf.study.results.data import PARTICIPANTS
    from hlf.study.running.storage.tables import participant

    mine = (participant.c.study == study) & (participant.c.outcome.is_distinct_from("withdrawn"))
    rows = []
    for row in connection.execute(select(participant).where(mine).order_by(participant.c.number)):
        device, told = row.device or {}, row.questionnaire or {}
        rows.append(
            {
                "participant": row.id, "number": row.number, "source": row.source, "created": row.consented,
                "consented": row.consented, "finished": row.finished, "outcome": row.outcome,
                "consent_hash": row.consent_hash, "passed": row.passed, "counted": row.counted,
                "comment": row.comment, **{k: device.get(k) for k in DEVICE}, **{k: told.get(k) for k in QUESTIONS},
            }
        )  # fmt: skip
    return _table(rows, PARTICIPANTS)


def _recruit(connection: "Connection", study: str) -> "pd.DataFrame":
    from sqlalchemy import select

    from hlf.study.results.data import RECRUIT
    from hlf.study.running.storage.tables import recruit

    query = select(recruit).where(recruit.c.study == study).order_by(recruit.c.participant)
    rows = [
        {
            "participant": row.participant, "recruit_id": row.pid, "recruit_study": row.study_id,
            "recruit_session": row.session_id,
        }
        for row in connection.execute(query)
    ]  # fmt: skip
    return _table(rows, RECRUIT)


def _table(rows: list[dict[str, Any]], columns: Any) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame([{name: row[name] for name in columns} for row in rows], columns=list(columns))


def chain_votes(data: "StudyData") -> "pd.DataFrame":
    """Table `votes` of the chain, sorted by person and order: final answers, with `valid` by the study's rules.

    Raises:
        HlfError: the study holds no answer, or answers of several sources.
    """
    from hlf.columns import TABLES, conform
    from hlf.study.results.data import votes_of
    from hlf.study.results.flags import apply_flags, flag_people

    if data.votes.empty:
        raise HlfError(f"study '{data.study}' holds no vote yet; collect votes first")
    votes = votes_of(data)
    votes = apply_flags(votes, flag_people(votes, data.rules))
    return conform(votes[list(TABLES["votes"])], "votes")
