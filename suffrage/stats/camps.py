"""Camps of raters: people who agree among themselves and not with each other.

A mixture of Bradley-Terry models by EM: each camp has its own scores, each rater belongs to one
camp. As in S. Chakraborty et al., "MaxMin-RLHF" (2024), algorithm 2, but with shares instead of
hard assignments, from several starts. How many camps there are is told by votes kept back: with too
many camps, votes that the fit has not seen are predicted no better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import log_expit, logsumexp, softmax

from suffrage.core.errors import SettingsError
from suffrage.stats.comparisons import Comparisons
from suffrage.stats.intervals import Floats, Ints
from suffrage.stats.pair_likelihood import RIDGE, Likelihood, Model
from suffrage.stats.resample import OUTCOMES, Cells, reduced

STARTS = 8
FOLDS = 5
_ROUNDS = 200
_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Camps:
    """G camps of R raters: their scores, sizes, and how surely each rater belongs where."""

    score_GK: Floats  # each camp's scores add up to 0
    size_G: Floats  # shares of the raters
    member_RG: Floats  # probabilities
    log_posterior: float

    @property
    def camp_R(self) -> Ints:
        """The likeliest camp of each rater."""
        return np.asarray(self.member_RG.argmax(axis=1), dtype=np.intp)


class _Mixture:
    """EM on votes reduced to counts: one row a rater, one column an outcome of a cell."""

    def __init__(self, cells: Cells, counts: sparse.csr_array[np.float64], ridge: float) -> None:
        self.cells, self.counts_RO, self.ridge = cells, counts, ridge
        self.likelihood = Likelihood(cells, Model(ridge=ridge))

    def votes(self, score_GK: Floats) -> Floats:
        """The log likelihood of each rater's votes in each camp: (R, G)."""
        gap = score_GK[:, self.cells.first_C] - score_GK[:, self.cells.second_C]
        win, lose = log_expit(gap), log_expit(-gap)
        each = np.stack([win, (win + lose) / 2, lose], axis=2)
        return np.asarray(self.counts_RO @ each.reshape(len(score_GK), -1).T)

    def scores(self, member_RG: Floats, start_GK: Floats) -> Floats:
        """Each camp's scores, raters weighed by how surely they belong to it: (G, K)."""
        counts = np.asarray(self.counts_RO.T @ member_RG).T.reshape(len(start_GK), -1, OUTCOMES)
        found = [self.likelihood.solve(*pair) for pair in zip(counts, start_GK, strict=True)]
        return np.array(found)

    def fit(self, member_RG: Floats) -> Camps:
        """EM from these memberships to a maximum; one rater more or less is added to each camp."""
        raters, camps = member_RG.shape
        score, height = np.zeros((camps, self.cells.items)), -np.inf
        for _ in range(_ROUNDS):
            score = self.scores(member_RG, score)
            size = (member_RG.sum(axis=0) + 1) / (raters + camps)
            joint = np.log(size) + self.votes(score)
            member_RG, before = softmax(joint, axis=1), height
            prior = float(np.log(size).sum()) - self.ridge / 2 * float((score**2).sum())
            height = float(logsumexp(joint, axis=1).sum()) + prior
            if height - before < _TOLERANCE * max(abs(height), 1):
                break
        return Camps(score, size, member_RG, height)


def _mixture(comparisons: Comparisons, chosen: Ints, ridge: float) -> _Mixture:
    """Of the chosen comparisons, with all raters and all cells."""
    cells, outcome_N = reduced(comparisons)
    shape = (len(comparisons.raters), OUTCOMES * len(cells.first_C))
    place = (comparisons.rater_N[chosen], outcome_N[chosen])
    return _Mixture(cells, sparse.csr_array((np.ones(len(chosen)), place), shape=shape), ridge)


def find_camps(
    comparisons: Comparisons, camps: int, *, ridge: float = RIDGE, seed: int = 0
) -> Camps:
    """The likeliest `camps` camps, the largest first; the best of `STARTS` starts.

    `SettingsError` where there are fewer raters than camps.
    """
    return _best(_mixture(comparisons, np.arange(len(comparisons)), ridge), camps, seed)


def _best(mixture: _Mixture, camps: int, seed: int) -> Camps:
    raters = mixture.counts_RO.shape[0]
    if not 1 <= camps <= raters:
        raise SettingsError(f"{camps} camps of {raters} raters; ask for 1 to {raters}.")
    rng = np.random.default_rng(seed)
    starts = STARTS if camps > 1 else 1
    drawn = (rng.dirichlet(np.ones(camps), size=raters) for _ in range(starts))
    best = max((mixture.fit(member) for member in drawn), key=lambda found: found.log_posterior)
    order = np.argsort(-best.size_G, kind="stable")
    return Camps(
        best.score_GK[order], best.size_G[order], best.member_RG[:, order], best.log_posterior
    )


@dataclass(frozen=True, eq=False)
class CampCount:
    """How well each number of camps predicts votes kept back, and the number chosen."""

    chosen: int
    gain: dict[int, float]  # camps -> log likelihood a vote kept back, more than with one camp
    error: dict[int, float]  # its standard error over raters


def count_camps(
    comparisons: Comparisons, most: int = 4, *, ridge: float = RIDGE, seed: int = 0
) -> CampCount:
    """Choose the number of camps, 1 to `most`, by the likelihood of votes kept back.

    Prompts (or, where they are not named, votes) are dealt into `FOLDS` folds; each is predicted
    from the others, every rater by the camp their other votes put them in. The smallest number
    within two standard errors of the best is chosen: a camp more must earn its place.
    """
    most = min(most, len(comparisons.raters))
    held_RM = np.zeros((len(comparisons.raters), most))
    fold_N = _folds(comparisons, seed)
    for fold in range(FOLDS):
        train, test = np.nonzero(fold_N != fold)[0], np.nonzero(fold_N == fold)[0]
        seen, kept = (_mixture(comparisons, chosen, ridge) for chosen in (train, test))
        for camps in range(1, most + 1):
            found = _best(seen, camps, seed)
            votes = np.log(found.member_RG + 1e-300) + kept.votes(found.score_GK)
            held_RM[:, camps - 1] += logsumexp(votes, axis=1)
    return _choose(held_RM, len(comparisons))


def _folds(comparisons: Comparisons, seed: int) -> Ints:
    rng = np.random.default_rng(seed)
    prompts = len(comparisons.prompts)
    if prompts < 2 * FOLDS:
        return rng.permutation(len(comparisons)) % FOLDS
    return (rng.permutation(prompts) % FOLDS)[comparisons.prompt_N]


def _choose(held_RM: Floats, votes: int) -> CampCount:
    raters, most = held_RM.shape
    total = held_RM.sum(axis=0)
    best = int(total.argmax())
    behind = held_RM[:, best, None] - held_RM  # of each rater, behind the best number
    error = np.sqrt(raters * behind.var(axis=0))
    chosen = next(m for m in range(most) if behind[:, m].sum() <= 2 * error[m])
    lead = held_RM - held_RM[:, :1]
    return CampCount(
        chosen=chosen + 1,
        gain={m + 1: float(lead[:, m].sum() / votes) for m in range(most)},
        error={m + 1: float(np.sqrt(raters * lead[:, m].var()) / votes) for m in range(most)},
    )


def camp_names(camps: Camps, raters: Sequence[str]) -> dict[str, str]:
    """Each rater's camp by name: "camp 1" is the largest."""
    return {name: f"camp {camp + 1}" for name, camp in zip(raters, camps.camp_R, strict=True)}
