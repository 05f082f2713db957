"""Learning a reward from what raters prefer."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def reward_loss(
    score_first_P: Tensor,
    score_second_P: Tensor,
    probability_P: Tensor,
    *,
    centring: float = 0.0,
) -> Tensor:
    """Bradley-Terry reward loss of each pair (2203.02155, eq. 1) with soft labels.

        L = -p log sigmoid(r_first - r_second) - (1 - p) log sigmoid(r_second - r_first)
            + c (r_first + r_second)^2

    p is the share of raters who prefer the first; c = `centring` keeps rewards near zero
    (2312.09244). All tensors have shape (P,). For K completions of a prompt (K-wise), give all
    pairs of the group, each weighted by `group_weights`.
    """
    margin_P = score_first_P - score_second_P
    loss_P = -probability_P * logsigmoid(margin_P) - (1 - probability_P) * logsigmoid(-margin_P)
    return loss_P + centring * (score_first_P + score_second_P) ** 2


def group_weights(weight_P: Tensor, group_P: Tensor) -> Tensor:
    """Scale the pairs' weights so that each group's add up to 1: the mean over C(K, 2) pairs.

    group_P: (P,) the group each pair belongs to, 0, 1, ... Without this, a prompt with 9
    completions would count 36 times as much as one with 2 (2203.02155, section 3.5).
    """
    count = int(group_P.max()) + 1 if group_P.numel() else 0
    total_G = weight_P.new_zeros(count).index_add(0, group_P, weight_P)
    return weight_P / total_G[group_P].clamp(min=torch.finfo(weight_P.dtype).tiny)
