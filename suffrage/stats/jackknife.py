"""Intervals over raters for figures of how raters agree: leave one rater out at a time.

A bootstrap that drew a rater twice would find that rater in full agreement with their own copy, so
for agreement the jackknife stands in: B. Efron and C. Stein, "The jackknife estimate of variance"
(Annals of Statistics 9, 1981).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import stats

from suffrage.core.results import Estimate
from suffrage.stats.agreement import Level, alpha_value
from suffrage.stats.intervals import LEVEL, Floats


def over_raters(statistic: Callable[[Floats], float], ratings_RU: npt.ArrayLike) -> Estimate:
    """A figure of a table of ratings (one row a rater) with an interval for other raters.

    error^2 = (R - 1) / R sum_r (t_r - mean t)^2, t_r the figure without rater r, and Student's t
    with R - 1 degrees of freedom. At least three raters are needed.
    """
    ratings = np.asarray(ratings_RU, dtype=np.float64)
    value, raters = statistic(ratings), len(ratings)
    if np.isnan(value):
        return Estimate(value=None, n=raters, unit="raters", note="undefined for these ratings")
    without = np.array([statistic(np.delete(ratings, rater, axis=0)) for rater in range(raters)])
    if raters < 3 or np.isnan(without).any():
        note = "too few raters for an interval"
        return Estimate(value=value, n=raters, unit="raters", note=note)
    error = float(np.sqrt((raters - 1) * without.var()))
    half = float(stats.t.ppf((1 + LEVEL) / 2, raters - 1)) * error
    return Estimate(value=value, low=value - half, high=value + half, n=raters, unit="raters")


def alpha_over_raters(ratings_RU: npt.ArrayLike, level: Level = "nominal") -> Estimate:
    """Krippendorff's alpha with an interval for other raters, where `krippendorff_alpha`'s is for
    other units. A limit above 1 is cut to 1."""
    found = over_raters(lambda table: alpha_value(table, level), ratings_RU)
    if found.high is None:
        return found
    return found.model_copy(update={"high": min(found.high, 1.0)})
