"""Scores of items and reliabilities of raters from comparisons at once.

X. Chen et al., "Pairwise ranking aggregation in a crowdsourced setting" (WSDM 2013): rater k says
i > j with probability e_k sg(s_i - s_j) + (1 - e_k) sg(s_j - s_i), so e is 1 for a rater who reads,
near .5 for one who does not, and near 0 for one who turns everything round. e has a Beta(10, 1)
prior, and a virtual item that each item once beats and once loses to keeps scores finite.

Fitted by EM, which cannot step past the maximum as gradients can: whether a vote was turned round
is the hidden value. Ties say nothing of who reads and are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit

from suffrage.core.errors import DataError
from suffrage.stats.comparisons import Comparisons
from suffrage.stats.intervals import Floats
from suffrage.stats.pair_likelihood import Likelihood, Model
from suffrage.stats.resample import OUTCOMES, Cells, reduced

PRIOR = (10.0, 1.0)
_ROUNDS = 500
_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class CrowdFit:
    """Scores that add up to 0, reliabilities of the raters, and the log posterior reached."""

    score_K: Floats
    reliability_R: Floats
    log_posterior: float


def crowd_bt(
    comparisons: Comparisons, *, prior: tuple[float, float] = PRIOR, virtual: float = 1.0
) -> CrowdFit:
    """Fit Crowd-BT; `virtual` is how much each item's virtual win and loss weigh.

    `DataError` where every comparison is a tie.
    """
    decided = comparisons.take(comparisons.result_N != 0.5)
    if not len(decided):
        raise DataError("every comparison is a tie, so nobody's reliability shows; collect more.")
    step = _Em(decided, prior, virtual)
    score, reliability, height = np.zeros(step.items + 1), step.start(), -np.inf
    for _ in range(_ROUNDS):
        straight = step.straight(score, reliability)
        reliability = step.reliabilities(straight)
        score = step.scores(straight, score)
        before, height = height, step.log_posterior(score, reliability)
        if height - before < _TOLERANCE * max(abs(height), 1):
            break
    items = score[:-1]
    return CrowdFit(items - items.mean(), reliability, height)


class _Em:
    """The steps of EM; the last score is the virtual item's."""

    def __init__(self, data: Comparisons, prior: tuple[float, float], virtual: float) -> None:
        self.items, self.raters = len(data.items), len(data.raters)
        self.prior, self.virtual, self.rater_N = prior, virtual, data.rater_N
        won = data.result_N == 1
        self.winner_N = np.where(won, data.first_N, data.second_N)
        self.loser_N = np.where(won, data.second_N, data.first_N)
        cells, self.outcome_N = reduced(data)
        every = np.arange(self.items)
        first = np.append(cells.first_C, every)
        second = np.append(cells.second_C, np.full(self.items, self.items))
        self.cells = Cells(self.items + 1, first, second, np.zeros(len(first)))
        self.likelihood = Likelihood(self.cells, Model(ridge=0))

    def start(self) -> Floats:
        """Everyone reads, as the prior has it."""
        return np.full(self.raters, self.prior[0] / sum(self.prior))

    def straight(self, score: Floats, reliability: Floats) -> Floats:
        """E step: how likely each vote was meant as it stands (N,)."""
        gap, e = score[self.winner_N] - score[self.loser_N], reliability[self.rater_N]
        meant, turned = e * expit(gap), (1 - e) * expit(-gap)
        return np.asarray(meant / (meant + turned))

    def reliabilities(self, straight_N: Floats) -> Floats:
        """M step for e: the mode of a Beta distribution (R,)."""
        meant = np.bincount(self.rater_N, straight_N, self.raters) + self.prior[0] - 1
        votes = np.bincount(self.rater_N, minlength=self.raters) + sum(self.prior) - 2
        return np.asarray(np.clip(meant / np.maximum(votes, 1e-300), 1e-9, 1 - 1e-9))

    def scores(self, straight_N: Floats, score: Floats) -> Floats:
        """M step for s: Bradley-Terry on votes as meant (K + 1,)."""
        size = OUTCOMES * len(self.cells.first_C)
        opposite = self.outcome_N + np.where(self.outcome_N % OUTCOMES == 0, 2, -2)
        counts: Floats = np.zeros(size)
        counts += np.bincount(self.outcome_N, straight_N, size)
        counts += np.bincount(opposite, 1 - straight_N, size)
        table = counts.reshape(-1, OUTCOMES)
        table[-self.items :] += self.virtual * np.array([1.0, 0.0, 1.0])
        return self.likelihood.solve(table, score)

    def log_posterior(self, score: Floats, reliability: Floats) -> float:
        gap, e = score[self.winner_N] - score[self.loser_N], reliability[self.rater_N]
        votes = np.log(e * expit(gap) + (1 - e) * expit(-gap)).sum()
        lead = score[:-1] - score[-1]
        finite = self.virtual * (log_expit(lead) + log_expit(-lead)).sum()
        a, b = self.prior
        beta = ((a - 1) * np.log(reliability) + (b - 1) * np.log1p(-reliability)).sum()
        return float(votes + finite + beta)
