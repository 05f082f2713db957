"""Plackett-Luce against Hunter's NASCAR table, values by hand, and Bradley-Terry."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import choix
import numpy as np
import pytest

from suffrage.core.errors import DataError
from suffrage.stats.bradley_terry import bradley_terry
from suffrage.stats.comparisons import Match, from_matches
from suffrage.stats.pair_likelihood import Model
from suffrage.stats.plackett_luce import plackett_luce


def nascar() -> list[list[list[int]]]:
    """The 36 races of 2002, each driver's number (from 0) in the order of arrival.

    D. R. Hunter, "MM algorithms for generalized Bradley-Terry models" (2004), without the four
    drivers who came last in every race they drove.
    """
    lines = Path(__file__).with_name("nascar2002.txt").read_text(encoding="utf-8").splitlines()
    return [[[int(word) - 1] for word in line.split()] for line in lines]


def test_hunters_nascar_table() -> None:
    fit = plackett_luce(nascar(), 83, ridge=0)
    worth = np.exp(fit.score_K)
    worth /= worth.sum()
    jones, pruett, martin = 57, 67, 50
    assert worth[[jones, pruett, martin]] == pytest.approx([0.1864, 0.1096, 0.0235], abs=5e-5)
    # as logarithms relative to the first driver: Turner et al., "Modelling rankings in R" (2020)
    relative = fit.score_K - fit.score_K[0]
    assert relative[[jones, pruett, martin]] == pytest.approx([4.15, 3.62, 2.08], abs=5e-3)


def test_scores_equal_choix_on_full_rankings() -> None:
    rng = np.random.default_rng(2)
    rankings = [rng.permutation(6).tolist() for _ in range(40)]
    expected = choix.ilsr_rankings(6, rankings, alpha=0)
    found = plackett_luce([[[item] for item in row] for row in rankings], 6, ridge=0)
    assert found.score_K == pytest.approx(expected, abs=1e-6)


def test_rankings_of_two_are_bradley_terry_ties_included() -> None:
    rankings = [[[0], [1]], [[1], [2]], [[2], [0]], [[0, 1]], [[1], [0]], [[2, 0]], [[0], [2]]]
    matches = []
    for ranking in rankings:
        tied = len(ranking) == 1
        first, second = ranking[0] if tied else (ranking[0][0], ranking[1][0])
        matches.append(Match(str(first), str(second), 0.5 if tied else 1.0))
    pairs = bradley_terry(from_matches(matches, "012"), Model(ridge=0.3))
    found = plackett_luce(rankings, 3, ridge=0.3)
    assert found.score_K == pytest.approx(pairs.score_K, abs=1e-6)
    assert found.log_likelihood == pytest.approx(pairs.log_likelihood, abs=1e-8)


def test_a_tie_stands_for_all_its_orders() -> None:
    # 3 > {0, 1, 2} > 4, against its six orders, six times as many of all other rankings
    rest = [[[4], [2], [0], [1], [3]], [[1], [0], [4]], [[2], [3]], [[0, 4], [3]]]
    tied = plackett_luce([[[3], [0, 1, 2], [4]], *rest], 5)
    orders = [[[3], *([item] for item in order), [4]] for order in permutations((0, 1, 2))]
    spelt = plackett_luce([*orders, *rest * 6], 5, ridge=0.6)
    assert tied.score_K == pytest.approx(spelt.score_K, abs=1e-7)
    assert tied.log_likelihood == pytest.approx(spelt.log_likelihood / 6)


def test_log_likelihood_by_hand() -> None:
    # With one ranking 0 > 1 > 2 and a heavy ridge; the likelihood is that of the scores found
    fit = plackett_luce([[[0], [1], [2]]], 3, ridge=2.0)
    worth = np.exp(fit.score_K)
    by_hand = np.log(worth[0] / worth.sum()) + np.log(worth[1] / worth[1:].sum())
    assert fit.log_likelihood == pytest.approx(by_hand)
    # 0 and 2 pull with the probabilities of what did not happen: ridge * s_0 = 1 - p_0
    assert 2.0 * fit.score_K[0] == pytest.approx(1 - worth[0] / worth.sum(), abs=1e-6)


def test_errors_grow_when_rankings_of_a_prompt_are_copies() -> None:
    rankings = nascar()[:12]
    copied = [ranking for ranking in rankings for _ in range(4)]
    apart = plackett_luce(copied, 83).covariance_KK
    together = plackett_luce(copied, 83, clusters=np.repeat(np.arange(12), 4)).covariance_KK
    wider = np.sqrt(np.diag(together)[[1, 50]] / np.diag(apart)[[1, 50]])
    assert wider == pytest.approx(2 * np.sqrt(12 / 11 * 47 / 48), rel=1e-6)


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(DataError, match="no ranking of two"):
        plackett_luce([[[0]]], 2)
    with pytest.raises(DataError, match="ties 9 items"):
        plackett_luce([[list(range(9))]], 9)
    with pytest.raises(DataError, match=r"came before or after all.*use a ridge"):
        plackett_luce([[[0], [1]]] * 3, 2, ridge=0)
