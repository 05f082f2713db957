"""Agreement beyond chance for nominal and weighted values: Cohen, Fleiss and Gwet, with intervals.

Like alpha, each is a function of sums over units, so one bootstrap serves all. They differ in what
they take chance to be: Cohen two raters' own habits, Fleiss the habits of all together, Gwet the
chance that a rater guesses at all. Where nearly every unit has one value, kappa can be near 0 while
raters agree almost everywhere (Feinstein and Cicchetti 1990); AC1 was made for that case.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt

from suffrage.core.results import Estimate
from suffrage.stats.intervals import ROUNDS, Floats, Labels, cluster_sums, clustered_statistic

Weights = Literal["none", "linear", "quadratic"]

_ONE_VALUE = "only one value was ever given"
_NO_PAIR = "no unit was judged by two raters"


def cohen_of(tables_BVV: Floats, values_V: Floats, weights: Weights = "none") -> Floats:
    """kappa_w = 1 - sum w_ck o_ck / sum w_ck e_ck of contingency tables, e from margins: (B,).

    w is [c != k], |c - k| or (c - k)^2. J. Cohen, "Weighted kappa" (Psychological Bulletin 70,
    1968), equation 5; without weights, "A coefficient of agreement for nominal scales" (1960).
    nan where both raters gave one and the same value throughout.
    """
    apart = np.abs(values_V[:, None] - values_V[None, :])
    weight = {"none": (apart > 0).astype(np.float64), "linear": apart, "quadratic": apart**2}
    total = tables_BVV.sum(axis=(1, 2))
    margins = tables_BVV.sum(axis=2)[:, :, None] * tables_BVV.sum(axis=1)[:, None, :]
    observed = (weight[weights] * tables_BVV).sum(axis=(1, 2)) * total
    expected = (weight[weights] * margins).sum(axis=(1, 2))
    return np.where(expected > 0, 1 - observed / np.where(expected > 0, expected, 1.0), np.nan)


def cohen_kappa(
    first_U: npt.ArrayLike,
    second_U: npt.ArrayLike,
    weights: Weights = "none",
    *,
    clusters: Labels | None = None,
    seed: int = 0,
    rounds: int = ROUNDS,
    unit: str = "units",
) -> Estimate:
    """Cohen's kappa of two raters' values (U,), nan where one gave none, with its interval.

    `clusters` (U,) names what each unit belongs to (its prompt); without it units are resampled.
    Weights use the values themselves as numbers, so a step that nobody chose still counts as one.
    """
    first, second = np.asarray(first_U, np.float64), np.asarray(second_U, np.float64)
    both = ~(np.isnan(first) | np.isnan(second))
    labels = np.nonzero(both)[0] if clusters is None else np.asarray(clusters)[both]
    if not both.any():
        return Estimate(value=None, unit=unit, note=_NO_PAIR)
    values, joint = _joint(first[both], second[both], labels)
    return clustered_statistic(
        lambda sums: cohen_of(sums.reshape(-1, len(values), len(values)), values, weights),
        joint,
        undefined=_ONE_VALUE,
        seed=seed,
        rounds=rounds,
        unit=unit,
    )


def _joint(first: Floats, second: Floats, clusters: Labels) -> tuple[Floats, Floats]:
    """The values (V,) and each cluster's table of both raters' values, flat: (G, V * V)."""
    values, place = np.unique(np.concatenate([first, second]), return_inverse=True)
    row, column = place.reshape(2, -1)
    one_hot = np.eye(len(values) ** 2)[row * len(values) + column]
    return values, cluster_sums(one_hot, clusters)


def unit_sums(counts_UV: Floats) -> Floats:
    """What Fleiss' and Gwet's coefficients need of each unit, to be added up: (U, 2 + V).

    The share of its pairs of ratings that agree, 1, and the share of its ratings each value has.
    Units with fewer than two ratings hold nothing to compare: zeros.
    """
    ratings = counts_UV.sum(axis=1, keepdims=True)
    several = ratings > 1
    pairs = np.where(several, ratings * (ratings - 1), 1.0)
    agree = (counts_UV * (counts_UV - 1)).sum(axis=1, keepdims=True) / pairs
    shares = counts_UV / np.where(several, ratings, 1.0)
    return np.where(several, np.hstack([agree, np.ones_like(agree), shares]), 0.0)


def fleiss_of(sums_BK: Floats) -> Floats:
    """kappa = (P - P_e) / (1 - P_e), P_e = sum_j p_j^2, from added-up `unit_sums`: (B,).

    J. L. Fleiss, "Measuring nominal scale agreement among many raters" (1971), equations 3 to 8;
    where units have different numbers of ratings, shares are averaged over units.
    """
    observed, shares = sums_BK[:, 0] / sums_BK[:, 1], sums_BK[:, 2:] / sums_BK[:, 1:2]
    return _beyond(observed, (shares**2).sum(axis=1))


def gwet_of(sums_BK: Floats) -> Floats:
    """AC1 = (P - P_e) / (1 - P_e), P_e = sum_j p_j (1 - p_j) / (V - 1): (B,).

    K. L. Gwet, "Computing inter-rater reliability and its variance in the presence of high
    agreement" (2008), equations 4 and 8. nan where V is 1.
    """
    observed, shares = sums_BK[:, 0] / sums_BK[:, 1], sums_BK[:, 2:] / sums_BK[:, 1:2]
    values = shares.shape[1]
    if values < 2:
        return np.full(len(sums_BK), np.nan)
    return _beyond(observed, (shares * (1 - shares)).sum(axis=1) / (values - 1))


def _beyond(observed: Floats, chance: Floats) -> Floats:
    room = 1 - chance
    known = room > 1e-12
    return np.where(known, (observed - chance) / np.where(known, room, 1.0), np.nan)


def fleiss_kappa(
    counts_UV: Floats,
    clusters: Labels | None = None,
    *,
    seed: int = 0,
    rounds: int = ROUNDS,
    unit: str = "units",
) -> Estimate:
    """Fleiss' kappa with its interval, from how many raters gave each unit each value.

    `clusters` (U,) names what each unit belongs to; without it units are resampled.
    """
    return _estimate(fleiss_of, counts_UV, clusters, seed, rounds, unit)


def gwet_ac1(
    counts_UV: Floats,
    clusters: Labels | None = None,
    *,
    seed: int = 0,
    rounds: int = ROUNDS,
    unit: str = "units",
) -> Estimate:
    """Gwet's AC1 with its interval; arguments as of `fleiss_kappa`.

    V counts the columns of `counts_UV`: every value a rater could choose, chosen or not.
    """
    return _estimate(gwet_of, counts_UV, clusters, seed, rounds, unit)


def _estimate(
    statistic: Callable[[Floats], Floats],
    counts_UV: Floats,
    clusters: Labels | None,
    seed: int,
    rounds: int,
    unit: str,
) -> Estimate:
    labels = np.arange(len(counts_UV)) if clusters is None else clusters
    sums = cluster_sums(unit_sums(counts_UV), labels)
    sums = sums[sums[:, 1] > 0]
    if not len(sums):
        return Estimate(value=None, unit=unit, note=_NO_PAIR)
    return clustered_statistic(
        statistic, sums, undefined=_ONE_VALUE, seed=seed, rounds=rounds, unit=unit
    )
