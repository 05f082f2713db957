"""What methods that sample have in common: distances to the reference, and scores as advantages.

Shape letters: B completions, T tokens, N real tokens. `group_B` holds the number of each
completion's prompt; a prompt may have any number of completions. Nothing here has a gradient but
`kl_estimate`.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Estimator = Literal["k1", "k2", "k3"]
MeanOver = Literal["token", "completion", "sequence"]
EPS = 1e-4  # beside a standard deviation, as in the released code of GRPO


def kl_estimate(logps: Tensor, reference: Tensor, kind: Estimator) -> Tensor:
    """Estimates, token by token, of the KL from the policy to the reference (Schulman 2020).

        k1 = log p - log p_ref     k2 = k1^2 / 2     k3 = e^{-k1} - 1 + k1

    k1 and k3 have the divergence as their mean over samples of the policy; k3 is never negative.
    As a loss, k2 has the divergence's gradient, k3 that of the divergence in the other direction,
    and k1 a gradient whose mean is 0, so it is of use only as a reward.
    """
    k1 = logps - reference
    if kind == "k1":
        return k1
    return k1**2 / 2 if kind == "k2" else torch.expm1(-k1) + k1


def leave_one_out(score_B: Tensor, group_B: Tensor) -> Tensor:
    """(B,) score less the mean of the same prompt's other completions (2402.14740, eq. 7).

    0 for a completion that is its prompt's only one.
    """
    count_B, sum_B = _of_group(torch.ones_like(score_B), group_B), _of_group(score_B, group_B)
    others_B = (sum_B - score_B) / (count_B - 1).clamp(min=1)
    return torch.where(count_B > 1, score_B - others_B, torch.zeros_like(score_B))


def group_relative(score_B: Tensor, group_B: Tensor, *, scaled: bool) -> Tensor:
    """(B,) score less its prompt's mean, over its prompt's standard deviation if `scaled`.

    GRPO's advantage (2402.03300, section 4.1.2). Without the division a prompt on which all
    completions score alike does not count for more than its differences are worth (2503.20783).
    The deviation is that of a sample (n - 1). 0 for a completion that is its prompt's only one.
    """
    count_B = _of_group(torch.ones_like(score_B), group_B)
    centred_B = score_B - _of_group(score_B, group_B) / count_B
    if not scaled:
        return centred_B
    variance_B = _of_group(centred_B**2, group_B) / (count_B - 1).clamp(min=1)
    return centred_B / (variance_B.sqrt() + EPS)


def _of_group(value_B: Tensor, group_B: Tensor) -> Tensor:
    """(B,) the sum of the values of each completion's prompt."""
    sums = torch.zeros(int(group_B.max()) + 1, dtype=value_B.dtype, device=value_B.device)
    return sums.index_add(0, group_B, value_B)[group_B]


def token_weights(mask_BT: Tensor, over: MeanOver) -> tuple[Tensor, float]:
    """(B, T) weights of the tokens' losses, and what their sum is divided by.

    token: the mean over all tokens. completion: the mean over completions of the mean over their
    tokens (GRPO). sequence: the mean over completions of the sum over their tokens, the gradient of
    the log-probability of whole completions (RLOO, REINFORCE).
    """
    if over == "token":
        return mask_BT, float(mask_BT.sum())
    if over == "completion":
        return mask_BT / mask_BT.sum(1, keepdim=True).clamp(min=1), float(len(mask_BT))
    return mask_BT, float(len(mask_BT))


def adapted_kl_coef(
    coef: float, kl: float, completions: int, *, target: float, horizon: float
) -> float:
    """The next coefficient of the anchor (1909.08593, section 2.2).

        b <- b (1 + clip(KL / target - 1, -.2, .2) n / horizon)

    kl: of whole completions, in nats; completions: n, since the last change.
    """
    error = min(max(kl / target - 1, -0.2), 0.2)
    return coef * (1 + error * completions / horizon)
