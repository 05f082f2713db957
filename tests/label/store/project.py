"""A small project to test with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from suffrage.core.records import Completion, Group, Prompt
from suffrage.label.queue import next_work
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks
from suffrage.label.store.database import Store
from suffrage.label.store.judgments import Submitted, Vote, submit
from suffrage.label.store.raters import Rater, add_rater
from suffrage.label.store.work import Work

_sent = count()


@dataclass
class Clock:
    """Time that stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **units: float) -> None:
        self.now += timedelta(**units)


def group(number: int, answers: str = "xy", **meta: object) -> Group:
    """A prompt with one completion a letter, each by the model of that letter."""
    name = f"p{number}"
    parts = [
        Completion(id=letter, prompt_id=name, text=f"answer {letter}", source=f"model-{letter}")
        for letter in answers
    ]
    return Group(
        prompt=Prompt(id=name, content=f"question {number}", meta=meta), completions=tuple(parts)
    )


def filled(store: Store, prompts: int, raters: int, plan: TaskPlan | None = None) -> list[Rater]:
    """The raters of a project with so many prompts of two completions, all to be compared."""
    add_groups(store, [group(number) for number in range(prompts)])
    add_tasks(store, plan or TaskPlan(kind="pair", overlap=2))
    return [add_rater(store, f"rater {number}") for number in range(raters)]


def work_for(store: Store, rater: Rater) -> Work:
    """The next work, which must be there."""
    work = next_work(store, rater.id)
    assert isinstance(work, Work)
    return work


def vote(work: Work, value: object = "a", **parts: object) -> Vote:
    """A vote under a client id of its own."""
    named = {"client_id": f"client-{next(_sent)}", "seconds": 4.5, **parts}
    return Vote(assignment=work.assignment, value=value, **named)  # type: ignore[arg-type]


def judge(store: Store, rater: Rater, value: object = "a") -> Submitted:
    """Take the next work and judge it."""
    return submit(store, rater.id, vote(work_for(store, rater), value))


def favour(work: Work, best: str) -> str:
    """The vote for the completion with this id, wherever it stands on the screen."""
    return "a" if work.completions[0].id == best else "b"
