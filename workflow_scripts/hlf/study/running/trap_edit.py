"""Changing a trap or practice pair before anybody has answered it. Inside one transaction."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from hlf.study.running.people import Refused, note
from hlf.study.running.roster import answered_pairs
from hlf.study.running.storage.tables import pair, study

if TYPE_CHECKING:
    from sqlalchemy import Connection

ANSWERS = {0: "no", 1: "yes"}


def edit_known(
    connection: "Connection", name: str, number: int, who: str, now: int, enabled: bool | None = None,
    answer: int | None = None,
) -> str:  # fmt: skip
    """Show or hide a trap or practice pair, or change its right answer; returns its name.

    Args:
        connection: of a writing transaction.
        name: id of the study.
        number: of the pair in the database.
        who: name of the account, for the audit log.
        now: ms UTC.
        enabled: whether it is shown; None: as it is.
        answer: 0 or 1; None: as it is.

    Raises:
        Refused: the study is closed, has no such pair, or somebody has answered it.
    """
    # the lock keeps people from joining in between
    status = connection.execute(select(study.c.status).where(study.c.id == name).with_for_update()).scalar_one()
    mine = (pair.c.id == number) & (pair.c.study == name) & pair.c.role.in_(("trap", "practice"))
    row = connection.execute(select(pair).where(mine).with_for_update()).first()
    if row is None:
        raise Refused(404, "this study has no such trap or practice pair")
    if status == "closed":
        raise Refused(409, "the study is closed, so its traps stay as they are")
    if status != "draft" and number in answered_pairs(connection, name):
        raise Refused(409, f"{row.name} has been answered, so it stays as it is; people must all be judged alike")
    values: dict[str, Any] = {}
    words = []
    if enabled is not None and enabled != row.enabled:
        values["enabled"] = enabled
        words.append("enabled" if enabled else "disabled")
    if answer is not None and answer != row.answer:
        values["answer"] = answer
        words.append(f"answer {ANSWERS[row.answer]} -> {ANSWERS[answer]}")
    if values:
        connection.execute(update(pair).where(pair.c.id == number).values(values))
        note(connection, name, who, f"edit {row.role}", f"{row.name}: {', '.join(words)}", now)
    return str(row.name)
