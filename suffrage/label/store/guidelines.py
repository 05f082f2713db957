"""What raters are told to do, in versions; every judgment keeps the one it was made under."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from suffrage.label.store.database import Store
from suffrage.label.store.events import log
from suffrage.label.store.prepared import Prepared
from suffrage.label.store.schema import guidelines as table

_NEWEST = Prepared(sa.select(table).order_by(table.c.version.desc()).limit(1))


@dataclass(frozen=True)
class Guideline:
    """Version 0, without text, stands before the first is written."""

    version: int
    text: str
    created: str = ""


def guidelines(store: Store) -> Guideline:
    """The version that holds now."""
    row = store.look_up(_NEWEST)
    return Guideline(0, "") if row is None else Guideline(*row)


def guideline_versions(store: Store) -> list[Guideline]:
    """Every version, the first one first."""
    with store.reading() as connection:
        rows = connection.execute(sa.select(table).order_by(table.c.version)).all()
    return [Guideline(*row) for row in rows]


def write_guidelines(store: Store, text: str, actor: str) -> int:
    """A new version, which later judgments are made under; the same text again adds none."""
    with store.transaction() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE guidelines IN EXCLUSIVE MODE"))
        last = _NEWEST.first(connection)
        if last is not None and last.text == text:
            return int(last.version)
        version = 1 if last is None else last.version + 1
        row = {"version": version, "text": text, "created": store.now()}
        connection.execute(table.insert().values(row))
        log(connection, actor, "guidelines", {"version": version})
        return int(version)
