"""One view from another, and refusals of what cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from suffrage.core.errors import DataError
from suffrage.core.records import Preference, SoftPair
from suffrage.data.preferences import (
    as_demonstrations,
    as_labels,
    as_pairs,
    as_ranking,
    as_scores,
    best_versus_worst,
)

RANKS = Preference(ranks=(2, 1, 3))
TIED = Preference(ranks=(1.5, 1.5, 3))
SCORES = Preference(scores=(0.5, 7.0, -1.0))
LABELS = Preference(labels=(True, None, False))
VOTES = Preference(
    pairs=(
        SoftPair(first=1, second=0, probability=0.75),
        SoftPair(first=0, second=2, probability=0.5),
        SoftPair(first=1, second=2, probability=0.5),
    )
)


def sides(pairs: tuple[SoftPair, ...]) -> list[tuple[int, int]]:
    assert all(pair.probability == pair.weight == 1 for pair in pairs)
    return [(pair.first, pair.second) for pair in pairs]


def test_pairs_from_ranks_scores_and_labels() -> None:
    assert sides(as_pairs(RANKS)) == [(1, 0), (0, 2), (1, 2)]
    assert sides(as_pairs(SCORES)) == [(1, 0), (0, 2), (1, 2)]
    assert sides(as_pairs(TIED)) == [(0, 2), (1, 2)]
    assert sides(as_pairs(LABELS)) == [(0, 2)]
    assert as_pairs(VOTES) == VOTES.pairs


def test_a_group_whose_completions_tie_has_nothing_to_teach() -> None:
    tied = Preference(ranks=(1.5, 1.5))
    assert as_pairs(tied) == best_versus_worst(tied) == as_labels(tied) == ()


def test_best_against_worst() -> None:
    assert sides(best_versus_worst(RANKS)) == [(1, 2)]
    assert sides(best_versus_worst(TIED)) == [(0, 2)]
    # Votes won less lost: +.5, -.5 and 0, so 1 against 0
    assert best_versus_worst(VOTES) == VOTES.pairs[:1]


def test_best_and_worst_that_never_met_give_way_to_the_surest_pair() -> None:
    weak = SoftPair(first=0, second=1, probability=0.9)
    sure = SoftPair(first=1, second=2, probability=0.95)
    assert best_versus_worst(Preference(pairs=(weak, sure))) == (sure,)


def test_rankings() -> None:
    assert as_ranking(RANKS) == (2, 1, 3)
    assert as_ranking(SCORES) == (2, 1, 3)
    assert as_ranking(Preference(scores=(4, 4, 9))) == (2.5, 2.5, 1)
    assert as_ranking(VOTES) == (3, 1, 2)


def test_scores_from_ranks_are_shares_of_completions_beaten() -> None:
    assert as_scores(SCORES) == (0.5, 7.0, -1.0)
    assert as_scores(RANKS) == (0.5, 1, 0)
    assert as_scores(TIED) == (0.75, 0.75, 0)


def test_labels_of_winners_and_losers() -> None:
    assert as_labels(LABELS) == ((0, True), (2, False))
    assert as_labels(RANKS) == ((1, True), (2, False))  # the middle one is neither
    assert as_labels(VOTES) == ((0, False), (1, True))


def test_demonstrations() -> None:
    assert as_demonstrations(Preference(demonstrations=(2,), ranks=(1, 2, 3))) == (2,)
    assert as_demonstrations(LABELS) == (0,)
    assert as_demonstrations(TIED) == (0, 1)
    assert as_demonstrations(SCORES) == (1,)
    assert as_demonstrations(VOTES) == (1,)
    assert as_demonstrations(Preference(labels=(False,))) == ()


PART = Preference(pairs=VOTES.pairs[:2])


@pytest.mark.parametrize(
    ("view", "preference", "message"),
    [
        (as_pairs, Preference(labels=(True,)), "dpo learns from pairs, and .* labels of single"),
        (as_pairs, Preference(demonstrations=(0,)), "holds demonstrations only; use a method"),
        (as_pairs, Preference(), "holds no preference"),
        (best_versus_worst, LABELS.model_copy(update={"labels": (True, True)}), "dpo learns"),
        (as_ranking, PART, "a ranking, which needs every pair, and .* pairs only"),
        (as_ranking, LABELS, "labels of single completions"),
        (as_scores, Preference(), "no preference"),
        (as_labels, Preference(demonstrations=(0,)), "demonstrations only"),
        (as_demonstrations, Preference(), "dpo learns from demonstrations"),
    ],
)
def test_what_cannot_be_had_is_refused(
    view: Callable[..., Any], preference: Preference, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        view(preference, "dpo")
