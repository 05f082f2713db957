"""Raters who vote by different rewards are told apart, and how many rewards there are is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from suffrage.core.errors import DataError
from suffrage.stats.vote_groups import (
    _fit,
    count_vote_groups,
    find_vote_groups,
    likeliest,
    names_of,
    standardised,
)

REWARDS = np.array([[1.5, 0.2, 0, -0.4], [-1.2, 0.8, 0.3, 0], [0, -1.4, 1.1, 0.9]])


def votes(group_R: list[int], each: int, seed: int):
    """Each rater's votes on prompts of four answers with random features."""
    rng = np.random.default_rng(seed)
    rater_N = np.repeat(np.arange(len(group_R)), each)
    prompt_N = rng.integers(each, size=len(rater_N))
    x_ND = rng.normal(size=(len(rater_N), 4))
    margin_N = (x_ND * REWARDS[np.array(group_R)[rater_N]]).sum(1)
    x_ND[rng.random(len(rater_N)) > expit(margin_N)] *= -1  # the other answer was preferred
    return x_ND, rater_N, prompt_N


@pytest.mark.parametrize("group_R", [[0] * 6 + [1] * 3, [0] * 5 + [1] * 4 + [2] * 3])
def test_groups_are_recovered_and_numbered_by_size(group_R):
    x_ND, rater_N, _ = votes(group_R, 60, seed=1)
    found = find_vote_groups(x_ND, rater_N, max(group_R) + 1, seed=2)
    assert found.group_R.tolist() == group_R
    for group, weight_D in enumerate(found.weight_GD):
        assert np.corrcoef(weight_D, REWARDS[group])[0, 1] > 0.9


@pytest.mark.parametrize("group_R", [[0] * 8, [0] * 6 + [1] * 4, [0] * 5 + [1] * 4 + [2] * 4])
def test_their_number_is_found_by_prompts_kept_back(group_R):
    counted = [count_vote_groups(*votes(group_R, 60, seed), seed=seed) for seed in range(2)]
    assert [one.chosen for one in counted] == [max(group_R) + 1] * 2
    assert all(len(one.held_out_G) == 4 for one in counted)


def test_a_fit_is_where_the_slope_is_zero():
    x_ND, _, _ = votes([0], 80, seed=4)
    weight_D = _fit(x_ND, np.zeros(4), ridge=0.7)
    slope_D = expit(-(x_ND @ weight_D)) @ x_ND - 0.7 * weight_D
    assert np.abs(slope_D).max() < 1e-3


def test_a_rater_goes_where_their_votes_are_likeliest():
    weight_GD = np.array([[1.0, 0.0], [0.0, 1.0]])
    x_ND = np.array([[2.0, -1.0], [-1.0, 3.0], [-0.5, 0.2]])
    assert likeliest(x_ND, np.array([0, 1, 1]), weight_GD).tolist() == [0, 1]


def test_features_keep_only_what_varies():
    x_ND = np.random.default_rng(0).normal(size=(50, 3)) @ np.array(
        [[5, 0, 0, 5.0], [0, 1, 0, 0], [0, 0, 0, 0]]
    )
    found = standardised(x_ND)
    assert found.shape == (50, 2)
    assert (found**2).mean(0) == pytest.approx(1)


def test_what_cannot_be_found_is_said():
    x_ND, rater_N, _ = votes([0, 1], 5, seed=0)
    with pytest.raises(DataError, match="3 groups of raters were asked for, and 2 raters voted"):
        find_vote_groups(x_ND, rater_N, 3)
    with pytest.raises(DataError, match="a rater voted on too few prompts"):
        count_vote_groups(x_ND[[0, 1, 5]], np.array([0, 0, 1]), np.array([0, 1, 2]))
    assert names_of(np.array([1, 0]), ("a", "b")) == {"a": "group-2", "b": "group-1"}
