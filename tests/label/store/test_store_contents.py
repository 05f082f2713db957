"""Groups go in and come out the same; plans make the tasks they say."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from suffrage.core.errors import DataError
from suffrage.core.records import Completion, Group, Judgment, Message, Prompt, RecordError
from suffrage.label.store.contents import TaskPlan, add_groups, add_tasks, groups
from suffrage.label.store.database import Store
from suffrage.label.store.raters import add_rater, raters, withdraw
from suffrage.label.store.schema import remaining, tasks
from tests.label.store.project import group


def full() -> Group:
    """A group with something in every field, and text that databases trip over."""
    judged = {"prompt_id": "p", "completions": ("m", "n"), "shown": ("n", "m")}
    first = Judgment(id="j1", rater="Ann", kind="pair", value="a", strength=3, **judged)
    second = Judgment(
        id="j2",
        rater="模型",
        rater_kind="llm",
        kind="ranking",
        value=(("n",), ("m",)),
        criterion="honest",
        seconds=0.1,
        created="2026-01-02",
        reason="nul \x00 and '; DROP TABLE judgments; --",
        **judged,
    )
    return Group(
        prompt=Prompt(
            id="p",
            content=(Message(role="system", content="é\x00"), Message(role="user", content="你好")),
            meta={"n": [1, None, {"deep": 2.5}]},
        ),
        completions=(
            Completion(id="n", prompt_id="p", text="\x00‮<script>🙂", seed=2**80),
            Completion(id="m", prompt_id="p", text="", source="gpt", settings={"t": 0.7}),
        ),
        judgments=(first, second),
    )


def test_a_group_comes_out_as_it_went_in(store: Store) -> None:
    others = [group(2), group(1, "zya")]
    assert add_groups(store, [full(), *others]) == 3
    assert list(groups(store)) == [full(), *others]
    assert {(rater.name, rater.kind) for rater in raters(store)} == {
        ("Ann", "human"),
        ("模型", "llm"),
    }


def test_the_same_groups_again_change_nothing_and_new_parts_are_added(store: Store) -> None:
    add_groups(store, [full(), group(1)])
    assert add_groups(store, [group(1), full()]) == 0
    more = group(1, "xyz")
    assert add_groups(store, [full(), more]) == 1
    assert list(groups(store)) == [full(), more]


def test_an_id_with_other_content_is_refused_and_nothing_of_the_call_stays(store: Store) -> None:
    add_groups(store, [group(1)])
    other = group(1, topic="else")
    with pytest.raises(DataError, match="prompt 'p1' is in the project with other content"):
        add_groups(store, [group(5), other])
    changed = group(1).model_copy(
        update={"completions": (Completion(id="x", prompt_id="p1", text="changed"),)}
    )
    with pytest.raises(DataError, match="completion 'x' of prompt 'p1'"):
        add_groups(store, [changed])
    assert list(groups(store)) == [group(1)]


def test_names_with_a_nul_and_numbers_without_end_are_refused(store: Store) -> None:
    with pytest.raises(DataError, match="NUL"):
        add_groups(store, [Group(prompt=Prompt(id="a\0", content=""))])
    with pytest.raises(DataError, match="not finite"):
        add_groups(store, [Group(prompt=Prompt(id="a", content="", meta={"x": float("nan")}))])


def test_a_rater_of_another_kind_is_refused(store: Store) -> None:
    add_groups(store, [full()])
    with pytest.raises(DataError, match="'Ann' is human in this project and llm here"):
        add_rater(store, "Ann", "llm")


def test_corrected_and_withdrawn_judgments_are_left_out(store: Store) -> None:
    judged = {"prompt_id": "p1", "kind": "pair", "completions": ("x", "y")}
    old = Judgment(id="1", rater="Ann", value="a", **judged)
    new = Judgment(id="2", rater="Ann", value="b", supersedes="1", **judged)
    bob = Judgment(id="3", rater="Bob", value="tie", supersedes="2", **judged)
    add_groups(store, [group(1).model_copy(update={"judgments": (old, bob, new)})])
    assert next(iter(groups(store))).judgments == (bob, new)
    withdraw(store, next(rater.id for rater in raters(store) if rater.name == "Bob"))
    assert next(iter(groups(store))).judgments == (new,)
    assert next(groups(store, withdrawn=True)).judgments == (bob, new)


def shown_by(store: Store, **where: str) -> list[tuple[str, ...]]:
    with store.reading() as connection:
        chosen = sa.select(tasks.c.prompt_id, tasks.c.completions).filter_by(**where)
        found = connection.execute(chosen.order_by(tasks.c.prompt_id, tasks.c.completions))
        return [(row.prompt_id, *row.completions) for row in found]


def test_each_kind_asks_of_the_completions_it_judges(store: Store) -> None:
    add_groups(store, [group(1, "xyz"), group(2, "x")])
    added = {
        kind: add_tasks(store, TaskPlan(kind=kind))
        for kind in ("pair", "ranking", "rating", "grade", "thumb", "demonstration")
    }
    assert added == {
        "pair": 3,
        "ranking": 1,
        "rating": 4,
        "grade": 4,
        "thumb": 4,
        "demonstration": 2,
    }
    assert shown_by(store, kind="pair") == [("p1", "x", "y"), ("p1", "x", "z"), ("p1", "y", "z")]
    assert shown_by(store, kind="ranking") == [("p1", "x", "y", "z")]
    assert shown_by(store, kind="demonstration") == [("p1",), ("p2",)]


@pytest.mark.parametrize(("pairs", "number"), [("all", 6), ("random", 1), (2, 2), (50, 6)])
def test_a_prompt_gets_as_many_pairs_as_planned(
    store: Store, pairs: str | int, number: int
) -> None:
    add_groups(store, [group(1, "wxyz")])
    plan = TaskPlan(kind="pair", pairs=pairs)
    assert add_tasks(store, plan) == number
    assert add_tasks(store, plan) == 0  # the same again


def test_a_plan_again_adds_the_tasks_of_new_prompts(store: Store) -> None:
    plan = TaskPlan(kind="pair", criterion="honest", repeat_share=0.5)
    add_groups(store, [group(1), group(2)])
    assert add_tasks(store, plan) == 2
    add_groups(store, [group(3)])
    assert add_tasks(store, plan) == 1
    assert len(shown_by(store, purpose="work")) == 3
    assert add_tasks(store, TaskPlan(kind="pair", criterion="harmless")) == 3


def test_practice_gold_and_repeats_are_the_planned_share(store: Store) -> None:
    known = [group(number, expected={"x": 2, "y": 1}) for number in range(8)]
    add_groups(store, [*known, *(group(number) for number in range(8, 20))])
    add_tasks(store, TaskPlan(kind="pair", practice=2, gold_share=0.1, repeat_share=0.25))
    found = {name: len(shown_by(store, purpose=name)) for name in ("practice", "gold", "repeat")}
    assert found == {"practice": 2, "gold": 2, "repeat": 4}  # 0.25 of the 16 that are left
    assert len(shown_by(store, purpose="work")) == 16
    with store.reading() as connection:
        shards = sa.select(remaining.c.purpose, sa.func.sum(remaining.c.tasks))
        rows = connection.execute(shards.group_by(remaining.c.purpose))
        counted = {row[0]: row[1] for row in rows}
    assert counted == {**found, "work": 16}


def test_too_few_known_answers_are_refused(store: Store) -> None:
    with pytest.raises(DataError, match="no prompt has the completions that a pair needs"):
        add_tasks(store, TaskPlan(kind="pair"))
    add_groups(store, [group(1), group(2, expected={"x": 2, "y": 1})])
    with pytest.raises(DataError, match="2 practice and 0 gold items"):
        add_tasks(store, TaskPlan(kind="pair", practice=2))
    assert shown_by(store, kind="pair") == []


def test_a_plan_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(RecordError, match="overlap >= 3"):
        TaskPlan.from_json({"kind": "pair", "overlap": 2, "third_on_conflict": True})
    with pytest.raises(RecordError, match="leave nothing to judge"):
        TaskPlan.from_json({"kind": "pair", "pairs": 0})
