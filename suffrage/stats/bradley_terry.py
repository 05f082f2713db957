"""Bradley-Terry scores, with a ridge, ties, and an advantage of the place on the screen.

The model: P(i beats j) = 1 / (1 + exp(-d)) with d = s_i - s_j, plus `side` where i was shown first
and less it where j was. R. A. Bradley and M. E. Terry, "Rank analysis of incomplete block designs"
(Biometrika 39, 1952). Ties count half a win each, or follow R. R. Davidson, "On extending the
Bradley-Terry model to accommodate ties" (JASA 65, 1970): P(tie) = nu sqrt(p_i p_j) / (p_i + p_j +
nu sqrt(p_i p_j)), p = exp(s).

The ridge makes this a posterior mode: minus ridge / 2 times the sum of squared parameters. Small
studies need it: an item that won every time has no finite score without one.

Shapes: B rounds of the bootstrap, C cells, N comparisons, K items, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from scipy import linalg, sparse
from scipy.sparse import csgraph

from suffrage.core.errors import DataError
from suffrage.stats.comparisons import Comparisons
from suffrage.stats.intervals import Floats, Ints, number
from suffrage.stats.pair_likelihood import RIDGE, Likelihood, Model, scaled_rows
from suffrage.stats.resample import Cells, counts_of, reduced, resampled_counts

_SLIGHT = 1e-3


@dataclass(frozen=True, eq=False)
class Fit:
    """Fitted parameters: scores add up to 0; `side` and `nu` are None where not in the model."""

    model: Model
    score_K: Floats
    side: float | None
    nu: float | None
    covariance_PP: Floats  # inverse of the curvature: right where comparisons are independent
    log_likelihood: float  # of the comparisons, without the ridge

    def draws_as(self, parameters_BP: Floats) -> tuple[Floats, Floats | None, Floats | None]:
        """Parameters of bootstrap rounds as scores (B, K), side (B,) and nu (B,)."""
        items = len(self.score_K)
        side = parameters_BP[:, items] if self.model.side else None
        nu = np.exp(parameters_BP[:, -1]) if self.model.ties == "davidson" else None
        return parameters_BP[:, :items], side, nu


def bradley_terry(
    comparisons: Comparisons, model: Model | None = None, weight_N: Floats | None = None
) -> Fit:
    """The scores of the items, most likely under the model and its ridge.

    `weight_N` weighs comparisons (a rater's weight, for example). `DataError` where there is
    nothing to compare, or where without a ridge some scores have no finite value.
    """
    model = Model() if model is None else model
    cells, outcomes = reduced(comparisons, side=model.side)
    counts = counts_of(cells, outcomes, weight_N)
    _check(cells, counts, model)
    problem = Likelihood(cells, model)
    return _as_fit(problem, problem.solve(counts), counts)


def _as_fit(problem: Likelihood, theta: Floats, counts: Floats) -> Fit:
    model, items = problem.model, problem.items
    inverse = linalg.inv(problem.curvature(theta, counts))
    inverse[:items, :items] -= 1 / items / (1 + model.ridge)  # take out the stiff shift again
    return Fit(
        model=model,
        score_K=theta[:items],
        side=float(theta[items]) if model.side else None,
        nu=float(np.exp(theta[-1])) if model.ties == "davidson" else None,
        covariance_PP=inverse,
        log_likelihood=problem.log_likelihood(theta, counts),
    )


def _check(cells: Cells, counts_C3: Floats, model: Model) -> None:
    if not counts_C3.sum() > 0:
        raise DataError("no comparison of two different items was found; collect some first.")
    if model.ridge > 0:
        return
    tied = counts_C3[:, 1].sum()
    if model.ties == "davidson" and tied in (0, counts_C3.sum()):
        raise DataError(
            "without a ridge Davidson's model needs both ties and wins, and only one was found; "
            f"use a ridge such as {RIDGE}, or count ties as half."
        )
    _, part_K = parts(cells, counts_C3, beaten=True)
    if part_K.max() > 0:  # Ford (1957): each item must have beaten its way to every other
        raise DataError(
            "without a ridge some items have no finite score: they won or lost against all the "
            f"others; use a ridge such as {RIDGE}."
        )


def parts(cells: Cells, counts_C3: Floats, *, beaten: bool = False) -> tuple[int, Ints]:
    """How many parts no comparison joins, and the part of each item (K,).

    With `beaten`, an item reaches only those it beat or tied with, and a part is a set of items
    that all reach each other.
    """
    won = counts_C3[:, 0] + counts_C3[:, 1] > 0
    lost = counts_C3[:, 2] + counts_C3[:, 1] > 0
    rows = np.concatenate([cells.first_C[won], cells.second_C[lost]])
    columns = np.concatenate([cells.second_C[won], cells.first_C[lost]])
    shape = (cells.items, cells.items)
    graph = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
    kind: Literal["strong", "weak"] = "strong" if beaten else "weak"
    found, part = csgraph.connected_components(graph, directed=True, connection=kind)
    return int(found), part.astype(np.intp)


def refitter(cells: Cells, fit: Fit, counts_C3: Floats) -> Callable[[Floats], Floats]:
    """A function from resampled counts (B, C, 3) to the parameters fitted to each: (B, P).

    It starts from `fit`, of the cells' own `counts_C3`, and needs no second derivatives again.
    Where the fit had no ridge, samples have a slight one: in some an item may win every time.
    """
    model = replace(fit.model, ridge=max(fit.model.ridge, _SLIGHT))
    problem, start = Likelihood(cells, model), parameters(fit)
    inverse = linalg.inv(problem.curvature(start, counts_C3))
    return partial(problem.refit, start, inverse)


def bootstrap(
    comparisons: Comparisons,
    fit: Fit,
    clusters: Ints | None,
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> Floats:
    """The parameters of `rounds` bootstrap samples: (B, P); read them with `fit.draws_as`.

    `clusters` (N,) names what is drawn whole (`clusters_of`); None draws single comparisons.
    """
    cells, outcomes = reduced(comparisons, side=fit.model.side)
    refit = refitter(cells, fit, counts_of(cells, outcomes))
    samples = resampled_counts(cells, outcomes, clusters, rounds, seed)
    return np.concatenate([refit(counts) for counts in samples])


def parameters(fit: Fit) -> Floats:
    """The scores, then side and log nu where the model has them: (P,)."""
    more = [] if fit.side is None else [fit.side]
    more += [] if fit.nu is None else [float(np.log(fit.nu))]
    return np.concatenate([fit.score_K, more])


def sandwich(comparisons: Comparisons, fit: Fit, clusters: Ints | None) -> Floats:
    """The covariance of the parameters that holds when comparisons of a cluster are alike: (P, P).

    A (sum over clusters of u u') A G / (G - 1): u a cluster's sum of gradients, A the inverse
    curvature. K.-Y. Liang and S. L. Zeger, "Longitudinal data analysis using generalized linear
    models" (Biometrika 73, 1986). Needs no resampling, whatever the size.
    """
    cells, outcomes = reduced(comparisons, side=fit.model.side)
    problem = Likelihood(cells, fit.model)
    theta = parameters(fit)
    each = problem.outcome_gradients(theta)
    counts = counts_of(cells, outcomes)
    if clusters is None:
        groups = len(outcomes)
        middle = (each.T @ scaled_rows(each, counts.ravel())).toarray()
    else:
        group, groups = number(clusters)
        place = (group, outcomes)
        times = sparse.csr_array((np.ones(len(outcomes)), place), shape=(groups, counts.size))
        pulls = times @ each
        middle = (pulls.T @ pulls).toarray()
    bread = fit.covariance_PP
    return np.asarray(bread @ middle @ bread) * groups / max(groups - 1, 1)
