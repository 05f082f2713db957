"""Learning a reward from ratings: whole numbers with an order, at unknown distances.

Shape letters: B ratings, C cutpoints between C + 1 ratings, L ratings of a scale.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

LEAST_STEP = 1e-3  # between cutpoints; single precision may lose a smaller one


def rating_loss(
    score_B: Tensor, rating_B: Tensor, cutpoints_C: Tensor, *, centring: float = 0.0
) -> Tensor:
    """(B,) negative log-likelihood of ratings under proportional odds (McCullagh 1980).

        P(rating <= k) = sigmoid(cut_k - r)     L = -log P(rating = k) + c r^2

    rating_B: whole numbers from 1 to C + 1 (1 to 7: six cutpoints); another raises IndexError on
    the CPU. cutpoints_C: increasing, see `increasing_cutpoints`; gradients reach them too. Scores
    and cutpoints are known up to a common shift, which c = `centring` fixes.
    """
    # sg(b) - sg(a) = sg(b) sg(-a) (1 - e^(a - b)), of which no factor cancels.
    end_1, whole_1 = cutpoints_C.new_full((1,), torch.inf), cutpoints_C.new_zeros(1)
    level_B = rating_B.long() - 1
    above_B = torch.cat([cutpoints_C, end_1]).index_select(0, level_B)
    below_B = torch.cat([-end_1, cutpoints_C]).index_select(0, level_B)
    inner = torch.log(-torch.expm1(-cutpoints_C.diff()))
    width_B = torch.cat([whole_1, inner, whole_1]).index_select(0, level_B)
    likelihood_B = logsigmoid(above_B - score_B) + logsigmoid(score_B - below_B) + width_B
    return centring * score_B**2 - likelihood_B


def rating_accuracy(score_B: Tensor, rating_B: Tensor, cutpoints_C: Tensor) -> Tensor:
    """(B,): 1 where no other rating is likelier under `rating_loss`, else 0."""
    below_BC = torch.sigmoid(cutpoints_C - score_B[:, None])
    none_B1, all_B1 = torch.zeros_like(score_B)[:, None], torch.ones_like(score_B)[:, None]
    chance_BC = torch.cat([none_B1, below_BC, all_B1], 1).diff()
    return (chance_BC.argmax(1) + 1 == rating_B).to(score_B)


def increasing_cutpoints(raw_C: Tensor) -> Tensor:
    """(C,) cutpoints from free parameters: the first, then steps of softplus(raw) + .001."""
    steps_C = torch.cat([raw_C[:1], softplus(raw_C[1:]) + LEAST_STEP])
    return steps_C.cumsum(0)


def free_parameters(cutpoints_C: Tensor) -> Tensor:
    """(C,): what `increasing_cutpoints` makes these cutpoints of; steps of .001 and less widen."""
    steps_C = (cutpoints_C.diff() - LEAST_STEP).clamp(min=LEAST_STEP)
    return torch.cat([cutpoints_C[:1], steps_C + torch.log(-torch.expm1(-steps_C))])


def marginal_cutpoints(count_L: Tensor) -> Tensor:
    """(L - 1,) cutpoints under which an answer of reward 0 is rated as all answers together are.

        cut_k = logit of the share of the ratings that are k or less

    Each rating is taken to have been given half a time more, so that none has a share of 0.
    """
    share_L = (count_L + 0.5) / (count_L + 0.5).sum()
    return torch.logit(share_L.cumsum(0)[:-1])
