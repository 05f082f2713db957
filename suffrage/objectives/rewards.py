"""Learning a reward from what raters prefer.

Shape letters: P pairs, B single completions, G groups padded to K completions, C cutpoints between
C + 1 ratings.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from suffrage.objectives.rankings import plackett_luce_nll

LEAST_STEP = 1e-3  # between cutpoints; single precision may lose a smaller one


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
    """Scale the pairs' weights so that each group's add up to 1: the mean over C(K, 2) pairs.

    group_P: (P,) the group each pair belongs to, 0, 1, ... Without this, a prompt with 9
    completions would count 36 times as much as one with 2 (2203.02155, section 3.5).
    """
    count = int(group_P.max()) + 1 if group_P.numel() else 0
    total_G = weight_P.new_zeros(count).index_add(0, group_P, weight_P)
    return weight_P / total_G[group_P].clamp(min=torch.finfo(weight_P.dtype).tiny)


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


def increasing_cutpoints(raw_C: Tensor) -> Tensor:
    """(C,) cutpoints from free parameters: the first, then steps of softplus(raw) + .001."""
    steps_C = torch.cat([raw_C[:1], softplus(raw_C[1:]) + LEAST_STEP])
    return steps_C.cumsum(0)


def classifier_loss(score_B: Tensor, desirable_B: Tensor) -> Tensor:
    """(B,) binary cross-entropy whose logit is the reward: -log sigmoid(r) if desirable.

    desirable_B: 1 desirable, 0 not, or the share p of raters who find it so; then the loss is
    -p log sigmoid(r) - (1 - p) log sigmoid(-r).
    """
    return _cross_entropy(score_B, desirable_B)


def crowd_bt_loss(
    score_first_P: Tensor,
    score_second_P: Tensor,
    probability_P: Tensor,
    reliability_P: Tensor,
    *,
    centring: float = 0.0,
) -> Tensor:
    """Crowd-BT: the vote of a rater who is right with probability e (Chen et al., WSDM 2013).

        D = r_first - r_second
        q(D) = e sigmoid(D) + (1 - e) sigmoid(-D)
        L = -p log q(D) - (1 - p) log q(-D) + c (r_first + r_second)^2

    All tensors have shape (P,): here a pair is one rater's vote, p = 1 for the first, 0 for the
    second, 1/2 a tie. e near 1/2 is noise and teaches nothing, near 0 the votes are reversed.
    Gradients reach e too if it is learned, which asks for 0 < e < 1; as constants 0 and 1 are fine.
    c = `centring` keeps rewards near zero, in the place of the paper's virtual node.
    """
    difference_P = score_first_P - score_second_P
    for_first_P = _noisy_logsigmoid(difference_P, reliability_P)
    for_second_P = _noisy_logsigmoid(-difference_P, reliability_P)
    loss_P = -probability_P * for_first_P - (1 - probability_P) * for_second_P
    return loss_P + centring * (score_first_P + score_second_P) ** 2


def _noisy_logsigmoid(difference_P: Tensor, reliability_P: Tensor) -> Tensor:
    """log(e sigmoid(D) + (1 - e) sigmoid(-D)), in logarithms: neither term underflows."""
    right_P = reliability_P.log() + logsigmoid(difference_P)
    wrong_P = torch.log1p(-reliability_P) + logsigmoid(-difference_P)
    return torch.logaddexp(right_P, wrong_P)


def _cross_entropy(logit: Tensor, probability: Tensor) -> Tensor:
    return -probability * logsigmoid(logit) - (1 - probability) * logsigmoid(-logit)
