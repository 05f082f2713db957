"""How often raters who read agree with the others, learned from all raters but the one in question.

Each rater r agrees in k_r of n_r votes (both may be fractions: ties count half, and votes that
resemble each other count less). A reader's own rate is drawn from a Beta distribution, whose mean
and spread are known only as far as the other raters show them; a rater may also be a coin, or a
reader turned round, so that the odd ones do not pull the readers down. Axes: R raters, G
distributions, A rates.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaln, logsumexp, xlogy

from suffrage.stats.intervals import Floats

ODD_SHARE = 0.2  # of raters before anything is seen of them, half coins and half turned round
_RATE_A = (np.arange(200) + 0.5) / 200
_MEANS = np.linspace(0.5, 0.99, 50)
_SIZES = (20.0, 50.0, 100.0, 200.0)  # pseudo-votes: rates about .85 spread by .078 to .025


def _densities() -> Floats:
    """Weights of the rates in each Beta distribution: (G, A)."""
    mean, size = (axis.reshape(-1, 1) for axis in np.meshgrid(_MEANS, _SIZES))
    one, other = mean * size, (1 - mean) * size
    logs = xlogy(one - 1, _RATE_A) + xlogy(other - 1, 1 - _RATE_A) - betaln(one, other)
    return np.asarray(np.exp(logs - logsumexp(logs, axis=1, keepdims=True)))


_DENSITY_GA = _densities()


def reader_tails(agreed_R: Floats, votes_R: Floats) -> Floats:
    """The chance that a reader, as the *others* show readers, agrees so seldom or less: (R,)."""
    fit_RG = _evidence(agreed_R, votes_R)
    others_RG = fit_RG.sum(axis=0) - fit_RG
    belief_RG = np.exp(others_RG - logsumexp(others_RG, axis=1, keepdims=True))
    tail_RA = _tail(agreed_R[:, None], votes_R[:, None], _RATE_A)
    return np.asarray(((belief_RG @ _DENSITY_GA) * tail_RA).sum(axis=1))


def coin_tails(agreed_R: Floats, votes_R: Floats) -> Floats:
    """The chance that a coin agrees so seldom or less: (R,)."""
    return _tail(agreed_R, votes_R, np.full(len(votes_R), 0.5))


def _tail(agreed: Floats, votes: Floats, rate: Floats) -> Floats:
    """P(X <= agreed) of a binomial of this rate, between whole numbers by the Beta function."""
    missed = np.maximum(votes - agreed, 1e-9)
    return np.asarray(betainc(missed, agreed + 1, 1 - rate))


def _evidence(agreed_R: Floats, votes_R: Floats) -> Floats:
    """Log likelihood of each rater's votes if readers were so distributed: (R, G)."""
    agreed, missed = agreed_R[:, None], (votes_R - agreed_R)[:, None]
    chance_RA: Floats = np.asarray(xlogy(agreed, _RATE_A) + xlogy(missed, 1 - _RATE_A))
    coin_R1 = votes_R[:, None] * np.log(0.5)
    odd_RG = np.logaddexp(_mean_chance(chance_RA[:, ::-1]), coin_R1) + np.log(ODD_SHARE / 2)
    return np.asarray(np.logaddexp(_mean_chance(chance_RA) + np.log(1 - ODD_SHARE), odd_RG))


def _mean_chance(chance_RA: Floats) -> Floats:
    """Log of the mean over the rates, under each distribution: (R, G)."""
    most_R1 = chance_RA.max(axis=1, keepdims=True)
    mean_RG = np.exp(chance_RA - most_R1) @ _DENSITY_GA.T
    return np.asarray(most_R1 + np.log(np.maximum(mean_RG, 1e-300)))
