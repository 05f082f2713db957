"""Crowd-BT, against values worked by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from suffrage.objectives.raters import crowd_bt_loss
from suffrage.objectives.rewards import reward_loss


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_published_check_of_crowd_bt():
    loss = crowd_bt_loss(column(1.1), column(0.4), column(1.0), column(0.8))
    assert loss.item() == pytest.approx(0.509306, abs=1e-6)


def test_crowd_bt_worked_by_hand_with_every_constant_in_use():
    # D = 1.1, sg = .750260: .7 * .75026 + .3 * .24974 = .600104, -log .510652, -log(1 - q) .916551
    loss = crowd_bt_loss(column(1.3), column(0.2), column(0.6), column(0.7), centring=0.05)
    expected = 0.6 * 0.510652 + 0.4 * 0.916551 + 0.05 * 1.5**2
    assert loss.item() == pytest.approx(expected, abs=2e-6)


def test_raters_who_are_always_right_wrong_or_guess():
    scores = column(1.3), column(-0.4), column(0.8)
    right, wrong, guess = (crowd_bt_loss(*scores, column(e)).item() for e in (1, 0, 0.5))
    assert right == pytest.approx(reward_loss(*scores).item())
    assert wrong == pytest.approx(reward_loss(scores[1], scores[0], scores[2]).item())
    assert guess == pytest.approx(math.log(2))


@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0, 1), st.floats(0.01, 0.99))
def test_a_reversed_rater_says_the_same_with_reversed_votes(a, b, p, e):
    there = crowd_bt_loss(column(a), column(b), column(p), column(e))
    back = crowd_bt_loss(column(a), column(b), column(1 - p), column(1 - e))
    assert there.item() == pytest.approx(back.item(), rel=1e-9, abs=1e-9)


def test_the_prior_of_a_rater_is_spread_over_their_votes():
    scores = column(1.3, 0.1, -0.4), column(-0.4, 0.9, 1.0), column(1.0, 0.5, 0.0)
    e_P, votes_P = column(0.7, 0.4, 0.7), column(2, 1, 2)
    bare_P = crowd_bt_loss(*scores, e_P)
    held_P = crowd_bt_loss(*scores, e_P, votes_P, prior=2.5)
    # -(2.5 / 2) log .7 = .445844 twice, -2.5 log .4 = 2.290727
    assert (held_P - bare_P).tolist() == pytest.approx([0.445844, 2.290727, 0.445844], abs=1e-6)


def test_without_a_prior_all_rewards_and_raters_could_be_reversed():
    scores, p, e = (column(0.4, -1.2), column(-0.3, 0.9)), column(1, 0), column(0.9, 0.3)
    votes = column(3, 3)

    def total(sign: int, prior: float) -> float:
        reliability = e if sign > 0 else 1 - e
        turned = (sign * part for part in scores)
        return crowd_bt_loss(*turned, p, reliability, votes, prior=prior).sum().item()

    assert total(-1, 0.0) == pytest.approx(total(1, 0.0))
    # 4 / 3 of log .9 + log .3 against log .1 + log .7
    assert total(-1, 4.0) - total(1, 4.0) == pytest.approx(4 / 3 * math.log(0.27 / 0.07))
