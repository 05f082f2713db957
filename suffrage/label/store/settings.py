"""The project's settings: the rules of work, and what else the parts of the server keep."""

from __future__ import annotations

import secrets
from typing import Literal

import sqlalchemy as sa
from pydantic import Field
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from suffrage.core.records import Json, Record
from suffrage.label.store.database import Store
from suffrage.label.store.events import log
from suffrage.label.store.prepared import Prepared
from suffrage.label.store.schema import settings as table

_RULES, _SECRET = "rules", "secret"
_VALUE = Prepared(sa.select(table.c.value).where(table.c.key == sa.bindparam("key")))
KEPT_RULES = sa.select(table.c.value).where(table.c.key == _RULES).scalar_subquery()


class Rules(Record):
    """How work is given out and how fast it may be done; None sets no limit."""

    paused: bool = False
    choice: Literal["even", "active"] = "even"  # or the most informative of the least judged
    lease_seconds: float = Field(default=1800, gt=0)
    seconds_between: float = Field(default=0, ge=0)  # two votes of a rater
    per_hour: int | None = Field(default=None, ge=1)  # votes of a rater
    per_day: int | None = Field(default=None, ge=1)
    gold_share: float = Field(default=0, ge=0, lt=1)  # of a rater's work
    repeat_gap: int = Field(default=10, ge=1)  # votes between an item and its repeat


def rules_of(connection: Connection) -> Rules:
    return as_rules(setting_of(connection, _RULES))


def as_rules(kept: Json) -> Rules:
    """The rules from what is kept of them, None where nothing is."""
    return Rules.from_json(kept or {})


def rules(store: Store) -> Rules:
    """The rules of work."""
    with store.reading() as connection:
        return rules_of(connection)


def write_rules(store: Store, changed: Rules, actor: str) -> None:
    """Other rules from now on; leases already given keep their time."""
    with store.transaction() as connection:
        put_rules(connection, changed)
        log(connection, actor, "rules", changed.to_json())


def put_rules(connection: Connection, changed: Rules) -> None:
    put_setting(connection, _RULES, changed.to_json())


def setting_of(connection: Connection, key: str) -> Json:
    return _VALUE.scalar(connection, key=key)


def setting(store: Store, key: str) -> Json:
    """What is kept under this name, or None."""
    with store.reading() as connection:
        return setting_of(connection, key)


def put_setting(connection: Connection, key: str, value: Json) -> None:
    new = insert(connection, table).values(key=key, value=value)
    connection.execute(
        new.on_conflict_do_update(index_elements=["key"], set_={"value": new.excluded.value})
    )


def write_setting(store: Store, key: str, value: Json, actor: str) -> None:
    """Keep a value under this name; the event names the key and not the value."""
    with store.transaction() as connection:
        put_setting(connection, key, value)
        log(connection, actor, "setting", {"key": key})


def secret(store: Store) -> str:
    """The project's key for signing links, made at the first call."""
    with store.transaction() as connection:
        new = insert(connection, table).values(key=_SECRET, value=secrets.token_urlsafe(32))
        connection.execute(new.on_conflict_do_nothing(index_elements=["key"]))
        return str(setting_of(connection, _SECRET))


def insert(connection: Connection, into: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that may say what happens on conflict: both databases have it in one syntax."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(into)
    return sqlite.insert(into)
