"""The likelihood of Bradley-Terry's model, ties and side included, and its maximum.

Shapes: B rounds of the bootstrap, C cells, K items, P parameters: the scores, then side, then
log nu, where the model has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import linalg, sparse
from scipy.special import expit, log_expit

from suffrage.core.errors import NumericalError
from suffrage.stats.intervals import Floats
from suffrage.stats.resample import OUTCOMES, Cells

Ties = Literal["half", "davidson"]

RIDGE = 0.1
_TOLERANCE = 1e-6
_LIMIT = 100
_LONGEST = 2.0  # a longer step is cut to this: far from the optimum Newton's step can be wild


@dataclass(frozen=True)
class Model:
    """Which Bradley-Terry model: how ties count, whether a side is favoured, how strong a ridge."""

    ties: Ties = "half"
    side: bool = False
    ridge: float = RIDGE


class Likelihood:
    """The log posterior of one model on one set of cells, for many rounds of counts at once."""

    def __init__(self, cells: Cells, model: Model) -> None:
        self.model, self.items, self.cells = model, cells.items, cells
        columns = np.arange(len(cells.first_C))
        ones = np.ones(len(columns))
        rows = [cells.first_C, cells.second_C]
        values = [ones, -ones]
        if model.side:
            rows.append(np.full(len(columns), cells.items))
            values.append(cells.side_C)
        self.linear = cells.items + model.side  # parameters that d is linear in
        self.size = self.linear + (model.ties == "davidson")
        shape = (self.linear, len(columns))
        place = (np.concatenate(rows), np.tile(columns, len(rows)))
        self.design = sparse.csr_array((np.concatenate(values), place), shape=shape)
        # Scores are free up to a shift; this curvature along it changes no solution that sums to 0
        self.prior = model.ridge * np.eye(self.size)
        self.prior[: self.items, : self.items] += 1 / self.items

    def _gaps(self, theta_BP: Floats) -> Floats:
        gaps = theta_BP[:, self.cells.first_C] - theta_BP[:, self.cells.second_C]
        if self.model.side:
            gaps += theta_BP[:, self.items, None] * self.cells.side_C
        return gaps

    def gradient(self, theta_BP: Floats, counts_BC3: Floats) -> Floats:
        gaps = self._gaps(theta_BP)
        won, tied, lost = np.moveaxis(counts_BC3, 2, 0)
        total = won + tied + lost
        if self.model.ties == "half":
            pull = won + tied / 2 - total * expit(gaps)
            linear = (self.design @ pull.T).T
        else:
            win, tie, lose = davidson(gaps, theta_BP[:, -1:])
            pull = (won - lost - total * (win - lose)) / 2
            more_ties = (tied - total * tie).sum(axis=1, keepdims=True)
            linear = np.hstack([(self.design @ pull.T).T, more_ties])
        return np.asarray(linear - self.model.ridge * theta_BP)

    def curvature(self, theta_P: Floats, counts_C3: Floats) -> Floats:
        """Minus the second derivative of the log posterior, with the shift made stiff: (P, P)."""
        gaps, total = self._gaps(theta_P[None])[0], counts_C3.sum(axis=1)
        if self.model.ties == "half":
            return self._weighted(total * expit(gaps) * expit(-gaps)) + self.prior
        win, tie, lose = davidson(gaps, theta_P[-1:])
        found = self.prior.copy()
        found[:-1, :-1] += self._weighted(total * (win + lose - (win - lose) ** 2) / 4)
        cross = self.design @ (-total * (win - lose) * tie / 2)
        found[-1, :-1] += cross
        found[:-1, -1] += cross
        found[-1, -1] += float((total * tie * (1 - tie)).sum())
        return found

    def outcome_gradients(self, theta_P: Floats) -> sparse.csr_array[np.float64]:
        """What one comparison adds to the gradient, for each outcome of each cell: (3 C, P)."""
        gaps = self._gaps(theta_P[None])[0]
        outcome = np.tile([1.0, 0.5, 0.0], (len(gaps), 1))
        of_each = self.design.T.tocsr()[np.repeat(np.arange(len(gaps)), OUTCOMES)]
        if self.model.ties == "half":
            pull = outcome - expit(gaps)[:, None]
            return scaled_rows(of_each, pull.ravel())
        win, tie, lose = davidson(gaps, theta_P[-1:])
        pull = outcome - 0.5 - (win - lose)[:, None] / 2
        more = ((outcome == 0.5) - tie[:, None]).reshape(-1, 1)
        linear = scaled_rows(of_each, pull.ravel())
        return sparse.csr_array(sparse.hstack([linear, sparse.csr_array(more)]))

    def _weighted(self, weight_C: Floats) -> Floats:
        """design @ diag(weight) @ design': dense, for sparse products are slow where K is small."""
        items = self.items
        place = self.cells.first_C * items + self.cells.second_C
        joint = np.bincount(place, weight_C, items * items).reshape(items, items)
        joint = joint + joint.T
        found = np.zeros((self.linear, self.linear))
        found[:items, :items] = np.diag(joint.sum(axis=1)) - joint
        if self.model.side:
            shown = weight_C * self.cells.side_C
            cross = np.bincount(self.cells.first_C, shown, items)
            cross = cross - np.bincount(self.cells.second_C, shown, items)
            found[items, :items] = found[:items, items] = cross
            found[items, items] = float(shown @ self.cells.side_C)
        return found

    def log_likelihood(self, theta_P: Floats, counts_C3: Floats) -> float:
        gaps = self._gaps(theta_P[None])[0]
        won, tied, lost = counts_C3.T
        if self.model.ties == "half":
            parts = (won + tied / 2) * log_expit(gaps) + (lost + tied / 2) * log_expit(-gaps)
            return float(parts.sum())
        return float((counts_C3.T * log_davidson(gaps, theta_P[-1:])).sum())

    def _posterior(self, theta_P: Floats, counts_C3: Floats) -> float:
        prior = self.model.ridge / 2 * float(theta_P @ theta_P)
        return self.log_likelihood(theta_P, counts_C3) - prior

    def solve(self, counts_C3: Floats, theta_P: Floats | None = None) -> Floats:
        """Newton's method from `theta_P` or 0, each step halved until it improves."""
        theta = np.zeros(self.size) if theta_P is None else theta_P
        height = self._posterior(theta, counts_C3)
        for _ in range(_LIMIT):
            gradient = self.gradient(theta[None], counts_C3[None])[0]
            step = linalg.solve(self.curvature(theta, counts_C3), gradient, assume_a="pos")
            step *= min(1.0, _LONGEST / max(float(np.abs(step).max()), 1e-300))
            while (better := self._posterior(theta + step, counts_C3)) < height - 1e-9 * abs(
                height
            ):
                step /= 2
            theta, height = theta + step, better
            if np.abs(step).max() < _TOLERANCE:
                return theta
        raise NumericalError(
            f"the scores had not settled after {_LIMIT} steps; raise the ridge (now "
            f"{self.model.ridge})."
        )

    def refit(self, start_P: Floats, inverse_PP: Floats, counts_BC3: Floats) -> Floats:
        """All rounds at once, with the curvature of the full sample; stubborn rounds by `solve`."""
        theta = np.tile(start_P, (len(counts_BC3), 1))
        active = np.arange(len(theta))
        last = np.full(len(theta), np.inf)
        for _ in range(_LIMIT):
            step = self.gradient(theta[active], counts_BC3[active]) @ inverse_PP
            length = np.abs(step).max(axis=1)
            theta[active] += step
            slow = length > last[active]  # steps that grow lead nowhere
            for place in active[slow]:
                theta[place] = self.solve(counts_BC3[place])
            last[active] = length
            active = active[(length > _TOLERANCE) & ~slow]
            if not len(active):
                return theta
        for place in active:
            theta[place] = self.solve(counts_BC3[place])
        return theta


def scaled_rows(
    matrix: sparse.csr_array[np.float64], scale: Floats
) -> sparse.csr_array[np.float64]:
    """Row i of a sparse matrix times `scale[i]`."""
    data = matrix.data * np.repeat(scale, np.diff(matrix.indptr))
    return sparse.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def davidson(gap: Floats, log_nu: Floats) -> tuple[Floats, Floats, Floats]:
    """P(win), P(tie) and P(loss) of Davidson's model at score differences `gap`."""
    win, tie, lose = log_davidson(gap, log_nu)
    return np.exp(win), np.exp(tie), np.exp(lose)


def log_davidson(gap: Floats, log_nu: Floats) -> tuple[Floats, Floats, Floats]:
    """The logarithms of `davidson`, without overflow: (win, tie, loss)."""
    half = gap / 2
    total = np.logaddexp(np.logaddexp(half, -half), log_nu)
    return half - total, log_nu - total, -half - total
