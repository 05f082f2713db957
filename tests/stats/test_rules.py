"""Voting rules on textbook elections and worked by hand."""

from __future__ import annotations

from itertools import combinations

import evalica
import numpy as np
import pytest

from suffrage.stats.comparisons import Match, from_matches
from suffrage.stats.resample import counts_of, reduced
from suffrage.stats.rules import (
    borda,
    copeland,
    places,
    ranked_pairs,
    win_rate,
    wins_of,
    wins_of_counts,
)

# The capital of Tennessee: four towns vote by distance, in per cent of voters
TOWNS = ("Memphis", "Nashville", "Chattanooga", "Knoxville")
TENNESSEE = {"0123": 42, "1230": 26, "2310": 15, "3210": 17}


def election(ballots: dict[str, int]) -> np.ndarray:
    size = len(next(iter(ballots)))
    wins = np.zeros((size, size))
    for order, votes in ballots.items():
        for better, worse in combinations(map(int, order), 2):
            wins[better, worse] += votes
    return wins


def test_the_capital_of_tennessee() -> None:
    wins = election(TENNESSEE)
    assert borda(wins) * 3 * 100 == pytest.approx([126, 194, 173, 107])  # Borda's points
    assert ranked_pairs(wins).tolist() == [0, 3, 2, 1]
    assert copeland(wins).tolist() == [0, 3, 2, 1]


def test_ranked_pairs_breaks_a_circle_at_its_weakest_majority() -> None:
    # 0 beats 1 by 19, 1 beats 2 by 7, 2 beats 0 by 3: the last is not locked. 0 > 1 > 2
    wins = np.array([[0, 30, 12], [11, 0, 23], [15, 16, 0.0]])
    assert ranked_pairs(wins).tolist() == [2, 1, 0]
    assert copeland(wins).tolist() == [1, 1, 1]


def test_ranked_pairs_sees_circles_through_other_items() -> None:
    # 0 > 1 (9), 2 > 3 (8), 1 > 2 (7), then 3 > 0 (6) would close the circle; 0 and 2, 1 and 3 even
    wins = np.zeros((4, 4))
    for better, worse, margin in ((0, 1, 9), (2, 3, 8), (1, 2, 7), (3, 0, 6)):
        wins[better, worse], wins[worse, better] = 5 + margin, 5
    assert ranked_pairs(wins).tolist() == [3, 2, 1, 0]


def matches() -> list[Match]:
    return [
        Match("x", "y", 1.0),
        Match("y", "x", 0.5),
        Match("z", "x", 0.0),
        Match("z", "x", 0.0),
        Match("w", "z", 1.0),
    ]


def test_wins_count_ties_half_and_both_ways() -> None:
    data = from_matches(matches(), "wxyz")
    wins = wins_of(data)
    assert wins.tolist() == [[0, 0, 0, 1], [0, 0, 1.5, 2], [0, 0.5, 0, 0], [0, 0, 0, 0]]
    cells, outcomes = reduced(data)
    again = wins_of_counts(
        cells, counts_of(cells, outcomes)[None] * np.array([1, 3])[:, None, None]
    )
    assert again[0].tolist() == wins.tolist()
    assert again[1].tolist() == (3 * wins).tolist()
    assert win_rate(wins) == pytest.approx([1, 3.5 / 4, 0.5 / 2, 0])
    # w met z only: (1 + .5 + .5) / 3; x: (.75 + 1 + .5) / 3
    assert borda(wins) == pytest.approx([2 / 3, 2.25 / 3, 1.25 / 3, 0.5 / 3])


def test_win_rates_equal_evalica() -> None:
    rng = np.random.default_rng(8)
    rows = [
        Match(f"m{a}", f"m{b}", float(rng.choice([0, 0.5, 1])))
        for a, b in rng.integers(5, size=(90, 2))
        if a != b
    ]
    winners = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    theirs = evalica.average_win_rate(
        [row.first for row in rows],
        [row.second for row in rows],
        [winners[row.result] for row in rows],
        win_weight=1.0,
        tie_weight=0.5,
    ).scores
    data = from_matches(rows)
    # theirs is the mean share of wins over opponents, the item itself counted as an even one
    expected = [theirs[name] for name in data.items]
    assert np.argsort(borda(wins_of(data))).tolist() == np.argsort(expected).tolist()


def test_equal_scores_share_the_better_place() -> None:
    found = places(np.array([[0.3, 0.7, 0.3, 0.1], [4, 3, 2, 1]]))
    assert found.tolist() == [[2, 1, 2, 4], [1, 2, 3, 4]]
