"""PPO's functions against values worked by hand, with junk in the padding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suffrage.objectives.ppo import gae, kl_rewards, policy_loss, value_loss, whiten

JUNK = [1e9, -1e9, float("inf"), float("nan")]
MASK = torch.tensor([[1.0, 1, 1, 0, 0], [1, 0, 0, 0, 0]], dtype=torch.float64)


def rows(first: list[float], second: list[float], junk: float) -> Tensor:
    """Two completions of 3 and 1 tokens, padded to 5."""
    padded = [row + [junk] * (5 - len(row)) for row in (first, second)]
    return torch.tensor(padded, dtype=torch.float64)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize("junk", JUNK)
def test_every_token_pays_for_leaving_the_reference_and_the_last_is_scored(junk):
    logps = rows([-1.2, -0.7, -2.0], [-0.5], junk)
    reference = rows([-1.0, -1.1, -1.4], [-0.9], -junk)
    found = kl_rewards(logps, reference, column(2.5, -1.5), MASK, kl_coef=0.3)
    # -.3 * (-.2, .4, -.6) = (.06, -.12, .18) and 2.5 on the third; -.3 * .4 - 1.5
    assert found[0].tolist() == pytest.approx([0.06, -0.12, 2.68, 0, 0])
    assert found[1].tolist() == pytest.approx([-1.62, 0, 0, 0, 0])


def test_the_published_check_of_advantages():
    rewards, values = column(0.1, 0, 1)[None], column(0.5, 0.4, 0.3)[None]
    advantages, returns = gae(rewards, values, torch.ones(1, 3), gamma=1.0, lam=0.95)
    assert advantages[0].tolist() == pytest.approx([0.53675, 0.565, 0.7])
    assert returns[0].tolist() == pytest.approx([1.03675, 0.965, 1.0])


@pytest.mark.parametrize("junk", JUNK)
def test_advantages_with_discount_and_padding(junk):
    rewards = rows([0.06, -0.12, 2.68], [-1.62], junk)
    values = rows([0.5, -0.3, 0.8], [0.2], -junk)
    advantages, returns = gae(rewards, values, MASK, gamma=0.9, lam=0.8)
    # d3 = 2.68 - .8 = 1.88; d2 = -.12 + .9 * .8 + .3 = .9; d1 = .06 - .9 * .3 - .5 = -.71
    # A3 = 1.88; A2 = .9 + .72 * 1.88 = 2.2536; A1 = -.71 + .72 * 2.2536 = .912592
    assert advantages[0].tolist() == pytest.approx([0.912592, 2.2536, 1.88, 0, 0])
    assert returns[0].tolist() == pytest.approx([1.412592, 1.9536, 2.68, 0, 0])
    assert advantages[1].tolist() == pytest.approx([-1.82, 0, 0, 0, 0])
    assert returns[1].tolist() == pytest.approx([-1.62, 0, 0, 0, 0])


def test_without_discount_the_returns_at_lambda_one_are_the_sums_to_come():
    rewards, values = column(0.3, -0.2, 1.5)[None], column(7.0, -3.0, 0.6)[None]
    _, returns = gae(rewards, values, torch.ones(1, 3), gamma=1.0, lam=1.0)
    assert returns[0].tolist() == pytest.approx([1.6, 1.3, 1.5])


@pytest.mark.parametrize(
    ("advantage", "ratio", "loss", "clipped"),
    [
        (2.0, 1.5, -2.5, 1.0),  # a gain beyond the clip is not paid
        (2.0, 0.6, -1.2, 0.0),  # a loss on a good token always is
        (-2.0, 1.5, 3.0, 0.0),
        (-2.0, 0.6, 1.5, 1.0),
        (3.0, 1.1, -3.3, 0.0),
        (-3.0, 0.9, 2.7, 0.0),
    ],
)
def test_each_side_of_the_clip(advantage, ratio, loss, clipped):
    old = column(-1.7)
    new = (old + column(ratio).log()).requires_grad_()
    found, active = policy_loss(new, old, column(advantage), clip=0.25)
    found.sum().backward()
    assert found.item() == pytest.approx(loss)
    assert active.item() == clipped
    assert new.grad is not None
    assert new.grad.item() == pytest.approx(0 if clipped else -advantage * ratio)


def test_before_any_update_the_gradient_is_that_of_the_policy():
    old = column(-0.4, -2.2)
    new = old.clone().requires_grad_()
    found, active = policy_loss(new, old, column(1.3, -0.7), clip=0.2)
    found.sum().backward()
    assert found.tolist() == pytest.approx([-1.3, 0.7])
    assert active.tolist() == [0, 0]
    assert new.grad is not None
    assert new.grad.tolist() == pytest.approx([-1.3, 0.7])


@pytest.mark.parametrize(
    ("value", "target", "loss"),
    [
        (1.8, 2.5, 0.72),  # clipped to 1.3: 1/2 max(.7^2, 1.2^2)
        (1.8, 0.4, 0.98),  # 1/2 max(1.4^2, .9^2)
        (0.2, -0.5, 0.72),  # clipped to .7
        (0.2, 1.6, 0.98),
        (1.1, 1.7, 0.18),  # within the clip: the same twice
    ],
)
def test_each_side_of_the_value_clip(value, target, loss):
    found = value_loss(column(value), column(1.0), column(target), clip=0.3)
    assert found.item() == pytest.approx(loss)


def test_gradients_are_those_of_finite_differences():
    old, advantage = column(-1.0, -2.0, -0.5), column(1.4, -0.8, 0.3)
    new = column(-0.9, -1.2, -0.55).requires_grad_()  # ratios 1.11, 2.23, .95
    assert torch.autograd.gradcheck(lambda x: policy_loss(x, old, advantage, clip=0.3)[0], [new])
    value = column(0.4, 1.9, -0.2).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: value_loss(x, column(0.5, 0.9, 0.6), column(1.0, 2.5, -2.0), clip=0.3), [value]
    )


@pytest.mark.parametrize("junk", JUNK)
def test_whitening_looks_at_real_tokens_only(junk):
    found = whiten(rows([1.0, 4.0, 7.0], [2.0], junk), MASK)
    # mean 3.5, variance (6.25 + .25 + 12.25 + 2.25) / 4 = 5.25
    deviation = 5.25**0.5
    assert found[0, :3].tolist() == pytest.approx(
        [-2.5 / deviation, 0.5 / deviation, 3.5 / deviation]
    )
    assert found[1, 0].item() == pytest.approx(-1.5 / deviation)
    assert found[MASK == 0].tolist() == [0.0] * 6


def test_whitening_equal_values_gives_zeros():
    assert whiten(torch.full((2, 5), 3.0), MASK.float()).tolist() == [[0.0] * 5] * 2
