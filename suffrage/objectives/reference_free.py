"""Learning from pairs of completions without a reference model: ORPO, SimPO, CPO, SLiC-HF.

Shape letters: P pairs. The notation and what holds for every loss are those of
`suffrage.objectives.pairs`; m = S / |y| is the mean log-probability of a token.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from suffrage.objectives.answers import Answers, PairTerms
from suffrage.objectives.pairs import expected, pair_terms


def orpo_loss(
    first: Answers, second: Answers, probability_P: Tensor, *, odds_weight: float = 0.1
) -> PairTerms:
    """Odds ratio preference optimisation (2403.07691, eq. 6 and 7; lambda is `odds_weight`).

        lo = log(e^m / (1 - e^m)),   d = lo_first - lo_second
        L = p [-m_first - lambda log sigmoid(d)] + (1 - p) [-m_second - lambda log sigmoid(-d)]

    Imitation and preference in one stage. -m is the mean over the completion's tokens; the
    released code, and TRL, take it over the prompt too, which is not offered here. Rewards: lo.
    """
    odds_first_P, odds_second_P = log_odds(first.mean), log_odds(second.mean)
    margin_P = odds_first_P - odds_second_P
    loss_P = expected(
        probability_P,
        -first.mean - odds_weight * logsigmoid(margin_P),
        -second.mean - odds_weight * logsigmoid(-margin_P),
    )
    return pair_terms(loss_P, odds_first_P, odds_second_P)


def simpo_loss(
    first: Answers,
    second: Answers,
    probability_P: Tensor,
    *,
    beta: float = 2.0,
    gamma_ratio: float = 0.25,
) -> PairTerms:
    """Simple preference optimisation (2405.14734, eq. 6).

        d = beta (m_first - m_second),   gamma = gamma_ratio beta
        L = -p log sigmoid(d - gamma) - (1 - p) log sigmoid(-d - gamma)

    The margin gamma is stated relative to beta, as in the released code; some peers (TRL) take it
    as it is. Rewards: beta m.
    """
    reward_first_P, reward_second_P = beta * first.mean, beta * second.mean
    margin_P, gamma = reward_first_P - reward_second_P, gamma_ratio * beta
    loss_P = expected(probability_P, -logsigmoid(margin_P - gamma), -logsigmoid(-margin_P - gamma))
    return pair_terms(loss_P, reward_first_P, reward_second_P)


def cpo_loss(
    first: Answers,
    second: Answers,
    probability_P: Tensor,
    *,
    beta: float = 0.1,
    nll: float = 1.0,
    nll_tokens: Literal["summed", "averaged"] = "summed",
) -> PairTerms:
    """Contrastive preference optimisation (2401.08417, eq. 3 and the likelihood term).

        d = beta (S_first - S_second)
        L = p [-log sigmoid(d) - nll S_first] + (1 - p) [-log sigmoid(-d) - nll S_second]

    DPO with a uniform reference, and imitation in its place. `nll_tokens` "averaged" imitates m in
    the place of S; the released code, and TRL, do so (over all tokens of a batch, not pair by
    pair). The paper has nll = 1. Rewards: beta S.
    """
    reward_first_P, reward_second_P = beta * first.logp, beta * second.logp
    margin_P = reward_first_P - reward_second_P
    of_first_P, of_second_P = first.logp, second.logp
    if nll_tokens == "averaged":
        of_first_P, of_second_P = first.mean, second.mean
    loss_P = expected(
        probability_P,
        -logsigmoid(margin_P) - nll * of_first_P,
        -logsigmoid(-margin_P) - nll * of_second_P,
    )
    return pair_terms(loss_P, reward_first_P, reward_second_P)


def slic_loss(
    first: Answers,
    second: Answers,
    probability_P: Tensor,
    *,
    delta: float = 1.0,
    nll: float = 0.1,
) -> PairTerms:
    """Sequence likelihood calibration from preferences (2305.10425, section 2; nll is its lambda).

        d = S_first - S_second
        L = p [max(0, delta - d) - nll S_first] + (1 - p) [max(0, delta + d) - nll S_second]

    The paper regularises towards the target of fine-tuning or the best completion at hand; here it
    is the preferred one. It leaves lambda to be chosen; .1 is ours. Rewards: S.
    """
    margin_P = first.logp - second.logp
    loss_P = expected(
        probability_P,
        (delta - margin_P).relu() - nll * first.logp,
        (delta + margin_P).relu() - nll * second.logp,
    )
    return pair_terms(loss_P, first.logp, second.logp)


def log_odds(mean_P: Tensor) -> Tensor:
    """log(e^m / (1 - e^m)) of log-probabilities m <= 0, any shape; exact near m = 0 and far below.

    An m that e^m rounds to 1 counts as the largest that it does not, without a gradient: the odds
    would be infinite.
    """
    mean_P = mean_P.clamp(max=-torch.finfo(mean_P.dtype).eps)
    return mean_P - torch.log(-torch.expm1(mean_P))  # 1 - e^m would cancel near m = 0
