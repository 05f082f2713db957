"""Votes that were given elsewhere, kept as votes on this project's items."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from suffrage.core.errors import DataError
from suffrage.core.records import Judgment
from suffrage.label.store.assignments import add_assignment
from suffrage.label.store.bringing import people_of
from suffrage.label.store.counts import locked_task, move
from suffrage.label.store.database import Store, now_of
from suffrage.label.store.prepared import Prepared
from suffrage.label.store.raters import Rater
from suffrage.label.store.schema import assignments, judgments, tasks
from suffrage.label.store.votes import keep_judgment
from suffrage.label.store.work import JUDGMENTS, judgment_of

_KNOWN = Prepared(
    JUDGMENTS.where(
        judgments.c.prompt_id == sa.bindparam("prompt"), judgments.c.id == sa.bindparam("name")
    )
)
_HAD = Prepared(
    sa.select(assignments.c.id).where(
        assignments.c.task_id == sa.bindparam("task"),
        assignments.c.rater_id == sa.bindparam("rater"),
    )
)


def record(store: Store, votes: Sequence[Judgment]) -> int:
    """Keep these votes as if their raters had taken the items and judged them, all or none.

    Each counts towards what its item wants, and keeps the order it was shown in. Returns how many
    were new: the same again changes nothing. `DataError` where no item of ordinary work asks for a
    vote, where it has all it wants, where its rater has had it, or where its id is another vote's.
    """
    with store.transaction() as connection:
        items = _items(connection)
        people: dict[str, Rater] = {}
        people_of(connection, votes, people)
        new = [one for one in votes if _is_new(connection, one)]
        for one in new:
            _record(connection, one, people[one.rater], items.get(_item(one)))
        return len(new)


def _is_new(connection: Connection, one: Judgment) -> bool:
    row = _KNOWN.first(connection, prompt=one.prompt_id, name=one.id)
    if row is not None and judgment_of(row) != one:
        raise DataError(
            f"vote {one.id!r} on prompt {one.prompt_id!r} is in the project with other content; "
            "give the new one another id."
        )
    return row is None


_Item = tuple[str, str, str, frozenset[str]]


def _item(one: Judgment) -> _Item:
    return one.prompt_id, one.kind, one.criterion, frozenset(one.completions)


def _items(connection: Connection) -> dict[_Item, int]:
    """The task of everything that ordinary work asks for."""
    chosen = sa.select(tasks).where(tasks.c.purpose == "work").order_by(tasks.c.id.desc())
    return {
        (row.prompt_id, row.kind, row.criterion, frozenset(row.completions)): row.id
        for row in connection.execute(chosen)
    }


def _record(connection: Connection, one: Judgment, rater: Rater, task_id: int | None) -> None:
    if task_id is None:
        raise DataError(
            f"no item asks for vote {one.id!r} on prompt {one.prompt_id!r}; plan work of kind "
            f"{one.kind} for it first."
        )
    task = locked_task(connection, task_id)
    if task.load >= task.wanted or _HAD.first(connection, task=task_id, rater=rater.id) is not None:
        raise DataError(
            f"vote {one.id!r} by {one.rater!r} is one too many on prompt {one.prompt_id!r}, which "
            f"has {task.votes} of {task.wanted}; leave it out or plan a larger overlap."
        )
    state = {"state": "open", "leased_until": now_of(connection)}
    made = add_assignment(connection, rater, task_id, list(one.completions), state, one.shown)
    keep_judgment(connection, one, rater, assignment_id=made["id"], task_id=task_id)
    move(connection, task_id, task, votes=1, load=1)
