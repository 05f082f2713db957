"""Intervals against published values, values by hand, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from suffrage.stats.intervals import (
    cluster_sums,
    clustered_error,
    clustered_mean,
    clustered_ratio,
    percentile_interval,
    resampled_sums,
    wilson,
)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # R. Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),  # by symmetry with 0 of 29: 1 - .1170
    ],
)
def test_wilson_gives_newcombes_published_intervals(
    successes: int, n: int, low: float, high: float
) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_refuses_what_is_no_proportion() -> None:
    with pytest.raises(ValueError, match="5 successes of 4"):
        wilson(5, 4)


def test_sums_within_clusters_keep_each_cluster_apart() -> None:
    sums = cluster_sums(np.array([[1.0, 10], [2, 20], [4, 40]]), ["b", "a", "b"])
    assert sums.tolist() == [[5, 50], [2, 20]]


def test_resampling_has_the_spread_of_the_bootstrap() -> None:
    # Two clusters with sums 0 and 1: the total of two draws is 0, 1 or 2 with chances 1/4, 1/2, 1/4
    totals = resampled_sums(np.array([[0.0], [1.0]]), 20_000, seed=3)[:, 0]
    assert np.bincount(totals.astype(int)) / 20_000 == pytest.approx([0.25, 0.5, 0.25], abs=0.015)


def test_resampling_in_chunks_covers_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suffrage.stats.intervals._DRAWS_AT_ONCE", 70)
    totals = resampled_sums(np.ones((10, 1)), 33, seed=0)
    assert totals.tolist() == [[10.0]] * 33


def test_ratio_divides_sums_not_means_of_clusters() -> None:
    estimate = clustered_ratio([1, 0, 3], [2, 1, 3], ["p", "p", "q"])
    assert estimate.value == pytest.approx(4 / 6)
    assert (estimate.n, estimate.unit) == (2, "prompts")


def test_clusters_with_nothing_to_count_are_left_out() -> None:
    assert clustered_ratio([1, 0, 0], [2, 1, 0], ["p", "q", "r"]).n == 2
    nothing = clustered_ratio([0], [0], ["p"])
    assert nothing.value is None
    assert nothing.note


def test_tails_widen_as_hesterberg_says_for_few_clusters() -> None:
    # n = 5: t = 2.7764, sqrt(5/4) t = 3.1042, Phi(-3.1042) = .000954
    draws = np.linspace(0, 1, 100_001)
    assert percentile_interval(draws, 5) == pytest.approx((0.000954, 0.999046), abs=2e-6)


def test_equal_clusters_fall_back_to_wilson_and_say_so() -> None:
    estimate = clustered_mean(np.ones(200), np.repeat(np.arange(10), 20))
    # 10 of 10: low = n / (n + z^2) = 10 / 13.8415
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert estimate.low == pytest.approx(10 / (10 + 1.959964**2), abs=1e-6)
    assert "Wilson" in estimate.note
    assert clustered_mean([1.0, 0, 1, 0], [0, 0, 1, 1]).note


def test_equal_means_that_are_no_shares_have_no_interval() -> None:
    estimate = clustered_mean([7.5, 7.5], ["p", "q"])
    assert (estimate.value, estimate.low, estimate.high) == (7.5, None, None)
    assert "no interval" in estimate.note


def test_one_cluster_is_never_certain() -> None:
    estimate = clustered_mean(np.ones(50), np.zeros(50, dtype=int))
    assert estimate.low == pytest.approx(1 / (1 + 1.959964**2), abs=1e-6)
    assert "one prompt only" in estimate.note


def test_error_of_a_clustered_mean_by_hand() -> None:
    # sums 2 of 2, 0 of 2: ratio .5, residuals 1 and -1, error sqrt(2 * 2 / 1) / 4 = .5
    value, error, groups = clustered_error(
        np.array([1.0, 1, 0, 0]), np.ones(4), np.array([0, 0, 1, 1])
    )
    assert (value, error, groups) == (0.5, 0.5, 2)


def test_error_never_falls_below_the_smoothed_binomial() -> None:
    # 8 of 8, one a cluster: no residual; (8 + 2) / (8 + 4) = 5/6, sqrt(5/36 / 12) = .10758
    value, error, _ = clustered_error(np.ones(8), np.ones(8), np.arange(8))
    assert value == 1
    assert error == pytest.approx(0.1075829, abs=1e-7)


@pytest.mark.parametrize("prompts", [10, 60])
def test_intervals_of_clustered_shares_cover_the_truth(prompts: int) -> None:
    # Answers of a prompt share a chance drawn from Beta(2, 1): mean 2/3
    studies, answers = 1000, 8
    rng = np.random.default_rng(20 + prompts)
    share = rng.beta(2, 1, size=(studies, prompts, 1))
    hits = rng.random((studies, prompts, answers)) < share
    labels = np.repeat(np.arange(prompts), answers)
    covered = widest_row_interval = 0
    for seed, study in enumerate(hits):
        estimate = clustered_mean(study.ravel(), labels, seed=seed, rounds=1000)
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 2 / 3 <= estimate.high
        low, high = wilson(study.sum(), study.size)
        widest_row_interval += low <= 2 / 3 <= high
    assert 0.93 <= covered / studies <= 0.97
    assert widest_row_interval / studies < 0.90  # rows as if independent: too narrow


def test_equal_rows_drawn_together_vary_as_rows_drawn_one_by_one() -> None:
    # 1,200 prompts of one vote won, 800 of two votes lost and 1 of seven won: a ratio of sums
    rows = np.array([[1.0, 1.0]] * 1200 + [[0.0, 2.0]] * 800 + [[7.0, 7.0]])
    drawn = resampled_sums(rows, 4000, seed=3)
    assert drawn.shape == (4000, 2)
    # each total's variance is the sum of squares about the row mean (a bootstrap of n rows)
    expected = ((rows - rows.mean(axis=0)) ** 2).sum(axis=0)
    assert drawn.var(axis=0) == pytest.approx(expected, rel=0.1)
    assert drawn.mean(axis=0) == pytest.approx(rows.sum(axis=0), rel=0.005)
    covariance = ((rows - rows.mean(axis=0)).prod(axis=1)).sum()
    assert np.cov(drawn.T)[0, 1] == pytest.approx(covariance, rel=0.15)


def test_rows_that_all_differ_are_drawn_one_by_one_however_many() -> None:
    rows = np.arange(1500.0)[:, None]
    drawn = resampled_sums(rows, 500, seed=1)
    assert drawn.std() == pytest.approx(np.sqrt(1500) * rows.std(), rel=0.1)
