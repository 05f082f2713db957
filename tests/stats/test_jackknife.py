"""Intervals over raters: by hand, and as wide as raters differ."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from suffrage.stats.agreement import alpha_value
from suffrage.stats.jackknife import alpha_over_raters, over_raters

from .test_agreement import WORKED_EXAMPLE


def test_of_a_mean_it_is_students_interval() -> None:
    # Each rater gives one number; the jackknife of a mean is s / sqrt(n)
    values = np.array([[2.0], [5.0], [3.5], [9.0], [4.0]])
    found = over_raters(lambda table: float(table.mean()), values)
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values[:, 0]))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert (found.n, found.unit) == (5, "raters")


def test_alpha_without_each_rater_by_hand() -> None:
    table = np.array(WORKED_EXAMPLE, dtype=float)
    without = [alpha_value(np.delete(table, rater, axis=0)) for rater in range(4)]
    found = alpha_over_raters(table)
    error = np.sqrt(3 / 4 * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert found.value == pytest.approx(0.743, abs=5e-4)
    assert found.low == pytest.approx(alpha_value(table) - 3.182446 * error, abs=1e-6)
    assert found.high == 1.0


def test_it_covers_the_alpha_of_all_raters() -> None:
    # Raters of many qualities; the truth is alpha among all of them
    rng = np.random.default_rng(2)
    right = rng.uniform(0.6, 1.0, size=400)
    truth = rng.integers(2, size=60)
    every = np.where(rng.random((400, 60)) < right[:, None], truth, 1 - truth).astype(float)
    target = alpha_value(every)
    covered = 0
    for _ in range(200):
        drawn = every[rng.choice(400, 12, replace=False)]
        found = alpha_over_raters(drawn)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= target <= found.high
    assert 0.9 <= covered / 200 <= 0.99


def test_too_few_raters_give_no_interval() -> None:
    found = alpha_over_raters([[1, 2, 1], [1, 2, 2]])
    assert found.value is not None
    assert found.low is None
    assert "too few raters" in found.note
    assert alpha_over_raters([[1, 1], [1, 1], [1, 1]]).value is None
