"""From prompts to tasks: which completions are judged, how, and by how many raters."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, groupby
from random import Random
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import Field, model_validator
from sqlalchemy.engine import Connection

from suffrage.core.errors import DataError
from suffrage.core.records import JudgmentKind, Prompt, Record
from suffrage.label.store.counts import add_remaining
from suffrage.label.store.database import Store
from suffrage.label.store.events import log
from suffrage.label.store.expected import expected_of
from suffrage.label.store.schema import SHARDS, completions, prompts, tasks
from suffrage.label.store.settings import put_rules, rules_of

EVERYONE = 1_000_000_000  # raters wanted for practice, gold and repeats


class TaskPlan(Record):
    """What raters are asked of every prompt.

    overlap: raters an item has at most. third_on_conflict: the last of them is asked only where
    those before disagree. pairs: every pair of completions, one at random, or so many at random.
    gold_share, repeat_share: of the items, those whose right answer is known and that every rater
    may meet, and those that come to their rater a second time. practice: items before the first.
    """

    kind: JudgmentKind
    criterion: str = Field(default="overall", min_length=1, max_length=100)
    overlap: int = Field(default=3, ge=1, lt=EVERYONE)
    third_on_conflict: bool = False
    pairs: Literal["all", "random"] | int = "all"
    gold_share: float = Field(default=0, ge=0, lt=1)
    repeat_share: float = Field(default=0, ge=0, le=1)
    practice: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _fits_together(self) -> TaskPlan:
        if self.third_on_conflict and (self.overlap < 3 or self.kind == "demonstration"):
            raise ValueError("a third rater on conflict needs votes to compare, and overlap >= 3")
        if isinstance(self.pairs, int) and self.pairs < 1:
            raise ValueError(f"{self.pairs} pairs a prompt leave nothing to judge")
        return self


def add_tasks(store: Store, plan: TaskPlan) -> int:
    """Tasks for every prompt of the project, in an order by chance; how many were added.

    The same plan again adds those of new prompts only. `NothingToJudgeError` where no prompt has
    what the kind needs, `DataError` where too few prompts say in `meta["expected"]` what is right
    (see `store/expected.py`).
    """
    with store.transaction() as connection:
        return plan_tasks(connection, plan)


def plan_tasks(connection: Connection, plan: TaskPlan) -> int:
    """As `add_tasks`, within a transaction that does more."""
    rows = list(_rows(connection, plan))
    if not rows:
        raise NothingToJudgeError(plan.kind, _kinds_of(connection, plan))
    Random(json.dumps(plan.to_json())).shuffle(rows)
    new = _set_purposes(rows, _purposes(connection, plan), plan)
    first = connection.scalar(sa.select(sa.func.max(tasks.c.id))) or 0
    for place, row in enumerate(new, start=first + 1):
        row |= {"id": place, "position": place}
    _insert(connection, new + _repeats(new, plan))
    _mix_in_gold(connection, plan)
    log(connection, "team", "tasks", {**plan.to_json(), "added": len(new)})
    return len(new)


class NothingToJudgeError(DataError):
    """No prompt has the completions that a kind of judgment needs; `kinds` are those it could be.

    `instead` is what else can be done, for the sentence.
    """

    def __init__(self, kind: str, kinds: Sequence[str], instead: str = ""):
        do = f"pass --kind {' or '.join(kinds)}" if kinds else "add groups first"
        super().__init__(f"no prompt has the completions that a {kind} needs; {do}{instead}.")
        self.kind, self.kinds = kind, kinds


def _kinds_of(connection: Connection, plan: TaskPlan) -> list[str]:
    """The kinds of judgment that the project's prompts have the completions for."""
    others = (plan.model_copy(update={"kind": kind}) for kind in _SHOWN)
    return [other.kind for other in others if next(_rows(connection, other), None)]


_Row = dict[str, Any]


def _rows(connection: Connection, plan: TaskPlan) -> Iterator[_Row]:
    """A row of `tasks` for everything the plan asks, in the order of the prompts."""
    answers = sa.select(prompts, completions.c.id.label("completion"))
    answers = answers.outerjoin(completions, completions.c.prompt_id == prompts.c.id)
    ordered = answers.order_by(prompts.c.position, completions.c.position)
    for _, parts in groupby(connection.execute(ordered), key=lambda row: row.position):
        found = list(parts)
        prompt = Prompt(id=found[0].id, content=found[0].content, meta=found[0].meta)
        ids = [row.completion for row in found if row.completion is not None]
        for shown in _SHOWN[plan.kind](prompt, ids, plan):
            yield _row(prompt, list(shown), plan)


