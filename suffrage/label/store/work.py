"""What a rater has before them: an assignment with its texts, and how far they have come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from suffrage.core.records import Completion, Json, Judgment, JudgmentKind, Prompt
from suffrage.label.store.prepared import Prepared
from suffrage.label.store.schema import (
    assignments,
    completions,
    drafts,
    judgments,
    prompts,
    raters,
    tasks,
)
from suffrage.label.store.standing import Standing, standing_of

Purpose = Literal["work", "practice", "gold", "repeat"]


@dataclass(frozen=True)
class Work:
    """One thing to judge.

    `completions` stand in the order shown, and a vote's "a" is the first of them. `done` and
    `total` count this rater's own votes; `judged` is their vote that a new one will supersede.
    """

    assignment: str
    task_id: int
    kind: JudgmentKind
    criterion: str
    purpose: Purpose
    prompt: Prompt
    completions: tuple[Completion, ...]
    done: int
    total: int
    draft: dict[str, Json] | None = None
    judged: Judgment | None = None


def work_of(connection: Connection, assignment_id: str, standing: Standing | None = None) -> Work:
    """The assignment with everything that is shown of it."""
    row = _ASSIGNMENT.first(connection, id=assignment_id)
    standing = standing_of(connection, row.rater_id) if standing is None else standing
    return Work(
        assignment=row.id,
        task_id=row.task_id,
        kind=row.kind,
        criterion=row.criterion,
        purpose=row.purpose,
        prompt=Prompt(id=row.prompt_id, content=row.content, meta=row.meta),
        completions=_shown(connection, row.prompt_id, row.shown),
        done=standing.done,
        total=standing.total,
        draft=row.body,
        judged=None if row.judged is None else _judgment(connection, row.judged),
    )


def new_work(
    connection: Connection, task: Any, assignment_id: str, shown: list[str], standing: Standing
) -> Work:
    """As `work_of`, of an assignment made just now: `task` has the columns of `OF_PROMPT` too."""
    return Work(
        assignment=assignment_id,
        task_id=task.id,
        kind=task.kind,
        criterion=task.criterion,
        purpose=task.purpose,
        prompt=Prompt(id=task.prompt_id, content=task.content, meta=task.meta),
        completions=_shown(connection, task.prompt_id, shown),
        done=standing.done,
        total=standing.total,
    )


OF_PROMPT = (prompts.c.content, prompts.c.meta)
_ASSIGNMENT = Prepared(
    sa.select(
        assignments.c.id,
        assignments.c.task_id,
        assignments.c.rater_id,
        assignments.c.shown,
        assignments.c.judged,
        tasks.c.kind,
        tasks.c.criterion,
        tasks.c.purpose,
        tasks.c.prompt_id,
        *OF_PROMPT,
        drafts.c.body,
    )
    .join(tasks, tasks.c.id == assignments.c.task_id)
    .join(prompts, prompts.c.id == tasks.c.prompt_id)
    .outerjoin(drafts, drafts.c.assignment_id == assignments.c.id)
    .where(assignments.c.id == sa.bindparam("id"))
)
_COMPLETIONS = Prepared(
    sa.select(completions).where(completions.c.prompt_id == sa.bindparam("prompt"))
)


def _shown(connection: Connection, prompt_id: str, ids: list[str]) -> tuple[Completion, ...]:
    rows = _COMPLETIONS.all(connection, prompt=prompt_id) if ids else ()
    found = {row.id: completion_of(row) for row in rows if row.id in ids}
    return tuple(found[name] for name in ids)


def completion_of(row: Any) -> Completion:
    """A row of `completions` as the record."""
    return Completion(
        id=row.id,
        prompt_id=row.prompt_id,
        text=row.text,
        source=row.source,
        seed=row.seed,
        settings=row.settings,
    )


def _judgment(connection: Connection, number: int) -> Judgment:
    return judgment_of(connection.execute(JUDGMENTS.where(judgments.c.number == number)).one())


# Judgments with what is known of their raters and tasks
JUDGMENTS = (
    sa.select(judgments, raters.c.name, raters.c.kind.label("rater_kind"), tasks.c.purpose)
    .join(raters, raters.c.id == judgments.c.rater_id)
    .outerjoin(tasks, tasks.c.id == judgments.c.task_id)
)


def judgment_of(row: Row[Any]) -> Judgment:
    """A row of `JUDGMENTS` as the record; the rater goes by name."""
    return Judgment(
        id=row.id,
        prompt_id=row.prompt_id,
        rater=row.name,
        rater_kind=row.rater_kind,
        kind=row.kind,
        criterion=row.criterion,
        value=row.value,
        completions=tuple(row.completions),
        shown=tuple(row.shown),
        strength=row.strength,
        reason=row.reason,
        seconds=row.seconds,
        supersedes=row.supersedes,
        created=row.created,
    )
