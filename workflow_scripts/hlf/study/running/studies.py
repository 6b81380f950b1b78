"""What is done to a study as a whole: taking over pairs, opening and closing, invites, and a check before the start."""

import os
import secrets
import shutil
import time
from typing import TYPE_CHECKING

from hlf.errors import HlfError
from hlf.files import atomic
from hlf.study.running.folder import FILE, StudyFolder
from hlf.study.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from hlf.study.running.storage import Storage
    from hlf.study.shown.bundle import Bundle


def import_pairs(study: StudyFolder, bundle: "Bundle") -> int:
    """Copy a bundle's images into the study's folder and its pairs into the database; returns the number of pairs.

    May be repeated until the first person has consented; what was imported before is replaced.

    Raises:
        HlfError: settings do not fit, or people take part already.
    """
    settings = Settings.from_dict({**bundle.settings, **study.settings})
    images = study.path / "images"
    storage = study.storage(create=True)
    storage.read(lambda c: _refuse_when_running(c, study.id))
    with atomic(images) as tmp:
        shutil.copytree(bundle.folder / "images", tmp)
    now = time.time_ns() // 1_000_000
    count = storage.write(lambda c: fill_study(c, study.id, bundle, settings, now))
    storage.close()
    return count


def fill_study(
    connection: "Connection", study: str, bundle: "Bundle", settings: Settings, now: int, source: str = "human"
) -> int:
    """Put a bundle's pairs into the database as study `study`, in the place of what was there; returns their number.

    Args:
        connection: of a writing transaction.
        study: id of the study, made as a draft if it is new.
        bundle: what is shown.
        settings: of the study.
        now: ms UTC.
        source: of the votes that a new study is for.

    Raises:
        HlfError: people take part already.
    """
    from sqlalchemy import delete, select

    from hlf.study.running.storage import tables

    _refuse_when_running(connection, study)
    for table in (tables.pair, tables.image):
        connection.execute(delete(table).where(table.c.study == study))
    values = {"settings": settings.to_dict(), "facts": bundle.facts, "seed": bundle.seed}
    mine = tables.study.c.id == study
    if connection.execute(select(tables.study.c.id).where(mine)).first() is None:
        row = {"id": study, "status": "draft", "source": source, "created": now, **values}
        connection.execute(tables.study.insert().values(row))
    else:
        connection.execute(tables.study.update().where(mine).values(values))
    connection.execute(tables.image.insert(), bundle.image_rows(study))
    rows = bundle.pair_rows(study, settings.votes_per_pair)
    connection.execute(tables.pair.insert(), rows)
    return len(rows)


def set_status(storage: "Storage", study: str, status: str, who: str) -> None:
    """Open, pause or close a study, and note who did.

    Raises:
        HlfError: there is no such study, or it is closed, which is final.
    """
    from sqlalchemy import select, update

    from hlf.study.running.people import note
    from hlf.study.running.storage import tables

    def work(connection: "Connection") -> None:
        """Set the status, unless the study is closed for good."""
        mine = tables.study.c.id == study
        before = connection.execute(select(tables.study.c.status).where(mine).with_for_update()).scalar()
        if before is None:
            raise HlfError(f"the database holds no study '{study}' with pairs; run: hlf study import-pairs")
        if before == "closed" and status != "closed":
            raise HlfError(
                f"study '{study}' is closed, which is final: its scores may have been seen; make another study"
            )
        connection.execute(update(tables.study).where(mine).values(status=status))
        note(connection, study, who, status, f"was {before}", time.time_ns() // 1_000_000)

    storage.write(work)


def new_invite(storage: "Storage", study: StudyFolder, label: str, one_use: bool, source: str = "human") -> str:
    """A new invite code; only its hash is kept, so that it can be shown once."""
    from hlf.study.running.people import hashed
    from hlf.study.running.storage import tables

    code = secrets.token_urlsafe(12)
    now = time.time_ns() // 1_000_000
    row = {
        "code_hash": hashed(study.secret, code),
        "study": study.id,
        "label": label,
        "one_use": one_use,
        "source": source,
    }
    storage.write(lambda c: c.execute(tables.invite.insert().values(created=now, **row)))
    return code


def _refuse_when_running(connection: "Connection", study: str) -> None:
    from sqlalchemy import func, select

    from hlf.study.running.storage import tables

    query = select(func.count()).select_from(tables.participant).where(tables.participant.c.study == study)
    people = connection.execute(query).scalar_one()
    if people:
        raise HlfError(f"{people} people take part in study '{study}' already, so its pairs stay; make another study")


def mark_simulated(storage: "Storage", study: str) -> None:
    """Make a study one of simulated votes, for good.

    Raises:
        HlfError: people take part, whose votes must never mix with simulated ones.
    """
    from sqlalchemy import func, select, update

    from hlf.study.running.storage import tables

    def work(connection: "Connection") -> None:
        """Mark the study as simulated, unless people take part."""
        people = tables.participant
        humans = select(func.count()).select_from(people).where(people.c.study == study, people.c.source == "human")
        if connection.execute(humans).scalar_one():
            raise HlfError(f"people take part in study '{study}'; make another study for simulated votes")
        connection.execute(update(tables.study).where(tables.study.c.id == study).values(source="simulated"))

    storage.write(work)


def people_needed(study: StudyFolder) -> int:
    """People who fill the study if all of them answer their quota and count; with traps, some more are needed."""
    from sqlalchemy import func, select

    from hlf.study.running.storage import tables

    platform = study.platform()
    mine = (tables.pair.c.study == study.id) & (tables.pair.c.role == "trial")
    query = select(func.sum(tables.pair.c.target), func.count()).where(mine)
    votes, pairs = platform.storage.read(lambda c: c.execute(query).one())
    return -(-int(votes) // min(platform.settings.people_quota, pairs))


def check_study(study: StudyFolder) -> list[str]:
    """What keeps a study from starting, one sentence each: pairs, images, traps, settings, rights."""
    from sqlalchemy import select

    from hlf.files import sha256
    from hlf.study.choice import MIN_TRAPS
    from hlf.study.running.storage import tables

    try:
        platform = study.platform()
    except HlfError as error:
        return [str(error)]
    problems = [f"setting {name} is empty; write it into {study.path / FILE}" for name in ("contact", "retention")
                if not getattr(platform.settings, name)]  # fmt: skip
    if not os.access(study.path, os.W_OK):
        problems.append(f"{study.path} cannot be written; fix its rights")
    rows = platform.storage.read(
        lambda c: c.execute(select(tables.image).where(tables.image.c.study == study.id)).all()
    )
    files = {platform.folder / row.path: row.sha256 for row in rows}
    missing = [file for file in files if not file.is_file()]
    other = [file for file, digest in files.items() if file.is_file() and sha256(file) != digest]
    if missing:
        problems.append(f"{len(missing)} of {len(files)} images are missing, such as {missing[0]}; import them again")
    if other:
        problems.append(f"{len(other)} images are not those that were imported, such as {other[0]}; import them again")
    wanted = select(tables.pair.c.answer).where(
        tables.pair.c.study == study.id, tables.pair.c.role == "trap", tables.pair.c.enabled
    )
    answers = platform.storage.read(lambda c: c.execute(wanted).scalars().all())
    for answer in (0, 1):
        count = answers.count(answer)
        if count < MIN_TRAPS // 2:
            problems.append(f"{count} traps have the answer {answer}, at least {MIN_TRAPS // 2} are needed")
    return problems
