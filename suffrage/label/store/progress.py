"""How far a project has come: votes and items of ordinary work, and each rater's share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from suffrage.label.store.database import Store, as_text
from suffrage.label.store.schema import judgments, raters, tasks


@dataclass(frozen=True)
class Progress:
    """`finished` of `items` have all the votes that are wanted; `hour`: votes and who gave them."""

    votes: int
    wanted: int
    items: int
    finished: int
    hour: int
    active: int

    @property
    def hours_left(self) -> float | None:
        """At the pace of the last hour; None without one."""
        return max(0, self.wanted - self.votes) / self.hour if self.hour else None


def progress(store: Store, now: datetime) -> Progress:
    """Ordinary work alone: practice, gold and repeats have no end; nothing of who withdrew."""
    work = tasks.c.purpose == "work"
    full = sa.case((tasks.c.votes >= tasks.c.wanted, 1), else_=0)
    counted = sa.func.sum(
        sa.case((tasks.c.votes < tasks.c.wanted, tasks.c.votes), else_=tasks.c.wanted)
    )
    sums = (counted, sa.func.sum(tasks.c.wanted), sa.func.count(), sa.func.sum(full))
    recent = judgments.c.created > as_text(now - timedelta(hours=1))
    people = sa.func.count(sa.distinct(judgments.c.rater_id))
    with store.reading() as connection:
        votes, wanted, items, finished = connection.execute(sa.select(*sums).where(work)).one()
        given = _of_who_is_here(sa.func.count(), people)
        hour, active = connection.execute(
            given.where(recent, judgments.c.assignment_id.is_not(None))
        ).one()
    return Progress(votes or 0, wanted or 0, items, finished or 0, hour, active)


def votes_by_rater(store: Store) -> dict[str, int]:
    """Rater id -> votes, a corrected one counted once; without the raters who withdrew."""
    count = _of_who_is_here(judgments.c.rater_id, sa.func.count())
    with store.reading() as connection:
        rows = connection.execute(count.group_by(judgments.c.rater_id)).all()
    return {row[0]: row[1] for row in rows}


def _of_who_is_here(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Of the votes of raters who did not withdraw, a corrected one taken once."""
    here = sa.select(raters.c.id).where(raters.c.withdrawn.is_(None))
    chosen = sa.select(*columns).select_from(judgments)
    return chosen.where(judgments.c.supersedes.is_(None), judgments.c.rater_id.in_(here))
