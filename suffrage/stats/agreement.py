"""How far raters agree: Krippendorff's alpha and plain agreement, with intervals.

Everything starts from counts (units, values): how many raters gave each value to each unit. Missing
ratings are simply not counted, so any raters may judge any units.

K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from suffrage.core.results import Estimate
from suffrage.stats.intervals import (
    ROUNDS,
    Floats,
    Labels,
    cluster_sums,
    clustered_ratio,
    clustered_statistic,
)

Level = Literal["nominal", "ordinal", "interval", "ratio"]


def value_counts(ratings_RU: npt.ArrayLike) -> tuple[Floats, Floats]:
    """The values given, in order (V,), and how often each unit got each (U, V).

    `ratings_RU` holds one row a rater and one column a unit, nan where a rater gave nothing.
    """
    ratings = np.asarray(ratings_RU, dtype=np.float64)
    given = ~np.isnan(ratings)
    unit = np.broadcast_to(np.arange(ratings.shape[1]), ratings.shape)[given]
    return count_values(unit, ratings[given], ratings.shape[1])


def count_values(
    unit_N: npt.NDArray[np.intp], value_N: Floats, units: int
) -> tuple[Floats, Floats]:
    """As `value_counts`, from single ratings: rating i gave `value_N[i]` to unit `unit_N[i]`."""
    values, place = _numbered_values(value_N)
    size = units * len(values)
    counts = np.bincount(unit_N * len(values) + place, minlength=size)
    return values, counts.reshape(units, len(values)).astype(np.float64)


_SPAN = 1000  # whole numbers this close together are numbered without sorting


def _numbered_values(value_N: Floats) -> tuple[Floats, npt.NDArray[np.intp]]:
    """As `np.unique` with the inverse, ten times as fast where the values are a scale's steps."""
    low, high = (value_N.min(), value_N.max()) if len(value_N) else (0.0, 0.0)
    if high - low < _SPAN and low == np.floor(low):
        steps = (value_N - low).astype(np.intp)
        if (steps + low == value_N).all():
            occurs = np.bincount(steps) > 0
            return np.nonzero(occurs)[0] + low, (np.cumsum(occurs) - 1)[steps]
    values, place = np.unique(value_N, return_inverse=True)
    return values, place.reshape(-1).astype(np.intp)


def coincidences(counts_UV: Floats, clusters: Labels | None = None) -> Floats:
    """Krippendorff's coincidence matrices, summed within clusters of units: (G, V, V).

    o_ck = sum over units of n_uc (n_uk - [c = k]) / (m_u - 1), m_u the ratings of unit u; units
    with fewer than two ratings hold nothing to compare. Without `clusters`, G is 1.
    """
    units, values = counts_UV.shape
    ratings = counts_UV.sum(axis=1, keepdims=True)
    scaled = np.where(ratings > 1, counts_UV / np.maximum(ratings - 1, 1), 0.0)
    if clusters is None:  # nothing of the size of units by values by values
        return (scaled.T @ counts_UV - np.diag(scaled.sum(axis=0)))[None]
    joint = scaled[:, :, None] * counts_UV[:, None, :]
    diagonal = np.arange(values)
    joint[:, diagonal, diagonal] -= scaled
    sums = cluster_sums(joint.reshape(units, values**2), clusters)
    return sums.reshape(len(sums), values, values)


def alpha_of(coincidences_BVV: Floats, values_V: Floats, level: Level) -> Floats:
    """alpha = 1 - (n - 1) sum_ck o_ck d_ck / sum_ck n_c n_k d_ck, d the squared distance: (B,).

    nan where undefined: fewer than two values occur.
    """
    totals = coincidences_BVV.sum(axis=2)
    distance = _squared_distances(values_V, totals, level)
    observed = (coincidences_BVV * distance).sum(axis=(1, 2))
    expected = (totals[:, :, None] * totals[:, None, :] * distance).sum(axis=(1, 2))
    undefined = expected <= 0
    ratio = (totals.sum(axis=1) - 1) * observed / np.where(undefined, 1.0, expected)
    return np.where(undefined, np.nan, 1 - ratio)


def _squared_distances(values_V: Floats, totals_BV: Floats, level: Level) -> Floats:
    """(B or 1, V, V). Ordinal: how many ratings lie between, n_c / 2 and n_k / 2 at the ends.

    Ratio: ((c - k) / (c + k))^2, for values that are not negative.
    """
    places: Floats = values_V[None]
    if level == "ordinal":
        places = np.cumsum(totals_BV, axis=1) - totals_BV / 2
    difference: Floats = places[:, :, None] - places[:, None, :]
    if level == "nominal":
        difference = np.sign(difference)
    if level == "ratio":
        total = places[:, :, None] + places[:, None, :]
        difference = difference / np.where(total == 0, 1.0, total)
    squares: Floats = difference**2
    return squares


def alpha_value(ratings_RU: npt.ArrayLike, level: Level = "nominal") -> float:
    """Krippendorff's alpha alone, without the bootstrap; nan where it is undefined."""
    values, counts = value_counts(ratings_RU)
    return float(alpha_of(coincidences(counts), values, level)[0])


def krippendorff_alpha(
    ratings_RU: npt.ArrayLike,
    level: Level = "nominal",
    *,
    clusters: Labels | None = None,
    seed: int = 0,
    rounds: int = ROUNDS,
    unit: str = "units",
) -> Estimate:
    """Krippendorff's alpha of a table of ratings with a bootstrap interval.

    `ratings_RU` holds one row a rater and one column a unit, nan where a rater gave nothing.
    `clusters` (U,) names what each unit belongs to (its prompt); without it units are resampled.
    """
    values, counts = value_counts(ratings_RU)
    labels = np.arange(len(counts)) if clusters is None else clusters
    joint = coincidences(counts, labels)
    return alpha_estimate(joint, values, level, seed=seed, rounds=rounds, unit=unit)


def alpha_estimate(
    coincidences_GVV: Floats,
    values_V: Floats,
    level: Level,
    *,
    seed: int = 0,
    rounds: int = ROUNDS,
    unit: str = "prompts",
) -> Estimate:
    """Alpha with its interval over clusters; `n` is the number of clusters that count."""
    joint = coincidences_GVV[coincidences_GVV.sum(axis=(1, 2)) > 0]
    if not len(joint):
        return Estimate(value=None, unit=unit, note="no unit was judged by two raters")
    size = len(values_V)
    return clustered_statistic(
        lambda totals_BK: alpha_of(totals_BK.reshape(-1, size, size), values_V, level),
        joint.reshape(len(joint), -1),
        undefined="only one value was ever given",
        seed=seed,
        rounds=rounds,
        unit=unit,
    )


def agreement_share(
    counts_UV: Floats,
    clusters: Labels,
    *,
    seed: int = 0,
    rounds: int = ROUNDS,
    unit: str = "prompts",
) -> Estimate:
    """How often two raters of one unit gave the same value; every pair of raters counts once."""
    ratings = counts_UV.sum(axis=1)
    same = (counts_UV * (counts_UV - 1)).sum(axis=1) / 2
    estimate = clustered_ratio(
        same, ratings * (ratings - 1) / 2, clusters, seed=seed, rounds=rounds, unit=unit
    )
    if estimate.value is None:
        return estimate.model_copy(update={"note": "no two raters judged the same"})
    return estimate
