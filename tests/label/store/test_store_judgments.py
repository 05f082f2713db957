"""Votes: taken once, corrected by adding, refused with the reason, and gone from reads at will."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from suffrage.core.records import Judgment
from suffrage.label.queue import end_leases, next_work
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks, groups
from suffrage.label.store.database import Store
from suffrage.label.store.errors import LabelError
from suffrage.label.store.events import events
from suffrage.label.store.guidelines import write_guidelines
from suffrage.label.store.judgments import draft, save_draft, skip, submit, undo
from suffrage.label.store.raters import (
    add_rater,
    consent,
    find_rater,
    invite,
    raters,
    withdraw,
)
from suffrage.label.store.schema import judgments, skips, tasks
from suffrage.label.store.settings import Rules, write_rules
from tests.label.store.project import Clock, favour, filled, group, judge, vote, work_for


def stored(store: Store) -> list[Judgment]:
    return [judgment for group in groups(store) for judgment in group.judgments]


def refused(store: Store, rater: str, sent: object, status: int) -> str:
    with pytest.raises(LabelError) as caught:
        submit(store, rater, sent)  # type: ignore[arg-type]
    assert caught.value.status == status
    return str(caught.value)


def test_a_vote_keeps_what_the_rater_saw_and_did(store: Store) -> None:
    (ann,) = filled(store, 1, 1)
    write_guidelines(store, "first", "team")
    write_guidelines(store, "second", "team")
    work = work_for(store, ann)
    done = submit(store, ann.id, vote(work, "b", strength=3, reason="nul \x00 好", seconds=7.25))
    shown = tuple(completion.id for completion in work.completions)
    assert not done.repeated
    assert stored(store) == [
        Judgment(
            id=done.judgment_id,
            prompt_id="p0",
            rater="rater 0",
            kind="pair",
            value="b",
            completions=shown,
            shown=shown,
            strength=3,
            seconds=7.25,
            reason="nul \x00 好",
            created="2026-03-01T12:00:00.000000+00:00",
        )
    ]
    with store.reading() as connection:
        assert connection.scalar(sa.select(judgments.c.guideline)) == 2


def test_the_same_vote_sent_again_is_one_vote(store: Store) -> None:
    (ann,) = filled(store, 2, 1)
    sent = vote(work_for(store, ann))
    first, again = submit(store, ann.id, sent), submit(store, ann.id, sent)
    assert (again.judgment_id, again.repeated) == (first.judgment_id, True)
    assert len(stored(store)) == 1


def test_a_client_id_used_for_another_item_is_refused(store: Store) -> None:
    (ann,) = filled(store, 2, 1)
    submit(store, ann.id, vote(work_for(store, ann), client_id="same"))
    refused(store, ann.id, vote(work_for(store, ann), client_id="same"), 409)
    assert len(stored(store)) == 1
    judge(store, ann)  # the item is still open
    again = undo(store, ann.id)
    assert again is not None
    refused(store, ann.id, vote(again, "tie", client_id="same"), 409)
    assert "tie" not in {judgment.value for judgment in stored(store)}


def test_two_tabs_show_the_same_work_and_only_the_first_vote_counts(store: Store) -> None:
    (ann,) = filled(store, 2, 1)
    one, two = work_for(store, ann), work_for(store, ann)
    assert one == two
    submit(store, ann.id, vote(one, "a"))
    assert "undo it first" in refused(store, ann.id, vote(two, "b"), 409)
    assert [judgment.value for judgment in stored(store)] == ["a"]
    kept = [event.body for event in events(store) if event.kind == "refused"]
    assert [body["value"] for body in kept] == ["b"]


def test_a_vote_after_undo_supersedes_and_an_old_one_sent_again_changes_nothing(
    store: Store,
) -> None:
    (ann,) = filled(store, 2, 1)
    first = vote(work_for(store, ann), "a")
    old = submit(store, ann.id, first)
    work = undo(store, ann.id)
    assert work is not None
    assert work.judged is not None
    assert (work.judged.id, work.judged.value) == (old.judgment_id, "a")
    assert work == work_for(store, ann)
    assert submit(store, ann.id, first).repeated
    assert [judgment.value for judgment in stored(store)] == ["a"]  # until there is another
    new = submit(store, ann.id, vote(work, "tie"))
    (standing,) = stored(store)
    assert (standing.id, standing.supersedes) == (new.judgment_id, old.judgment_id)
    with store.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(judgments)) == 2
        assert connection.scalars(sa.select(tasks.c.votes).order_by(tasks.c.votes)).all() == [0, 1]


def test_undo_goes_back_vote_by_vote_and_then_forward_again(store: Store) -> None:
    (ann,) = filled(store, 3, 1)
    assert undo(store, ann.id) is None
    first, second = work_for(store, ann).task_id, 0
    judge(store, ann)
    second = work_for(store, ann).task_id
    judge(store, ann)
    third = work_for(store, ann).task_id
    steps = [undo(store, ann.id) for _ in range(3)]
    assert [step and step.task_id for step in steps] == [second, first, first]
    judge(store, ann, "both_bad")
    assert work_for(store, ann).task_id == third
    assert len(stored(store)) == 2


def test_a_vote_opened_again_and_left_stands(store: Store, clock: Clock) -> None:
    (ann,) = filled(store, 1, 1)
    judge(store, ann)
    undo(store, ann.id)
    clock.pass_(hours=1)
    end_leases(store)
    with store.reading() as connection:
        assert connection.execute(sa.select(tasks.c.votes, tasks.c.load)).all() == [(1, 1)]
    assert len(stored(store)) == 1


@pytest.mark.parametrize(
    "parts",
    [
        {"value": "c"},
        {"value": ""},
        {"value": 3},
        {"value": None},
        {"value": [["x"], ["y"]]},
        {"value": True},
        {"value": {"a": 1}},
        {"strength": 9},
        {"seconds": -1},
        {"seconds": float("nan")},
        {"client_id": ""},
        {"client_id": "a\x00b"},
        {"client_id": "x" * 101},
        {"reason": "x" * 10_001},
        {"reason": "half a pair \ud800"},
    ],
)
def test_what_is_no_vote_is_refused_and_changes_nothing(
    store: Store, parts: dict[str, object]
) -> None:
    (ann,) = filled(store, 1, 1)
    work = work_for(store, ann)
    refused(store, ann.id, vote(work, **{"value": "a", **parts}), 422)
    assert stored(store) == []
    assert work_for(store, ann) == work


def test_others_and_unknown_assignments_are_refused(store: Store) -> None:
    ann, bob = filled(store, 2, 2)
    work = work_for(store, ann)
    refused(store, bob.id, vote(work), 403)
    for name in ("guessed", "", "a\x00b", "\ud800", "'; DROP TABLE raters; --"):
        object.__setattr__(work, "assignment", name)
        refused(store, ann.id, vote(work), 404)
        with pytest.raises(LabelError):
            next_work(store, name)
        assert find_rater(store, name) is None
        assert draft(store, name) is None
    assert stored(store) == []


def test_a_ranking_and_a_demonstration_are_stored_as_given(store: Store) -> None:
    add_groups(store, [group(1, "xyz")])
    add_tasks(store, TaskPlan(kind="ranking", overlap=1))
    add_tasks(store, TaskPlan(kind="demonstration", overlap=1))
    ann = add_rater(store, "Ann")
    given = {"ranking": [["y"], ["x", "z"]], "demonstration": "better 好\x00"}
    for _ in given:
        work = work_for(store, ann)
        submit(store, ann.id, vote(work, given[work.kind]))
    found = {judgment.kind: judgment.value for judgment in stored(store)}
    assert found == {"ranking": (("y",), ("x", "z")), "demonstration": "better 好\x00"}


def test_a_skipped_item_goes_to_others_with_its_reason_kept(store: Store) -> None:
    ann, bob = filled(store, 1, 2, TaskPlan(kind="pair", overlap=1))
    work = work_for(store, ann)
    with pytest.raises(LabelError, match="why this item is skipped"):
        skip(store, ann.id, work.assignment, " ")
    for _ in range(2):  # the second time it is skipped already
        skip(store, ann.id, work.assignment, "not my language")
    with store.reading() as connection:
        assert connection.scalars(sa.select(skips.c.reason)).all() == ["not my language"]
    refused(store, ann.id, vote(work), 409)
    judge(store, bob)
    with pytest.raises(LabelError, match="somebody else"):
        skip(store, bob.id, work.assignment, "no")


def test_an_item_with_a_vote_is_not_skipped(store: Store) -> None:
    (ann,) = filled(store, 1, 1)
    judge(store, ann)
    work = undo(store, ann.id)
    assert work is not None
    with pytest.raises(LabelError, match="has your vote") as caught:
        skip(store, ann.id, work.assignment, "changed my mind")
    assert caught.value.status == 409


def test_a_draft_is_shown_again_until_the_vote(store: Store) -> None:
    ann, bob = filled(store, 1, 2)
    work = work_for(store, ann)
    assert (work.draft, draft(store, work.assignment)) == (None, None)
    for text in ("half", "half a sentence"):
        save_draft(store, ann.id, work.assignment, {"reason": text})
    with pytest.raises(LabelError, match="somebody else"):
        save_draft(store, bob.id, work.assignment, {"reason": "mine"})
    assert work_for(store, ann).draft == {"reason": "half a sentence"}
    submit(store, ann.id, vote(work))
    assert draft(store, work.assignment) is None
    with pytest.raises(LabelError, match="judged or skipped"):
        save_draft(store, ann.id, work.assignment, {})


def test_a_withdrawn_raters_votes_leave_every_read_and_their_items_are_judged_anew(
    store: Store,
) -> None:
    ann, bob = filled(store, 3, 2, TaskPlan(kind="pair", overlap=1))
    judge(store, ann)
    judge(store, ann)
    work_for(store, ann)  # and one leased
    assert withdraw(store, ann.id) == 2
    assert stored(store) == []
    assert len([one for found in groups(store, withdrawn=True) for one in found.judgments]) == 2
    for attempt in (next_work, withdraw, undo):
        with pytest.raises(LabelError, match="You withdrew") as caught:
            attempt(store, ann.id)
        assert caught.value.status == 403
    assert work_for(store, bob).total == 3
    for _ in range(3):
        judge(store, bob)
    assert {judgment.rater for judgment in stored(store)} == {"rater 1"}
    assert next_work(store, bob.id).reason == "finished"  # type: ignore[union-attr]
    assert [event.body for event in events(store) if event.kind == "withdrawn"] == [{"votes": 2}]


def test_who_withdrew_is_invited_anew_and_what_they_withdrew_stays_out(store: Store) -> None:
    ann, _ = filled(store, 2, 2, TaskPlan(kind="pair", overlap=1))
    judge(store, ann)
    assert invite(store, ann.name) == ann  # nobody new while they are here
    for former in ("rater 0 (withdrawn)", "rater 0 (withdrawn 2)"):
        withdraw(store, ann.id)
        before, ann = ann, invite(store, "rater 0")
        assert ann.id != before.id
        assert (ann.name, ann.withdrawn, ann.consented) == ("rater 0", None, None)
        gone = find_rater(store, before.id)
        assert gone is not None
        assert (gone.name, gone.withdrawn is not None) == (former, True)
        assert stored(store) == []
        assert work_for(store, ann).total == 2  # the item they judged before as well
    judge(store, ann)
    assert [one.rater for one in stored(store)] == ["rater 0"]


def test_a_long_name_is_shortened_when_its_rater_left(store: Store) -> None:
    name = "n" * 200
    withdraw(store, invite(store, name).id)
    invite(store, name)
    assert sorted(len(one.name) for one in raters(store)) == [200, 200]


def test_consent_is_kept_once(store: Store, clock: Clock) -> None:
    ann = add_rater(store, "Ann")
    consent(store, ann.id)
    clock.pass_(hours=1)
    consent(store, ann.id)
    assert raters(store)[0].consented == "2026-03-01T12:00:00.000000+00:00"
    assert add_rater(store, "Ann") == find_rater(store, ann.id)


def test_votes_faster_than_the_rules_allow_are_refused(store: Store, clock: Clock) -> None:
    (ann,) = filled(store, 3, 1)
    write_rules(store, Rules(seconds_between=4), "team")
    judge(store, ann)
    second = vote(work_for(store, ann))
    clock.pass_(seconds=3.5)
    assert "3.5 seconds passed" in refused(store, ann.id, second, 429)
    clock.pass_(seconds=0.5)
    submit(store, ann.id, second)
    work = undo(store, ann.id)
    assert work is not None
    submit(store, ann.id, vote(work, "tie"))  # a correction may be quick
    assert len(stored(store)) == 2


def test_a_third_rater_is_asked_only_where_two_disagree(store: Store) -> None:
    plan = TaskPlan(kind="pair", overlap=3, third_on_conflict=True)
    ann, bob, cem = filled(store, 2, 3, plan)
    for rater, best in ((ann, {"p0": "x", "p1": "x"}), (bob, {"p0": "x", "p1": "y"})):
        for _ in best:
            work = work_for(store, rater)
            submit(store, rater.id, vote(work, favour(work, best[work.prompt.id])))
    work = work_for(store, cem)
    assert (work.prompt.id, work.total) == ("p1", 1)
    judge(store, cem)
    assert next_work(store, cem.id).reason == "finished"  # type: ignore[union-attr]
    assert len(stored(store)) == 5


def test_a_correction_that_makes_two_disagree_asks_the_third(store: Store) -> None:
    ann, bob, cem = filled(store, 1, 3, TaskPlan(kind="pair", third_on_conflict=True))
    for rater in (ann, bob):
        work = work_for(store, rater)
        submit(store, rater.id, vote(work, favour(work, "x")))
    assert next_work(store, cem.id).reason == "finished"  # type: ignore[union-attr]
    again = undo(store, bob.id)
    assert again is not None
    submit(store, bob.id, vote(again, favour(again, "y")))
    assert work_for(store, cem).prompt.id == "p0"
