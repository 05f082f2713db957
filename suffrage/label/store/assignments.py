"""An item in a rater's hands: leased, judged, skipped, or due to come again."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from suffrage.core.records import Json
from suffrage.label.store.database import now_of
from suffrage.label.store.prepared import Prepared, insert_into
from suffrage.label.store.raters import Rater
from suffrage.label.store.schema import assignments, drafts, guidelines, tasks
from suffrage.label.store.settings import KEPT_RULES

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
_WITH_TASK = Prepared(
    sa.select(
        assignments,
        *_OF_TASK,
        KEPT_RULES.label("rules"),
        sa.select(sa.func.max(guidelines.c.version)).scalar_subquery().label("guideline"),
        sa.exists().where(drafts.c.assignment_id == assignments.c.id).label("has_draft"),
    )
    .join(tasks, tasks.c.id == assignments.c.task_id)
    .where(assignments.c.id == sa.bindparam("id"))
    .with_for_update(of=[assignments, tasks])
)
_NEW = insert_into(assignments, without="judged")
_SET: dict[tuple[str, ...], Prepared] = {}


def with_task(connection: Connection, assignment_id: str) -> Any:
    """The assignment and its task, both locked until the transaction ends; None: not known.

    With the rules, the version of the guidelines, and whether there is a draft.
    """
    return _WITH_TASK.first(connection, id=assignment_id)


def change(connection: Connection, assignment_id: str, **values: Json) -> None:
    _setting(tuple(values)).run(connection, of_id=assignment_id, **values)


def _setting(names: tuple[str, ...]) -> Prepared:
    if names not in _SET:
        chosen = assignments.update().where(assignments.c.id == sa.bindparam("of_id"))
        _SET[names] = Prepared(chosen.values({name: sa.bindparam(name) for name in names}))
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
    shown: Sequence[str] = (),
) -> Mapping[str, Json]:
    """A new assignment of this task; the row. `shown`: the order, where it is known already."""
    row = {
        "id": secrets.token_urlsafe(16),  # 128 bits: nobody guesses another's
        "task_id": task_id,
        "rater_id": rater.id,
        "shown": list(shown) or shuffled(rater, task_id, completions),
        "created": now_of(connection),
    }
    _NEW.run(connection, **{"due": None, **row, **state})
    return row


def shuffled(rater: Rater, task_id: int, ids: list[str]) -> list[str]:
    """The order shown: it depends on the rater and the task alone."""
    return Random(f"shown/{rater.seed}/{task_id}").sample(ids, len(ids))
