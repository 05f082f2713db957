"""The people, models and rules that judge."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from suffrage.core.errors import DataError, SettingsError
from suffrage.core.records import RaterKind
from suffrage.label.store.counts import add_remaining, left
from suffrage.label.store.database import Store, now_of
from suffrage.label.store.errors import LabelError
from suffrage.label.store.events import log
from suffrage.label.store.prepared import Prepared
from suffrage.label.store.schema import assignments, tasks
from suffrage.label.store.schema import raters as table
from suffrage.label.store.settings import KEPT_RULES, Rules, as_rules, insert

_LONGEST_NAME = 200
_FOUND = sa.select(table).where(table.c.id == sa.bindparam("id"))
_WORKING = Prepared(_FOUND.add_columns(KEPT_RULES.label("rules")).with_for_update(of=table))
_RATER = Prepared(_FOUND)


@dataclass(frozen=True)
class Rater:
    """`id` is a secret between the rater and the server; `name` is what exports say."""

    id: str
    name: str
    kind: RaterKind
    seed: int  # of the order in which completions are shown
    consented: str | None = None  # when
    withdrawn: str | None = None  # when


def add_rater(store: Store, name: str, kind: RaterKind = "human") -> Rater:
    """The rater of this name, new or as before; `DataError` where that one is of another kind."""
    with store.transaction() as connection:
        return ensure_raters(connection, {name: kind})[name]


def invite(store: Store, name: str) -> Rater:
    """As `add_rater`, of a person; who withdrew under this name begins anew.

    The rater who withdrew keeps their id, and with it all they gave, which stays out of every read;
    their name goes to a new rater, who is asked for consent, and may be given any item, as all are.
    """
    with store.transaction() as connection:
        found = ensure_raters(connection, {name: "human"})[name]
        if found.withdrawn is None:
            return found
        former = _former_name(connection, name)
        connection.execute(table.update().where(table.c.id == found.id).values(name=former))
        log(connection, found.id, "renamed", {"name": former})
        return ensure_raters(connection, {name: "human"})[name]


def _former_name(connection: Connection, name: str) -> str:
    """What a rater who withdrew is called once somebody else has the name."""
    taken = sa.select(sa.func.count()).select_from(table)
    for number in count(1):
        end = " (withdrawn)" if number == 1 else f" (withdrawn {number})"
        former = name[: _LONGEST_NAME - len(end)].strip() + end
        if not connection.scalar(taken.where(table.c.name == former)):
            break
    return former


def ensure_raters(connection: Connection, kinds: dict[str, RaterKind]) -> dict[str, Rater]:
    """The raters of these names, made where they are new."""
    for name, kind in kinds.items():
        _check_name(name)
        row = {"id": secrets.token_urlsafe(16), "name": name, "kind": kind}
        made = {"seed": secrets.randbits(31), "created": now_of(connection)}
        new = insert(connection, table).values({**row, **made})
        added = connection.execute(new.on_conflict_do_nothing(index_elements=["name"])).rowcount
        if added:
            log(connection, row["id"], "rater", {"name": name, "kind": kind})
    found = {name: _named(connection, name) for name in kinds}
    for name, kind in kinds.items():
        if found[name].kind != kind:
            raise DataError(
                f"rater {name!r} is {found[name].kind} in this project and {kind} here; give one "
                "of the two another name."
            )
    return found


def _check_name(name: str) -> None:
    if name != name.strip() or not name.isprintable() or not 1 <= len(name) <= _LONGEST_NAME:
        raise SettingsError(
            f"{name[:50]!r} cannot name a rater; use 1 to {_LONGEST_NAME} printable characters, "
            "without spaces at the ends."
        )


def _named(connection: Connection, name: str) -> Rater:
    return _rater(connection.execute(sa.select(table).where(table.c.name == name)).one())


def _rater(row: Any) -> Rater:
    return Rater(row.id, row.name, row.kind, row.seed, row.consented, row.withdrawn)


def find_rater(store: Store, rater_id: str) -> Rater | None:
    """The rater with this id, withdrawn or not."""
    if not rater_id.isprintable():
        return None
    row = store.look_up(_RATER, id=rater_id)
    return None if row is None else _rater(row)


def raters(store: Store) -> list[Rater]:
    """Everybody, in the order of their names."""
    with store.reading() as connection:
        return [_rater(row) for row in connection.execute(sa.select(table).order_by(table.c.name))]


def working_rater(connection: Connection, rater_id: str) -> Rater:
    """A rater who may work, for this transaction alone: two tabs wait for each other.

    `LabelError` 404 for an unknown id, 403 for a rater who withdrew.
    """
    return working_rater_and_rules(connection, rater_id)[0]


def working_rater_and_rules(connection: Connection, rater_id: str) -> tuple[Rater, Rules]:
    """`working_rater` with the rules of work, which the queue needs at the same time."""
    row = _WORKING.first(connection, id=rater_id) if rater_id.isprintable() else None
    if row is None:
        raise LabelError("No rater has this link; ask the team for a new one.", 404)
    if row.withdrawn is not None:
        raise LabelError("You withdrew from this project; ask the team for a new link.", 403)
    return _rater(row), as_rules(row.rules)


def consent(store: Store, rater_id: str) -> None:
    """Keep when the rater agreed to the consent text; the first time counts."""
    with store.transaction() as connection:
        if working_rater(connection, rater_id).consented is None:
            chosen = table.update().where(table.c.id == rater_id)
            connection.execute(chosen.values(consented=now_of(connection)))
            log(connection, rater_id, "consented", {})


def withdraw(store: Store, rater_id: str) -> int:
    """Take a rater's votes out of every later read, and give their items to others.

    Nothing is deleted. Returns how many votes left; `LabelError` as `working_rater`.
    """
    with store.transaction() as connection:
        working_rater(connection, rater_id)
        mine = assignments.c.rater_id == rater_id
        given = assignments.c.judged.is_not(None)
        votes = int(connection.scalar(sa.select(sa.func.count()).where(mine, given)) or 0)
        _uncount(connection, rater_id)
        left = assignments.update().where(mine, assignments.c.state == "open")
        connection.execute(left.values(state="expired"))
        gone = table.update().where(table.c.id == rater_id)
        connection.execute(gone.values(withdrawn=now_of(connection)))
        log(connection, rater_id, "withdrawn", {"votes": votes})
        return votes


def _uncount(connection: Connection, rater_id: str) -> None:
    """Take the rater's votes and leases out of the counts of their tasks."""
    of_rater = sa.select(assignments.c.task_id).where(assignments.c.rater_id == rater_id)
    live = assignments.c.state.in_(("open", "done"))
    loaded, voted = of_rater.where(live), of_rater.where(assignments.c.judged.is_not(None))
    work = tasks.c.purpose == "work"
    held = sa.select(tasks).where(work, tasks.c.id.in_(loaded))
    rows = connection.execute(held.order_by(tasks.c.id).with_for_update()).all()
    _reduce(connection, work & tasks.c.id.in_(loaded), "load")
    _reduce(connection, work & tasks.c.id.in_(voted), "votes")
    free = (left(row.id, row, 1) for row in rows if row.load == row.wanted)
    add_remaining(connection, sum(free, Counter()))


def _reduce(connection: Connection, chosen: sa.ColumnElement[bool], name: str) -> None:
    connection.execute(tasks.update().where(chosen).values({name: tasks.c[name] - 1}))
