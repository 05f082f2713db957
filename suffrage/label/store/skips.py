"""Items that raters left to others, and why: taken back one by one, and listed for the team."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from suffrage.core.records import Prompt
from suffrage.label.store.assignments import change
from suffrage.label.store.counts import move
from suffrage.label.store.database import Store
from suffrage.label.store.schema import assignments, completions, prompts, raters, skips, tasks


def last_skip(connection: Connection, rater_id: str, before: str | None) -> Any | None:
    """What this rater skipped last, before this moment, with its task locked; None for nothing.

    What others have filled meanwhile has no place for one more vote and is passed over.
    """
    room = (tasks.c.purpose != "work") | (tasks.c.load < tasks.c.wanted)
    chosen = (
        sa.select(skips.c.assignment_id, skips.c.reason, skips.c.created, tasks)
        .join_from(skips, assignments, assignments.c.id == skips.c.assignment_id)
        .join(tasks, tasks.c.id == assignments.c.task_id)
        .where(skips.c.rater_id == rater_id, assignments.c.state == "skipped", room)
    )
    if before is not None:
        chosen = chosen.where(skips.c.created < before)
    ordered = chosen.order_by(skips.c.id.desc()).limit(1)
    return connection.execute(ordered.with_for_update(of=tasks)).first()


def bring_back(connection: Connection, skipped: Any, until: str) -> None:
    """Lease what `last_skip` found to its rater again, as if it had not been skipped."""
    name = skipped.assignment_id
    connection.execute(skips.delete().where(skips.c.assignment_id == name))
    change(connection, name, state="open", leased_until=until)
    move(connection, skipped.id, skipped, load=1)


@dataclass(frozen=True)
class SkipCounts:
    """How many items were skipped, how often in all, and how often by whom (by name)."""

    items: int
    times: int
    by: dict[str, int]


@dataclass(frozen=True)
class Skip:
    """`reason`: `code` or `code: words`, as the rater wrote it."""

    rater: str
    reason: str


@dataclass(frozen=True)
class Skipped:
    """An item with whoever skipped it. `wanted`: None where as many as like may judge it."""

    prompt: Prompt
    kind: str
    criterion: str
    texts: tuple[str, ...]
    votes: int
    wanted: int | None
    skips: tuple[Skip, ...]


def _standing(*columns: Any) -> sa.Select[Any]:
    """Skips that were not taken back, of raters who are here."""
    return (
        sa.select(*columns)
        .select_from(skips)
        .join(assignments, assignments.c.id == skips.c.assignment_id)
        .join(raters, raters.c.id == skips.c.rater_id)
        .where(assignments.c.state == "skipped", raters.c.withdrawn.is_(None))
    )


def count_skips(store: Store) -> SkipCounts:
    """The skips that stand; those of raters who withdrew left with them."""
    items = _standing(sa.func.count(sa.distinct(assignments.c.task_id)))
    people = _standing(raters.c.name, sa.func.count()).group_by(raters.c.name)
    with store.reading() as connection:
        number = connection.scalar(items) or 0
        rows = connection.execute(people.order_by(raters.c.name)).all()
    by = {row[0]: row[1] for row in rows}
    return SkipCounts(number, sum(by.values()), by)


def skipped_items(store: Store, most: int) -> list[Skipped]:
    """At most so many items, those skipped by the most raters first."""
    times = sa.func.count()
    commonest = _standing(assignments.c.task_id).group_by(assignments.c.task_id)
    commonest = commonest.order_by(times.desc(), assignments.c.task_id).limit(most)
    with store.reading() as connection:
        ids = list(connection.scalars(commonest))
        said = _said(connection, ids)
        items = sa.select(tasks, prompts.c.content, prompts.c.meta).join(prompts)
        rows = {row.id: row for row in connection.execute(items.where(tasks.c.id.in_(ids)))}
        texts = _texts(connection, [row.prompt_id for row in rows.values()])
    return [_item(rows[name], texts, said[name]) for name in ids]


def _said(connection: Connection, ids: Sequence[int]) -> dict[int, list[Skip]]:
    chosen = _standing(assignments.c.task_id, raters.c.name, skips.c.reason)
    found: dict[int, list[Skip]] = defaultdict(list)
    for row in connection.execute(
        chosen.where(assignments.c.task_id.in_(ids)).order_by(skips.c.id)
    ):
        found[row.task_id].append(Skip(row.name, row.reason))
    return found


def _texts(connection: Connection, ids: Iterable[str]) -> dict[tuple[str, str], str]:
    """The completions' texts by prompt and id."""
    chosen = sa.select(completions.c.prompt_id, completions.c.id, completions.c.text)
    rows = connection.execute(chosen.where(completions.c.prompt_id.in_(set(ids))))
    return {(row.prompt_id, row.id): row.text for row in rows}


def _item(task: Any, texts: dict[tuple[str, str], str], said: Sequence[Skip]) -> Skipped:
    return Skipped(
        prompt=Prompt(id=task.prompt_id, content=task.content, meta=task.meta),
        kind=task.kind,
        criterion=task.criterion,
        texts=tuple(texts[task.prompt_id, name] for name in task.completions),
        votes=task.votes,
        wanted=task.wanted if task.purpose == "work" else None,
        skips=tuple(said),
    )
