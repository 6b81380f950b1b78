"""Transactions on SQLite (one file, the default) or PostgreSQL (a real study with several machines).

SQLite: write-ahead log, full synchronisation (a commit survives the loss of power), and one writer lock for all threads
of the process: without it threads poll for the file's lock, and a few of them wait for seconds. PostgreSQL: rows are
locked, `synchronous_commit` is on, and a transaction that the server breaks off is run again.
"""

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hlf.errors import HlfError
from hlf.extras import needed_for

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

T = TypeVar("T")

BUSY_MS = 15000  # how long SQLite waits for another process, such as a command beside the running server
TRIES = 8
# PostgreSQL's codes of a transaction that may be tried again: serialisation failure, deadlock, lock not available
_AGAIN = ("40001", "40P01", "55P03")
# and of two who insert the same at once, such as one key from two browsers: run again, the second finds the first
_TWICE = "23505"


class TryAgain(Exception):
    """Raised by the work of a transaction that came upon another one's, and is better begun again in a moment."""


class Storage:
    """A database of studies.

    Attributes:
        engine: SQLAlchemy engine.
        postgres: whether rows can be locked one by one.
    """

    def __init__(self, engine: "Engine") -> None:
        """Wrap an engine that `open_storage` has set up."""
        self.engine = engine
        self.postgres = engine.dialect.name == "postgresql"
        self._lock = threading.Lock()

    def write(self, work: Callable[["Connection"], T]) -> T:
        """Run `work(connection)` in one transaction; when this returns, the result is on the disk.

        `work` may run more than once, so it must do nothing but talk to the connection. Whatever it raises rolls all of
        it back.

        Raises:
            HlfError: the database stayed locked or could not be reached.
        """
        from sqlalchemy.exc import IntegrityError, OperationalError

        for attempt in range(TRIES):
            try:
                with self._writer(), self._begin(write=True) as connection:
                    return work(connection)
            except OperationalError as error:
                if attempt == TRIES - 1 or not _may_try_again(error):
                    raise HlfError(
                        f"the database of the study cannot be written: {error.orig}; check its disk and rights"
                    ) from error
            except IntegrityError as error:
                if attempt == TRIES - 1 or getattr(error.orig, "sqlstate", None) != _TWICE:
                    raise
            except TryAgain as error:
                if attempt == TRIES - 1:
                    raise HlfError("the database of the study is too busy; try again") from error
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise AssertionError("unreachable")

    def read(self, work: Callable[["Connection"], T]) -> T:
        """Run `work(connection)` on one consistent state of the database, without waiting for writers.

        Raises:
            HlfError: the database could not be reached.
        """
        from sqlalchemy.exc import OperationalError

        try:
            with self._begin(write=False) as connection:
                return work(connection)
        except OperationalError as error:
            raise HlfError(
                f"the database of the study cannot be read: {error.orig}; check its disk and rights"
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    @contextlib.contextmanager
    def _writer(self) -> Iterator[None]:
        if self.postgres:
            yield
            return
        with self._lock:
            yield

    @contextlib.contextmanager
    def _begin(self, write: bool) -> Iterator["Connection"]:
        # one snapshot for all that a page or an export reads
        level: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if self.postgres and not write else {}
        with self.engine.connect() as connection:
            connection = connection.execution_options(hlf_write=write, **level)
            with connection.begin():
                yield connection


def open_storage(url: str, create: bool = False) -> Storage:
    """Open a database of studies.

    Args:
        url: "sqlite:///FILE", "sqlite://" (in memory) or "postgresql://USER@HOST/NAME".
        create: make the tables where there are none.

    Raises:
        HlfError: SQLAlchemy or the driver is missing, the URL is of another kind, the database cannot be reached, holds
            no study, or was written by another version of hlf.
    """
    with needed_for("a study", "'.[study]'"):
        from sqlalchemy import create_engine
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError
    # the URL is never repeated whole: it may hold a password
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise HlfError(
            "the study's database is no database URL; expected sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    if "@" in (address.host or ""):
        raise HlfError("the study's database URL holds more than one @; write %40 for one in the password")
    kind = address.get_backend_name()
    if kind == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    elif kind != "sqlite":
        raise HlfError(f"a study cannot be kept in '{kind}'; expected sqlite:///FILE or postgresql://USER@HOST/NAME")
    with needed_for(f"a study in {kind}", "'.[study]'"):
        # errors and logs must not repeat what people sent
        engine = create_engine(address, hide_parameters=True, **_options(kind, address.database))
    _listen(engine, kind)
    if create and kind == "sqlite":
        _make_private(address.database)
    _check_version(engine, address.set(query={}).render_as_string(hide_password=True), create)
    return Storage(engine)


def _options(kind: str, database: str | None) -> dict[str, Any]:
    from sqlalchemy.pool import StaticPool

    if kind == "postgresql":
        return {"pool_size": 20, "max_overflow": 20, "pool_pre_ping": True}
    if not database or database == ":memory:":
        return {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    return {"pool_size": 20, "max_overflow": 40, "connect_args": {"check_same_thread": False}}


def _listen(engine: "Engine", kind: str) -> None:
    """Set up each connection, and begin SQLite's transactions ourselves: its driver would begin them too late."""
    from sqlalchemy import event

    if kind == "postgresql":

        @event.listens_for(engine, "connect")
        def _durable(connection: Any, _: Any) -> None:
            before, connection.autocommit = connection.autocommit, True
            connection.execute("SET synchronous_commit = on")
            connection.autocommit = before

        return

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {BUSY_MS}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: "Connection") -> None:
        write = connection.get_execution_options().get("hlf_write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _may_try_again(error: Any) -> bool:
    code = getattr(error.orig, "sqlstate", None)
    return code in _AGAIN or "database is locked" in str(error.orig)


def _check_version(engine: "Engine", shown: str, create: bool) -> None:
    from sqlalchemy import inspect, select
    from sqlalchemy.exc import DBAPIError

    from hlf.study.running.storage import tables

    try:
        # a file that does not exist is made by connecting to it, so it is looked for before
        if not create and engine.dialect.name == "sqlite" and not _is_there(engine):
            raise HlfError(f"there is no study in {shown}; make one with: hlf study init FOLDER")
        known = inspect(engine).has_table("meta")
        if not known:
            if not create:
                raise HlfError(f"{shown} holds no study; make one with: hlf study init FOLDER")
            with engine.begin() as connection:
                tables.METADATA.create_all(connection)
                row = {"key": "schema_version", "value": str(tables.SCHEMA_VERSION)}
                connection.execute(tables.meta.insert().values(row))
            return
        with engine.begin() as connection:
            query = select(tables.meta.c.value).where(tables.meta.c.key == "schema_version")
            found = connection.execute(query).scalar_one()
    except DBAPIError as error:
        raise HlfError(
            f"the database {shown} cannot be opened: {error.orig}; check its URL, and that its server runs"
        ) from error
    if int(found) != tables.SCHEMA_VERSION:
        word = "newer" if int(found) > tables.SCHEMA_VERSION else "older"
        raise HlfError(
            f"{shown} was written by a {word} version of hlf (tables {found}, this one knows {tables.SCHEMA_VERSION}); "
            "use that version, or export the study with it"
        )


def _is_there(engine: "Engine") -> bool:
    name = engine.url.database
    return not name or name == ":memory:" or Path(name).is_file()


def _make_private(name: str | None) -> None:
    """Make a SQLite file that only this user can read; its journals take over its rights."""
    if name and name != ":memory:":
        with contextlib.suppress(OSError):  # it is there already, or opening it says why it cannot be
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
