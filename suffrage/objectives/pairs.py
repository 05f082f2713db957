"""Learning from pairs of completions: DPO and its relatives, losses of one margin each.

Shape letters: P pairs. Of each pair, p is the share of raters who prefer the first completion. S
is a completion's summed log-probability, Sref the same under the reference, |y| its tokens. p = 1
is the paper's loss; swapping the two completions, with 1 - p for p, changes nothing. All tensors
have shape (P,); gradients are for the policy's log-probabilities, the reference comes without one.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from suffrage.objectives.answers import Answers, PairTerms

TIE = 1e-5  # margins within it are ties


def dpo_loss(
    first: Answers,
    second: Answers,
    probability_P: Tensor,
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    nll: float = 0.0,
) -> PairTerms:
    """Direct preference optimisation (2305.18290, eq. 7) with soft labels.

        h = beta (r_first - r_second),   r = S - Sref
        L = -p log sigmoid(h) - (1 - p) log sigmoid(-h)

    `label_smoothing` e moves p to p (1 - e) + (1 - p) e (conservative DPO). `nll` c adds
    -c |2p - 1| S / |y| of the preferred completion (2404.19733, eq. 2, times how far the raters
    agree, so that a tie imitates neither): DPO alone may lower the probability of both completions,
    and a model that lost its language cannot say what it prefers. Rewards: beta r.
    """
    p_P = probability_P * (1 - label_smoothing) + (1 - probability_P) * label_smoothing
    terms = _logistic(beta * first.ratio, beta * second.ratio, p_P)
    return terms._replace(loss_P=terms.loss_P + nll * _imitation(first, second, probability_P))


def lndpo_loss(
    first: Answers,
    second: Answers,
    probability_P: Tensor,
    *,
    beta: float = 5.0,
    label_smoothing: float = 0.0,
    nll: float = 0.0,
) -> PairTerms:
    """Length-normalised DPO (2411.15124, as in Tulu 3): DPO on the log-ratio of a mean token.

        h = beta (r_first / |y_first| - r_second / |y_second|),   r = S - Sref

    The loss of h, and the options, are those of `dpo_loss`; beta is larger since log-ratios of a
    token are smaller (5 in the paper). Rewards: beta r / |y|.
    """
    per_token = first.ratio / first.length, second.ratio / second.length
    p_P = probability_P * (1 - label_smoothing) + (1 - probability_P) * label_smoothing
    terms = _logistic(beta * per_token[0], beta * per_token[1], p_P)
    return terms._replace(loss_P=terms.loss_P + nll * _imitation(first, second, probability_P))


def robust_dpo_loss(
    first: Answers,
    second: Answers,
    probability_P: Tensor,
    *,
    beta: float = 0.1,
    flip_rate: float = 0.1,
) -> PairTerms:
    """Provably robust DPO (2403.00409, section 3): DPO's loss as if no label had been flipped.

        h = beta (r_first - r_second),   l(h) = -log sigmoid(h),   e = flip_rate < 1/2
        L1(h) = [(1 - e) l(h) - e l(-h)] / (1 - 2e)
        L = p L1(h) + (1 - p) L1(-h)

    Over labels flipped with probability e the mean of L1 is DPO's loss on the true labels. It has
    no lower bound: for large h it falls as -e h / (1 - 2e). Rewards: beta r.
    """
    # L is linear in the label, so that correcting the label corrects the loss: p' may leave [0, 1].
    p_P = (probability_P - flip_rate) / (1 - 2 * flip_rate)
    return _logistic(beta * first.ratio, beta * second.ratio, p_P)


def ipo_loss(
    first: Answers,
    second: Answers,
    probability_P: Tensor,
    *,
    beta: float = 0.1,
    tokens: Literal["summed", "averaged"] = "summed",
) -> PairTerms:
    """Identity preference optimisation (2310.12036, eq. 17; beta is the paper's tau).

        h = r_first - r_second
        L = p (h - 1 / (2 beta))^2 + (1 - p) (h + 1 / (2 beta))^2

    `tokens` "summed" has r = S - Sref, the log-ratio of the completion, as the paper writes it;
    "averaged" has r / |y|, as TRL and LLaMA-Factory compute it. A beta for the one does not serve
    the other: 1 / (2 beta), the margin to reach, is in nats a completion or nats a token. Rewards:
    beta r, or beta r / |y|.
    """
    r_first_P, r_second_P = first.ratio, second.ratio
    if tokens == "averaged":
        r_first_P, r_second_P = r_first_P / first.length, r_second_P / second.length
    margin_P, target = r_first_P - r_second_P, 1 / (2 * beta)
    loss_P = expected(probability_P, (margin_P - target) ** 2, (margin_P + target) ** 2)
    return pair_terms(loss_P, beta * r_first_P, beta * r_second_P)


def hinge_loss(
    first: Answers, second: Answers, probability_P: Tensor, *, beta: float = 0.1
) -> PairTerms:
    """The hinge on DPO's margin (2309.06657, "hinge-norm"; TRL's `hinge`).

        h = beta (r_first - r_second),   r = S - Sref
        L = p max(0, 1 - h) + (1 - p) max(0, 1 + h)

    SLiC-HF's loss (2305.10425, see `slic_loss`) taken relative to the reference: it needs no
    imitation to hold on to the language. A pair won by a margin of 1 teaches nothing more.
    Rewards: beta r.
    """
    reward_first_P, reward_second_P = beta * first.ratio, beta * second.ratio
    margin_P = reward_first_P - reward_second_P
    loss_P = expected(probability_P, (1 - margin_P).relu(), (1 + margin_P).relu())
    return pair_terms(loss_P, reward_first_P, reward_second_P)


def discopop_loss(
    first: Answers,
    second: Answers,
    probability_P: Tensor,
    *,
    beta: float = 0.05,
    tau: float = 0.05,
) -> PairTerms:
    """DiscoPOP, the log-ratio modulated loss (2406.08414, eq. 5).

        h = beta (r_first - r_second),   r = S - Sref,   w(h) = sigmoid(h / tau)
        L1(h) = -(1 - w(h)) log sigmoid(h) + w(h) exp(-h)
        L = p L1(h) + (1 - p) L1(-h)

    A blend of the logistic and the exponential loss found by search, not convex. w exp(-h) is
    computed as exp(log w - h): exp(-h) alone overflows where w is 0. Rewards: beta r.
    """
    reward_first_P, reward_second_P = beta * first.ratio, beta * second.ratio
    margin_P = reward_first_P - reward_second_P
    wins_P, loses_P = (_modulated(h_P, tau) for h_P in (margin_P, -margin_P))
    return pair_terms(expected(probability_P, wins_P, loses_P), reward_first_P, reward_second_P)


def pair_accuracy(margin_P: Tensor, probability_P: Tensor) -> Tensor:
    """(P,): 1 where the margin's sign is the raters', 1/2 where either says tie, else 0.

    A margin that rounding explains is a tie: before the first step a policy is its reference.
    """
    margin_P = margin_P.masked_fill(margin_P.abs() < TIE, 0.0)
    agreement_P = margin_P.sign() * (probability_P - 0.5).sign()
    return (agreement_P + 1) / 2


def expected(probability_P: Tensor, first_wins_P: Tensor, second_wins_P: Tensor) -> Tensor:
    """(P,) p L(first wins) + (1 - p) L(second wins): the mean loss over the raters of a pair."""
    return probability_P * first_wins_P + (1 - probability_P) * second_wins_P


def pair_terms(loss_P: Tensor, reward_first_P: Tensor, reward_second_P: Tensor) -> PairTerms:
    """The terms of a pair, the rewards cut off from the gradient."""
    return PairTerms(loss_P, reward_first_P.detach(), reward_second_P.detach())


def _logistic(reward_first_P: Tensor, reward_second_P: Tensor, p_P: Tensor) -> PairTerms:
    margin_P = reward_first_P - reward_second_P
    loss_P = expected(p_P, -logsigmoid(margin_P), -logsigmoid(-margin_P))
    return pair_terms(loss_P, reward_first_P, reward_second_P)


def _imitation(first: Answers, second: Answers, probability_P: Tensor) -> Tensor:
    """-|2p - 1| times the mean token's log-probability of the preferred completion."""
    agreement_P = 2 * probability_P - 1
    return -(agreement_P.clamp(min=0) * first.mean + (-agreement_P).clamp(min=0) * second.mean)


def _modulated(margin_P: Tensor, tau: float) -> Tensor:
    log_weight_P = logsigmoid(margin_P / tau)
    logistic_P = -torch.sigmoid(-margin_P / tau) * logsigmoid(margin_P)
    return logistic_P + torch.exp(log_weight_P - margin_P)
