"""Votes given elsewhere stand in a project as if its raters had taken the items themselves."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from suffrage.core.errors import DataError
from suffrage.core.records import Judgment
from suffrage.label.queue import Nothing, next_work
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks, groups
from suffrage.label.store.database import Store
from suffrage.label.store.judgments import undo
from suffrage.label.store.progress import progress, votes_by_rater
from suffrage.label.store.raters import add_rater, withdraw
from suffrage.label.store.recording import record
from suffrage.label.store.schema import assignments
from tests.label.store.project import group, judge


def ranking(prompt: int, rater: str, *order: str, **parts: object) -> Judgment:
    made: dict[str, object] = {
        "id": f"{prompt}-{rater}",
        "prompt_id": f"p{prompt}",
        "rater": rater,
        "rater_kind": "simulated",
        "kind": "ranking",
        "value": [[name] for name in order],
        "completions": ["x", "y", "z"],
        "shown": ["z", "x", "y"],
        "seconds": 2.5,
    }
    return Judgment.from_json({**made, **parts})


def planned(store: Store, overlap: int = 2) -> list[Judgment]:
    """Two prompts whose work is planned, and votes on them."""
    add_groups(store, [group(number, "xyz") for number in (1, 2)])
    add_tasks(store, TaskPlan(kind="ranking", overlap=overlap))
    first, second = ranking(1, "Ann", "y", "x", "z"), ranking(1, "Bo", "z", "x", "y")
    return [first, second, ranking(2, "Bo", "x", "y", "z")]


def test_they_come_out_as_they_went_in_and_count(store: Store) -> None:
    votes = planned(store)
    assert record(store, votes) == 3
    assert [vote for one in groups(store) for vote in one.judgments] == votes
    now = progress(store, store.clock())
    assert (now.votes, now.wanted, now.items, now.finished) == (3, 4, 2, 1)
    assert sorted(votes_by_rater(store).values()) == [1, 2]


def test_who_takes_a_vote_up_again_sees_the_order_of_then(store: Store) -> None:
    record(store, planned(store))
    with store.reading() as connection:
        orders = connection.scalars(sa.select(assignments.c.shown)).all()
    assert orders == [["z", "x", "y"]] * 3
    work = undo(store, add_rater(store, "Ann", "simulated").id)
    assert work is not None
    assert [completion.id for completion in work.completions] == ["z", "x", "y"]


def test_the_same_again_changes_nothing_and_the_rest_goes_on(store: Store) -> None:
    votes = planned(store)
    assert record(store, votes[:1]) == 1
    assert record(store, votes) == 2
    assert record(store, votes) == 0
    assert progress(store, store.clock()).votes == 3


def test_the_queue_gives_only_what_is_left_and_not_to_who_had_it(store: Store) -> None:
    record(store, planned(store))
    ann, bo = (add_rater(store, name, "simulated") for name in ("Ann", "Bo"))
    assert isinstance(next_work(store, bo.id), Nothing)
    judge(store, ann, (("x",), ("y",), ("z",)))
    assert next_work(store, ann.id) == Nothing("finished")
    assert progress(store, store.clock()).finished == 2


def test_they_leave_with_their_rater(store: Store) -> None:
    record(store, planned(store))
    assert withdraw(store, add_rater(store, "Bo", "simulated").id) == 2
    assert [vote.rater for one in groups(store) for vote in one.judgments] == ["Ann"]
    assert progress(store, store.clock()).votes == 1


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (ranking(3, "Ann", "y", "x", "z"), "no item asks for vote '3-Ann'"),
        (ranking(1, "Cy", "y", "x", "z", criterion="honest"), "no item asks"),
        (ranking(1, "Ann", "x", "y", "z"), "vote '1-Ann' on prompt 'p1' is in the project with"),
        (ranking(1, "Cy", "y", "x", "z"), "one too many on prompt 'p1', which has 2 of 2"),
        (ranking(2, "Bo", "y", "x", "z", id="more"), "one too many on prompt 'p2'"),
    ],
)
def test_a_vote_that_no_item_wants_is_refused_with_all_others(
    store: Store, wrong: Judgment, why: str
) -> None:
    votes = planned(store)
    record(store, votes)
    spare = ranking(2, "Dee", "y", "x", "z")
    with pytest.raises(DataError, match=why):
        record(store, [spare, wrong])
    assert progress(store, store.clock()).votes == 3
