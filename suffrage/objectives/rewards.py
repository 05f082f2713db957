"""Learning a reward from what raters prefer.

Shape letters: P pairs, B single completions, G groups padded to K completions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from suffrage.objectives.rankings import plackett_luce_nll


def reward_loss(
    score_first_P: Tensor,
    score_second_P: Tensor,
    probability_P: Tensor,
    strength_P: Tensor | None = None,
    *,
    centring: float = 0.0,
    margin: float = 0.0,
) -> Tensor:
    """Bradley-Terry reward loss of each pair (2203.02155, eq. 1) with soft labels.

        D = r_first - r_second - m s (2p - 1)
        L = -p log sigmoid(D) - (1 - p) log sigmoid(-D) + c (r_first + r_second)^2

    p is the share of raters who prefer the first; c = `centring` keeps rewards near zero
    (2312.09244). m = `margin` asks for a larger difference where the preference is stronger
    (2307.09288, eq. 2): s is the strength of each preference, 1 in its absence, so that 1, 2/3, 1/3
    and 0 with m = 1 or 3 are the paper's small and large margins. The margin stands on the side of
    the preferred one as far as raters agree: all of it at p = 1, as in the paper, none at 1/2.

    All tensors have shape (P,). For K completions of a prompt (K-wise), give all pairs of the
    group, each weighted by `group_weights`.
    """
    strength = 1.0 if strength_P is None else strength_P
    asked_P = margin * strength * (2 * probability_P - 1)
    loss_P = _cross_entropy(score_first_P - score_second_P - asked_P, probability_P)
    return loss_P + centring * (score_first_P + score_second_P) ** 2


def group_weights(weight_P: Tensor, group_P: Tensor) -> Tensor:
    """The pairs' weights over the number of their group's pairs: the mean over C(K, 2) pairs.

    group_P: (P,) the group each pair belongs to, 0, 1, ... Without this, a prompt with 9
    completions would count 36 times as much as one with 2 (2203.02155, section 3.5).
    """
    count = int(group_P.max()) + 1 if group_P.numel() else 0
    pairs_G = weight_P.new_zeros(count).index_add(0, group_P, torch.ones_like(weight_P))
    return weight_P / pairs_G[group_P]


def plackett_luce_reward_loss(
    score_GK: Tensor, worth_GK: Tensor, mask_GK: Tensor, *, centring: float = 0.0
) -> Tensor:
    """(G,) -log P(ranking | scores) under Plackett and Luce, plus c (2 mean score)^2.

    For ties and padding see `plackett_luce_nll`. For two completions this is `reward_loss` at
    p = 1, its centring included, which here holds also for groups in which all tie.
    """
    real_GK = mask_GK.bool()
    mean_G = score_GK.masked_fill(~real_GK, 0).sum(1) / real_GK.sum(1).clamp(min=1)
    return plackett_luce_nll(score_GK, worth_GK, mask_GK) + centring * (2 * mean_G) ** 2


def classifier_loss(score_B: Tensor, desirable_B: Tensor) -> Tensor:
    """(B,) binary cross-entropy whose logit is the reward: -log sigmoid(r) if desirable.

    desirable_B: 1 desirable, 0 not, or the share p of raters who find it so; then the loss is
    -p log sigmoid(r) - (1 - p) log sigmoid(-r).
    """
    return _cross_entropy(score_B, desirable_B)


def _cross_entropy(logit: Tensor, probability: Tensor) -> Tensor:
    return -probability * logsigmoid(logit) - (1 - probability) * logsigmoid(-logit)
