"""Kendall's tau-b and W: worked by hand, and tau against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from suffrage.stats.rank_agreement import kendall_tau, kendall_w, mean_tau, tau_b, w_of

_ = np.nan


@given(arrays(np.float64, (2, 7), elements=st.sampled_from([_, 1.0, 2.0, 3.0, 4.5])))
def test_tau_equals_scipy_on_what_both_judged(scores: np.ndarray) -> None:
    both = scores[:, ~np.isnan(scores).any(axis=0)]
    expected = stats.kendalltau(*both).statistic if both.shape[1] > 1 else np.nan
    assert tau_b(scores)[0, 1] == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_mean_tau_by_hand() -> None:
    # Ann and Bob order 3 pairs alike but one: 1/3; Ann and Cat all against: -1; Bob and Cat: -1/3
    assert mean_tau([[1, 2, 3], [1, 3, 2], [9, 5, 2]]) == pytest.approx((1 / 3 - 1 - 1 / 3) / 3)


def test_w_by_hand() -> None:
    # Rank sums 5 8 13 14, mean 10: S = 25 + 4 + 9 + 16 = 54
    ranks = [[1, 2, 3, 4], [1, 3, 2, 4], [2, 1, 4, 3], [1, 2, 4, 3]]
    assert w_of(ranks) == pytest.approx(12 * 54 / (16 * 60))


def test_w_with_ties_by_hand() -> None:
    # Ranks 1.5 1.5 3 | 1 2.5 2.5: sums 2.5 4 5.5, S = 4.5; ties 6 each: 54 / (4 * 24 - 2 * 12)
    assert w_of([[7, 7, 8], [-1, 4, 4]]) == pytest.approx(54 / 72)


def test_w_is_tied_to_the_mean_of_spearmans_rho() -> None:
    # Without ties W = (1 + (m - 1) mean rho) / m (Kendall and Gibbons)
    scores = np.random.default_rng(4).permuted(np.tile(np.arange(6.0), (5, 1)), axis=1)
    rho = stats.spearmanr(scores.T).statistic[np.triu_indices(5, 1)].mean()
    assert w_of(scores) == pytest.approx((1 + 4 * rho) / 5)


def test_prompts_count_once_and_only_where_there_is_something_to_compare() -> None:
    tables = [[[1, 2, 3], [1, 2, 3]], [[1, 2], [2, 1]], [[1, 2, 3]], [[4, 4], [1, 2]]]
    tau = kendall_tau(tables)
    assert (tau.value, tau.n) == (0, 2)
    w = kendall_w(tables)
    assert w.n == 3
    assert w.value == pytest.approx(
        (1 + 0 + 12 * 0.5 / (4 * 6 - 2 * 6)) / 3
    )  # ties: 6 of one rater


def test_w_leaves_out_what_not_all_judged() -> None:
    assert kendall_w([[[1, 2, 3, _], [1, _, 3, 2]]]).value == 1


def test_undefined_says_why() -> None:
    assert "no two raters" in kendall_tau([[[1, 2]]]).note
    assert "no two raters" in kendall_w([]).note
