"""Where the votes of a run come from: `study.votes` of the configuration.

simulated               simulated people (`hlf.study.simulated.simulate`)
db:URL#STUDY            the database of a running or closed study
FOLDER                  what `hlf study export` wrote
FILE.csv                any table of votes (`hlf.study.votes`)
"""

from pathlib import Path
from typing import TYPE_CHECKING

from hlf.errors import HlfError

if TYPE_CHECKING:
    import pandas as pd

    from hlf.study.results.data import StudyData

SIMULATED = "simulated"
DATABASE = "db:"


def files_of(source: str) -> list[str]:
    """Files that a run with this source reads; none for a database, simulated people, or what is missing."""
    if source == SIMULATED or source.startswith(DATABASE):
        return []
    path = Path(source)
    path = path / "votes.parquet" if path.is_dir() else path
    return [str(path)] if path.is_file() else []


def state_of(source: str) -> str:
    """Text that changes when the votes of a database do, and that begins with "missing:" when there are none to read.

    Files need no such text: their times tell.
    """
    if source == SIMULATED or files_of(source):
        return ""
    if not source.startswith(DATABASE):
        return (
            f"missing: {source} (study.votes) does not exist; give a CSV file with columns participant, pair_id, "
            "answer, the folder of an export, or db:URL#STUDY"
        )
    try:
        return _database_state(source)
    except HlfError as error:
        return f"missing: {error}"


def read_source(source: str, pairs: "pd.DataFrame", run: str) -> "pd.DataFrame":
    """Table `votes` from whatever `study.votes` names.

    Args:
        source: see above, but for simulated people.
        pairs: table `pairs`; votes for other pairs are refused.
        run: name of the run, written into the rows.

    Raises:
        HlfError: there is nothing to read, or it does not fit the pairs.
    """
    from hlf.study.votes import read_votes

    if source.startswith(DATABASE):
        return _from_database(source, pairs, run)
    if Path(source).is_dir():
        from hlf.study.results.exported import read_export

        return read_export(source, pairs, run)
    return read_votes(source, pairs, run)


def _from_database(source: str, pairs: "pd.DataFrame", run: str) -> "pd.DataFrame":
    from hlf.study.running.reading import chain_votes

    data = _study(source)
    strangers = set(data.pairs["pair"]) - set(pairs["pair_id"])
    if strangers:
        raise HlfError(
            f"study '{data.study}' of run '{data.run}' shows {len(strangers)} pairs that this run has not, such as "
            f"{min(strangers)}; give the votes of a study that was made from this run's bundle"
        )
    return chain_votes(data).assign(run=run)


def _study(source: str) -> "StudyData":
    from hlf.study.running.reading import read_study
    from hlf.study.running.storage import open_storage

    url, name = _address(source)
    storage = open_storage(url)
    try:
        return storage.read(lambda c: read_study(c, name))
    finally:
        storage.close()


def _database_state(source: str) -> str:
    """Number of the last event, and of the last screening: together they fix every vote and verdict."""
    from sqlalchemy import func, select

    from hlf.study.running.storage import open_storage, tables

    url, name = _address(source)
    storage = open_storage(url)
    events, people = tables.vote_event, tables.participant
    queries = (
        select(func.count(), func.max(events.c.id)).where(events.c.study == name),
        select(func.max(tables.screening.c.run)).where(tables.screening.c.study == name),
        select(func.count()).where(people.c.study == name, people.c.outcome == "withdrawn"),
    )
    try:
        found = storage.read(lambda c: [tuple(c.execute(query).one()) for query in queries])
    finally:
        storage.close()
    return f"{name}: {found}"


def _address(source: str) -> tuple[str, str]:
    url, _, name = source.removeprefix(DATABASE).partition("#")
    if not url or not name:
        raise HlfError(f"study.votes is {source!r}, expected db:URL#STUDY like db:sqlite:///mine/study.sqlite#mine")
    return url, name
