"""What is judged: prompts and completions come in as groups, and go out with their judgments."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from suffrage.core.errors import DataError
from suffrage.core.records import Completion, Group, Judgment, Prompt
from suffrage.label.store.database import Store
from suffrage.label.store.plans import TaskPlan, add_tasks
from suffrage.label.store.raters import ensure_raters
from suffrage.label.store.schema import completions, judgments, prompts, raters, tasks
from suffrage.label.store.votes import judgment_row
from suffrage.label.store.work import JUDGMENTS, completion_of, judgment_of
from suffrage.stats.votes import latest

__all__ = ["TaskPlan", "add_groups", "add_tasks", "groups"]

_AT_ONCE = 300  # prompts read together


def add_groups(store: Store, groups: Iterable[Group]) -> int:
    """Prompts, completions and judgments, all or none; their raters are made where new.

    Returns how many groups brought something: the same again changes nothing. The consensus
    (`preference`) is not kept; it follows from the judgments. `DataError` where an id stands for
    something else already, or text cannot be stored.
    """
    with store.transaction() as connection:
        place = connection.scalar(sa.select(sa.func.max(prompts.c.position)))
        place = -1 if place is None else int(place)
        changed = 0
        for group in groups:
            _check_text(group)
            new = _add_prompt(connection, group.prompt, place + 1)
            place += new
            known = new + _add_completions(connection, group) + _add_judgments(connection, group)
            changed += known > 0
        return changed


def _check_text(group: Group) -> None:
    """Ids and names are text columns, which hold no NUL; JSON columns hold no NaN."""
    names = [group.prompt.id]
    for completion in group.completions:
        names += [completion.id, completion.source]
    for judgment in group.judgments:
        names += [judgment.id, judgment.criterion, judgment.created or "", judgment.rater]
    if any("\0" in name for name in names):
        raise DataError(
            f"prompt {group.prompt.id!r} has an id or a name with a NUL character; rename it."
        )
    try:
        json.dumps(group.model_dump(), allow_nan=False)
    except ValueError as error:
        raise DataError(
            f"prompt {group.prompt.id!r} holds a number that is not finite; write null for it."
        ) from error


def _add_prompt(connection: Connection, prompt: Prompt, position: int) -> int:
    row = prompt.model_dump(mode="json")
    old = connection.execute(sa.select(prompts).where(prompts.c.id == prompt.id)).first()
    if old is None:
        connection.execute(prompts.insert().values({**row, "position": position}))
        return 1
    if (old.content, old.meta) != (row["content"], row["meta"]):
        raise _other("prompt", prompt.id, "")
    return 0


def _other(what: str, name: str, of: str) -> DataError:
    return DataError(
        f"{what} {name!r}{of} is in the project with other content; give the new one another id."
    )


def _add_completions(connection: Connection, group: Group) -> int:
    of_prompt = sa.select(completions).where(completions.c.prompt_id == group.prompt.id)
    known = {row.id: completion_of(row) for row in connection.execute(of_prompt)}
    for completion in group.completions:
        if known.get(completion.id, completion) != completion:
            raise _other("completion", completion.id, f" of prompt {group.prompt.id!r}")
    new = [completion for completion in group.completions if completion.id not in known]
    rows = [
        {**completion.model_dump(mode="json"), "position": len(known) + place}
        for place, completion in enumerate(new)
    ]
    if rows:
        connection.execute(completions.insert(), rows)
    return len(rows)


def _add_judgments(connection: Connection, group: Group) -> int:
    chosen = JUDGMENTS.where(judgments.c.prompt_id == group.prompt.id)
    known = {row.id: judgment_of(row) for row in connection.execute(chosen)}
    new: list[Judgment] = []
    for judgment in group.judgments:
        if judgment.id not in known:
            known[judgment.id] = judgment
            new.append(judgment)
        elif known[judgment.id] != judgment:
            raise _other("judgment", judgment.id, f" of prompt {group.prompt.id!r}")
    people = ensure_raters(connection, {one.rater: one.rater_kind for one in new})
    if new:
        rows = [judgment_row(one, people[one.rater].id) for one in new]
        connection.execute(judgments.insert(), rows)
    return len(new)


def groups(store: Store, *, withdrawn: bool = False) -> Iterator[Group]:
    """Every prompt with its completions and the judgments that stand, in the order they came.

    Left out: what was superseded, practice, and repeats (a rater has one voice), and the votes
    of raters who withdrew unless `withdrawn`.
    """
    with store.reading() as connection:
        order = sa.select(prompts).order_by(prompts.c.position)
        for rows in connection.execution_options(yield_per=_AT_ONCE).execute(order).partitions():
            yield from _with_parts(connection, rows, withdrawn)


def _with_parts(
    connection: Connection, rows: Sequence[Row[Any]], withdrawn: bool
) -> Iterator[Group]:
    ids = [row.id for row in rows]
    answers = _completions(connection, ids)
    said = _judgments(connection, ids, withdrawn)
    for row in rows:
        yield Group(
            prompt=Prompt(id=row.id, content=row.content, meta=row.meta),
            completions=tuple(answers[row.id]),
            judgments=tuple(latest(said[row.id])),
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
