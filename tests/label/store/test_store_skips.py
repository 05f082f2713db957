"""Skips: taken back by undo, and listed with who and why."""

from __future__ import annotations

import sqlalchemy as sa

from suffrage.label.queue import next_work
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks
from suffrage.label.store.database import Store
from suffrage.label.store.events import events
from suffrage.label.store.judgments import skip, undo
from suffrage.label.store.raters import Rater, add_rater, withdraw
from suffrage.label.store.schema import remaining, tasks
from suffrage.label.store.skips import Skip, SkipCounts, count_skips, skipped_items
from tests.label.store.project import Clock, filled, group, judge, work_for


def skip_next(store: Store, rater: Rater, why: str = "unclear") -> int:
    work = work_for(store, rater)
    skip(store, rater.id, work.assignment, why)
    return work.task_id


def counts(store: Store) -> tuple[list[int], int]:
    """The loads of all tasks, in order, and how many can still be given."""
    with store.reading() as connection:
        loads = connection.scalars(sa.select(tasks.c.load).order_by(tasks.c.load)).all()
        work = sa.select(sa.func.sum(remaining.c.tasks)).where(remaining.c.purpose == "work")
        return list(loads), int(connection.scalar(work) or 0)


def prompt_of(store: Store, task: int) -> str:
    with store.reading() as connection:
        return str(connection.scalar(sa.select(tasks.c.prompt_id).where(tasks.c.id == task)))


def test_undo_after_a_skip_brings_the_skipped_item_back_and_not_the_vote_before(
    store: Store, clock: Clock
) -> None:
    (ann,) = filled(store, 2, 1, TaskPlan(kind="pair", overlap=1))
    judge(store, ann)
    clock.pass_(minutes=1)
    skipped = skip_next(store, ann, "too hard")
    assert counts(store) == ([0, 1], 1)
    work = undo(store, ann.id)
    assert work is not None
    assert (work.task_id, work.judged) == (skipped, None)
    assert counts(store) == ([1, 1], 0)
    assert work_for(store, ann).task_id == skipped
    assert count_skips(store) == SkipCounts(0, 0, {})
    undone = [event.body for event in events(store) if event.kind == "undone"]
    assert undone == [{"assignment": work.assignment, "skipped": "too hard"}]
    judge(store, ann)
    assert next_work(store, ann.id).reason == "finished"  # type: ignore[union-attr]


def test_undo_goes_back_through_votes_and_skips_in_the_order_they_came(
    store: Store, clock: Clock
) -> None:
    (ann,) = filled(store, 3, 1)
    first = skip_next(store, ann)
    clock.pass_(minutes=1)
    second = work_for(store, ann).task_id
    judge(store, ann)
    clock.pass_(minutes=1)
    third = skip_next(store, ann)
    steps = [undo(store, ann.id) for _ in range(3)]
    assert [step and step.task_id for step in steps] == [third, second, first]
    assert [step and step.judged is not None for step in steps] == [False, True, False]
    assert work_for(store, ann).task_id == first


def test_undo_after_a_vote_opens_the_vote_and_not_the_skip_before(
    store: Store, clock: Clock
) -> None:
    (ann,) = filled(store, 2, 1)
    skip_next(store, ann)
    clock.pass_(minutes=1)
    voted = work_for(store, ann).task_id
    judge(store, ann)
    work = undo(store, ann.id)
    assert work is not None
    assert work.task_id == voted


def test_a_skipped_item_that_others_filled_is_not_brought_back(store: Store, clock: Clock) -> None:
    ann, bob = filled(store, 2, 2, TaskPlan(kind="pair", overlap=1))
    voted = work_for(store, ann).task_id
    judge(store, ann)
    clock.pass_(minutes=1)
    skip_next(store, ann)
    judge(store, bob)
    work = undo(store, ann.id)
    assert work is not None
    assert work.task_id == voted
    assert counts(store) == ([1, 1], 0)


def test_skips_are_counted_and_listed_by_item_the_most_skipped_first(store: Store) -> None:
    ann, bob, cat = filled(store, 2, 3, TaskPlan(kind="pair", overlap=1))
    both = skip_next(store, ann, "unclear")
    assert skip_next(store, bob, "broken: <b>") == both
    other = skip_next(store, bob, "language")
    judge(store, cat)
    assert count_skips(store) == SkipCounts(2, 3, {"rater 0": 1, "rater 1": 2})
    found = skipped_items(store, 5)
    assert [one.prompt.id for one in found] == [prompt_of(store, both), prompt_of(store, other)]
    assert found[0].skips == (Skip("rater 0", "unclear"), Skip("rater 1", "broken: <b>"))
    assert found[0].texts == ("answer x", "answer y")
    assert sorted((one.votes, one.wanted) for one in found) == [(0, 1), (1, 1)]
    assert [one.prompt.id for one in skipped_items(store, 1)] == [prompt_of(store, both)]


def test_the_skips_of_who_withdrew_leave_with_them(store: Store) -> None:
    ann, bob = filled(store, 1, 2)
    skip_next(store, ann)
    skip_next(store, bob)
    withdraw(store, ann.id)
    assert count_skips(store).by == {"rater 1": 1}
    [item] = skipped_items(store, 5)
    assert item.skips == (Skip("rater 1", "unclear"),)


def test_a_skipped_practice_item_comes_back_and_wants_no_number_of_votes(store: Store) -> None:
    add_groups(store, [group(0, expected={"x": 2, "y": 1}), group(1)])
    add_tasks(store, TaskPlan(kind="pair", practice=1))
    ann = add_rater(store, "Ann")
    practice = skip_next(store, ann)
    assert [one.wanted for one in skipped_items(store, 5)] == [None]
    work = undo(store, ann.id)
    assert work is not None
    assert (work.task_id, work.purpose) == (practice, "practice")


def test_an_item_skipped_again_is_one_skip_with_its_last_reason(store: Store) -> None:
    (ann,) = filled(store, 1, 1)
    skip_next(store, ann, "unclear")
    undo(store, ann.id)
    skip_next(store, ann, "broken")
    assert count_skips(store) == SkipCounts(1, 1, {"rater 0": 1})
    assert skipped_items(store, 5)[0].skips == (Skip("rater 0", "broken"),)
