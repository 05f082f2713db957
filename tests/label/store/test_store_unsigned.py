"""Preferences that name no rater are kept until somebody judges, whatever else comes in."""

from __future__ import annotations

import pytest

from suffrage.core.errors import DataError
from suffrage.core.records import Group, Judgment, Preference, SoftPair
from suffrage.label.store.contents import TaskPlan, add_all, add_groups, groups
from suffrage.label.store.database import Store
from suffrage.label.store.plans import NothingToJudgeError
from suffrage.label.store.raters import raters, withdraw
from tests.label.store.project import group

FULL = Preference(
    pairs=(SoftPair(first=1, second=0, probability=0.7, weight=1.5, strength=0.2),),
    ranks=(2.0, 1.0),
    scores=(2.5, 6.25),
    labels=(None, True),
    demonstrations=(1,),
    weight=0.5,
    raters={"Ann": 0.25},
)


def said(preference: Preference, answers: str = "xy", *judgments: Judgment) -> Group:
    update = {"preference": preference, "judgments": judgments}
    return group(1, answers).model_copy(update=update)


def vote(prompt: str = "p1") -> Judgment:
    both = ("x", "y")
    return Judgment(id="1", prompt_id=prompt, rater="Ann", kind="pair", value="a", completions=both)


def only(store: Store) -> Group:
    (found,) = groups(store)
    return found


def test_it_comes_out_as_it_went_in_and_the_same_again_changes_nothing(store: Store) -> None:
    assert add_groups(store, [said(FULL), group(2)]) == 2
    assert list(groups(store)) == [said(FULL), group(2)]
    assert add_groups(store, [said(FULL), group(1)]) == 0


def test_it_is_added_to_a_prompt_that_had_none(store: Store) -> None:
    add_groups(store, [group(1)])
    assert add_groups(store, [said(FULL)]) == 1
    assert only(store) == said(FULL)


def test_a_vote_takes_its_place_until_its_rater_withdraws(store: Store) -> None:
    add_groups(store, [said(FULL)])
    add_groups(store, [group(1).model_copy(update={"judgments": (vote(),)})])
    assert (only(store).preference, len(only(store).judgments)) == (None, 1)
    withdraw(store, raters(store)[0].id)
    assert only(store) == said(FULL)


def test_a_preference_beside_judgments_follows_from_them_and_is_not_kept(store: Store) -> None:
    add_groups(store, [said(FULL, "xy", vote())])
    withdraw(store, raters(store)[0].id)
    assert only(store).preference is None


def test_it_speaks_of_completions_by_id_in_whatever_order_they_stand(store: Store) -> None:
    add_groups(store, [group(1, "yx")])
    add_groups(store, [said(FULL)])  # x, then y
    assert [one.id for one in only(store).completions] == ["y", "x"]
    assert only(store).preference == Preference(
        pairs=(SoftPair(first=0, second=1, probability=0.7, weight=1.5, strength=0.2),),
        ranks=(1.0, 2.0),
        scores=(6.25, 2.5),
        labels=(True, None),
        demonstrations=(0,),
        weight=0.5,
        raters={"Ann": 0.25},
    )


def test_completions_that_come_later_have_no_figures_and_pairs_stay(store: Store) -> None:
    ranked = Preference(ranks=(1.0, 2.5, 2.5), labels=(True, None, False))
    add_groups(store, [said(ranked, "zxy"), group(1, "wzxy")])
    found = only(store)
    assert [one.id for one in found.completions] == ["z", "x", "y", "w"]
    assert found.preference == Preference(
        pairs=(SoftPair(first=0, second=1), SoftPair(first=0, second=2)),
        labels=(True, None, False, None),
    )
    assert add_groups(store, [found]) == 0  # an export that comes in again
    add_groups(store, [said(Preference(labels=(True, False)), "xy").model_copy(update=of_p7())])
    assert [one.preference for one in groups(store)][1] == Preference(labels=(True, False))


def of_p7() -> dict[str, object]:
    other = group(7)
    return {"prompt": other.prompt, "completions": other.completions}


def test_another_preference_of_the_same_prompt_is_refused(store: Store) -> None:
    add_groups(store, [said(FULL)])
    other = FULL.model_copy(update={"scores": (1.0, 2.0)})
    with pytest.raises(DataError, match="prompt 'p1' is in the project with another preference"):
        add_groups(store, [group(3), said(other)])
    assert only(store) == said(FULL)


def test_groups_and_plans_are_stored_together_or_not_at_all(store: Store) -> None:
    plans = [TaskPlan(kind="rating"), TaskPlan(kind="pair")]
    with pytest.raises(NothingToJudgeError) as caught:
        add_all(store, [[said(Preference(scores=(3.0,)), "x")]], plans)
    assert caught.value.kinds == ["rating", "grade", "thumb", "demonstration"]
    assert list(groups(store)) == []
    assert add_all(store, [[group(1)], [group(2), group(1)]], plans) == (2, 6)
