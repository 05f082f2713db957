"""Preferences from judgments, by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffrage.core.errors import SettingsError
from suffrage.core.records import Completion, Group, Judgment, Preference, Prompt, SoftPair
from suffrage.data.preferences import (
    consensus,
    labels,
    mean_ranks,
    mean_scores,
    vote_share,
    with_demonstrations,
)


def judged(*judgments: tuple[Any, ...], completions: str = "xyz") -> Group:
    """A group with judgments (rater, kind, value, completions judged)."""
    return Group(
        prompt=Prompt(id="p", content="真人版好看嗎?"),
        completions=tuple(
            Completion(id=name, prompt_id="p", text=f"answer {name}") for name in completions
        ),
        judgments=tuple(
            Judgment(
                id=str(number),
                prompt_id="p",
                rater=rater,
                kind=kind,
                value=value,
                completions=tuple(names),
            )
            for number, (rater, kind, value, names) in enumerate(judgments)
        ),
    )


def ranking(rater: str, best_first: str) -> tuple[Any, ...]:
    tied = tuple(tuple(names) for names in best_first.split(">"))
    return rater, "ranking", tied, sorted(best_first.replace(">", ""))


def pairs_of(group: Group, weights: dict[str, float] | None = None) -> list[tuple[float, ...]]:
    found = vote_share(group, weights)
    return [(pair.first, pair.second, pair.probability, pair.weight) for pair in found]


def test_vote_share_counts_raters_and_halves_ties() -> None:
    # x beats y twice in 3, z twice and ties once; y beats z twice
    group = judged(ranking("Ann", "x>y>z"), ranking("Bob", "xz>y"), ranking("Cat", "y>x>z"))
    assert pairs_of(group) == [
        (0, 1, pytest.approx(2 / 3), 1),
        (0, 2, pytest.approx(2.5 / 3), 1),
        (1, 2, pytest.approx(2 / 3), 1),
    ]


def test_the_preferred_completion_stands_first() -> None:
    group = judged(ranking("Ann", "z>x"), ranking("Bob", "z>x"), ranking("Cat", "x>z"))
    assert pairs_of(group) == [(2, 0, pytest.approx(2 / 3), 1)]
    split = judged(ranking("Ann", "z>x"), ranking("Bob", "x>z"))
    assert pairs_of(split) == [(0, 2, 0.5, 1)]


def test_weights_are_the_raters_and_default_to_one() -> None:
    group = judged(ranking("Ann", "x>y"), ranking("Bob", "y>x"), ranking("Cat", "y>x"))
    assert pairs_of(group, {"Ann": 3.0}) == [(0, 1, pytest.approx(3 / 5), 1)]
    assert pairs_of(group, {"Bob": 0, "Cat": 0}) == [(0, 1, 1, 1)]
    assert pairs_of(group, {"Ann": 0, "Bob": 0, "Cat": 0}) == []


def test_a_pair_with_more_votes_weighs_more_and_the_mean_is_one() -> None:
    group = judged(ranking("Ann", "x>y>z"), ranking("Bob", "x>y"))
    # votes 2, 1, 1: mean 4/3
    assert [pair[3] for pair in pairs_of(group)] == pytest.approx([1.5, 0.75, 0.75])
    doubled = judged(*[ranking(rater, "x>y>z") for rater in ("Ann", "Bob")])
    assert [pair[3] for pair in pairs_of(doubled)] == [1, 1, 1]


def test_a_pair_nobody_compared_is_absent() -> None:
    group = judged(("Ann", "pair", "a", "xy"), ("Bob", "pair", "b", "zy"))
    assert [pair[:3] for pair in pairs_of(group)] == [(0, 1, 1), (1, 2, 1)]


def test_judgments_by_several_criteria_are_pooled_or_chosen() -> None:
    group = judged(ranking("Ann", "x>y"), ranking("Ann", "y>x"))
    first, second = group.judgments
    second = second.model_copy(update={"criterion": "honest"})
    group = group.model_copy(update={"judgments": (first, second)})
    assert pairs_of(group) == [(0, 1, 0.5, 1)]
    chosen = consensus(group, criterion="honest").preference
    assert chosen is not None
    assert chosen.pairs == (SoftPair(first=1, second=0),)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_an_impossible_weight_is_the_users_error(weight: float) -> None:
    with pytest.raises(SettingsError, match=r"'Ann' has weight .*; give a finite number"):
        vote_share(judged(ranking("Ann", "x>y")), {"Ann": weight})


def test_ranks_follow_the_mean_rank_and_share_places() -> None:
    # Ranks of x y z: 1 2 3, 1 3 2, 3 1.5 1.5: means 5/3, 6.5/3, 6.5/3
    group = judged(ranking("Ann", "x>y>z"), ranking("Bob", "x>z>y"), ranking("Cat", "yz>x"))
    assert mean_ranks(group) == (1, 2.5, 2.5)
    assert mean_ranks(group, {"Cat": 9}) == (3, 1.5, 1.5)


def test_ranks_need_every_pair() -> None:
    assert mean_ranks(judged(("Ann", "pair", "a", "xy"), ("Ann", "pair", "a", "yz"))) is None


@given(st.lists(st.permutations("wxyz"), min_size=1, max_size=6))
def test_ranks_are_the_order_of_the_mean_ranks(orders: list[list[str]]) -> None:
    group = judged(
        *[ranking(f"r{number}", ">".join(order)) for number, order in enumerate(orders)],
        completions="wxyz",
    )
    found = mean_ranks(group)
    assert found is not None
    totals = [sum(order.index(name) for order in orders) for name in "wxyz"]
    for one in range(4):
        assert (
            found[one]
            == 1
            + sum(total < totals[one] for total in totals)
            + (totals.count(totals[one]) - 1) / 2
        )


def test_scores_are_mean_ratings_else_mean_grades() -> None:
    rated = [("Ann", "rating", 7, "x"), ("Bob", "rating", 4, "x"), ("Ann", "rating", 2, "y")]
    graded = [("Cat", "grade", "A", "x"), ("Cat", "grade", "D", "y"), ("Dee", "grade", "B", "y")]
    assert mean_scores(judged(*rated, *graded, completions="xy")) == (5.5, 2)
    assert mean_scores(judged(*rated, completions="xy"), {"Bob": 0.5}) == (6, 2)
    assert mean_scores(judged(*graded, completions="xy")) == (4, 2)
    assert mean_scores(judged(*rated, completions="xyz")) is None  # nobody rated z


def test_what_a_rater_said_last_of_a_completion_counts_once() -> None:
    twice = [("Ann", "rating", 7, "x"), ("Ann", "rating", 1, "x"), ("Bob", "rating", 4, "x")]
    assert mean_scores(judged(*twice, completions="x")) == (2.5,)
    thumbs = [("Ann", "thumb", word, "x") for word in ("up", "up", "down")]
    group = judged(*thumbs, ("Bob", "thumb", "up", "x"), completions="x")
    assert labels(group) == (0.5,)
    both_bad = [("Ann", "pair", "both_bad", "xy"), ("Ann", "pair", "a", "yx")]
    assert labels(judged(*both_bad, completions="xy")) is None


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([("Ann", "thumb", "up", "x"), ("Ann", "thumb", "down", "y")], (True, False)),
        ([("Ann", "thumb", "up", "x"), ("Bob", "thumb", "down", "x")], (0.5, None)),
        (
            [
                *(("Ann", "thumb", "up", "x"),),
                ("Bob", "grade", "B", "x"),
                ("Cid", "grade", "C", "x"),
            ],
            (2 / 3, None),
        ),
        ([("Ann", "grade", "B", "x"), ("Ann", "grade", "C", "y")], (True, False)),
        ([("Ann", "rating", 5, "x"), ("Ann", "rating", 3, "y")], (True, False)),
        ([("Ann", "rating", 4, "x"), ("Ann", "thumb", "up", "y")], (None, True)),
        ([("Ann", "pair", "both_bad", "xy")], (False, False)),
        ([("Ann", "pair", "a", "xy")], None),
        ([("Ann", "demonstration", "text", "")], None),
    ],
)
def test_a_label_is_the_share_of_the_votes(votes: list[Any], expected: Any) -> None:
    assert labels(judged(*votes, completions="xy")) == expected


def test_labels_weigh_raters() -> None:
    group = judged(("Ann", "thumb", "up", "x"), ("Bob", "thumb", "down", "x"), completions="x")
    assert labels(group, {"Ann": 0.5}) == (1 / 3,)


def test_a_consensus_made_again_counts_raters_and_prompt_as_before() -> None:
    group = judged(("Ann", "pair", "a", "xy"), ("Bob", "pair", "b", "xy"), completions="xy")
    first = consensus(group, {"Ann": 0.3, "Zoe": 2.0})
    assert first.preference
    assert first.preference.raters == {"Ann": 0.3}
    assert first.preference.pairs[0].probability == pytest.approx(1 / 1.3)
    heavy = first.model_copy(
        update={"preference": Preference(weight=4, raters=first.preference.raters)}
    )
    again = consensus(heavy).preference
    assert again == first.preference.model_copy(update={"weight": 4.0})


def test_a_demonstration_becomes_a_completion() -> None:
    written = ("小明", "demonstration", "一個好答案", "")
    group = with_demonstrations(judged(written, written, completions="xy"))
    added = group.completions[2:]
    assert [(one.text, one.source) for one in added] == [("一個好答案", "person:小明")]
    assert group.preference == Preference(demonstrations=(2,))
    assert with_demonstrations(group) == group


def test_consensus_fills_every_view_and_keeps_the_judgments() -> None:
    group = judged(
        ranking("Ann", "x>y"),
        ("Ann", "rating", 6, "x"),
        ("Ann", "rating", 1, "y"),
        ("Ann", "thumb", "down", "y"),
        completions="xy",
    )
    result = consensus(group)
    assert result.judgments == group.judgments
    assert result.preference == Preference(
        pairs=(SoftPair(first=0, second=1),),
        ranks=(1, 2),
        scores=(6, 1),
        labels=(True, False),
    )
    assert consensus(result) == result


def test_consensus_with_a_demonstration_has_pairs_but_no_ranks() -> None:
    group = judged(ranking("Ann", "x>y"), ("Bob", "demonstration", "文", ""), completions="xy")
    preference = consensus(group).preference
    assert preference == Preference(pairs=(SoftPair(first=0, second=1),), demonstrations=(2,))


def test_consensus_without_judgments_changes_nothing() -> None:
    group = judged().model_copy(update={"preference": Preference(ranks=(1, 2, 3))})
    assert consensus(group) == group


def test_consensus_ignores_what_was_corrected() -> None:
    group = judged(ranking("Ann", "x>y"), ranking("Ann", "y>x"))
    old, new = group.judgments
    new = new.model_copy(update={"supersedes": old.id})
    preference = consensus(group.model_copy(update={"judgments": (new, old)})).preference
    assert preference is not None
    assert preference.pairs == (SoftPair(first=1, second=0),)
