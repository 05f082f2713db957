"""The numbered steps that bring an older project to today's tables.

A new project is made whole from `schema.py`. To change the schema, change it there, raise its
`VERSION`, and append the step that turns the version before into it; a step that was released is
never changed again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from suffrage.core.errors import DataError
from suffrage.label.store import schema

_LOCK = 7_836_274  # any number: who opens the same PostgreSQL project at once waits on it


@dataclass(frozen=True)
class Migration:
    """The step to `version` from the one before."""

    version: int
    what: str
    apply: Callable[[Connection], None]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "the first tables", schema.metadata.create_all),
    Migration(2, "preferences of files that name no raters", schema.preferences.create),
)


def migrate(connection: Connection, steps: Sequence[Migration] = MIGRATIONS) -> int:
    """Make a new project's tables, or apply the steps an older one lacks; the version reached.

    `DataError` where the database is another program's, or a newer Suffrage's.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    latest = steps[-1].version
    found = _version(connection)
    if found > latest:
        raise DataError(
            f"is of version {found} and this Suffrage knows up to {latest}; upgrade Suffrage."
        )
    if found == 0:
        _create(connection, latest)
    for step in steps:
        if 0 < found < step.version:
            step.apply(connection)
    connection.execute(schema.schema_version.update().values(version=latest))
    return latest


def _version(connection: Connection) -> int:
    names = sa.inspect(connection).get_table_names()
    if schema.schema_version.name in names:
        return int(connection.scalar(sa.select(schema.schema_version.c.version)) or 0)
    if names:
        raise DataError(
            f"holds other tables ({', '.join(sorted(names)[:3])}) and no labelling project; name "
            "another database."
        )
    return 0


def _create(connection: Connection, version: int) -> None:
    schema.metadata.create_all(connection)
    connection.execute(schema.schema_version.insert().values(version=version))
    rows = [
        {"purpose": purpose, "shard": shard, "tasks": 0}
        for purpose in schema.PURPOSES
        for shard in range(schema.SHARDS)
    ]
    connection.execute(schema.remaining.insert(), rows)
