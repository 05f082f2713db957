"""Learning from pairs by matching distributions: within a pair (NCA, EXO), over a batch (AOT).

Shape letters: P pairs, M atoms of a distribution, C pieces of a coupling. The notation and what
holds for every loss are those of `suffrage.objectives.pairs`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from suffrage.objectives.answers import Answers, PairTerms
from suffrage.objectives.pairs import expected, pair_terms


def nca_loss(
    first: Answers, second: Answers, probability_P: Tensor, *, beta: float = 0.01
) -> PairTerms:
    """Noise contrastive alignment of pairs (2402.05369, section 4).

        R = beta (S - Sref)
        L = -p log sigmoid(R_first) - (1 - p) log sigmoid(R_second)
            - 1/2 log sigmoid(-R_first) - 1/2 log sigmoid(-R_second)

    The paper's general form with (p, 1 - p) as the distribution that the rewards induce over the
    two. The likelihoods are held each by itself, not only their difference, so that the preferred
    one does not fall along with the other. Rewards: R.
    """
    reward_first_P, reward_second_P = beta * first.ratio, beta * second.ratio
    data_P = expected(probability_P, -logsigmoid(reward_first_P), -logsigmoid(reward_second_P))
    noise_P = (logsigmoid(-reward_first_P) + logsigmoid(-reward_second_P)) / 2
    return pair_terms(data_P - noise_P, reward_first_P, reward_second_P)


def exo_loss(
    first: Answers,
    second: Answers,
    probability_P: Tensor,
    *,
    beta: float = 0.1,
    target_smoothing: float = 1e-3,
) -> PairTerms:
    """Efficient exact optimisation from pairs (2402.00856, eq. 16; TRL's `exo_pair`).

        q = sigmoid(beta (r_first - r_second)),   r = S - Sref
        t = p (1 - e) + (1 - p) e,   e = target_smoothing > 0
        L = KL((q, 1 - q) || (t, 1 - t)) = q log(q / t) + (1 - q) log((1 - q) / (1 - t))

    The policy stands first in the divergence, as it does in RLHF's own objective; in DPO it stands
    second. The votes are the target t, so that the loss is not the mean of the losses of either
    label, and is 0 where q = t. The released code leaves log t at 0 for the preferred one and at
    -10 for the other, which is not normalised. Rewards: beta r.
    """
    reward_first_P, reward_second_P = beta * first.ratio, beta * second.ratio
    margin_P = reward_first_P - reward_second_P
    t_P = expected(
        probability_P,
        torch.full_like(margin_P, 1 - target_smoothing),
        torch.full_like(margin_P, target_smoothing),
    )
    loss_P = torch.sigmoid(margin_P) * (logsigmoid(margin_P) - t_P.log())
    loss_P = loss_P + torch.sigmoid(-margin_P) * (logsigmoid(-margin_P) - (1 - t_P).log())
    return pair_terms(loss_P, reward_first_P, reward_second_P)


def aot_loss(
    first: Answers, second: Answers, probability_P: Tensor, *, beta: float = 0.1
) -> PairTerms:
    """Alignment via optimal transport, paired (2406.05882, section 3, with the logistic loss).

        u = S_first - S_second,   v = Sref_first - Sref_second
        L = sum_i -log sigmoid(beta (u_(i) - v_(i))),   (i) the i-th smallest of the batch

    The policy's margins shall be larger than the reference's as distributions (stochastic
    dominance), not pair by pair. With soft labels a pair stands in both distributions with mass p
    at its margin and 1 - p at the margin's negative, and quantiles of equal mass are compared;
    p = 1 is the formula above. All pairs of the batch must be given at once: each loss depends on
    the others. A pair's loss is that of the quantiles where its u lies; the sum over the batch is
    L. Rewards: beta (S - Sref).
    """
    margin_P, reference_P = first.logp - second.logp, first.reference - second.reference
    masses_M = torch.cat([probability_P, 1 - probability_P])
    loss_M = _dominance(
        Atoms(torch.cat([margin_P, -margin_P]), masses_M),
        Atoms(torch.cat([reference_P, -reference_P]), masses_M),
        beta,
    )
    return pair_terms(loss_M.view(2, -1).sum(0), beta * first.ratio, beta * second.ratio)


def aot_unpaired_loss(
    first: Answers, second: Answers, probability_P: Tensor, *, beta: float = 0.1
) -> PairTerms:
    """Alignment via optimal transport, unpaired (2406.05882, section 3, with the logistic loss).

        r = S - Sref
        L = sum_i -log sigmoid(beta (r_first,(i) - r_second,(i))),   (i) the i-th smallest

    The log-ratios of preferred completions shall be larger, as a distribution, than those of the
    others; which completion stood against which does not matter. With soft labels a completion is
    among the preferred with mass p and among the others with mass 1 - p. All pairs of the batch
    must be given at once: each loss depends on the others. A pair's loss is that of the quantiles
    where its preferred completion lies; the sum over the batch is L. Rewards: beta r.
    """
    ratio_M = torch.cat([first.ratio, second.ratio])
    preferred_M = torch.cat([probability_P, 1 - probability_P])
    loss_M = _dominance(Atoms(ratio_M, preferred_M), Atoms(ratio_M, 1 - preferred_M), beta)
    return pair_terms(loss_M.view(2, -1).sum(0), beta * first.ratio, beta * second.ratio)


class Atoms(NamedTuple):
    """A distribution on the line: values and their masses, both (M,)."""

    value_M: Tensor
    mass_M: Tensor


def coupling(upper: Atoms, lower: Atoms) -> tuple[Tensor, Tensor, Tensor]:
    """Match quantiles of two distributions of the same total mass: optimal transport on the line.

    Returns which atom of either is matched in each piece, and the piece's mass, all (C,): the
    masses of an atom's pieces add up to the atom's own.
    """
    (order_M, end_M), (other_M, other_end_M) = _quantiles(upper), _quantiles(lower)
    cut_C = torch.cat([end_M, other_end_M]).sort().values
    mass_C = cut_C.diff(prepend=cut_C.new_zeros(1))
    # A piece that ends at the cut belongs to the first atom that does not end before it. Rounding
    # can put the last cut beyond every end.
    found_C = torch.searchsorted(end_M, cut_C).clamp(max=len(order_M) - 1)
    other_found_C = torch.searchsorted(other_end_M, cut_C).clamp(max=len(other_M) - 1)
    return order_M[found_C], other_M[other_found_C], mass_C


def _quantiles(atoms: Atoms) -> tuple[Tensor, Tensor]:
    """The atoms from the smallest, and the mass up to and with each of them."""
    order_M = atoms.value_M.detach().argsort(stable=True)
    return order_M, atoms.mass_M[order_M].cumsum(0)


def _dominance(upper: Atoms, lower: Atoms, beta: float) -> Tensor:
    """(M,) the logistic loss of matched quantiles, each at the upper atom it belongs to."""
    upper_C, lower_C, mass_C = coupling(upper, lower)
    margin_C = beta * (upper.value_M[upper_C] - lower.value_M[lower_C])
    loss_C = -mass_C * logsigmoid(margin_C)
    return loss_C.new_zeros(len(upper.value_M)).index_add(0, upper_C, loss_C)
