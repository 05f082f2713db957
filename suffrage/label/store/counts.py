"""The counts of a task, changed where the votes and leases they count are changed.

Only ordinary work is counted: practice, gold and repeats have no end to the raters who may do them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from suffrage.label.store.prepared import Prepared
from suffrage.label.store.schema import SHARDS, remaining, tasks

_LOCKED = Prepared(sa.select(tasks).where(tasks.c.id == sa.bindparam("task")).with_for_update())

_MOVED = Prepared(
    tasks.update()
    .where(tasks.c.id == sa.bindparam("task"))
    .values(
        load=tasks.c.load + sa.bindparam("more_load"),
        votes=tasks.c.votes + sa.bindparam("more_votes"),
        wanted=tasks.c.wanted + sa.bindparam("more_wanted"),
    )
)
_ADDED = Prepared(
    remaining.update()
    .where(remaining.c.purpose == sa.bindparam("of"), remaining.c.shard == sa.bindparam("of_shard"))
    .values(tasks=remaining.c.tasks + sa.bindparam("more"))
)


def locked_task(connection: Connection, task_id: int) -> Any:
    """The task, which nobody else changes until this transaction ends."""
    return _LOCKED.first(connection, task=task_id)


def move(
    connection: Connection,
    task_id: int,
    task: Any,
    *,
    load: int = 0,
    votes: int = 0,
    wanted: int = 0,
) -> None:
    """Add to the counts of a locked task of ordinary work, and to how many can still be given.

    `task` has the task's columns, but for its id, as they are now.
    """
    if task.purpose != "work":
        return
    _MOVED.run(connection, task=task_id, more_load=load, more_votes=votes, more_wanted=wanted)
    after = task.load + load < task.wanted + wanted
    add_remaining(connection, left(task_id, task, after - (task.load < task.wanted)))


def left(task_id: int, task: Any, change: int) -> Counter[tuple[str, int]]:
    """What `change` more tasks like this one are in `remaining`, with the repeats they bring."""
    shard = task_id % SHARDS
    found = Counter({("work", shard): change})
    if task.repeat_id is not None:
        found["repeat", shard] = change
    return found


def add_remaining(connection: Connection, changes: Mapping[tuple[str, int], int]) -> None:
    """Add to the shards, always in one order so that no two transactions wait for each other."""
    for (purpose, shard), change in sorted(changes.items()):
        if change:
            _ADDED.run(connection, of=purpose, of_shard=shard, more=change)
