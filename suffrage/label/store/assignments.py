"""An item in a rater's hands: leased, judged, skipped, or due to come again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from suffrage.core.records import Json
from suffrage.label.store.database import now_of
from suffrage.label.store.raters import Rater
from suffrage.label.store.schema import assignments, drafts, guidelines, settings, tasks

_OF_TASK = (
    tasks.c.prompt_id,
    tasks.c.kind,
    tasks.c.criterion,
    tasks.c.purpose,
    tasks.c.overlap,
    tasks.c.wanted,
    tasks.c.votes,
    tasks.c.load,
    tasks.c.expected,
    tasks.c.repeat_id,
)
_WITH_TASK = (
    sa.select(
        assignments,
        *_OF_TASK,
        sa.select(settings.c.value)
        .where(settings.c.key == "rules")
        .scalar_subquery()
        .label("rules"),
        sa.select(sa.func.max(guidelines.c.version)).scalar_subquery().label("guideline"),
        sa.exists().where(drafts.c.assignment_id == assignments.c.id).label("has_draft"),
    )
    .join(tasks, tasks.c.id == assignments.c.task_id)
    .where(assignments.c.id == sa.bindparam("id"))
    .with_for_update(of=[assignments, tasks])
)
_SET: dict[tuple[str, ...], sa.Update] = {}


def with_task(connection: Connection, assignment_id: str) -> Row[Any] | None:
    """The assignment and its task, both locked until the transaction ends.

    With the rules, the version of the guidelines, and whether there is a draft.
    """
    return connection.execute(_WITH_TASK, {"id": assignment_id}).first()


def change(connection: Connection, assignment_id: str, **values: Json) -> None:
    connection.execute(_setting(tuple(values)), {"of_id": assignment_id, **values})


def _setting(names: tuple[str, ...]) -> sa.Update:
    if names not in _SET:
        chosen = assignments.update().where(assignments.c.id == sa.bindparam("of_id"))
        _SET[names] = chosen.values({name: sa.bindparam(name) for name in names})
    return _SET[names]


def promise_repeat(connection: Connection, rater: Rater, task_id: int, due: int) -> None:
    """The rater sees this again when they have given `due` votes."""
    ids = connection.scalar(sa.select(tasks.c.completions).where(tasks.c.id == task_id))
    state = {"state": "due", "leased_until": now_of(connection), "due": due}
    add_assignment(connection, rater, task_id, ids or [], state)


def add_assignment(
    connection: Connection,
    rater: Rater,
    task_id: int,
    completions: list[str],
    state: Mapping[str, Json],
) -> Mapping[str, Json]:
    """A new assignment of this task; the row."""
    row = {
        "id": secrets.token_urlsafe(16),  # 128 bits: nobody guesses another's
        "task_id": task_id,
        "rater_id": rater.id,
        "shown": shuffled(rater, task_id, completions),
        "created": now_of(connection),
    }
    connection.execute(assignments.insert(), {**row, **state})
    return row


def shuffled(rater: Rater, task_id: int, ids: list[str]) -> list[str]:
    """The order shown: it depends on the rater and the task alone."""
    return Random(f"shown/{rater.seed}/{task_id}").sample(ids, len(ids))
