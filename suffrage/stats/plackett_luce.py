"""Plackett-Luce scores of items from rankings, ties allowed.

A ranking is a series of choices: its first item is chosen among all, its second among the rest, and
so on, item i with probability exp(s_i) / sum exp(s_j) over what is left. R. D. Luce, "Individual
Choice Behavior" (1959); R. L. Plackett, "The analysis of permutations" (Applied Statistics 24,
1975); maximum likelihood as in D. R. Hunter, "MM algorithms for generalized Bradley-Terry models"
(Annals of Statistics 32, 2004), here by Newton's method.

A tie of t items stands for its t! orders, each with weight 1 / t!: for two items half a win each,
as in `bradley_terry`. Rankings may cover any items; a ridge keeps those that always won finite.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from scipy import linalg, sparse
from scipy.sparse import csgraph

from suffrage.core.errors import DataError, NumericalError
from suffrage.stats.intervals import Floats, Labels, number
from suffrage.stats.pair_likelihood import RIDGE, scaled_rows

MOST_TIED = 8  # items in one tie: their orders are averaged over 2^8 sets
_TOLERANCE = 1e-8
_LIMIT = 100

Ranking = Sequence[Sequence[int]]  # groups of items, best first; one group holds ties


@dataclass(frozen=True, eq=False)
class Choices:
    """S choices: `member_SK` marks what was there, `win_K` adds up the weight of the chosen."""

    member_SK: sparse.csr_array[np.float64]
    weight_S: Floats
    chosen_SK: sparse.csr_array[np.float64]  # the weight with which each item was chosen
    ranking_S: Floats  # the ranking each belongs to


@dataclass(frozen=True, eq=False)
class RankingFit:
    """Scores that add up to 0, and their covariance."""

    score_K: Floats
    covariance_KK: Floats
    log_likelihood: float


def plackett_luce(
    rankings: Sequence[Ranking],
    items: int,
    *,
    ridge: float = RIDGE,
    clusters: Labels | None = None,
) -> RankingFit:
    """The scores of `items` items under the model, with a ridge (ridge / 2 times sum of s^2).

    The covariance is a sandwich over `clusters` (the prompt of each ranking; without it each
    ranking is its own). `DataError` where there is no choice among two, or where a tie has more
    than `MOST_TIED` items.
    """
    choices = choices_of(rankings, items)
    if not choices.weight_S.size:
        raise DataError("no ranking of two items was found; collect some first.")
    if ridge == 0:
        _check_connected(choices)
    score = _newton(choices, items, ridge)
    labels: Labels = np.arange(len(rankings)) if clusters is None else clusters
    return RankingFit(
        score_K=score,
        covariance_KK=_sandwich(choices, score, ridge, labels),
        log_likelihood=_log_likelihood(choices, score),
    )


def choices_of(rankings: Sequence[Ranking], items: int) -> Choices:
    """The choices in the rankings; a choice among one says nothing and is left out."""
    rows = list(_stages(rankings))
    member = _matrix([there for _, there, _, _ in rows], None, items)
    shares = [[weight / len(chosen)] * len(chosen) for _, _, chosen, weight in rows]
    return Choices(
        member_SK=member,
        weight_S=np.array([weight for _, _, _, weight in rows]),
        chosen_SK=_matrix([chosen for _, _, chosen, _ in rows], shares, items),
        ranking_S=np.array([place for place, _, _, _ in rows], dtype=np.float64),
    )


Stage = tuple[int, tuple[int, ...], tuple[int, ...], float]  # ranking, there, chosen, weight


def _stages(rankings: Sequence[Ranking]) -> Iterator[Stage]:
    for place, ranking in enumerate(rankings):
        below = [item for tied in ranking for item in tied]
        for tied in ranking:
            below = below[len(tied) :]
            yield from _tie(place, tuple(tied), tuple(below))


def _tie(place: int, tied: tuple[int, ...], below: tuple[int, ...]) -> Iterator[Stage]:
    """Every set of tied items may be what is left of the tie; sets of a size are equally likely."""
    if len(tied) > MOST_TIED:
        raise DataError(
            f"a ranking ties {len(tied)} items, and at most {MOST_TIED} can be; rank them in "
            "smaller groups, or use Bradley-Terry."
        )
    for size in range(1, len(tied) + 1):
        for left in combinations(tied, size):
            if size + len(below) > 1:
                yield place, left + below, left, 1 / comb(len(tied), size)


def _matrix(
    columns: Sequence[Sequence[int]], values: Sequence[Sequence[float]] | None, items: int
) -> sparse.csr_array[np.float64]:
    ends = np.cumsum([0, *map(len, columns)])
    flat = np.array([item for row in columns for item in row], dtype=np.intp)
    data = np.ones(len(flat)) if values is None else np.array([v for row in values for v in row])
    return sparse.csr_array((data, flat, ends), shape=(len(columns), items))


def _check_connected(choices: Choices) -> None:
    """Each item must have been chosen on its way to every other (Hunter 2004, assumption 1)."""
    beaten = choices.chosen_SK.T @ choices.member_SK
    found, _ = csgraph.connected_components(beaten, directed=True, connection="strong")
    if found > 1:
        raise DataError(
            "without a ridge some items have no finite score: they came before or after all the "
            f"others; use a ridge such as {RIDGE}."
        )


def _newton(choices: Choices, items: int, ridge: float) -> Floats:
    score = np.zeros(items)
    wins = np.bincount(choices.chosen_SK.indices, choices.chosen_SK.data, items)
    prior = ridge * np.eye(items) + 1 / items  # stiff along the shift that changes nothing
    for _ in range(_LIMIT):
        expected, curvature = _moments(choices, score)
        step = linalg.solve(curvature + prior, wins - expected - ridge * score, assume_a="pos")
        step *= min(1.0, 2 / max(float(np.abs(step).max()), 1e-300))
        height = _posterior(choices, score, ridge)
        while _posterior(choices, score + step, ridge) < height - 1e-9 * abs(height):
            step /= 2
        score = score + step
        if np.abs(step).max() < _TOLERANCE:
            centred: Floats = score - score.mean()
            return centred
    raise NumericalError(
        f"the scores had not settled after {_LIMIT} steps; raise the ridge (now {ridge})."
    )


def _probabilities(choices: Choices, score: Floats) -> tuple[sparse.csr_array[np.float64], Floats]:
    """P(item) in each choice (S, K), and the log of its denominator (S,)."""
    worth = np.exp(score - score.max())
    total = choices.member_SK @ worth
    there = choices.member_SK
    data = worth[there.indices] / np.repeat(total, np.diff(there.indptr))
    chance = sparse.csr_array((data, there.indices, there.indptr), shape=there.shape)
    return chance, np.log(total) + score.max()


def _moments(choices: Choices, score: Floats) -> tuple[Floats, Floats]:
    """Expected wins (K,) and minus the second derivative of the log likelihood (K, K)."""
    chance, _ = _probabilities(choices, score)
    weighted = scaled_rows(chance, choices.weight_S)
    expected: Floats = np.bincount(weighted.indices, weighted.data, len(score)).astype(np.float64)
    return expected, np.diag(expected) - (chance.T @ weighted).toarray()


def _log_likelihood(choices: Choices, score: Floats) -> float:
    _, log_total = _probabilities(choices, score)
    return float((choices.chosen_SK @ score).sum() - choices.weight_S @ log_total)


def _posterior(choices: Choices, score: Floats, ridge: float) -> float:
    return _log_likelihood(choices, score) - ridge / 2 * float(score @ score)


def _sandwich(choices: Choices, score: Floats, ridge: float, clusters: Labels) -> Floats:
    """As `bradley_terry.sandwich`, over clusters of rankings."""
    items = len(score)
    chance, _ = _probabilities(choices, score)
    pull = choices.chosen_SK - scaled_rows(chance, choices.weight_S)
    group_of, groups = number(clusters)
    group = group_of[choices.ranking_S.astype(np.intp)]
    place = (group, np.arange(len(group)))
    sums = (
        sparse.csr_array((np.ones(len(group)), place), shape=(groups, len(group))) @ pull
    ).toarray()
    bread = linalg.inv(_moments(choices, score)[1] + ridge * np.eye(items) + 1 / items)
    bread -= 1 / items / (1 + ridge)
    return np.asarray(bread @ sums.T @ sums @ bread) * groups / max(groups - 1, 1)
