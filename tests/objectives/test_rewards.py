"""The reward model's loss, and SFT's, against values worked by hand."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from suffrage.objectives.likelihood import sft_loss
from suffrage.objectives.rewards import group_weights, reward_loss


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_mean_over_the_six_pairs_of_four_scores():
    scores = (2.0, 1.0, 0.0, -1.0)
    first, second = zip(*combinations(scores, 2), strict=True)
    loss_P = reward_loss(column(*first), column(*second), torch.ones(6))
    weight_P = group_weights(torch.ones(6), torch.zeros(6, dtype=torch.long))
    assert (loss_P * weight_P).sum().item() == pytest.approx(0.207038, abs=1e-6)


def test_worked_value_with_every_constant_in_use():
    # D = 1.3 + .4 = 1.7: -.8 log sg(1.7) = .8 * .167786, -.2 log sg(-1.7) = .2 * 1.867786,
    # .05 (1.3 - .4)^2 = .0405
    loss = reward_loss(column(1.3), column(-0.4), column(0.8), centring=0.05)
    assert loss.item() == pytest.approx(0.8 * 0.167786 + 0.2 * 1.867786 + 0.0405, abs=1e-6)


def test_centring_counts_the_sum_and_not_the_difference():
    apart = reward_loss(column(3.0), column(-3.0), column(1.0), centring=0.25)
    shifted = reward_loss(column(5.0), column(-1.0), column(1.0), centring=0.25)
    assert (shifted - apart).item() == pytest.approx(0.25 * 4**2)


@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0, 1))
def test_swapping_the_two_and_their_label_changes_nothing(a, b, p):
    there = reward_loss(column(a), column(b), column(p), centring=0.1)
    back = reward_loss(column(b), column(a), column(1 - p), centring=0.1)
    assert there.item() == pytest.approx(back.item(), rel=1e-9, abs=1e-9)


def test_equal_scores_pay_log_two_whatever_the_votes():
    loss_P = reward_loss(column(1.5, 1.5), column(1.5, 1.5), column(0.2, 1.0))
    assert loss_P.tolist() == pytest.approx([math.log(2)] * 2)


def test_the_gradient_is_that_of_finite_differences():
    p = column(1.0, 0.0, 0.37)
    scores = [column(0.4, -1.2, 2.0).requires_grad_(), column(-0.3, 0.9, 1.1).requires_grad_()]
    assert torch.autograd.gradcheck(
        lambda first, second: reward_loss(first, second, p, centring=0.3), scores
    )


def test_each_group_counts_as_one_however_many_pairs_it_has():
    weight_P = column(2.0, 0.5, 1.0, 1.0)
    found = group_weights(weight_P, torch.tensor([0, 1, 0, 0]))
    assert found.tolist() == [0.5, 1.0, 0.25, 0.25]


def test_groups_without_pairs_leave_no_trace():
    found = group_weights(column(3.0, 1.0), torch.tensor([2, 2]))
    assert found.tolist() == [0.75, 0.25]
    assert group_weights(torch.zeros(0), torch.zeros(0, dtype=torch.long)).shape == (0,)


def test_sft_pays_the_negative_log_probability_of_each_token():
    logps_N = column(-0.25, -3.0).requires_grad_()
    loss_N = sft_loss(logps_N)
    loss_N.sum().backward()
    assert loss_N.tolist() == [0.25, 3.0]
    assert logps_N.grad is not None
    assert logps_N.grad.tolist() == [-1.0, -1.0]
