"""Judgments of each kind become the votes they imply, whatever side the completions stood on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffrage.core.records import Judgment
from suffrage.stats.votes import latest, pair_votes


def judgment(kind: Any, value: Any, *completions: str, **more: Any) -> Judgment:
    name = more.pop("id", f"{kind} {value} {completions} {more}")
    fields = {"prompt_id": "p", "rater": "Ann", **more}
    return Judgment(id=name, kind=kind, value=value, completions=completions, **fields)


def votes_as_table(*judgments: Judgment) -> dict[tuple[str, str, str], float]:
    """(rater, first, second) -> share of the vote that the first gets."""
    votes = pair_votes(judgments)
    return {
        (votes.raters[rater], *votes.items[item][2:]): choice
        for rater, item, choice in zip(votes.rater_V, votes.item_V, votes.choice_V, strict=True)
    }


def test_pairs_are_keyed_by_completion_and_not_by_side() -> None:
    one = judgment("pair", "a", "x", "y", rater="Ann")
    other = judgment("pair", "b", "y", "x", rater="Bob")
    assert votes_as_table(one, other) == {("Ann", "x", "y"): 1, ("Bob", "x", "y"): 1}


@pytest.mark.parametrize("choice", ["tie", "both_bad"])
def test_no_winner_is_half_a_vote(choice: str) -> None:
    assert votes_as_table(judgment("pair", choice, "x", "y")) == {("Ann", "x", "y"): 0.5}


def test_a_ranking_votes_on_every_pair() -> None:
    ranking = judgment("ranking", (("z",), ("x", "y")), "x", "y", "z")
    assert votes_as_table(ranking) == {
        ("Ann", "x", "y"): 0.5,
        ("Ann", "x", "z"): 0,
        ("Ann", "y", "z"): 0,
    }


@pytest.mark.parametrize(
    ("kind", "better", "worse"), [("rating", 7, 6), ("grade", "A", "B"), ("thumb", "up", "down")]
)
def test_what_one_rater_gave_to_two_completions_is_compared(
    kind: str, better: Any, worse: Any
) -> None:
    table = votes_as_table(
        judgment(kind, worse, "x"),
        judgment(kind, better, "y"),
        judgment(kind, better, "z"),
        judgment(kind, better, "x", rater="Bob"),  # alone: says nothing of x against y
    )
    assert table == {("Ann", "x", "y"): 0, ("Ann", "x", "z"): 0, ("Ann", "y", "z"): 0.5}


def test_the_order_shown_is_kept_apart_from_the_choice() -> None:
    votes = pair_votes(
        [
            judgment("pair", "a", "x", "y", shown=("y", "x")),
            judgment("pair", "a", "x", "y", shown=("x", "y"), rater="Bob"),
            judgment("pair", "a", "x", "y", rater="Cat"),
        ]
    )
    assert votes.choice_V.tolist() == [1, 1, 1]
    assert votes.first_shown_V[:2].tolist() == [0, 1]
    assert np.isnan(votes.first_shown_V[2])


def test_criteria_and_prompts_are_items_of_their_own() -> None:
    votes = pair_votes(
        [
            judgment("pair", "a", "x", "y", criterion="helpful"),
            judgment("pair", "b", "x", "y", criterion="honest"),
            judgment("pair", "b", "x", "y", prompt_id="q"),
        ]
    )
    assert [item[:2] for item in votes.items] == [
        ("p", "helpful"),
        ("p", "honest"),
        ("q", "overall"),
    ]
    assert votes.prompt_V.tolist() == [0, 0, 1]


def test_a_correction_replaces_and_a_repeat_counts_once() -> None:
    first = judgment("pair", "a", "x", "y", id="1")
    second = judgment("pair", "b", "x", "y", id="2", supersedes="1")
    third = judgment("pair", "tie", "x", "y", id="3", supersedes="2")
    assert latest([third, first, second]) == [third]
    assert votes_as_table(third, second, first) == {("Ann", "x", "y"): 0.5}
    repeat = judgment("pair", "b", "x", "y", id="4")
    assert votes_as_table(first, repeat) == {("Ann", "x", "y"): 0}


def test_a_correction_reaches_neither_another_rater_nor_another_prompt() -> None:
    vote = judgment("pair", "a", "x", "y", id="1")
    of_another_rater = judgment("pair", "b", "x", "y", id="2", rater="Mal", supersedes="1")
    of_another_prompt = judgment("pair", "b", "x", "y", id="2", prompt_id="q", supersedes="1")
    assert vote in latest([vote, of_another_rater])
    assert vote in latest([vote, of_another_prompt])


def test_two_ratings_each_shown_alone_tell_nothing_of_the_side() -> None:
    ratings = [judgment("rating", n, name, shown=(name,)) for n, name in ((6, "x"), (2, "y"))]
    votes = pair_votes(ratings)
    assert votes.choice_V.tolist() == [1]
    assert np.isnan(votes.first_shown_V).all()


def test_demonstrations_do_not_vote() -> None:
    assert votes_as_table(judgment("demonstration", "十五個字的答案")) == {}


@given(order=st.permutations(["x", "y", "z"]), ids=st.permutations(["1", "2", "3"]))
def test_votes_follow_the_ranking_whatever_the_ids(order: list[str], ids: list[str]) -> None:
    renamed = dict(zip("xyz", ids, strict=True))
    best_first = [renamed[name] for name in order]
    table = votes_as_table(judgment("ranking", tuple((name,) for name in best_first), *ids))
    for (_rater, first, second), choice in table.items():
        assert choice == (best_first.index(first) < best_first.index(second))
