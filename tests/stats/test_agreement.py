"""Krippendorff's alpha against his worked example, values by hand and another package."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from suffrage.stats.agreement import (
    Level,
    agreement_share,
    alpha_value,
    coincidences,
    krippendorff_alpha,
    value_counts,
)

_ = np.nan
# "Computing Krippendorff's Alpha-Reliability" (2011), section D: four observers, twelve units
WORKED_EXAMPLE = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
LEVELS: list[Level] = ["nominal", "ordinal", "interval", "ratio"]


@pytest.mark.parametrize(
    ("level", "published"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_alpha_of_krippendorffs_worked_example(level: Level, published: float) -> None:
    estimate = krippendorff_alpha(WORKED_EXAMPLE, level)
    assert estimate.value == pytest.approx(published, abs=5e-4)
    assert estimate.n == 11  # unit 12 has one observer and nothing to compare
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < published < estimate.high <= 1


def test_coincidences_of_krippendorffs_worked_example() -> None:
    values, counts = value_counts(WORKED_EXAMPLE)
    joint = coincidences(counts)[0]
    assert values.tolist() == [1, 2, 3, 4, 5]
    assert joint == pytest.approx(  # the matrix printed in the paper
        np.array(
            [
                [7, 4 / 3, 1 / 3, 1 / 3, 0],
                [4 / 3, 10, 4 / 3, 1 / 3, 0],
                [1 / 3, 4 / 3, 8, 1 / 3, 0],
                [1 / 3, 1 / 3, 1 / 3, 4, 0],
                [0, 0, 0, 0, 3],
            ]
        )
    )


@settings(deadline=None)
@given(
    ratings=arrays(
        np.float64,
        st.tuples(st.integers(2, 5), st.integers(2, 8)),
        elements=st.sampled_from([np.nan, 0, 1.5, 2, 3, 7]),
    ),
    level=st.sampled_from(LEVELS),
)
def test_alpha_equals_the_krippendorff_package(ratings: np.ndarray, level: Level) -> None:
    paired = ratings[:, (~np.isnan(ratings)).sum(axis=0) > 1]
    estimate = krippendorff_alpha(ratings, level, rounds=2)
    alone = alpha_value(ratings, level)
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        assert estimate.value is None
        assert estimate.note
        assert np.isnan(alone)
    else:
        expected = krippendorff.alpha(reliability_data=paired, level_of_measurement=level)
        assert estimate.value == pytest.approx(expected, abs=1e-9)
        assert alone == pytest.approx(expected, abs=1e-9)


def test_whole_and_broken_values_are_numbered_alike() -> None:
    ratings = np.array([[-2, 5, 900_000, np.nan], [5, 5, -2, 3]])
    for scale in (1, 0.37):  # sorted where far apart or broken
        values, counts = value_counts(ratings * scale)
        assert values == pytest.approx(np.array([-2, 3, 5, 900_000]) * scale)
        assert counts.tolist() == [[1, 0, 1, 0], [0, 0, 2, 0], [1, 0, 0, 1], [0, 1, 0, 0]]
    values, counts = value_counts([[-2, 7, 7], [3, np.nan, -2]])
    assert values.tolist() == [-2, 3, 7]
    assert counts.tolist() == [[1, 1, 0], [0, 0, 1], [1, 0, 1]]


def test_alpha_is_undefined_with_one_value_and_says_so() -> None:
    estimate = krippendorff_alpha([[2, 2, 2], [2, 2, _]])
    assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
    assert "only one value" in estimate.note


def test_alpha_without_overlap_says_so() -> None:
    estimate = krippendorff_alpha([[1, _], [_, 2]])
    assert estimate.value is None
    assert "two raters" in estimate.note


def test_perfect_agreement_keeps_an_honest_interval() -> None:
    estimate = krippendorff_alpha([[1, 2, 1, 2], [1, 2, 1, 2]])
    assert (estimate.value, estimate.high) == (1, 1)
    assert estimate.low == pytest.approx(4 / (4 + 1.959964**2), abs=1e-6)
    assert "Wilson" in estimate.note


def test_clusters_are_resampled_whole() -> None:
    # Every unit ten times over is no more information when the copies belong together
    table = np.array(WORKED_EXAMPLE)
    copies = np.repeat(table, 10, axis=1)
    apart = krippendorff_alpha(copies, seed=1)
    together = krippendorff_alpha(copies, clusters=np.repeat(np.arange(12), 10), seed=1)
    once = krippendorff_alpha(table, seed=1)
    assert together.value == pytest.approx(apart.value)
    assert together.n == 11
    widths = [estimate.high - estimate.low for estimate in (together, apart, once)]  # type: ignore[operator]
    assert widths[0] == pytest.approx(widths[2], rel=0.05)
    assert widths[1] < widths[0] / 2


def test_agreement_counts_each_pair_of_raters_once() -> None:
    # Unit 1: three raters, votes 0 0 1: one pair of three agrees. Unit 2: 1 1 agrees. Unit 3: alone
    _values, counts = value_counts([[0, 1, 1], [0, 1, _], [1, _, _]])
    estimate = agreement_share(counts, ["p", "q", "q"])
    assert estimate.value == pytest.approx(2 / 4)
    assert estimate.n == 2


def test_agreement_without_overlap_says_so() -> None:
    _values, counts = value_counts([[0, _], [_, 1]])
    assert "no two raters" in agreement_share(counts, ["p", "q"]).note


def test_alpha_intervals_cover_the_truth() -> None:
    # Two raters; both see a fair coin, the second turns it round with chance .2: alpha is .6
    studies, prompts, units = 500, 40, 3
    rng = np.random.default_rng(5)
    truth = rng.integers(2, size=(studies, prompts * units))
    turned = rng.random(truth.shape) < 0.2
    labels = np.repeat(np.arange(prompts), units)
    covered = 0
    for seed in range(studies):
        ratings = np.stack([truth[seed], truth[seed] ^ turned[seed]])
        estimate = krippendorff_alpha(ratings, clusters=labels, seed=seed, rounds=1000)
        assert estimate.low is not None
        assert estimate.high is not None
        covered += estimate.low <= 0.6 <= estimate.high
    assert 0.93 <= covered / studies <= 0.97
