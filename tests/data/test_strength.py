"""How strongly raters prefer one completion to another, from the click to the pair."""

from __future__ import annotations

import pytest

from suffrage.core.records import Completion, Group, Judgment, Prompt, SoftPair
from suffrage.data.preferences import consensus, vote_share

NAMES = ("x", "y", "z")


def vote(number: int, rater: str, a: str, b: str, value: str, strength: int | None) -> Judgment:
    return Judgment(
        id=f"j{number}",
        prompt_id="p",
        rater=rater,
        kind="pair",
        value=value,
        completions=(a, b),
        strength=strength,
    )


def judged(*votes: tuple[str, str, str, str, int | None]) -> Group:
    completions = tuple(Completion(id=name, prompt_id="p", text=name) for name in NAMES)
    judgments = tuple(vote(number, *given) for number, given in enumerate(votes))
    return Group(prompt=Prompt(id="p", content="say"), completions=completions, judgments=judgments)


def strengths(group: Group, **weights: float) -> dict[tuple[int, int], float | None]:
    return {(pair.first, pair.second): pair.strength for pair in vote_share(group, weights)}


@pytest.mark.parametrize(("given", "expected"), [(1, 0), (2, 1 / 3), (3, 2 / 3), (4, 1)])
def test_the_four_strengths_go_from_nothing_to_one(given, expected):
    assert strengths(judged(("Ann", "x", "y", "a", given))) == {(0, 1): pytest.approx(expected)}


def test_the_strength_is_that_of_the_votes_for_the_preferred_weighted_by_rater():
    # For z against y: Ann 4 (1) of weight 2, Bob 2 (1/3) of weight 3: (2 + 1) / 5. Cid is against.
    group = judged(("Ann", "y", "z", "b", 4), ("Bob", "z", "y", "a", 2), ("Cid", "y", "z", "a", 3))
    assert strengths(group, Ann=2, Bob=3, Cid=0.5) == {(2, 1): pytest.approx(0.6)}


def test_votes_that_do_not_say_how_strongly_leave_it_open():
    group = judged(
        ("Ann", "x", "y", "a", None),
        ("Ann", "y", "z", "tie", 3),
        ("Ann", "x", "z", "a", None),
        ("Bob", "x", "z", "a", 3),
    )
    assert strengths(group) == {(0, 1): None, (1, 2): None, (0, 2): pytest.approx(2 / 3)}


def test_a_raters_last_word_counts():
    twice = judged(("Ann", "x", "y", "a", 4), ("Ann", "y", "x", "b", 2))
    assert strengths(twice) == {(0, 1): pytest.approx(1 / 3)}
    withdrawn = judged(("Ann", "x", "y", "a", 4), ("Ann", "x", "y", "tie", None))
    assert strengths(withdrawn) == {(0, 1): None}


def test_a_rater_without_weight_has_no_say():
    group = judged(("Ann", "x", "y", "a", 2), ("Bob", "x", "y", "a", 4))
    assert strengths(group, Bob=0) == {(0, 1): pytest.approx(1 / 3)}


def test_the_consensus_keeps_it_and_files_do_too():
    group = consensus(judged(("Ann", "x", "y", "b", 3)))
    assert group.preference is not None
    assert Group.from_json(group.to_json()) == group
    assert group.preference.pairs == (SoftPair(first=1, second=0, strength=2 / 3),)
