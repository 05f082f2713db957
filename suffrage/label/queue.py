"""Who judges what next.

A rater is given practice first, then work: the items with the fewest votes and leases, among them
gold items and repeats of their own. Nothing is locked for good: an assignment is leased, and when
its time is over somebody else may have it. An item never has more votes and leases than raters
wanted, for it is counted in the transaction that leases it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from suffrage.label.active import most_informative
from suffrage.label.store.assignments import add_assignment, change
from suffrage.label.store.counts import locked_task, move
from suffrage.label.store.database import Store, as_text
from suffrage.label.store.raters import Rater, working_rater
from suffrage.label.store.schema import OPEN, assignments, judgments, tasks
from suffrage.label.store.settings import Rules, rules_of
from suffrage.label.store.standing import Standing, standing_of
from suffrage.label.store.work import Work, work_of

__all__ = ["Nothing", "Work", "end_leases", "next_work"]

_AT_ONCE = 100  # leases that one call ends at most
_PAUSES = (0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)  # seconds before each attempt
_WINDOW = 64  # items among which the active choice chooses


@dataclass(frozen=True)
class Nothing:
    """Why there is no work: all done, all in others' hands, enough for now, or a pause."""

    reason: Literal["finished", "wait", "limit", "paused"]
    until: str | None = None  # when a limit ends


def next_work(store: Store, rater_id: str) -> Work | Nothing:
    """What this rater judges next; the same again until they have voted, in every tab.

    `LabelError` 404 for an unknown rater, 403 for one who withdrew.
    """
    end_leases(store)
    for pause in _PAUSES:
        time.sleep(pause)
        found = _attempt(store, rater_id)
        if found is not None:
            return found
    return Nothing("wait")


def _attempt(store: Store, rater_id: str) -> Work | Nothing | None:
    """None where all that is free is just being leased by others: they decide in milliseconds."""
    with store.transaction(durable=False) as connection:  # a lease that is lost is given anew
        rater, rules = working_rater(connection, rater_id), rules_of(connection)
        if rules.paused:
            return Nothing("paused")
        until = as_text(store.clock() + timedelta(seconds=rules.lease_seconds))
        held = connection.scalar(_HELD, {"rater": rater.id})
        if held is not None:
            change(connection, held, leased_until=until)
            return work_of(connection, held)
        rest = _limit(store, connection, rater, rules)
        if rest is not None:
            return Nothing("limit", rest)
        standing = standing_of(connection, rater.id)
        task = _choose(connection, rater, rules, standing)
        if task is None:
            return _nothing(connection, rater)
        return work_of(connection, _lease(connection, rater, task, until), standing)


def _nothing(connection: Connection, rater: Rater) -> Nothing | None:
    about = {"rater": rater.id, "of": "work"}
    if connection.execute(_FIRST, about).first() is not None:
        return None
    waits = connection.scalar(_OTHERS_HOLD, about) is not None
    return Nothing("wait" if waits else "finished")


_HELD = (
    sa.select(assignments.c.id)
    .where(assignments.c.rater_id == sa.bindparam("rater"), assignments.c.state == OPEN)
    .order_by(assignments.c.judged.is_(None), assignments.c.created)  # first what they change
    .limit(1)
)


def _late_leases() -> sa.Select[str]:
    late = assignments.c.leased_until < sa.bindparam("now")
    return sa.select(assignments.c.id).where(assignments.c.state == OPEN, late)


_LATE = _late_leases().limit(_AT_ONCE)
_ONE_LATE = (
    _late_leases()
    .add_columns(assignments.c.task_id, assignments.c.judged)
    .where(assignments.c.id == sa.bindparam("id"))
    .with_for_update(skip_locked=True)
)


def end_leases(store: Store) -> None:
    """Take back what was leased and not judged in time.

    Each in a transaction of its own, so that none waits for two tasks at once.
    """
    now = {"now": store.now()}
    with store.reading() as connection:
        found = connection.scalars(_LATE, now).all()
    for name in found:
        with store.transaction() as connection:
            row = connection.execute(_ONE_LATE, {**now, "id": name}).first()
            if row is not None:
                _end_lease(connection, row)


def _end_lease(connection: Connection, row: Row[Any]) -> None:
    if row.judged is not None:  # a vote that was opened again and stands
        change(connection, row.id, state="done")
        return
    task = locked_task(connection, row.task_id)
    change(connection, row.id, state="due" if task.purpose == "repeat" else "expired")
    move(connection, row.task_id, task, load=-1)


