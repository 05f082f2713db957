"""What one assignment asks for, looked up by its id and its rater alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa

from suffrage.core.records import Json, JudgmentKind
from suffrage.label.server.security import RefusedError
from suffrage.label.store.database import Store
from suffrage.label.store.schema import assignments, tasks

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


@dataclass(frozen=True)
class Assigned:
    """`expected` stays on the server until a practice item was judged."""

    assignment: str
    kind: JudgmentKind
    shown: tuple[str, ...]
    judged: int | None
    prompt: str
    purpose: str
    state: str
    expected: Json


def find_assigned(store: Store, rater: str, assignment: str) -> Assigned:
    """404 for one that does not exist, and for another rater's: which of the two, nobody learns."""
    if not _ID.match(assignment):
        raise RefusedError(404, "an id that no assignment has")
    chosen = (
        sa.select(assignments, tasks)
        .join(tasks, tasks.c.id == assignments.c.task_id)
        .where(assignments.c.id == assignment, assignments.c.rater_id == rater)
    )
    with store.reading() as connection:
        row = connection.execute(chosen).first()
    if row is None:
        raise RefusedError(404, f"assignment {assignment} is not this rater's")
    found = row._mapping
    return Assigned(
        assignment=assignment,
        kind=found[tasks.c.kind],
        shown=tuple(found[assignments.c.shown]),
        judged=found[assignments.c.judged],
        prompt=found[tasks.c.prompt_id],
        purpose=found[tasks.c.purpose],
        state=found[assignments.c.state],
        expected=found[tasks.c.expected],
    )
