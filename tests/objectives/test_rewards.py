"""The losses of reward models, and SFT's, against values worked by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from suffrage.objectives.answers import Answers
from suffrage.objectives.likelihood import sft_loss
from suffrage.objectives.ordinal import increasing_cutpoints, rating_loss
from suffrage.objectives.raters import crowd_bt_loss
from suffrage.objectives.rewards import (
    classifier_loss,
    group_weights,
    plackett_luce_reward_loss,
    reward_loss,
)


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


def test_published_check_of_the_margin():
    loss = reward_loss(column(0.5), column(-0.3), column(1.0), column(1 / 3), margin=1)
    assert loss.item() == pytest.approx(0.486793, abs=1e-6)


def test_the_margin_asks_as_much_as_the_votes_are_strong_and_agree():
    # 1.7 - .42 * .5 * (2 * .8 - 1) = 1.574: -log sg(1.574) = .188316, -log sg(-1.574) = 1.762316
    loss = reward_loss(column(1.3), column(-0.4), column(0.8), column(0.5), margin=0.42)
    assert loss.item() == pytest.approx(0.8 * 0.188316 + 0.2 * 1.762316, abs=1e-6)
    whole = reward_loss(column(1.3), column(-0.4), column(0.8), margin=0.21)
    assert whole.item() == pytest.approx(loss.item())


@given(st.floats(-30, 30), st.floats(-30, 30), st.floats(0, 1), st.floats(0, 4))
def test_the_margin_is_on_the_side_of_the_preferred(a, b, p, strength):
    given = column(strength)
    there = reward_loss(column(a), column(b), column(p), given, margin=0.7)
    back = reward_loss(column(b), column(a), column(1 - p), given, margin=0.7)
    assert there.item() == pytest.approx(back.item(), rel=1e-9, abs=1e-9)


def test_a_tie_asks_for_no_margin():
    plain, asked = (
        reward_loss(column(1.3), column(-0.4), column(0.5), column(0.9), margin=m) for m in (0, 3)
    )
    assert asked.item() == plain.item()


def test_each_group_counts_as_its_mean_pair_however_many_it_has():
    weight_P = column(2.0, 0.5, 0.4, 0.6)
    found = group_weights(weight_P, torch.tensor([0, 1, 0, 0]))
    torch.testing.assert_close(found, column(2.0 / 3, 0.5, 0.4 / 3, 0.6 / 3))


def test_groups_without_pairs_leave_no_trace():
    found = group_weights(column(3.0, 1.0), torch.tensor([2, 2]))
    assert found.tolist() == [1.5, 0.5]
    assert group_weights(torch.zeros(0), torch.zeros(0, dtype=torch.long)).shape == (0,)


def test_sft_pays_the_negative_log_probability_of_each_completion():
    logp_B = column(-0.25, -3.0).requires_grad_()
    unread_B = column(math.nan, math.nan)
    loss_B = sft_loss(Answers(logp_B, unread_B, unread_B))
    loss_B.sum().backward()
    assert loss_B.tolist() == [0.25, 3.0]
    assert logp_B.grad is not None
    assert logp_B.grad.tolist() == [-1.0, -1.0]


def test_a_ranking_of_rewards_worked_by_hand_with_junk_in_the_padding():
    # log(e^.3 + e^-1.2 + e^.8) - .3 + log(e^-1.2 + e^.8) + 1.2 = 3.181885; mean -.1 / 3;
    # .45 (2 * -.033333)^2 = .002
    score = column(0.3, -1.2, 0.8, math.nan)[None].requires_grad_()
    worth, mask = column(2.5, 0.7, -1.2, math.nan)[None], torch.tensor([[1, 1, 1, 0]])
    loss = plackett_luce_reward_loss(score, worth, mask, centring=0.45)
    loss.sum().backward()
    assert loss.item() == pytest.approx(3.181885 + 0.002, abs=2e-6)
    assert score.grad is not None
    assert score.grad.isfinite().all()
    assert score.grad[0, 3] == 0


def test_a_ranking_of_two_rewards_is_a_pair():
    pair = reward_loss(column(1.3), column(-0.4), column(1.0), centring=0.05)
    ranked = plackett_luce_reward_loss(
        column(1.3, -0.4)[None], column(0.9, 0.2)[None], torch.ones(1, 2), centring=0.05
    )
    assert ranked.item() == pytest.approx(pair.item())


def test_a_classifier_shares_its_loss_between_the_labels():
    # -log sg(.9) = .341154, -log sg(-.9) = 1.241154
    loss_B = classifier_loss(column(0.9, 0.9, 0.9), column(1, 0, 0.3))
    expected = [0.341154, 1.241154, 0.3 * 0.341154 + 0.7 * 1.241154]
    assert loss_B.tolist() == pytest.approx(expected, abs=1e-6)


def test_every_gradient_is_that_of_finite_differences():
    first, second = column(0.4, -1.2, 2.0), column(-0.3, 0.9, 1.1)
    p, part = column(1.0, 0.2, 0.37), column(0.9, 0.3, 0.5)
    rating, raw = torch.tensor([1, 4, 2]), column(-0.7, 0.4, -1.3)
    group = column(2.5, 0.7, -1.2)[None], torch.ones(1, 3)
    losses: list[tuple[Callable[..., Tensor], tuple[Tensor, ...]]] = [
        (lambda a, b: reward_loss(a, b, p, part, centring=0.3, margin=0.7), (first, second)),
        (lambda s: plackett_luce_reward_loss(s[None], *group, centring=0.3), (first,)),
        (
            lambda s, c: rating_loss(s, rating, increasing_cutpoints(c), centring=0.3),
            (first, raw),
        ),
        (lambda s: classifier_loss(s, p), (first,)),
        (lambda a, b, e: crowd_bt_loss(a, b, p, e, centring=0.3), (first, second, part)),
    ]
    for loss, inputs in losses:
        assert torch.autograd.gradcheck(loss, [x.clone().requires_grad_() for x in inputs])


@pytest.mark.parametrize("far", [-200.0, 200.0])
def test_extremes_stay_finite_in_single_precision(far):
    score = torch.tensor([far, -far]).requires_grad_()
    p, rating, group = torch.tensor([1.0, 0.4]), torch.tensor([1, 3]), torch.ones(1, 2)
    cutpoints = torch.tensor([-1.1, 0.4, 2.3]).requires_grad_()
    certain = torch.tensor([0.0, 1.0])
    loss = torch.cat(
        [
            reward_loss(score, -score, p, margin=3),
            plackett_luce_reward_loss(score[None], torch.tensor([[2.5, 0.7]]), group),
            rating_loss(score, rating, cutpoints),
            classifier_loss(score, p),
            crowd_bt_loss(score, -score, p, certain),
        ]
    )
    loss.sum().backward()
    assert loss.isfinite().all()
    assert score.grad is not None
    assert score.grad.isfinite().all()
    assert cutpoints.grad is not None
    assert cutpoints.grad.isfinite().all()
