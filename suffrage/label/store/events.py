"""The log of what happened in a project; events are only ever added."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from suffrage.core.records import Json
from suffrage.label.store.database import Store, now_of
from suffrage.label.store.schema import events as table


@dataclass(frozen=True)
class Event:
    """`actor` is a rater's id, or who of the team did it."""

    id: int
    at: str
    actor: str
    kind: str
    body: Json


def log(connection: Connection, actor: str, kind: str, body: Json) -> None:
    """Add an event to the transaction it belongs to."""
    row = {"at": now_of(connection), "actor": actor, "kind": kind, "body": body}
    connection.execute(table.insert().values(row))


def events(store: Store, after: int = 0) -> Iterator[Event]:
    """The events with an id above `after`, oldest first."""
    with store.reading() as connection:
        chosen = sa.select(table).where(table.c.id > after).order_by(table.c.id)
        for row in connection.execute(chosen, execution_options={"yield_per": 500}):
            yield Event(*row)
