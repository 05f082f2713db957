"""Cohen, Fleiss and Gwet against published tables, values by hand and another package."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats import inter_rater

from suffrage.stats.agreement import agreement_share, value_counts
from suffrage.stats.kappa import Weights, cohen_kappa, fleiss_kappa, gwet_ac1

_ = np.nan
# Ten subjects, fourteen raters, five categories: a textbook table of Fleiss' kappa
TEXTBOOK = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ],
    dtype=np.float64,
)


def test_fleiss_of_the_textbook_table() -> None:
    estimate = fleiss_kappa(TEXTBOOK)
    assert estimate.value == pytest.approx(0.210, abs=5e-4)
    assert estimate.n == 10
    assert estimate.low is not None
    assert estimate.high is not None
    assert estimate.low < 0.21 < estimate.high


def test_fleiss_with_uneven_numbers_of_ratings_by_hand() -> None:
    # Units a a b | a b | c alone (out). P: 1/3 and 0, mean 1/6. Shares: a (2/3 + 1/2) / 2 = 7/12,
    # b 5/12: P_e = 74/144. (1/6 - 74/144) / (70/144) = (24 - 74) / 70
    counts = np.array([[2.0, 1, 0], [1, 1, 0], [0, 0, 1]])
    estimate = fleiss_kappa(counts)
    assert estimate.value == pytest.approx(-5 / 7)
    assert estimate.n == 2


def test_ac1_of_feinstein_and_cicchettis_paradox() -> None:
    # 118 both yes, 7 split: 94 % agree, yet kappa is below 0. p = 243/250, P_e = 2 p (1 - p)
    counts = np.array([[2.0, 0]] * 118 + [[1.0, 1]] * 7)
    chance = 2 * (243 / 250) * (7 / 250)
    assert gwet_ac1(counts).value == pytest.approx((118 / 125 - chance) / (1 - chance))
    assert gwet_ac1(counts).value == pytest.approx(0.940776, abs=1e-6)
    fleiss = fleiss_kappa(counts).value
    assert fleiss is not None
    assert fleiss < 0


def test_ac1_counts_values_that_nobody_chose() -> None:
    # Two raters, two units, both split: P = 0, shares 1/2; P_e = 1/2 of two values, 1/4 of three
    two = np.array([[1.0, 1], [1, 1]])
    assert gwet_ac1(two).value == pytest.approx(-1)
    assert gwet_ac1(np.hstack([two, [[0], [0]]])).value == pytest.approx(-1 / 3)


@pytest.mark.parametrize(
    ("weights", "observed", "chance"),
    # Pairs 1-1, 1-2, 2-2, 4-1: the first gave 1 twice, 2 and 4 once, the second 1 and 2 twice
    [("none", 2, 16 - 2 * 2 - 1 * 2), ("linear", 1 + 3, 4 + 2 + 6 + 4), ("quadratic", 10, 32)],
)
def test_cohen_by_hand_with_a_step_that_nobody_chose(
    weights: Weights, observed: float, chance: float
) -> None:
    estimate = cohen_kappa([1, 1, 2, 4, _, 3], [1, 2, 2, 1, 2, _], weights)
    assert estimate.value == pytest.approx(1 - (observed / 4) / (chance / 16))
    assert estimate.n == 4


@pytest.mark.parametrize(("weights", "theirs"), [("none", None), ("linear", 1), ("quadratic", 2)])
def test_cohen_equals_statsmodels(weights: Weights, theirs: int | None) -> None:
    rng = np.random.default_rng(3)
    first = rng.integers(1, 5, 60)
    second = np.where(rng.random(60) < 0.6, first, rng.integers(1, 5, 60))
    table, _bins = inter_rater.to_table(np.stack([first, second], axis=1))
    expected = inter_rater.cohens_kappa(table, wt={1: "linear", 2: "fc"}.get(theirs or 0))
    estimate = cohen_kappa(first, second, weights)
    assert estimate.value == pytest.approx(float(expected.kappa))
    # its standard error assumes large samples; the bootstrap's width must be near it
    assert estimate.low is not None
    assert estimate.high is not None
    wide = 2 * 1.96 * float(expected.std_kappa)
    assert estimate.high - estimate.low == pytest.approx(wide, rel=0.25)


@given(
    st.integers(2, 5).flatmap(
        lambda raters: arrays(np.int64, (raters, 9), elements=st.integers(0, 3))
    )
)
def test_fleiss_equals_statsmodels(ratings: np.ndarray) -> None:
    found, counts = value_counts(ratings.astype(float))
    estimate = fleiss_kappa(counts, rounds=2)
    if len(found) < 2:
        assert estimate.value is None
    else:
        expected = inter_rater.fleiss_kappa(counts, method="fleiss")
        assert estimate.value == pytest.approx(float(expected), abs=1e-9)


def test_undefined_coefficients_say_why() -> None:
    same = np.array([[3.0], [2.0]])
    assert "only one value" in fleiss_kappa(same).note
    assert "only one value" in gwet_ac1(same).note
    assert "only one value" in cohen_kappa([2, 2], [2, 2]).note
    assert "two raters" in cohen_kappa([2, _], [_, 2]).note
    assert "two raters" in fleiss_kappa(np.array([[1.0, 0], [0, 1]])).note


def test_kappa_resamples_whole_prompts() -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(0, 2, 40)
    second = np.where(rng.random(40) < 0.7, first, 1 - first)
    wide = cohen_kappa(
        np.repeat(first, 9), np.repeat(second, 9), clusters=np.repeat(np.arange(40), 9)
    )
    once = cohen_kappa(first, second)
    assert wide.n == 40
    assert wide.low == pytest.approx(once.low, abs=0.02)
    assert wide.high == pytest.approx(once.high, abs=0.02)


def test_xstests_published_kappas(real_path: Callable[[str], Path]) -> None:
    with gzip.open(real_path("data/xstest_labels.jsonl.gz"), "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    found = {}
    for model in {row["model"] for row in rows}:
        labels = [(r["annotation_1"], r["annotation_2"]) for r in rows if r["model"] == model]
        codes = sorted({label for pair in labels for label in pair})
        first, second = np.array([[codes.index(a), codes.index(b)] for a, b in labels], float).T
        _values, counts = value_counts(np.stack([first, second]))
        share = agreement_share(counts, np.arange(len(labels)), rounds=2).value
        kappa = cohen_kappa(first, second, rounds=2).value
        assert share is not None
        assert kappa is not None
        found[model] = (round(kappa, 2), round(100 * share, 1))
    assert sorted(found.values()) == sorted(
        zip((0.93, 0.93, 0.92, 0.89, 0.97), (96.4, 95.8, 97.6, 93.8, 98.4), strict=True)
    )
