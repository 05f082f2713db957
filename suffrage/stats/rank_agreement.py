"""How far raters agree on an order: Kendall's tau-b and W, with intervals over prompts.

A table of scores holds one row a rater and one column a completion of one prompt, nan where a rater
did not judge it; only the order within a row matters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

from suffrage.core.results import Estimate
from suffrage.stats.intervals import ROUNDS, Floats, clustered_mean


def tau_b(scores_RU: npt.ArrayLike) -> Floats:
    """Kendall's tau-b of every two raters: (R, R); nan where it is undefined.

    tau = sum of s_p t_p / sqrt(sum of s_p^2 sum of t_p^2) over the pairs of completions p that both
    judged, s_p and t_p the signs of their differences. M. G. Kendall, "The treatment of ties in
    ranking problems" (Biometrika 33, 1945).
    """
    scores = np.asarray(scores_RU, dtype=np.float64)
    first, second = np.triu_indices(scores.shape[1], 1)
    sign = np.sign(scores[:, first] - scores[:, second])
    known = (~np.isnan(sign)).astype(np.float64)
    sign = np.nan_to_num(sign)
    untied = (sign**2) @ known.T  # pairs that rater r orders, among those that rater s judged
    scale = np.sqrt(untied * untied.T)
    return np.where(scale > 0, sign @ sign.T / np.where(scale > 0, scale, 1.0), np.nan)


def mean_tau(scores_RU: npt.ArrayLike) -> float:
    """The mean of tau-b over all pairs of raters; nan where no pair has one."""
    tau = tau_b(scores_RU)
    between = tau[np.triu_indices(len(tau), 1)]
    known = between[~np.isnan(between)]
    return float(known.mean()) if len(known) else np.nan


def w_of(scores_RU: npt.ArrayLike) -> float:
    """Kendall's W of raters who all judged the same: 0 no agreement, 1 the same order.

    W = 12 S / (m^2 (n^3 - n) - m sum_j T_j), S the squared deviations of the rank sums, T_j the sum
    of t^3 - t over rater j's ties (Kendall and Gibbons, "Rank Correlation Methods", chapter 6).
    nan with fewer than two raters or completions, or where every rater ties all.
    """
    scores = np.asarray(scores_RU, dtype=np.float64)
    raters, items = scores.shape
    if raters < 2 or items < 2:
        return np.nan
    ranks = stats.rankdata(scores, axis=1)
    sums = ranks.sum(axis=0)
    ties = sum(float((np.unique(row, return_counts=True)[1] ** 3.0).sum()) for row in scores)
    room = raters**2 * (items**3 - items) - raters * (ties - raters * items)
    return 12 * float(((sums - sums.mean()) ** 2).sum()) / room if room > 0 else np.nan


def kendall_tau(
    tables: Sequence[npt.ArrayLike], *, seed: int = 0, rounds: int = ROUNDS
) -> Estimate:
    """The mean over prompts of `mean_tau`, with its interval; one table a prompt."""
    return _mean_over_prompts([mean_tau(table) for table in tables], seed, rounds)


def kendall_w(tables: Sequence[npt.ArrayLike], *, seed: int = 0, rounds: int = ROUNDS) -> Estimate:
    """The mean over prompts of `w_of`, with its interval; one table a prompt.

    Within a prompt only completions that all its raters judged count.
    """
    return _mean_over_prompts([w_of(_complete(table)) for table in tables], seed, rounds)


def _complete(table: npt.ArrayLike) -> Floats:
    scores = np.asarray(table, dtype=np.float64)
    return scores[:, ~np.isnan(scores).any(axis=0)]


def _mean_over_prompts(values: Sequence[float], seed: int, rounds: int) -> Estimate:
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return Estimate(value=None, unit="prompts", note="no two raters ordered the same")
    return clustered_mean(known, np.arange(len(known)), seed=seed, rounds=rounds)
