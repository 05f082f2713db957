"""Opening the project's database, and its transactions: the same code on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from suffrage.core.errors import DataError, SettingsError
from suffrage.label.store.durability import GroupSync
from suffrage.label.store.migrations import migrate
from suffrage.label.store.prepared import Prepared

Clock = Callable[[], datetime]

_POOL = 40  # connections: as many as a server has threads
_WAIT = 30_000  # milliseconds that a writer of SQLite waits for the others
_WRITES, _CLOCK = "suffrage_writes", "suffrage_clock"


def utc_now() -> datetime:
    return datetime.now(UTC)


def as_text(moment: datetime) -> str:
    """A moment as ISO 8601 UTC text of one length, which sorts as the moments do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def now_of(connection: Connection) -> str:
    """The time by the clock of the store whose transaction this is."""
    return as_text(connection.get_execution_options()[_CLOCK]())


@dataclass(frozen=True)
class Store:
    """A project's database; every module of the store takes one."""

    engine: Engine
    clock: Clock
    sync: GroupSync | None = None  # of SQLite

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Connection]:
        """A connection that writes: all of it is kept, on the disk when this ends, or nothing.

        On SQLite one writer at a time, from the first statement on, so that what was counted is
        still true when it is written; on PostgreSQL the rows that are read `FOR UPDATE` wait.
        What is not `durable` may be lost when the power fails (never when the process does), and
        reaches the disk with the next that is.
        """
        turn = nullcontext() if self.sync is None else self.sync.turn
        with self._connected(self._writer) as connection, turn, connection.begin():
            yield connection
        if durable and self.sync is not None:
            self.sync.wait()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that only reads, and sees one state of the database."""
        with self._connected(self._reader) as connection, connection.begin():
            yield connection

    def look_up(self, statement: Prepared, **values: Any) -> Any:
        """The first row of one select, or None.

        It sees one state of the database by itself: on SQLite it needs no transaction, whose
        bookkeeping takes ten times as long as to find a row by its key.
        """
        if self.sync is None:
            with self.reading() as connection:
                return statement.first(connection, **values)
        with self._connected(self._reader) as connection:
            return statement.first_of(driver_of(connection), **values)

    @contextmanager
    def together(self) -> Iterator[Store]:
        """The store within one transaction: what is done with it is kept whole, or not at all."""
        with self.transaction() as connection:
            yield _Within(self.engine, self.clock, None, connection)

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        """A connection that nobody else uses; those of SQLite stay open and are used again.

        SQLAlchemy's own pool takes as long to hand one out as SQLite to find a row.
        """
        if self.sync is None:
            with engine.connect() as connection:
                yield connection
            return
        idle = self._idle[engine]
        try:
            connection = idle.pop()
        except IndexError:  # `if idle` would let two threads take the last
            connection = engine.connect()
        try:
            yield connection
        finally:
            if driver_of(connection).in_transaction:  # a commit that fails leaves its lock held
                connection.close()
            else:
                idle.append(connection)

    @cached_property
    def _idle(self) -> dict[Engine, list[Connection]]:
        return {self._reader: [], self._writer: []}

    @cached_property
    def _reader(self) -> Engine:
        return self.engine.execution_options(**{_WRITES: False, _CLOCK: self.clock})

    @cached_property
    def _writer(self) -> Engine:
        return self.engine.execution_options(**{_WRITES: True, _CLOCK: self.clock})

    def now(self) -> str:
        return as_text(self.clock())

    def close(self) -> None:
        """Close every connection."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
        self.engine.dispose()


@dataclass(frozen=True)
class _Within(Store):
    """A store whose every transaction is part of one that is open."""

    connection: Connection | None = None

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Connection]:
        assert self.connection is not None
        yield self.connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        assert self.connection is not None
        yield self.connection


def open_store(
    url_or_path: str | Path, *, clock: Clock = utc_now, turns: Path | None = None
) -> Store:
    """The project in a file of SQLite or at a `postgresql://` address, made where there is none.

    turns: as of `GroupSync`. An older project is brought to today's tables. `DataError` where there
    is something else.
    """
    store = _store(url_or_path, clock, turns)
    with _told(store, url_or_path), store.transaction() as connection:
        migrate(connection)
    return store


@contextmanager
def open_whole(url_or_path: str | Path, *, clock: Clock = utc_now) -> Iterator[Store]:
    """As `open_store` and `Store.together` in one transaction: an error leaves no new tables."""
    store = _store(url_or_path, clock)
    with closing(store), ExitStack() as stack:
        with _told(store, url_or_path):
            connection = stack.enter_context(store.transaction())
            migrate(connection)
        yield _Within(store.engine, clock, None, connection)


def _store(url_or_path: str | Path, clock: Clock, turns: Path | None = None) -> Store:
    engine = _engine(url_or_path)
    local = engine.dialect.name == "sqlite"
    return Store(engine, clock, GroupSync(Path(url_or_path), turns) if local else None)


@contextmanager
def _told(store: Store, url_or_path: str | Path) -> Iterator[None]:
    """Close a store that cannot be opened, and say which and why."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        store.close()
        raise DataError(
            f"cannot be opened as a labelling project: {error.orig}; name a file that is one or "
            "does not exist yet, or a PostgreSQL server that runs.",
            _without_password(url_or_path),
        ) from error
    except DataError as error:
        store.close()
        raise DataError(str(error), _without_password(url_or_path)) from error


def _engine(url_or_path: str | Path) -> Engine:
    text = str(url_or_path)
    if "://" in text and isinstance(url_or_path, str):
        url = sa.make_url(text)
        if url.get_backend_name() == "postgresql":
            return _postgres(url)
        raise SettingsError(
            f"{_without_password(text)} is no address of a labelling project; give the path of a "
            "file, or postgresql://user@host/name."
        )
    url = sa.URL.create("sqlite", database=text)
    engine = sa.create_engine(url, poolclass=sa.NullPool)  # `Store` keeps its connections
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgres(url: sa.URL) -> Engine:
    try:
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"), pool_size=_POOL, pool_pre_ping=True
        )
    except ModuleNotFoundError as error:
        raise SettingsError(
            "PostgreSQL needs the driver psycopg; pip install 'suffrage[postgres]'."
        ) from error


def _without_password(url_or_path: str | Path) -> str:
    text = str(url_or_path)
    return sa.make_url(text).render_as_string() if "://" in text else text


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    """WAL: readers never wait for the writer. NORMAL: `GroupSync` waits for the disk instead."""
    connection.isolation_level = None  # this module begins transactions, not the driver
    connection.execute(f"PRAGMA busy_timeout = {_WAIT}")
    _enter_wal(connection, time.monotonic() + _WAIT / 1000)
    for pragma in (
        "synchronous = NORMAL",
        "foreign_keys = ON",
        "mmap_size = 1073741824",  # read through the page cache that all connections share
    ):
        connection.execute(f"PRAGMA {pragma}")


def _enter_wal(connection: sqlite3.Connection, until: float) -> None:
    """Wait for others by ourselves: while it changes the mode of the journal, SQLite does not."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.005)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, True)
    driver_of(connection).execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def driver_of(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection."""
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver
