"""How far a rater has come, and what is left for them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from suffrage.label.store.prepared import Prepared
from suffrage.label.store.schema import PURPOSES, assignments, remaining, tasks
from suffrage.label.store.settings import Rules, rules_of

_table = assignments
_waits = (_table.c.state == "open") | (_table.c.state == "due")
_had = (_table.c.state != "expired") & (tasks.c.load < tasks.c.wanted)


def _number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.count(sa.case((condition, 1)))


def _left(purpose: str) -> sa.ColumnElement[int]:
    """How many tasks of this purpose can still be given to somebody, as `left_PURPOSE`."""
    total = sa.select(sa.func.sum(remaining.c.tasks)).where(remaining.c.purpose == purpose)
    return total.scalar_subquery().label(f"left_{purpose}")


# Sums over one index and the tasks, without a GROUP BY, which would sort a busy rater's thousands
_MINE = Prepared(
    sa.select(
        sa.func.count().label("given"),
        sa.func.count(_table.c.judged).label("votes"),
        _number(_waits & _table.c.judged.is_(None)).label("waits"),
        sa.func.min(sa.case((_table.c.state == "due", _table.c.due))).label("due"),
        _number(_had & (tasks.c.purpose == "work")).label("work"),
        _number(_had & (tasks.c.purpose == "practice")).label("practice"),
        _number(_had & (tasks.c.purpose == "gold")).label("gold"),
        _number(_had & tasks.c.repeat_id.is_not(None)).label("repeat"),
        *(_left(purpose) for purpose in PURPOSES),
    )
    .join_from(_table, tasks, tasks.c.id == _table.c.task_id)
    .where(_table.c.rater_id == sa.bindparam("rater"))
)


@dataclass(frozen=True)
class Standing:
    """One rater's counts.

    given: assignments they ever had. done: votes. total: what `done` will be when nothing is
    left for them; right as long as nobody else works, for what others take leaves it. practice,
    gold, work: items of each purpose they may still be given. due: when the next repeat comes.
    """

    given: int
    done: int
    total: int
    practice: int
    gold: int
    due: int | None


def standing_of(connection: Connection, rater_id: str, rules: Rules | None = None) -> Standing:
    """The rater's counts now; the time it takes grows with their own votes alone."""
    mine = _MINE.first(connection, rater=rater_id)
    free = {
        purpose: int(getattr(mine, f"left_{purpose}")) - getattr(mine, purpose)
        for purpose in PURPOSES
    }
    share = (rules or rules_of(connection)).gold_share
    gold = min(free["gold"], round(free["work"] * share / (1 - share)))
    more = mine.waits + free["work"] + free["repeat"] + free["practice"] + gold
    return Standing(
        given=mine.given,
        done=mine.votes,
        total=mine.votes + more,
        practice=free["practice"],
        gold=free["gold"],
        due=mine.due,
    )
