"""What every objective of pairs must do, whatever its formula."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from suffrage.objectives.answers import Answers, PairTerms
from suffrage.objectives.distributions import aot_loss, aot_unpaired_loss, exo_loss, nca_loss
from suffrage.objectives.pairs import (
    discopop_loss,
    dpo_loss,
    hinge_loss,
    ipo_loss,
    lndpo_loss,
    robust_dpo_loss,
)
from suffrage.objectives.reference_free import cpo_loss, orpo_loss, simpo_loss, slic_loss

Loss = Callable[[Answers, Answers, Tensor], PairTerms]


def case(method: Callable[..., PairTerms], **options: Any) -> Any:
    words = [method.__name__, *(str(value) for value in options.values())]
    return pytest.param(partial(method, **options), id="-".join(words))


CASES = [
    case(dpo_loss, beta=0.7, label_smoothing=0.05, nll=0.4),
    case(lndpo_loss, beta=3.5, label_smoothing=0.05, nll=0.4),
    case(robust_dpo_loss, beta=0.7, flip_rate=0.15),
    case(ipo_loss, beta=0.4),
    case(ipo_loss, beta=0.4, tokens="averaged"),
    case(hinge_loss, beta=0.7),
    case(discopop_loss, beta=0.7, tau=0.3),
    case(nca_loss, beta=0.7),
    case(exo_loss, beta=0.7, target_smoothing=0.02),
    case(aot_loss, beta=0.7),
    case(aot_unpaired_loss, beta=0.7),
    case(orpo_loss, odds_weight=0.3),
    case(simpo_loss, beta=1.7, gamma_ratio=0.4),
    case(cpo_loss, beta=0.7, nll=0.4),
    case(cpo_loss, beta=0.7, nll=0.4, nll_tokens="averaged"),
    case(slic_loss, delta=1.3, nll=0.4),
]
every_objective = pytest.mark.parametrize("loss", CASES)
VOTES = torch.tensor([1.0, 0.0, 0.37, 0.5, 0.81], dtype=torch.float64)


def batch(seed: int) -> tuple[Answers, Answers]:
    """Five pairs with log-probabilities of -1 to -9 in all and different lengths."""
    generator = torch.Generator().manual_seed(seed)
    logp, other, ref, other_ref = -1 - 8 * torch.rand(
        4, 5, dtype=torch.float64, generator=generator
    )
    length = torch.tensor([3.0, 7, 2, 5, 4], dtype=torch.float64)
    return Answers(logp, ref, length), Answers(other, other_ref, length.flip(0))


def leaves(answers: Answers) -> Answers:
    """The same, with a gradient asked of the policy's log-probabilities."""
    return Answers(answers.logp.clone().requires_grad_(), answers.reference, answers.length)


@every_objective
def test_the_gradient_is_that_of_finite_differences(loss: Loss):
    first, second = batch(3)

    def of_logps(one: Tensor, other: Tensor) -> Tensor:
        return loss(
            Answers(one, first.reference, first.length),
            Answers(other, second.reference, second.length),
            VOTES,
        ).loss_P

    logps = first.logp.clone().requires_grad_(), second.logp.clone().requires_grad_()
    assert torch.autograd.gradcheck(of_logps, logps)


@every_objective
def test_swapping_answers_together_with_their_votes_keeps_the_loss(loss: Loss):
    first, second = batch(4)
    there = loss(first, second, VOTES)
    swap = torch.tensor([True, True, False, True, False])
    back = loss(
        mixed(swap, second, first),
        mixed(swap, first, second),
        torch.where(swap, 1 - VOTES, VOTES),
    )
    assert back.loss_P.tolist() == pytest.approx(there.loss_P.tolist(), rel=1e-12)
    swapped_reward = torch.where(swap, there.reward_second_P, there.reward_first_P)
    assert back.reward_first_P.tolist() == pytest.approx(swapped_reward.tolist())


def mixed(swap: Tensor, one: Answers, other: Answers) -> Answers:
    """The one's answers where `swap` says so, else the other's."""
    return Answers(
        torch.where(swap, one.logp, other.logp),
        torch.where(swap, one.reference, other.reference),
        torch.where(swap, one.length, other.length),
    )


@every_objective
def test_rewards_are_for_the_log_and_carry_no_gradient(loss: Loss):
    first, second = (leaves(answers) for answers in batch(5))
    terms = loss(first, second, VOTES)
    assert terms.loss_P.shape == terms.reward_first_P.shape == terms.reward_second_P.shape == (5,)
    assert terms.loss_P.requires_grad
    assert not terms.reward_first_P.requires_grad
    assert not terms.reward_second_P.requires_grad


@every_objective
def test_a_step_down_the_gradient_raises_the_preferred_answer_over_the_other(loss: Loss):
    # Votes of one and all, policy equal to its reference and both answers alike: the margin grows.
    same = torch.full((1,), -6.0, dtype=torch.float64)
    length = torch.full((1,), 4.0, dtype=torch.float64)
    first, second = leaves(Answers(same, same, length)), leaves(Answers(same, same, length))
    loss(first, second, torch.ones(1, dtype=torch.float64)).loss_P.sum().backward()
    assert first.logp.grad < second.logp.grad


@every_objective
@pytest.mark.parametrize("ratio", [-200.0, 200.0])
@pytest.mark.parametrize("votes", [1.0, 0.6, 0.0])
def test_log_ratios_far_out_stay_finite_in_single_precision(loss: Loss, ratio, votes):
    far = min(-0.5, ratio - 0.5), min(-0.5, -ratio - 0.5)
    length = torch.tensor([3.0])
    first = leaves(Answers(torch.tensor([far[0]]), torch.tensor([far[1]]), length))
    second = leaves(Answers(torch.tensor([-4.0]), torch.tensor([-3.0]), torch.tensor([4.0])))
    terms = loss(first, second, torch.tensor([votes]))
    terms.loss_P.sum().backward()
    assert all(term.isfinite().all() for term in terms)
    assert first.logp.grad.isfinite().all()
    assert second.logp.grad.isfinite().all()
