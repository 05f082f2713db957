"""What is judged: prompts and completions come in as groups, and go out with their judgments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from suffrage.core.records import Completion, Group, Judgment, Prompt
from suffrage.label.store.bringing import AT_ONCE, add_groups, bring
from suffrage.label.store.database import Store
from suffrage.label.store.plans import TaskPlan, add_tasks, plan_tasks
from suffrage.label.store.schema import completions, judgments, prompts, raters, tasks
from suffrage.label.store.unsigned import kept_of, preference_of
from suffrage.label.store.work import JUDGMENTS, completion_of, judgment_of
from suffrage.stats.votes import latest

__all__ = ["TaskPlan", "add_all", "add_groups", "add_tasks", "groups"]


def add_all(
    store: Store, files: Iterable[Iterable[Group]], asked: Sequence[TaskPlan]
) -> tuple[int, int]:
    """Groups, and then the tasks of these plans: all, or nothing where any of it is refused.

    Returns how many groups brought something and how many tasks are new. Errors as of `add_groups`
    and `add_tasks`.
    """
    with store.transaction() as connection:
        added = sum([bring(connection, some) for some in files])
        return added, sum([plan_tasks(connection, plan) for plan in asked])


def groups(store: Store, *, withdrawn: bool = False, every: int = 1) -> Iterator[Group]:
    """Every prompt with its completions and the judgments that stand, in the order they came.

    Left out: what was superseded, practice, and repeats (a rater has one voice), and the votes
    of raters who withdrew unless `withdrawn`. Where none stands, the preference that a file had
    without raters. `every`: one prompt in so many, a sample.
    """
    with store.reading() as connection:
        order = sa.select(prompts).order_by(prompts.c.position)
        if every > 1:
            order = order.where(prompts.c.position % every == 0)
        found = connection.execute(order, execution_options={"yield_per": AT_ONCE})
        for rows in found.partitions():
            yield from _with_parts(connection, rows, withdrawn)


def _with_parts(
    connection: Connection, rows: Sequence[Row[Any]], withdrawn: bool
) -> Iterator[Group]:
    ids = [row.id for row in rows]
    answers = _completions(connection, ids)
    said, unsigned = _judgments(connection, ids, withdrawn), kept_of(connection, ids)
    for row in rows:
        stands, found = tuple(latest(said[row.id])), answers[row.id]
        kept = None if stands else unsigned.get(row.id)
        yield Group(
            prompt=Prompt(id=row.id, content=row.content, meta=row.meta),
            completions=tuple(found),
            judgments=stands,
            preference=None if kept is None else preference_of(kept, found),
        )


def _completions(connection: Connection, ids: list[str]) -> dict[str, list[Completion]]:
    found: dict[str, list[Completion]] = defaultdict(list)
    chosen = sa.select(completions).where(completions.c.prompt_id.in_(ids))
    for row in connection.execute(chosen.order_by(completions.c.position)):
        found[row.prompt_id].append(completion_of(row))
    return found


def _judgments(
    connection: Connection, ids: list[str], withdrawn: bool
) -> dict[str, list[Judgment]]:
    counts = tasks.c.purpose.is_(None) | tasks.c.purpose.in_(("work", "gold"))
    chosen = JUDGMENTS.where(judgments.c.prompt_id.in_(ids), counts)
    if not withdrawn:
        chosen = chosen.where(raters.c.withdrawn.is_(None))
    found: dict[str, list[Judgment]] = defaultdict(list)
    for row in connection.execute(chosen.order_by(judgments.c.number)):
        found[row.prompt_id].append(judgment_of(row))
    return found
