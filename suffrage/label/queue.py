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
from sqlalchemy.engine import Connection

from suffrage.label.active import most_informative
from suffrage.label.store.assignments import add_assignment, change
from suffrage.label.store.counts import locked_task, move
from suffrage.label.store.database import Store, as_text
from suffrage.label.store.prepared import Prepared
from suffrage.label.store.raters import Rater, working_rater_and_rules
from suffrage.label.store.schema import OPEN, assignments, judgments, prompts, tasks
from suffrage.label.store.settings import Rules
from suffrage.label.store.standing import Standing, standing_of
from suffrage.label.store.work import OF_PROMPT, Work, new_work, work_of

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
    for pause in _PAUSES:
        if pause:
            time.sleep(pause)
        found = _attempt(store, rater_id, look=not pause)
        if found == "late":
            end_leases(store)
            found = _attempt(store, rater_id, look=False)
        if found is not None and found != "late":
            return found
    return Nothing("wait")


def _attempt(store: Store, rater_id: str, *, look: bool) -> Work | Nothing | Literal["late"] | None:
    """None where all that is free is just being leased by others: they decide in milliseconds.

    "late", if it shall look, where somebody's lease is over and has to be taken back first.
    """
    with store.transaction(durable=False) as connection:  # a lease that is lost is given anew
        rater, rules = working_rater_and_rules(connection, rater_id)
        if look and _LATE.scalar(connection, now=store.now()) is not None:
            return "late"
        if rules.paused:
            return Nothing("paused")
        until = as_text(store.clock() + timedelta(seconds=rules.lease_seconds))
        held = _HELD.scalar(connection, rater=rater.id)
        if held is not None:
            change(connection, held, leased_until=until)
            return work_of(connection, held)
        rest = _limit(store, connection, rater, rules)
        if rest is not None:
            return Nothing("limit", rest)
        standing = standing_of(connection, rater.id, rules)
        task = _choose(connection, rater, rules, standing)
        if task is None:
            return _nothing(connection, rater)
        return _lease(connection, rater, task, until, standing)


def _nothing(connection: Connection, rater: Rater) -> Nothing | None:
    if _FIRST.first(connection, rater=rater.id, of="work") is not None:
        return None
    waits = _OTHERS_HOLD.scalar(connection, rater=rater.id) is not None
    return Nothing("wait" if waits else "finished")


_HELD = Prepared(
    sa.select(assignments.c.id)
    .where(assignments.c.rater_id == sa.bindparam("rater"), assignments.c.state == OPEN)
    .order_by(assignments.c.judged.is_(None), assignments.c.created)  # first what they change
    .limit(1)
)


def _late_leases() -> sa.Select[str]:
    late = assignments.c.leased_until < sa.bindparam("now")
    return sa.select(assignments.c.id).where(assignments.c.state == OPEN, late)


_LATE = Prepared(_late_leases().limit(_AT_ONCE))
_ONE_LATE = Prepared(
    _late_leases()
    .add_columns(assignments.c.task_id, assignments.c.judged)
    .where(assignments.c.id == sa.bindparam("id"))
    .with_for_update(skip_locked=True)
)


def end_leases(store: Store) -> None:
    """Take back what was leased and not judged in time.

    Each in a transaction of its own, so that none waits for two tasks at once.
    """
    now = store.now()
    with store.reading() as connection:
        found = _LATE.all(connection, now=now)
    for late in found:
        with store.transaction() as connection:
            row = _ONE_LATE.first(connection, now=now, id=late.id)
            if row is not None:
                _end_lease(connection, row)


def _end_lease(connection: Connection, row: Any) -> None:
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
        sa.select(tasks, *OF_PROMPT, assignments.c.id.label("assignment"))
        .select_from(tasks.join(prompts, prompts.c.id == tasks.c.prompt_id))
        .outerjoin(assignments, mine)
        .where(tasks.c.purpose == sa.bindparam("of"), tasks.c.load < tasks.c.wanted, new)
        .order_by(tasks.c.load, tasks.c.position)
    )


_free = _to_give().limit(1).with_for_update(of=tasks, skip_locked=True)
_FIRST = Prepared(_to_give().limit(1))
_FREE = Prepared(_free)
_NAMED = Prepared(_free.where(tasks.c.id == sa.bindparam("task")))
_SEVERAL = Prepared(_to_give().with_only_columns(tasks.c.id).limit(_WINDOW))
_REPEAT = Prepared(
    sa.select(tasks, *OF_PROMPT, assignments.c.id.label("assignment"))
    .join_from(assignments, tasks, tasks.c.id == assignments.c.task_id)
    .join(prompts, prompts.c.id == tasks.c.prompt_id)
    .where(assignments.c.rater_id == sa.bindparam("rater"), assignments.c.state == "due")
    .order_by(assignments.c.due)
    .limit(1)
)


def _choose(connection: Connection, rater: Rater, rules: Rules, standing: Standing) -> Any:
    """The task to give: practice, a repeat that is due, gold by chance, work, the last repeats."""
    if standing.practice:
        return _FIRST.first(connection, rater=rater.id, of="practice")
    if standing.due is not None and standing.due <= standing.done:
        return _REPEAT.first(connection, rater=rater.id)
    chance = Random(f"gold/{rater.seed}/{standing.given}").random()
    if standing.gold and chance < rules.gold_share:
        return _FIRST.first(connection, rater=rater.id, of="gold")
    work = _work(connection, rules, {"rater": rater.id, "of": "work"})
    if work is None and standing.due is not None:
        return _REPEAT.first(connection, rater=rater.id)
    return work


def _work(connection: Connection, rules: Rules, about: dict[str, str]) -> Any:
    """Ordinary work, locked; nobody waits for a lock here, so that no two wait for each other."""
    if rules.choice == "active":
        window = [task.id for task in _SEVERAL.all(connection, **about)]
        for task_id in most_informative(connection, window):
            found = _NAMED.first(connection, task=task_id, **about)
            if found is not None:
                return found
    return _FREE.first(connection, **about)


def _lease(connection: Connection, rater: Rater, task: Any, until: str, standing: Standing) -> Work:
    """The rater's assignment of this task, new or open again."""
    move(connection, task.id, task, load=1)
    state = {"state": "open", "leased_until": until}
    if task.assignment is not None:
        change(connection, task.assignment, **state)
        return work_of(connection, task.assignment, standing)
    made = add_assignment(connection, rater, task.id, task.completions, state)
    return new_work(connection, task, made["id"], made["shown"], standing)


_mine = assignments.alias()
_OTHERS_HOLD = Prepared(  # a lease of somebody else that may yet end and leave work for this rater
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