def _limit(store: Store, connection: Connection, rater: Rater, rules: Rules) -> str | None:
    """When the rater may go on, where they have done enough for an hour or a day."""
    spans = ((rules.per_hour, timedelta(hours=1)), (rules.per_day, timedelta(days=1)))
    ends = []
    for most, span in spans:
        if most is None:
            continue
        since = judgments.c.created > as_text(store.clock() - span)
        mine = (judgments.c.rater_id == rater.id) & since & judgments.c.supersedes.is_(None)
        newest = sa.select(judgments.c.created).where(mine).order_by(judgments.c.created.desc())
        first = connection.scalar(newest.offset(most - 1).limit(1))
        ends += [] if first is None else [datetime.fromisoformat(first) + span]
    return as_text(max(ends)) if ends else None


def _to_give() -> sa.Select[Any]:
    """Tasks of a purpose that this rater may have, the least judged first."""
    mine = (assignments.c.task_id == tasks.c.id) & (assignments.c.rater_id == sa.bindparam("rater"))
    new = assignments.c.id.is_(None) | (assignments.c.state == "expired")
    return (
        sa.select(tasks, assignments.c.id.label("assignment"))
        .select_from(tasks.outerjoin(assignments, mine))
        .where(tasks.c.purpose == sa.bindparam("of"), tasks.c.load < tasks.c.wanted, new)
        .order_by(tasks.c.load, tasks.c.position)
    )


_FIRST = _to_give().limit(1)
_FREE = _FIRST.with_for_update(of=tasks, skip_locked=True)
_NAMED = _FREE.where(tasks.c.id == sa.bindparam("task"))
_SEVERAL = _to_give().with_only_columns(tasks.c.id).limit(_WINDOW)
_REPEAT = (
    sa.select(tasks, assignments.c.id.label("assignment"))
    .join_from(assignments, tasks)
    .where(assignments.c.rater_id == sa.bindparam("rater"), assignments.c.state == "due")
    .order_by(assignments.c.due)
    .limit(1)
)


def _choose(
    connection: Connection, rater: Rater, rules: Rules, standing: Standing
) -> Row[Any] | None:
    """The task to give: practice, a repeat that is due, gold by chance, work, the last repeats."""
    about = {"rater": rater.id}
    if standing.practice:
        return connection.execute(_FIRST, {**about, "of": "practice"}).first()
    if standing.due is not None and standing.due <= standing.done:
        return connection.execute(_REPEAT, about).first()
    chance = Random(f"gold/{rater.seed}/{standing.given}").random()
    if standing.gold and chance < rules.gold_share:
        return connection.execute(_FIRST, {**about, "of": "gold"}).first()
    work = _work(connection, rules, {**about, "of": "work"})
    if work is None and standing.due is not None:
        return connection.execute(_REPEAT, about).first()
    return work


def _work(connection: Connection, rules: Rules, about: dict[str, str]) -> Row[Any] | None:
    """Ordinary work, locked; nobody waits for a lock here, so that no two wait for each other."""
    if rules.choice == "active":
        window = list(connection.scalars(_SEVERAL, about))
        for task_id in most_informative(connection, window):
            found = connection.execute(_NAMED, {**about, "task": task_id}).first()
            if found is not None:
                return found
    return connection.execute(_FREE, about).first()


def _lease(connection: Connection, rater: Rater, task: Row[Any], until: str) -> str:
    """The rater's assignment of this task, new or open again."""
    move(connection, task.id, task, load=1)
    state = {"state": "open", "leased_until": until}
    if task.assignment is not None:
        change(connection, task.assignment, **state)
        return str(task.assignment)
    return str(add_assignment(connection, rater, task.id, task.completions, state)["id"])


_mine = assignments.alias()
_OTHERS_HOLD = (  # a lease of somebody else that may yet end and leave work for this rater
    sa.select(tasks.c.id)
    .join_from(assignments, tasks)
    .where(assignments.c.state == OPEN, assignments.c.judged.is_(None), tasks.c.purpose == "work")
    .where(
        ~sa.exists().where(
            _mine.c.task_id == tasks.c.id,
            _mine.c.rater_id == sa.bindparam("rater"),
            _mine.c.state != "expired",
        )
    )
    .limit(1)
)
