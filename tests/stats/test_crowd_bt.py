"""Crowd-BT: a value by hand, a true maximum, and raters of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_expit

from suffrage.core.errors import DataError
from suffrage.stats.bradley_terry import bradley_terry
from suffrage.stats.comparisons import Comparisons, Match, from_matches
from suffrage.stats.crowd_bt import _Em, crowd_bt

RELIABLE = {"Ann": 0.95, "Bob": 0.9, "Cat": 0.8, "Dan": 0.5, "Eve": 0.05}


def study(seed: int, votes: int = 1500) -> Comparisons:
    rng = np.random.default_rng(seed)
    matches = []
    for vote in range(votes):
        first, second = rng.choice(6, 2, replace=False)
        rater = list(RELIABLE)[vote % 5]
        chance = expit(0.8 * (first - second))
        straight = rng.random() < RELIABLE[rater]
        result = float(rng.random() < (chance if straight else 1 - chance))
        matches.append(Match(f"m{first}", f"m{second}", result, rater=rater))
    return from_matches(matches, [f"m{item}" for item in range(6)])


def test_reliabilities_and_scores_are_recovered() -> None:
    data = study(1, votes=6000)
    found = crowd_bt(data)
    assert dict(zip(data.raters, found.reliability_R, strict=True)) == pytest.approx(
        RELIABLE, abs=0.06
    )
    off = found.score_K - 0.8 * (np.arange(6) - 2.5)
    plain = bradley_terry(data).score_K - 0.8 * (np.arange(6) - 2.5)
    assert np.abs(off).max() < 0.35
    assert np.abs(off).max() < np.abs(plain).max() / 3


def height(data: Comparisons, score: np.ndarray, e: np.ndarray, virtual: float) -> float:
    """The log posterior, written apart: Beta(7, 2) on e; the last score is the virtual item's."""
    total = 0.0
    for first, second, result, rater in zip(
        data.first_N, data.second_N, data.result_N, data.rater_N, strict=True
    ):
        gap = (score[first] - score[second]) * (1 if result == 1 else -1)
        total += np.log(e[rater] * expit(gap) + (1 - e[rater]) * expit(-gap))
    for lead in score[:-1] - score[-1]:
        total += virtual * (log_expit(lead) + log_expit(-lead))
    return float(total + (6 * np.log(e) + np.log(1 - e)).sum())


def test_the_fit_is_a_maximum() -> None:
    data = study(2, votes=200)
    found = crowd_bt(data, prior=(7.0, 2.0), virtual=1.5)
    # the virtual item's score relative to the mean is where its pulls cancel: 0 up to the shift
    shift = np.linspace(-1, 1, 4001)
    pulls = [(expit(-(found.score_K - x)) - expit(found.score_K - x)).sum() for x in shift]
    score = np.append(found.score_K, shift[np.argmin(np.abs(pulls))])
    best = height(data, score, found.reliability_R, 1.5)
    assert best == pytest.approx(found.log_posterior, abs=1e-3)
    for place in range(6):
        for step in (0.03, -0.03):
            moved = score.copy()
            moved[place] += step
            assert height(data, moved, found.reliability_R, 1.5) < best
    for place in range(5):
        for step in (0.01, -0.01):
            moved = found.reliability_R.copy()
            moved[place] += step
            assert height(data, score, moved, 1.5) < best


def test_one_vote_by_hand() -> None:
    # -log( .8 sg(.7) + .2 sg(-.7) ) = .509306
    data = from_matches([Match("x", "y", 1.0, rater="Ann")])
    em = _Em(data, (1.0, 1.0), 0.0)
    score, reliability = np.array([0.35, -0.35, 0.0]), np.array([0.8])
    assert -em.log_posterior(score, reliability) == pytest.approx(0.509306, abs=1e-6)
    meant = 0.8 * expit(0.7) / (0.8 * expit(0.7) + 0.2 * expit(-0.7))
    assert em.straight(score, reliability)[0] == pytest.approx(meant)


def test_ties_are_left_out() -> None:
    rows = [Match("x", "y", 1.0, rater="Ann"), Match("x", "y", 0.5, rater="Bob")]
    found = crowd_bt(from_matches(rows))
    assert found.reliability_R[1] == pytest.approx(1, abs=1e-6)  # the prior's mode
    with pytest.raises(DataError, match="every comparison is a tie"):
        crowd_bt(from_matches(rows[1:]))