def _pairs(prompt: Prompt, ids: list[str], plan: TaskPlan) -> list[tuple[str, ...]]:
    every: list[tuple[str, ...]] = list(combinations(ids, 2))
    if plan.pairs == "all":
        return every
    number = 1 if plan.pairs == "random" else plan.pairs
    return Random(f"pairs/{prompt.id}").sample(every, min(number, len(every)))


def _each(prompt: Prompt, ids: list[str], plan: TaskPlan) -> list[tuple[str, ...]]:
    return [(name,) for name in ids]


_SHOWN: dict[str, Callable[[Prompt, list[str], TaskPlan], list[tuple[str, ...]]]] = {
    "pair": _pairs,
    "ranking": lambda prompt, ids, plan: [tuple(ids)] if len(ids) > 1 else [],
    "rating": _each,
    "grade": _each,
    "thumb": _each,
    "demonstration": lambda prompt, ids, plan: [()],
}


def _row(prompt: Prompt, shown: list[str], plan: TaskPlan) -> _Row:
    return {
        "prompt_id": prompt.id,
        "kind": plan.kind,
        "criterion": plan.criterion,
        "completions": shown,
        "purpose": "work",
        "overlap": plan.overlap,
        "wanted": plan.overlap - plan.third_on_conflict,
        "votes": 0,
        "load": 0,
        "expected": expected_of(prompt, plan.kind, shown),
        "key": _key("", plan, prompt.id, shown),
    }


def _key(first: str, plan: TaskPlan, prompt_id: str, shown: list[str]) -> str:
    parts = json.dumps([first, plan.kind, plan.criterion, prompt_id, shown])
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def _purposes(connection: Connection, plan: TaskPlan) -> dict[str, str]:
    """The keys this kind and criterion have already, and what for."""
    same = (tasks.c.kind == plan.kind) & (tasks.c.criterion == plan.criterion)
    found = connection.execute(sa.select(tasks.c.key, tasks.c.purpose).where(same))
    return {row.key: row.purpose for row in found}


def _set_purposes(rows: list[_Row], known: dict[str, str], plan: TaskPlan) -> list[_Row]:
    """The rows that are new, the first whose answer is known for practice, the next as gold."""
    new = [row for row in rows if row["key"] not in known]
    had = Counter(known.values())
    practice = max(0, plan.practice - had["practice"]) if new else 0
    gold = max(0, math.ceil(plan.gold_share * len(rows)) - had["gold"]) if new else 0
    answered = [row for row in new if row["expected"] is not None]
    if len(answered) < practice + min(gold, 1):
        raise DataError(
            f"{practice} practice and {gold} gold items need prompts whose meta says what is "
            f"`expected`, found {len(answered)}; add some, or ask for fewer."
        )
    for place, row in enumerate(answered[: practice + gold]):
        purpose = "practice" if place < practice else "gold"
        row |= {"purpose": purpose, "overlap": EVERYONE, "wanted": EVERYONE}
    return new


def _repeats(rows: list[_Row], plan: TaskPlan) -> list[_Row]:
    """Copies of a share of the work, named in the rows they repeat; ids follow theirs."""
    work = [row for row in rows if row["purpose"] == "work"]
    chosen = work[: math.ceil(plan.repeat_share * len(work))]
    copies = []
    for place, row in enumerate(chosen, start=rows[-1]["id"] + 1 if rows else 1):
        key = _key("repeat", plan, row["prompt_id"], row["completions"])
        row["repeat_id"] = place
        changed = {"id": place, "position": place, "key": key, "repeat_id": None}
        everyone = {"purpose": "repeat", "overlap": EVERYONE, "wanted": EVERYONE}
        copies.append({**row, **changed, **everyone})
    return copies


def _insert(connection: Connection, rows: list[_Row]) -> None:
    full = [{"repeat_id": None, **row} for row in rows]
    if full:
        connection.execute(tasks.insert(), full)
    add_remaining(connection, Counter((row["purpose"], row["id"] % SHARDS) for row in rows))


def _mix_in_gold(connection: Connection, plan: TaskPlan) -> None:
    if plan.gold_share:
        changed = rules_of(connection).model_copy(update={"gold_share": plan.gold_share})
        put_rules(connection, changed)
