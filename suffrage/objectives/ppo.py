"""Proximal policy optimisation on token sequences: four functions and whitening.

Sequences are padded to (B, T) with a mask that is 1 on real completion tokens; whatever stands in
the padding never reaches a result (1707.06347; details in 2403.17031).
"""

from __future__ import annotations

import torch
from torch import Tensor

from suffrage.objectives.policy_gradient import Estimator, kl_estimate


def kl_rewards(
    logps_BT: Tensor,
    reference_BT: Tensor,
    score_B: Tensor,
    mask_BT: Tensor,
    *,
    kl_coef: float,
    estimator: Estimator = "k1",
) -> Tensor:
    """(B, T) rewards: -kl_coef (log p - log p_ref) on every token, plus the score on the last.

    The anchor to the reference, token by token (1909.08593, eq. 2); the log-ratio is k1, and
    another `estimator` may take its place.
    """
    rewards_BT = _real(-kl_coef * kl_estimate(logps_BT, reference_BT, estimator), mask_BT)
    last_B = mask_BT.sum(1).long() - 1
    rows_B = torch.arange(len(last_B), device=last_B.device)
    return rewards_BT.index_put((rows_B, last_B), score_B, accumulate=True)


def gae(
    rewards_BT: Tensor, values_BT: Tensor, mask_BT: Tensor, *, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (1506.02438, eq. 16).

        delta_t = R_t + gamma V_{t+1} - V_t      A_t = delta_t + gamma lam A_{t+1}

    The value after the last real token is 0. Returns advantages and returns A + V, both (B, T).
    """
    rewards_BT, values_BT = _real(rewards_BT, mask_BT), _real(values_BT, mask_BT)
    advantages_BT = torch.zeros_like(values_BT)
    next_value_B = next_advantage_B = torch.zeros_like(values_BT[:, 0])
    for t in range(values_BT.shape[1] - 1, -1, -1):
        delta_B = rewards_BT[:, t] + gamma * next_value_B - values_BT[:, t]
        next_advantage_B = (delta_B + gamma * lam * next_advantage_B) * mask_BT[:, t]
        next_value_B = values_BT[:, t]
        advantages_BT[:, t] = next_advantage_B
    return advantages_BT, (advantages_BT + values_BT) * mask_BT


def policy_loss(
    logps_N: Tensor, old_logps_N: Tensor, advantages_N: Tensor, *, clip: float
) -> tuple[Tensor, Tensor]:
    """Clipped surrogate of each token (1707.06347, eq. 7): max(-A rho, -A clip(rho, 1 +- clip)).

    Returns losses and whether the clip was active (detached), both (N,).
    """
    ratio_N = torch.exp(logps_N - old_logps_N)
    free_N = -advantages_N * ratio_N
    clipped_N = -advantages_N * ratio_N.clamp(1 - clip, 1 + clip)
    return torch.maximum(free_N, clipped_N), (clipped_N > free_N).detach().float()


def value_loss(values_N: Tensor, old_values_N: Tensor, returns_N: Tensor, *, clip: float) -> Tensor:
    """(N,) 1/2 max((V - R)^2, (clip(V, V_old +- clip) - R)^2): no step far from the old value."""
    clipped_N = old_values_N + (values_N - old_values_N).clamp(-clip, clip)
    return 0.5 * torch.maximum((values_N - returns_N) ** 2, (clipped_N - returns_N) ** 2)


def whiten(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the real tokens; 0 in the padding."""
    count = mask_BT.sum()
    mean = _real(values_BT, mask_BT).sum() / count
    centred_BT = _real(values_BT - mean, mask_BT)
    variance = (centred_BT**2).sum() / count
    return centred_BT * torch.rsqrt(variance + 1e-8)


def rescale(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """Variance 1 over the real tokens, about the mean they have; 0 in the padding."""
    mean = _real(values_BT, mask_BT).sum() / mask_BT.sum()
    return _real(whiten(values_BT, mask_BT) + mean, mask_BT)


def _real(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """0 in the padding: a product would keep a nan or inf that stands there."""
    return values_BT.masked_fill(mask_BT == 0, 0)
