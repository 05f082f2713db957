"""The mean and the MaxMin choice, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from suffrage.stats.choice import choice_shares, choose, maxmin_mixture, worth

# Two large groups love item 0, which the third hates; item 1 is fair to all
WORTH = np.array([[0.9, 0.6, 0.2], [0.8, 0.55, 0.3], [0.1, 0.5, 0.7]])


def test_the_mean_choice_may_be_what_a_minority_hates() -> None:
    found = choose(WORTH, np.array([4.0, 3.0, 1.0]))
    assert found.mean_K == pytest.approx([6.1 / 8, 4.55 / 8, 2.4 / 8])
    assert found.least_K == pytest.approx([0.1, 0.5, 0.2])
    assert (found.mean_choice, found.maxmin_choice) == (0, 1)


def test_weights_decide_the_mean_and_not_the_maxmin() -> None:
    found = choose(WORTH, np.array([1.0, 1.0, 9.0]))
    assert (found.mean_choice, found.maxmin_choice) == (2, 1)
    assert choose(WORTH).mean_K == pytest.approx([1.8 / 3, 1.65 / 3, 1.2 / 3])


def test_a_lottery_can_be_fairer_than_any_item() -> None:
    # q of the first and 1 - q of the second: .9 q + .2 (1 - q) = .3 q + .6 (1 - q) at q = .4
    mixture, value = maxmin_mixture(np.array([[0.9, 0.2], [0.3, 0.6]]))
    assert mixture == pytest.approx([0.4, 0.6])
    assert value == pytest.approx(0.48)
    assert choose(WORTH).mixture_value >= 0.5


def test_worth_is_the_chance_to_be_preferred_to_another_item() -> None:
    scores = np.array([[1.2, -0.4, -0.8]])
    expected = (expit(1.6) + expit(2.0)) / 2
    assert worth(scores)[0, 0] == pytest.approx(expected)
    assert worth(scores).mean() == pytest.approx(0.5)


def test_choice_shares_count_bootstrap_rounds() -> None:
    # Round by round the first group prefers 0, 0, 1; the second always 1, by more in round two
    first = [[2.0, -2.0], [0.5, -0.5], [-1.0, 1.0]]
    second = [[-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0]]
    mean, least = choice_shares(np.array([first, second]), np.array([1.0, 1.0]))
    assert mean == pytest.approx([1 / 3, 2 / 3])
    assert least == pytest.approx([1 / 3, 2 / 3])
    mean, least = choice_shares(np.array([first, second]), np.array([9.0, 1.0]))
    assert mean == pytest.approx([2 / 3, 1 / 3])
    assert least == pytest.approx([1 / 3, 2 / 3])


def test_the_least_happy_group_decides_in_each_round() -> None:
    # Two groups want opposite things and both can live with item 1
    first, second = [[3.0, 0.0, -3.0]], [[-0.8, 0.1, 0.7]]
    mean, least = choice_shares(np.array([first, second]), np.array([5.0, 1.0]))
    assert mean.tolist() == [1, 0, 0]
    assert least.tolist() == [0, 1, 0]
    mean, _ = choice_shares(np.array([first, second]), np.array([1.0, 9.0]))
    assert mean.tolist() == [0, 0, 1]
