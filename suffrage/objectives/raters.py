"""Learning a reward from raters of unknown reliability.

Shape letter: P votes, each of one rater on a pair of completions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def crowd_bt_loss(
    score_first_P: Tensor,
    score_second_P: Tensor,
    probability_P: Tensor,
    reliability_P: Tensor,
    votes_P: Tensor | None = None,
    *,
    centring: float = 0.0,
    prior: float = 9.0,
) -> Tensor:
    """Crowd-BT: the vote of a rater who is right with probability e (Chen et al., WSDM 2013).

        D = r_first - r_second
        q(D) = e sigmoid(D) + (1 - e) sigmoid(-D)
        L = -p log q(D) - (1 - p) log q(-D) - (a / v) log e + c (r_first + r_second)^2

    All tensors have shape (P,): here a pair is one rater's vote, p = 1 for the first, 0 for the
    second, 1/2 a tie. e near 1/2 is noise and teaches nothing, near 0 the votes are reversed.
    Gradients reach e too if it is learned, which asks for 0 < e < 1; as constants 0 and 1 are fine.
    v = `votes_P` is how many votes that rater cast in all: over these the term in a = `prior` adds
    up to the paper's prior Beta(10, 1) on e, by which people are right until they show otherwise,
    and without which all rewards and all raters could be reversed together. Without v it is absent.
    c = `centring` keeps rewards near zero, in the place of the paper's virtual node.
    """
    difference_P = score_first_P - score_second_P
    for_first_P = _noisy_logsigmoid(difference_P, reliability_P)
    for_second_P = _noisy_logsigmoid(-difference_P, reliability_P)
    loss_P = -probability_P * for_first_P - (1 - probability_P) * for_second_P
    if votes_P is not None:
        loss_P = loss_P - prior / votes_P * reliability_P.log()
    return loss_P + centring * (score_first_P + score_second_P) ** 2


def _noisy_logsigmoid(difference_P: Tensor, reliability_P: Tensor) -> Tensor:
    """log(e sigmoid(D) + (1 - e) sigmoid(-D)), in logarithms: neither term underflows."""
    right_P = reliability_P.log() + logsigmoid(difference_P)
    wrong_P = torch.log1p(-reliability_P) + logsigmoid(-difference_P)
    return torch.logaddexp(right_P, wrong_P)
