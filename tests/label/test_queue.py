"""Who gets what next: order, leases, overlap, practice, gold, repeats and limits."""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa

from suffrage.label.queue import Nothing, next_work
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks, groups
from suffrage.label.store.database import Store
from suffrage.label.store.errors import LabelError
from suffrage.label.store.events import events
from suffrage.label.store.judgments import skip, submit, undo
from suffrage.label.store.raters import Rater, add_rater
from suffrage.label.store.schema import remaining, tasks
from suffrage.label.store.settings import Rules, rules, write_rules
from suffrage.label.store.work import Work
from tests.label.store.project import Clock, favour, filled, group, judge, vote, work_for


def votes_of(store: Store) -> list[int]:
    with store.reading() as connection:
        return list(connection.scalars(sa.select(tasks.c.votes).order_by(tasks.c.id)))


def nothing_for(store: Store, rater: Rater) -> Nothing:
    found = next_work(store, rater.id)
    assert isinstance(found, Nothing)
    return found


def test_the_items_with_the_fewest_votes_come_first(store: Store) -> None:
    ann, bob, cem = filled(store, 4, 3, TaskPlan(kind="pair", overlap=2))
    for rater in (ann, bob):
        for _ in range(2):
            judge(store, rater)
    assert votes_of(store) == [1, 1, 1, 1]
    for _ in range(4):
        judge(store, cem)
    assert votes_of(store) == [2, 2, 2, 2]
    assert nothing_for(store, ann) == Nothing("finished")


def test_the_order_shown_depends_on_the_rater_and_every_order_occurs(store: Store) -> None:
    raters = filled(store, 1, 40, TaskPlan(kind="pair", overlap=40))
    shown = Counter(
        tuple(completion.id for completion in work_for(store, rater).completions)
        for rater in raters
    )
    assert set(shown) == {("x", "y"), ("y", "x")}


def test_progress_counts_to_the_end(store: Store) -> None:
    ann, bob = filled(store, 3, 2, TaskPlan(kind="pair", overlap=1))
    judge(store, bob)
    seen = []
    while isinstance(work := next_work(store, ann.id), Work):
        seen.append((work.done, work.total))
        submit(store, ann.id, vote(work))
    assert seen == [(0, 2), (1, 2)]


def test_an_expired_lease_goes_to_another_rater_and_the_late_vote_is_kept_in_the_events(
    store: Store, clock: Clock
) -> None:
    ann, bob = filled(store, 1, 2, TaskPlan(kind="pair", overlap=1))
    late = vote(work_for(store, ann), "tie", reason="slow")
    assert nothing_for(store, bob) == Nothing("wait")
    clock.pass_(minutes=31)
    judge(store, bob)
    with pytest.raises(LabelError, match="others have judged it") as caught:
        submit(store, ann.id, late)
    assert caught.value.status == 410
    assert votes_of(store) == [1]
    (kept,) = [event for event in events(store) if event.kind == "refused"]
    assert (kept.actor, kept.body["value"], kept.body["reason"]) == (ann.id, "tie", "slow")


def test_a_late_vote_counts_where_there_is_room(store: Store, clock: Clock) -> None:
    ann, bob = filled(store, 1, 2, TaskPlan(kind="pair", overlap=2))
    late = vote(work_for(store, ann))
    clock.pass_(minutes=31)
    judge(store, bob)
    submit(store, ann.id, late)
    assert votes_of(store) == [2]
    assert nothing_for(store, bob) == Nothing("finished")


def test_an_expired_lease_may_come_back_to_its_rater(store: Store, clock: Clock) -> None:
    ann, bob = filled(store, 1, 2, TaskPlan(kind="pair", overlap=1))
    first = work_for(store, ann)
    clock.pass_(minutes=31)
    work_for(store, bob)
    assert nothing_for(store, ann) == Nothing("wait")
    clock.pass_(minutes=31)
    assert work_for(store, ann) == first


def test_asking_again_prolongs_the_lease(store: Store, clock: Clock) -> None:
    ann, bob = filled(store, 1, 2, TaskPlan(kind="pair", overlap=1))
    for _ in range(3):
        work_for(store, ann)
        clock.pass_(minutes=20)
    assert nothing_for(store, bob) == Nothing("wait")


def known(number: int) -> dict[str, int]:
    return {"x": 2, "y": 1} if number % 2 else {"x": 1, "y": 2}


def with_answers(store: Store, prompts: int, plan: TaskPlan) -> Rater:
    add_groups(store, [group(number, expected=known(number)) for number in range(prompts)])
    add_tasks(store, plan)
    return add_rater(store, "Ann")


def test_practice_comes_first_says_what_is_right_and_never_counts(store: Store) -> None:
    ann = with_answers(store, 6, TaskPlan(kind="pair", practice=2))
    bob = add_rater(store, "Bob")
    for rater in (ann, bob):
        for right in (True, False):
            work = work_for(store, rater)
            assert work.purpose == "practice"
            best = "x" if int(work.prompt.id[1:]) % 2 else "y"
            answer = favour(work, best)
            sent = vote(work, answer if right else "tie")
            for _ in range(2):  # sent again, it says the same
                done = submit(store, rater.id, sent)
                assert (done.right, done.expected) == (right, answer)
        assert work_for(store, rater).purpose == "work"
    done = judge(store, ann)
    assert (done.right, done.expected) == (None, None)
    assert sum(len(found.judgments) for found in groups(store)) == 1


