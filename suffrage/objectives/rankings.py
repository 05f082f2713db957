"""Learning from groups of completions, ranked or scored.

Shape letters: G groups, each padded to K completions; where two K follow each other, the first is
the completion a row speaks of and the second its rivals. `worth_GK` is any score, higher is better,
equal means tied; `mask_GK` is 1 where a completion is real. Whatever stands in the padding, even
nan, reaches neither a result nor a gradient. A group in which all tie, or of one completion,
prefers nothing: its loss is 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from suffrage.objectives.answers import Answers

RELEASED_EPSILON = 1e-10  # inside the logarithm of PRO's released code


class GroupTerms(NamedTuple):
    """Of each group the loss, and of each completion what the method takes for its reward."""

    loss_G: Tensor
    reward_GK: Tensor  # detached, for the log; 0 in the padding


@dataclass(frozen=True)
class _Ranked:
    """Groups with neutral values in the padding, and who is worth more than whom."""

    answers: Answers
    gap_GKK: Tensor  # worth of the row's completion less the rival's
    both_GKK: Tensor  # whether both are real
    best_GK: Tensor  # whether no rival is worth more; false in groups that prefer nothing

    @property
    def beats_GKK(self) -> Tensor:
        return self.both_GKK & (self.gap_GKK > 0)


def rrhf_loss(
    answers: Answers,
    worth_GK: Tensor,
    mask_GK: Tensor,
    *,
    alpha: float = 1.0,
    imitation: float = 1.0,
    imitation_tokens: Literal["summed", "averaged"] = "summed",
) -> Tensor:
    """Rank responses to align with human feedback (2304.05302, section 3.1).

        p_i = S_i / |y_i|^alpha
        L = sum over r_i < r_j of max(0, p_i - p_j) + c SFT(best)

    answers: (G, K); S in nats, the reference is not read. c = `imitation`; SFT is -S, as in the
    paper, or with `imitation_tokens` "averaged" -S / |y|. Where several are best, SFT is their
    mean. Returns (G,).

    The released code divides by the length of the padded row, which normalises nothing.
    """
    ranked = _ranked(answers, worth_GK, mask_GK)
    score_GK = ranked.answers.logp / ranked.answers.length**alpha
    ahead_GKK = score_GK[:, None, :] - score_GK[:, :, None]  # a rival's score less the row's own
    rank_G = (ahead_GKK.clamp(min=0) * ranked.beats_GKK).sum((1, 2))
    summed = imitation_tokens == "summed"
    logp_GK = ranked.answers.logp if summed else ranked.answers.mean
    return rank_G + imitation * _best_nll(logp_GK, ranked.best_GK)


def pro_loss(
    answers: Answers,
    worth_GK: Tensor,
    mask_GK: Tensor,
    *,
    imitation: float = 0.05,
    variant: Literal["paper", "released"] = "paper",
) -> Tensor:
    """Preference ranking optimisation (2306.17492, with its differentiated contrast).

        pi_k = S_k / |y_k|     1 / T_ki = r_k - r_i     1 / T_kk = max over i > k of 1 / T_ki
        L = -sum_k log( e^{pi_k / T_kk} / (e^{pi_k / T_kk} + sum over i > k of e^{pi_i / T_ki}) )
            + c (n - 1)^2 SFT(best)

    answers: (G, K); S in nats, the reference is not read; i > k: i is ranked behind k. n is the
    number of a group's completions, c = `imitation`, SFT is -S of the best, the mean over them
    where several are. The scale of `worth_GK` matters: it sets the temperatures. Returns (G,).

    The paper knows no ties. "paper" compares a completion with those worth less than it alone.
    "released" is as the released code: tied completions keep the order in which they stand, and
    since 1 / T = 0 between them, each that follows adds e^0 to the sum; 1e-10 is added within the
    logarithm, so that the gradient changes once all terms are smaller. All sums are taken in
    logarithms, where the released code underflows.
    """
    ranked = _ranked(answers, worth_GK, mask_GK)
    rank_GK = _pro_terms(ranked, variant)
    decides_G = ranked.best_GK.any(1)
    size_G = mask_GK.bool().sum(1)
    sft_G = (size_G - 1) ** 2 * _best_nll(ranked.answers.logp, ranked.best_GK)
    return rank_GK.sum(1).masked_fill(~decides_G, 0) + imitation * sft_G


def listwise_dpo_loss(
    answers: Answers, worth_GK: Tensor, mask_GK: Tensor, *, beta: float = 0.1
) -> GroupTerms:
    """Direct preference optimisation of rankings (2305.18290, appendix A.3).

        reward = beta (S - Sref)     L = -log P(ranking | rewards), Plackett-Luce

    answers: (G, K); ties as in `plackett_luce_nll`. For two completions this is DPO.
    """
    answers = _filled(answers, mask_GK.bool())
    reward_GK = beta * answers.ratio
    return GroupTerms(plackett_luce_nll(reward_GK, worth_GK, mask_GK), reward_GK.detach())


def plackett_luce_nll(score_GK: Tensor, worth_GK: Tensor, mask_GK: Tensor) -> Tensor:
    """(G,) negative log-likelihood of each ranking (Plackett 1975, Luce 1959).

        L = sum_k [ log(sum over i with r_i <= r_k of e^{s_i}) - s_k ]

    Ties by Breslow (1974): the denominator of each tied completion holds all worth no more than
    it, itself and its equals included. Those worth least give no term, as the last of a ranking
    gives none: among equals nothing was chosen.
    """
    real_GK = mask_GK.bool()
    score_GK = score_GK.masked_fill(~real_GK, 0)
    gap_GKK, both_GKK = _gaps(worth_GK, real_GK)
    chosen_GK = (both_GKK & (gap_GKK > 0)).any(2)
    rivals_GKK = both_GKK & (gap_GKK >= 0) & chosen_GK[:, :, None]
    # The others' denominators hold themselves alone: a term of 0, without gradient.
    rivals_GKK = rivals_GKK | _diagonal(real_GK)
    among_GKK = score_GK[:, None, :].expand_as(gap_GKK).masked_fill(~rivals_GKK, -math.inf)
    return (among_GKK.logsumexp(2) - score_GK).sum(1)


def _pro_terms(ranked: _Ranked, variant: Literal["paper", "released"]) -> Tensor:
    """(G, K) -log softmax of each completion against those behind it; 0 where there are none."""
    behind_GKK = ranked.beats_GKK
    if variant == "released":
        later_KK = torch.ones_like(behind_GKK[0]).triu(1)
        behind_GKK = behind_GKK | (ranked.both_GKK & (ranked.gap_GKK == 0) & later_KK)
    mean_GK = ranked.answers.mean
    own_GK = mean_GK * ranked.gap_GKK.masked_fill(~behind_GKK, 0).amax(2)
    against_GKK = (mean_GK[:, None, :] * ranked.gap_GKK).masked_fill(~behind_GKK, -math.inf)
    logit_GKK = torch.where(_diagonal(mean_GK), own_GK[:, :, None], against_GKK)
    total_GK = logit_GKK.logsumexp(2)
    if variant == "released":
        total_GK = torch.logaddexp(total_GK, total_GK.new_tensor(math.log(RELEASED_EPSILON)))
    return total_GK - own_GK


def _best_nll(logp_GK: Tensor, best_GK: Tensor) -> Tensor:
    """(G,) -logp, the mean over the best; 0 where none is best."""
    return -(logp_GK * best_GK).sum(1) / best_GK.sum(1).clamp(min=1)


def _ranked(answers: Answers, worth_GK: Tensor, mask_GK: Tensor) -> _Ranked:
    real_GK = mask_GK.bool()
    gap_GKK, both_GKK = _gaps(worth_GK, real_GK)
    beaten_GK = (both_GKK & (gap_GKK < 0)).any(2)
    best_GK = real_GK & ~beaten_GK & beaten_GK.any(1, keepdim=True)
    return _Ranked(_filled(answers, real_GK), gap_GKK, both_GKK, best_GK)


def _gaps(worth_GK: Tensor, real_GK: Tensor) -> tuple[Tensor, Tensor]:
    """(G, K, K) worth of the row's completion less the rival's, and whether both are real."""
    worth_GK = worth_GK.masked_fill(~real_GK, 0)
    gap_GKK = worth_GK[:, :, None] - worth_GK[:, None, :]
    return gap_GKK, real_GK[:, :, None] & real_GK[:, None, :]


def _filled(answers: Answers, real_GK: Tensor) -> Answers:
    """Neutral values in the padding; a product with the mask would keep a nan that stands there."""
    return Answers(
        logp=answers.logp.masked_fill(~real_GK, 0),
        reference=answers.reference.masked_fill(~real_GK, 0),
        length=answers.length.masked_fill(~real_GK, 1),
    )


def _diagonal(like_GK: Tensor) -> Tensor:
    """(K, K) true where a completion meets itself."""
    return torch.eye(like_GK.shape[1], dtype=torch.bool, device=like_GK.device)
