"""Estimates of the KL, baselines and the controller: by hand, and by enumerating everything."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from suffrage.objectives.policy_gradient import (
    adapted_kl_coef,
    group_relative,
    kl_estimate,
    leave_one_out,
    token_weights,
)

LOGITS = torch.tensor([0.7, -0.4, 1.3, 0.1], dtype=torch.float64)
REFERENCE = torch.tensor([-0.2, 0.9, 0.3, -1.1], dtype=torch.float64).log_softmax(0)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_the_three_estimates_of_one_token():
    logps, reference = column(-1.0), column(-1.7)
    expected = {"k1": 0.7, "k2": 0.245, "k3": math.exp(-0.7) - 1 + 0.7}
    for kind, value in expected.items():
        assert float(kl_estimate(logps, reference, kind)) == pytest.approx(value)


@pytest.mark.parametrize("kind", ["k1", "k3"])
def test_their_mean_over_the_policy_is_the_divergence(kind):
    logps = LOGITS.log_softmax(0)
    mean = (logps.exp() * kl_estimate(logps, REFERENCE, kind)).sum()
    assert float(mean) == pytest.approx(float((logps.exp() * (logps - REFERENCE)).sum()))


def loss_gradient(kind: str) -> Tensor:
    """The mean gradient of an estimate taken as a loss, over all tokens the policy may draw."""
    logits = LOGITS.clone().requires_grad_()
    logps = logits.log_softmax(0)
    loss = (logps.detach().exp() * kl_estimate(logps, REFERENCE, kind)).sum()
    return torch.autograd.grad(loss, logits)[0]


def divergence_gradient(forward: bool) -> Tensor:
    logits = LOGITS.clone().requires_grad_()
    logps = logits.log_softmax(0)
    first, second = (REFERENCE, logps) if forward else (logps, REFERENCE)
    return torch.autograd.grad((first.exp() * (first - second)).sum(), logits)[0]


def test_as_losses_they_have_the_gradients_that_their_docstring_says():
    torch.testing.assert_close(loss_gradient("k1"), torch.zeros(4, dtype=torch.float64))
    torch.testing.assert_close(loss_gradient("k2"), divergence_gradient(forward=False))
    torch.testing.assert_close(loss_gradient("k3"), divergence_gradient(forward=True))


SCORES = column(1.0, 5.0, 4.0, 10.0, 3.0, 2.5)
GROUPS = torch.tensor([0, 1, 0, 0, 1, 2])


def test_each_against_the_mean_of_the_others():
    # 1 - (4 + 10) / 2, 5 - 3, 4 - (1 + 10) / 2, 10 - (1 + 4) / 2, 3 - 5, alone
    expected = [-6.0, 2.0, -1.5, 7.5, -2.0, 0.0]
    assert leave_one_out(SCORES, GROUPS).tolist() == pytest.approx(expected)


def test_each_against_its_prompts_mean():
    # means 5 and 4; variances (16 + 1 + 25) / 2 = 21 and (1 + 1) / 1 = 2
    plain = [-4.0, 1.0, -1.0, 5.0, -1.0, 0.0]
    assert group_relative(SCORES, GROUPS, scaled=False).tolist() == pytest.approx(plain)
    deviations = [21**0.5, 2**0.5, 21**0.5, 21**0.5, 2**0.5, 1.0]
    expected = [a / (d + 1e-4) for a, d in zip(plain, deviations, strict=True)]
    assert group_relative(SCORES, GROUPS, scaled=True).tolist() == pytest.approx(expected)


def test_alike_scores_teach_nothing():
    same = torch.full((4,), 3.7, dtype=torch.float64)
    groups = torch.zeros(4, dtype=torch.long)
    assert leave_one_out(same, groups).abs().max() < 1e-12
    assert group_relative(same, groups, scaled=True).abs().max() < 1e-9


@pytest.mark.parametrize(
    ("over", "first", "count"),
    [("token", [1, 1, 1], 4.0), ("completion", [1 / 3] * 3, 2.0), ("sequence", [1, 1, 1], 2.0)],
)
def test_weights_of_tokens(over, first, count):
    mask = torch.tensor([[1.0, 1, 1], [1, 0, 0]])
    weights, divisor = token_weights(mask, over)
    assert weights[0].tolist() == pytest.approx(first)
    assert weights[1].tolist() == [1, 0, 0]
    assert divisor == count


@pytest.mark.parametrize(
    ("kl", "expected"), [(3, 0.148464), (6, 0.15), (12, 0.151536), (6.6, None)]
)
def test_the_anchors_strength_follows_the_distance(kl, expected):
    found = adapted_kl_coef(0.15, kl, 512, target=6, horizon=10_000)
    # within a fifth of the target the change is in proportion: .15 (1 + .1 * .0512)
    assert found == pytest.approx(expected or 0.15 * 1.00512)


def test_the_leave_one_out_gradient_is_that_of_the_expected_reward():
    """Over every pair of answers of length 3 over 4 tokens, each as likely as the policy draws it.

    Two samples a prompt, returns with the anchor inside: the mean of the estimate is the gradient
    of E[r] - b KL, exactly and not by sampling.
    """
    world = Enumerated(seed=3)
    beta = 0.3
    logits = world.logits.clone().requires_grad_()
    logps_B = world.logps(logits)
    objective = (logps_B.exp() * (world.reward_B - beta * (logps_B - world.reference_B))).sum()
    exact = torch.autograd.grad(objective, logits, retain_graph=True)[0]

    returns_B = world.reward_B - beta * (logps_B - world.reference_B).detach()
    chance_B = logps_B.detach().exp()
    count = len(chance_B)
    i, j = (each.flatten() for each in torch.meshgrid(*2 * [torch.arange(count)], indexing="ij"))
    pair_scores = torch.stack([returns_B[i], returns_B[j]], 1).flatten()
    advantage = leave_one_out(pair_scores, torch.arange(count**2).repeat_interleave(2))
    each = advantage.view(-1, 2) * torch.stack([logps_B[i], logps_B[j]], 1)
    estimate = (chance_B[i] * chance_B[j] * each.mean(1)).sum()
    torch.testing.assert_close(torch.autograd.grad(estimate, logits)[0], exact)


class Enumerated:
    """All 64 answers of length 3 over 4 tokens under a policy with a free choice at each prefix."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.answers = torch.cartesian_prod(*3 * [torch.arange(4)])
        place = torch.tensor([0, 1, 5])  # 1 empty prefix, 4 of one token, 16 of two
        first, second = self.answers[:, 0], self.answers[:, 1]
        prefix = torch.stack([torch.zeros(64, dtype=torch.long), first, 4 * first + second], 1)
        self.state_BT = prefix + place
        self.logits = torch.randn(21, 4, generator=generator, dtype=torch.float64)
        self.reference = torch.randn(21, 4, generator=generator, dtype=torch.float64)
        self.reward_B = 2 * torch.randn(64, generator=generator, dtype=torch.float64)
        self.reference_B = self.logps(self.reference)

    def token_logps(self, logits: Tensor) -> Tensor:
        """(64, 3)"""
        return logits.log_softmax(1)[self.state_BT, self.answers]

    def logps(self, logits: Tensor) -> Tensor:
        return self.token_logps(logits).sum(1)

    def optimum(self, beta: float) -> Tensor:
        """(64,) the closed form: p_ref exp(r / b), normalised."""
        return (self.reference_B + self.reward_B / beta).softmax(0)
