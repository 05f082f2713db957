"""Learning from single completions labelled desirable or not.

Shape letters: B labelled completions of a whole batch, M mismatched ones. The losses of a batch
depend on each other (through z0 and delta): give a function the whole batch at once, for parts of
it add up to another number.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from suffrage.objectives.answers import Answers


class LabelTerms(NamedTuple):
    """Of each completion: the loss, and what the method takes for its reward."""

    loss_B: Tensor
    reward_B: Tensor  # detached, for the log


def kto_loss(
    answers: Answers,
    desirable_B: Tensor,
    mismatched: Answers,
    *,
    beta: float = 0.1,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> LabelTerms:
    """Kahneman-Tversky optimisation (2402.01306, section 4.1).

        r = S - Sref        z0 = max(0, mean of r over the mismatched)
        L_desirable   = w_d (1 - sigmoid(beta (r - z0)))
        L_undesirable = w_u (1 - sigmoid(beta (z0 - r)))

    answers: (B,), the whole batch. desirable_B: 1 desirable, 0 not; a share p between them, such as
    the raters', gives p L_desirable + (1 - p) L_undesirable. mismatched: (M,) completions behind
    prompts they were not written for, (x_i, y_{i+1}): z0 estimates how far the policy has moved
    from the reference, in nats, and carries no gradient; without any (M = 0) it is 0.

    The reward is beta r. For the weights see `balanced_weights`.
    """
    z0 = mismatched.ratio.detach().sum() / max(mismatched.ratio.numel(), 1)
    gain_B = beta * (answers.ratio - z0.clamp(min=0))
    # 1 - sigmoid(x) is sigmoid(-x), which keeps its digits where sigmoid(x) is near 1.
    desired_B = desirable_weight * torch.sigmoid(-gain_B)
    undesired_B = undesirable_weight * torch.sigmoid(gain_B)
    loss_B = desirable_B * desired_B + (1 - desirable_B) * undesired_B
    return LabelTerms(loss_B, beta * answers.ratio.detach())


def balanced_weights(desirable: float, undesirable: float) -> tuple[float, float]:
    """Weights (w_d, w_u) for KTO from how many labels there are of either kind.

    The smallest increase of one weight over 1 that brings w_d n_d / (w_u n_u) into [1, 4/3]
    (2402.01306, on hyperparameters). Where a kind is absent there is no ratio: both weights stay 1.
    """
    if not desirable or not undesirable:
        return 1.0, 1.0
    ratio = desirable / undesirable
    return max(1.0, 1 / ratio), max(1.0, ratio * 3 / 4)


def bco_loss(answers: Answers, desirable_B: Tensor, *, beta: float = 0.1) -> LabelTerms:
    """Binary classifier optimisation (2404.04656): a classifier whose logit is the reward.

        r = beta (S - Sref)     delta = (mean of desirable r + mean of undesirable r) / 2
        L = -log sigmoid(r - delta) if desirable, else -log sigmoid(delta - r)

    answers: (B,), the whole batch. desirable_B: 1 or 0; a share p between them counts p to either
    mean and loss as desirable and 1 - p as undesirable. delta carries no gradient.

    Departures: delta is of this batch, where the paper keeps a running mean (at the first step they
    agree), so that a loss depends on its batch alone; if one kind is absent, delta is the other's
    mean. The paper's density-ratio weights for labels from different prompts are left out.
    """
    reward_B = beta * answers.ratio
    shifted_B = reward_B - _reward_shift(reward_B.detach(), desirable_B)
    loss_B = -desirable_B * logsigmoid(shifted_B) - (1 - desirable_B) * logsigmoid(-shifted_B)
    return LabelTerms(loss_B, reward_B.detach())


def _reward_shift(reward_B: Tensor, desirable_B: Tensor) -> Tensor:
    """() the middle of the two kinds' means, or the mean of the kind there is."""
    share_2B = torch.stack([desirable_B, 1 - desirable_B]).to(reward_B.dtype)
    count_2 = share_2B.sum(1)
    tiny = torch.finfo(reward_B.dtype).tiny
    mean_2 = (share_2B * reward_B).sum(1) / count_2.clamp(min=tiny)
    return mean_2.sum() / (count_2 > 0).sum().clamp(min=1)
