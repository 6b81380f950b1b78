"""What the owner decides or asks about a study as a whole: screening, scores before the end, a short report."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection

    from hlf.study.results.data import StudyData
    from hlf.study.running.platform import Platform


def screen_study(platform: "Platform", who: str) -> "pd.DataFrame":
    """Judge everybody by the screening rules, keep the verdicts, and let votes count accordingly.

    Pairs of people who no longer count open again while the study runs.

    Args:
        platform: the study.
        who: who asks, for the audit log.

    Returns:
        Rows of `flags.flag_people`; none before the first vote.
    """
    from sqlalchemy import select

    from hlf.study.results.data import votes_of
    from hlf.study.results.flags import VERSION, flag_people
    from hlf.study.running.answers import judge
    from hlf.study.running.people import note
    from hlf.study.running.reading import read_study
    from hlf.study.running.storage.tables import participant

    now = platform.now()
    # judged on one state of the database and without a lock: it takes a while, and people go on voting
    data = platform.storage.read(lambda c: read_study(c, platform.study))
    verdicts = flag_people(votes_of(data), data.rules)
    still = (participant.c.study == platform.study) & participant.c.outcome.is_distinct_from("withdrawn")
    locked = select(participant.c.id).where(still).order_by(participant.c.id).with_for_update()

    def work(connection: "Connection") -> "pd.DataFrame":
        """Keep the verdicts on those who have not withdrawn meanwhile."""
        present = connection.execute(locked).scalars().all()
        judged = verdicts[verdicts["participant"].isin(present)]
        _keep(connection, platform.study, judged)
        for name in sorted(set(judged["participant"])):
            # traps are looked at again: some may have been answered since
            judge(connection, name, platform.settings)
        note(connection, platform.study, who, "screen", f"rules {VERSION}: {' '.join(data.rules)}", now)
        return judged

    return platform.storage.write(work)


def unblind(platform: "Platform", who: str) -> None:
    """Note that somebody looks at scores of models before the study is closed."""
    from sqlalchemy import func, update

    from hlf.study.running.people import note
    from hlf.study.running.storage import tables

    now, mine = platform.now(), tables.study.c.id == platform.study
    first = func.coalesce(tables.study.c.unblinded, now)

    def work(connection: "Connection") -> None:
        """Note the first time at which scores were shown."""
        connection.execute(update(tables.study).where(mine).values(unblinded=first))
        note(connection, platform.study, who, "unblind", "scores of models shown before the end", now)

    platform.storage.write(work)


def report_text(data: "StudyData", blind: bool, n_boot: int = 2000) -> str:
    """The main numbers of a study as Markdown.

    Args:
        data: the study, of one source.
        blind: leave out scores of models.
        n_boot: resamples of every bootstrap.
    """
    from hlf.study.results.export import export_tables
    from hlf.study.results.findings import findings

    votes, flags, tables = export_tables(data)
    found = findings(data, votes, tables["pairs"], flags, n_boot, 1000)
    counts = found["counts"]
    lines = [
        f"# {data.title}",
        f"**{found['warning']}**" if found["warning"] else "",
        f"Study {data.study}, {data.status}: {counts['complete_pairs']} of {counts['pairs']} pairs complete, "
        f"{counts['valid_votes']} of {counts['votes']} votes count, {counts['people_excluded']} of "
        f"{counts['people_with_votes']} people screened out.",
        "## Agreement",
        *_plain_rows(found["agreement"]),
        "## Human ceiling",
        *_plain_rows(found["ceiling"]),
        "## Models",
    ]
    if blind:
        lines.append("Hidden until the study is closed (or: --unblind, which is noted).")
    else:
        models = found["models"]
        lines += _table(models) if isinstance(models, list) else _plain_rows(models)
    return "\n\n".join(line for line in lines if line)


def _keep(connection: "Connection", study: str, verdicts: "pd.DataFrame") -> None:
    from sqlalchemy import func, select

    from hlf.study.running.storage.tables import screening

    last = connection.execute(select(func.max(screening.c.run)).where(screening.c.study == study)).scalar()
    rows = [
        {
            "study": study, "run": (last or 0) + 1, "participant": row.participant, "rule": row.rule,
            "value": f"{row.value:g} {row.reason}".strip(), "keep": bool(row.keep),
        }
        for row in verdicts.itertuples()
    ]  # fmt: skip
    if rows:
        connection.execute(screening.insert(), rows)


def _plain_rows(values: Any) -> list[str]:
    if not isinstance(values, dict):
        return [str(values)]
    return ["\n".join(f"- {name}: {_number(value)}" for name, value in values.items())]


def _number(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_number(part)}" for name, part in value.items())
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _table(rows: list[dict[str, Any]]) -> list[str]:
    names = [name for name in rows[0] if not isinstance(rows[0][name], list | dict)] if rows else []
    head = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return ["\n".join(head + ["| " + " | ".join(_number(row[name]) for name in names) + " |" for row in rows])]
