"""Right answers and disagreement, whatever stands on which side."""

from __future__ import annotations

import pytest

from suffrage.core.records import Json, JudgmentKind, Prompt
from suffrage.label.store.expected import as_value, disagree, expected_of, meaning


@pytest.mark.parametrize(
    ("kind", "completions", "known", "right"),
    [
        ("pair", "xy", {"x": 1, "y": 3.5}, [["y"], ["x"]]),
        ("pair", "xy", {"x": "B", "y": "C"}, [["x"], ["y"]]),
        ("pair", "yx", {"x": 2, "y": 2}, [["x", "y"]]),
        ("ranking", "zxy", {"x": 2, "y": 5, "z": 2}, [["y"], ["x", "z"]]),
        ("rating", "x", {"x": 6}, 6),
        ("rating", "x", {"x": 9}, None),
        ("grade", "x", {"x": "C"}, "C"),
        ("thumb", "x", {"x": "down"}, "down"),
        ("thumb", "x", {"x": 4}, None),
        ("pair", "xy", {"x": 1}, None),
        ("pair", "xy", {"x": 1, "y": True}, None),
        ("pair", "xy", "x", None),
        ("demonstration", "", {"x": 1}, None),
    ],
)
def test_the_right_answer_follows_from_how_good_each_completion_is(
    kind: JudgmentKind, completions: str, known: Json, right: Json
) -> None:
    prompt = Prompt(id="p", content="", meta={"expected": known})
    assert expected_of(prompt, kind, list(completions)) == right


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("pair", "a", "yx"),
        ("pair", "b", "yx"),
        ("pair", "tie", "yx"),
        ("ranking", (("z",), ("x", "y")), "yxz"),
        ("rating", 5, "x"),
        ("grade", "D", "x"),
    ],
)
def test_a_vote_and_its_meaning_are_inverse(kind: JudgmentKind, value: Json, shown: str) -> None:
    assert as_value(kind, meaning(kind, value, shown), shown) == value


def test_a_pair_means_the_same_from_either_side() -> None:
    assert meaning("pair", "a", "xy") == meaning("pair", "b", "yx") == [["x"], ["y"]]
    assert meaning("pair", "tie", "xy") == meaning("pair", "both_bad", "yx")


def test_ratings_disagree_from_two_steps_on_and_other_votes_at_once() -> None:
    assert not disagree("rating", [3, 4])
    assert disagree("rating", [3, 4, 5])
    assert disagree("grade", ["A", "B"])
    assert not disagree("pair", [[["x"], ["y"]], [["x"], ["y"]]])
    assert disagree("pair", [[["x"], ["y"]], [["y"], ["x"]]])
