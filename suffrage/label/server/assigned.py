"""What one assignment asks for, looked up by its id and its rater alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

import sqlalchemy as sa

from suffrage.core.records import Json, JudgmentKind
from suffrage.label.server.security import RefusedError
from suffrage.label.store.database import Store
from suffrage.label.store.prepared import Prepared
from suffrage.label.store.schema import assignments, tasks

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_FOUND = Prepared(
    sa.select(
        assignments.c.shown,
        assignments.c.judged,
        assignments.c.state,
        tasks.c.kind,
        tasks.c.prompt_id,
        tasks.c.purpose,
        tasks.c.expected,
    )
    .join(tasks, tasks.c.id == assignments.c.task_id)
    .where(
        assignments.c.id == sa.bindparam("id"),
        assignments.c.rater_id == sa.bindparam("rater"),
    )
)


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
    row = store.look_up(_FOUND, id=assignment, rater=rater)
    if row is None:
        raise RefusedError(404, f"assignment {assignment} is not this rater's")
    return Assigned(
        assignment=assignment,
        kind=row.kind,
        shown=tuple(row.shown),
        judged=row.judged,
        prompt=row.prompt_id,
        purpose=row.purpose,
        state=row.state,
        expected=row.expected,
    )
