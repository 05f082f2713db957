"""How raters of single answers stand to the others: over all prompts, not only within one.

Who rates one answer of each prompt compares nothing within it, but still puts the answers of the
whole study in an order, and it can be held against the others' mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.stats import kendalltau

from suffrage.stats.intervals import Floats, Ints, number
from suffrage.stats.odd import Share

FEWEST = 3  # answers


def scale_shares(given: Mapping[tuple[str, tuple[str, str, str]], float]) -> dict[str, Share]:
    """Of each rater, the share of pairs of answers that they order as the others' mean does.

    `given`: (rater, unit) to value. The share is (1 + tau-b) / 2; one half for a rater who gives
    one value only. It is worth as many votes as give a coin's share the variance of tau without
    association, 2 (2n + 5) / 9n (n - 1) over n answers (Kendall 1938). The mean weighs the others
    by their tau of a first round, so that an odd rater hardly blurs it.
    """
    rater_N, raters = number([rater for rater, _ in given])
    unit_N, units = number([unit for _, unit in given])
    prompt_N, _ = number([unit[0] for _, unit in given])
    value_N = np.array(list(given.values()))
    own = [np.flatnonzero(rater_N == rater) for rater in range(raters)]
    weight_R = np.ones(raters)
    for _ in range(2):
        others_N = _mean_of_others(value_N, unit_N, weight_R[rater_N], units)
        found = [_share(value_N[mine], others_N[mine], prompt_N[mine]) for mine in own]
        weight_R = np.array([max(0.01, 2 * share.value - 1) for share in found])
    return dict(zip(dict.fromkeys(rater for rater, _ in given), found, strict=True))


def _mean_of_others(value_N: Floats, unit_N: Ints, weight_N: Floats, units: int) -> Floats:
    """nan where nobody else rated."""
    weight = np.bincount(unit_N, weight_N, units)[unit_N] - weight_N
    total = np.bincount(unit_N, weight_N * value_N, units)[unit_N] - weight_N * value_N
    alone = np.bincount(unit_N, minlength=units)[unit_N] < 2
    return np.asarray(np.where(alone, np.nan, total / np.where(alone, 1.0, weight)))


def _share(value: Floats, others: Floats, prompts: Ints) -> Share:
    known = ~np.isnan(others)
    answers = int(known.sum())
    if answers < FEWEST:
        return Share(math.nan, math.nan, 0, 0, math.nan, 0.0)
    tau = float(kendalltau(value[known], others[known]).statistic)
    share = 0.5 if math.isnan(tau) else (1 + tau) / 2
    worth = 9 * answers * (answers - 1) / (2 * (2 * answers + 5))
    error = math.sqrt(0.25 / worth)
    return Share(share, error, len(np.unique(prompts[known])), worth, sure=share, worth=worth)
