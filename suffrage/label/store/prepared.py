"""Statements compiled once, for what happens at every vote.

SQLAlchemy looks its compiled form up, orders the parameters and describes the result anew at each
call: five times what SQLite itself takes, and a judgment is some fifteen statements. Here that is
done once for a statement; SQLite then gets its text and values directly, within the transaction of
the connection. PostgreSQL, whose own time is what counts there, goes the common way.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection

_DIALECT = sqlite.dialect(paramstyle="qmark")
_Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class _Compiled:
    """`values`: name, default and conversion of each place; `rows`: what makes a row of a tuple."""

    text: str
    values: tuple[tuple[str, Any, _Convert | None], ...]
    rows: Callable[[tuple[Any, ...]], Any] | None


class Prepared:
    """A select, insert or update whose parameters are all named `bindparam`s or constants.

    Rows have the selected columns as attributes; of columns of one name, the first.
    """

    def __init__(self, statement: sa.Select[*tuple[Any, ...]] | sa.Update | sa.Insert) -> None:
        self.statement = statement
        self._compiled: _Compiled | None = None

    def first(self, connection: Connection, **values: Any) -> Any:
        """The first row, or None."""
        driver = _driver(connection)
        if driver is None:
            return connection.execute(self.statement, values).first()
        return self.first_of(driver, **values)

    def first_of(self, driver: sqlite3.Connection, **values: Any) -> Any:
        """As `first`, straight from SQLite."""
        found = self._run(driver, values).fetchone()
        return None if found is None else self._row(found)

    def all(self, connection: Connection, **values: Any) -> list[Any]:
        driver = _driver(connection)
        if driver is None:
            return list(connection.execute(self.statement, values))
        return [self._row(found) for found in self._run(driver, values).fetchall()]

    def scalar(self, connection: Connection, **values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.first(connection, **values)
        return None if row is None else row[0]

    def run(self, connection: Connection, **values: Any) -> int:
        """Change rows; of an insert, the new row's number where the table counts its rows."""
        driver = _driver(connection)
        if driver is not None:
            return self._run(driver, values).lastrowid or 0
        made = connection.execute(self.statement, values)
        key = made.inserted_primary_key if made.is_insert else None
        return key[0] if key is not None and isinstance(key[0], int) else 0

    def _run(self, driver: sqlite3.Connection, values: dict[str, Any]) -> sqlite3.Cursor:
        compiled = self._once()
        given = [
            values.get(name, default) if convert is None else convert(values.get(name, default))
            for name, default, convert in compiled.values
        ]
        try:
            return driver.execute(compiled.text, given)
        except sqlite3.IntegrityError as error:  # as SQLAlchemy would
            raise sa.exc.IntegrityError(compiled.text, None, error) from error

    def _row(self, found: tuple[Any, ...]) -> Any:
        make = self._once().rows
        assert make is not None
        return make(found)

    def _once(self) -> _Compiled:
        if self._compiled is None:  # two threads may both do it: the same comes of it
            self._compiled = _compile(self.statement)
        return self._compiled


def insert_into(table: sa.Table, without: str) -> Prepared:
    """A new row with a value for every column but this one."""
    names = [column.name for column in table.c if column.name != without]
    return Prepared(table.insert().values({name: sa.bindparam(name) for name in names}))


def _driver(connection: Connection) -> sqlite3.Connection | None:
    driver = connection.connection.dbapi_connection
    return driver if isinstance(driver, sqlite3.Connection) else None


def _compile(statement: sa.Select[*tuple[Any, ...]] | sa.Update | sa.Insert) -> _Compiled:
    compiled = statement.compile(dialect=_DIALECT)
    types = {name: bind.type.dialect_impl(_DIALECT) for name, bind in compiled.binds.items()}
    converts = {name: one.bind_processor(_DIALECT) for name, one in types.items()}
    names = compiled.positiontup or ()
    values = tuple((name, compiled.params[name], converts.get(name)) for name in names)
    rows = _rows(statement) if isinstance(statement, sa.Select) else None
    return _Compiled(str(compiled), values, rows)


def _rows(statement: sa.Select[*tuple[Any, ...]]) -> Callable[[tuple[Any, ...]], Any]:
    columns = list(statement.selected_columns)
    shape = namedtuple("Row", [column.name for column in columns], rename=True)  # type: ignore[misc]
    impls = [column.type.dialect_impl(_DIALECT) for column in columns]
    converts = [impl.result_processor(_DIALECT, None) for impl in impls]
    converted = [(place, convert) for place, convert in enumerate(converts) if convert is not None]

    def row(found: tuple[Any, ...]) -> Any:
        parts = list(found)
        for place, convert in converted:
            parts[place] = convert(parts[place])
        return shape._make(parts)

    return row
