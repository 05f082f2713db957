"""From a rollout to advantages: how much better each token did than was to be expected.

One function a method; what they share is the reward with the anchor in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from suffrage.objectives.online import (
    GRPOOptions,
    PolicyOptions,
    PPOOptions,
    ReinforceOptions,
    RLOOOptions,
)
from suffrage.objectives.policy_gradient import group_relative, kl_estimate, leave_one_out
from suffrage.objectives.ppo import gae, kl_rewards, rescale, whiten
from suffrage.train.optimiser import Metrics
from suffrage.train.rl.rollout import Rollout


@dataclass(frozen=True)
class Estimated:
    """(B, T) advantages and, for a critic, returns; 0 in the padding."""

    advantages_BT: Tensor
    returns_BT: Tensor
    metrics: Metrics


Advantages = Callable[[Rollout, float], Estimated]  # the second is the anchor's coefficient


def advantages_of(options: PolicyOptions) -> Advantages:
    """How this method estimates advantages."""
    if isinstance(options, PPOOptions):
        return lambda rollout, coef: by_critic(rollout, coef, options)
    if isinstance(options, RLOOOptions):
        return lambda rollout, coef: _spread(
            rollout, leave_one_out(returns(rollout, coef, options), rollout.scored.group_B)
        )
    if isinstance(options, GRPOOptions):
        return lambda rollout, coef: _spread(rollout, _grpo(rollout, coef, options))
    if isinstance(options, ReinforceOptions):
        return lambda rollout, coef: _spread(
            rollout, _against_batch(returns(rollout, coef, options))
        )
    raise TypeError(type(options))


def by_critic(rollout: Rollout, coef: float, options: PPOOptions) -> Estimated:
    """Generalised advantage estimation, whitened over the rollout."""
    mask_BT = rollout.mask_BT
    rewards_BT = kl_rewards(
        rollout.logps_BT,
        rollout.reference_BT,
        rollout.scored.score_B,
        mask_BT,
        kl_coef=coef if options.kl_in == "reward" else 0.0,
        estimator=options.kl_estimator,
    )
    if options.whiten_rewards == "on":
        rewards_BT = rescale(rewards_BT, mask_BT)
    advantages_BT, returns_BT = gae(
        rewards_BT, rollout.values_BT, mask_BT, gamma=options.gamma, lam=options.lam
    )
    explained = _explained(rollout.values_BT, returns_BT, mask_BT)
    figures = {"explained_variance": explained}
    return Estimated(whiten(advantages_BT, mask_BT), returns_BT, figures)


def returns(rollout: Rollout, coef: float, options: PolicyOptions) -> Tensor:
    """(B,) score less the anchor over the whole completion: R - b sum_t k_t (2402.14740, eq. 4)."""
    if options.kl_in == "loss":
        return rollout.scored.score_B
    apart_BT = kl_estimate(rollout.logps_BT, rollout.reference_BT, options.kl_estimator)
    return rollout.scored.score_B - coef * (apart_BT * rollout.mask_BT).sum(1)


def _grpo(rollout: Rollout, coef: float, options: GRPOOptions) -> Tensor:
    scaled = options.group_scale == "deviation"
    return group_relative(returns(rollout, coef, options), rollout.scored.group_B, scaled=scaled)


def _against_batch(return_B: Tensor) -> Tensor:
    """Each return less the mean of the others, so that the baseline owes it nothing."""
    return leave_one_out(return_B, torch.zeros_like(return_B, dtype=torch.long))


def _spread(rollout: Rollout, advantage_B: Tensor) -> Estimated:
    """Every token of a completion gets the completion's advantage."""
    zeros_BT = torch.zeros_like(rollout.mask_BT)
    return Estimated(advantage_B[:, None] * rollout.mask_BT, zeros_BT, {})


def _explained(values_BT: Tensor, returns_BT: Tensor, mask_BT: Tensor) -> float:
    """1 - Var(R - V) / Var(R): 1 is a perfect critic, 0 no better than a constant."""
    real = mask_BT.bool()
    found, errors = returns_BT[real], (returns_BT - values_BT)[real]
    variance = float(found.var(correction=0))
    return 1 - float(errors.var(correction=0)) / variance if variance else 0.0