def test_gold_comes_among_the_work_in_about_its_share(store: Store) -> None:
    ann = with_answers(store, 100, TaskPlan(kind="pair", gold_share=0.2))
    assert rules(store).gold_share == 0.2
    seen = []
    for _ in range(50):
        work = work_for(store, ann)
        seen.append(work.purpose)
        assert submit(store, ann.id, vote(work)).right is None
    assert 3 <= seen.count("gold") <= 19  # 10 expected, standard deviation 2.8
    assert set(seen) == {"gold", "work"}
    assert sum(len(found.judgments) for found in groups(store)) == 50


def test_a_repeat_comes_to_its_rater_after_the_gap_and_has_no_second_voice(store: Store) -> None:
    plan = TaskPlan(kind="pair", overlap=1, repeat_share=1)
    (ann,) = filled(store, 8, 1, plan)
    write_rules(store, Rules(repeat_gap=3), "team")
    prompts, purposes, totals = [], [], []
    while isinstance(work := next_work(store, ann.id), Work):
        prompts.append(work.prompt.id)
        purposes.append(work.purpose)
        totals.append(work.total - work.done)
        submit(store, ann.id, vote(work))
    assert len(prompts) == 16
    places = {name: [at for at, one in enumerate(prompts) if one == name] for name in prompts}
    assert all(last - first >= 3 for first, last in places.values())
    assert purposes[:4] == ["work"] * 4
    assert purposes[4] == "repeat"
    assert totals == list(range(16, 0, -1))
    assert sum(len(found.judgments) for found in groups(store)) == 8


def test_the_last_repeats_come_when_nothing_else_is_left(store: Store) -> None:
    (ann,) = filled(store, 1, 1, TaskPlan(kind="pair", overlap=1, repeat_share=1))
    judge(store, ann)
    assert work_for(store, ann).purpose == "repeat"
    judge(store, ann)
    assert nothing_for(store, ann) == Nothing("finished")


def test_a_rater_who_did_enough_for_today_may_go_on_tomorrow(store: Store, clock: Clock) -> None:
    (ann,) = filled(store, 9, 1)
    write_rules(store, Rules(per_hour=2, per_day=3), "team")
    judge(store, ann)
    clock.pass_(minutes=10)
    undo(store, ann.id)
    judge(store, ann, "tie")  # a correction is not another vote
    judge(store, ann)
    assert nothing_for(store, ann) == Nothing("limit", "2026-03-01T13:00:00.000000+00:00")
    clock.pass_(minutes=50)
    judge(store, ann)
    assert nothing_for(store, ann) == Nothing("limit", "2026-03-02T12:00:00.000000+00:00")
    clock.pass_(hours=23)
    judge(store, ann)


def test_a_paused_project_gives_nothing(store: Store) -> None:
    (ann,) = filled(store, 1, 1)
    write_rules(store, Rules(paused=True), "team")
    assert nothing_for(store, ann) == Nothing("paused")


def test_a_skipped_item_never_comes_back_to_the_same_rater(store: Store) -> None:
    (ann,) = filled(store, 3, 1)
    skipped = work_for(store, ann)
    skip(store, ann.id, skipped.assignment, "cannot be judged")
    seen = []
    while isinstance(work := next_work(store, ann.id), Work):
        seen.append(work.task_id)
        assert work.total == 2
        submit(store, ann.id, vote(work))
    assert len(seen) == 2
    assert skipped.task_id not in seen


def test_the_counts_are_what_a_count_finds(store: Store, clock: Clock) -> None:
    raters = filled(store, 5, 4, TaskPlan(kind="pair", overlap=2, repeat_share=0.4))
    for turn in range(14):
        rater = raters[turn % 4]
        work = next_work(store, rater.id)
        if isinstance(work, Work) and turn % 5 == 3:
            skip(store, rater.id, work.assignment, "no")
        elif isinstance(work, Work) and turn % 5 != 2:
            submit(store, rater.id, vote(work))
        clock.pass_(minutes=11)
    with store.reading() as connection:
        text = (
            "SELECT t.votes, count(a.judged), t.load,"
            " count(CASE WHEN a.state IN ('open', 'done') THEN 1 END)"
            " FROM tasks t LEFT JOIN assignments a ON a.task_id = t.id WHERE t.purpose = 'work'"
            " GROUP BY t.id, t.votes, t.load"
        )
        rows = connection.execute(sa.text(text)).all()
        full = sa.select(sa.func.sum(remaining.c.tasks)).where(remaining.c.purpose == "work")
        free = sa.select(sa.func.count()).where(tasks.c.load < tasks.c.wanted)
        assert connection.scalar(full) == connection.scalar(free.where(tasks.c.purpose == "work"))
    assert sum(row[0] for row in rows) > 4
    assert all(row[0] == row[1] and row[2] == row[3] for row in rows)
