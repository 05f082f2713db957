"""Rules that turn comparisons into an order without a model: Borda, Copeland, ranked pairs.

All read the table of wins, wins[i, j]: how often i came before j, a tie half for each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suffrage.stats.comparisons import Comparisons
from suffrage.stats.intervals import Floats, Ints
from suffrage.stats.resample import Cells


def wins_of(comparisons: Comparisons) -> Floats:
    """How often each item beat each other, ties half: (K, K)."""
    items = len(comparisons.items)
    size = items * items
    forth = comparisons.first_N * items + comparisons.second_N
    back = comparisons.second_N * items + comparisons.first_N
    wins = np.bincount(forth, comparisons.result_N, size)
    wins = wins + np.bincount(back, 1 - comparisons.result_N, size)
    return wins.astype(np.float64).reshape(items, items)


def wins_of_counts(cells: Cells, counts_BC3: Floats) -> Floats:
    """As `wins_of`, from resampled counts of outcomes: (B, K, K)."""
    wins = np.zeros((len(counts_BC3), cells.items, cells.items))
    half = counts_BC3[:, :, 1] / 2
    for cell, (first, second) in enumerate(zip(cells.first_C, cells.second_C, strict=True)):
        wins[:, first, second] += counts_BC3[:, cell, 0] + half[:, cell]
        wins[:, second, first] += counts_BC3[:, cell, 2] + half[:, cell]
    return wins


def shares(wins_KK: Floats) -> Floats:
    """The share of its meetings with j that i won: (K, K); one half where they never met."""
    met = wins_KK + wins_KK.T
    return np.where(met > 0, wins_KK / np.where(met > 0, met, 1.0), 0.5)


def borda(wins_KK: Floats) -> Floats:
    """The mean over the other items of the share of meetings won: (K,), 0 to 1.

    Over complete rankings of K items this is J.-C. de Borda's count (1781) divided by K - 1. Pairs
    that never met count as even.
    """
    items = len(wins_KK)
    won: Floats = shares(wins_KK).sum(axis=1) - 0.5  # against itself an item counts as even
    return won / max(items - 1, 1)


def win_rate(wins_KK: Floats) -> Floats:
    """The share of all its meetings that an item won: (K,); .5 where it had none."""
    met = (wins_KK + wins_KK.T).sum(axis=1)
    return np.where(met > 0, wins_KK.sum(axis=1) / np.where(met > 0, met, 1.0), 0.5)


def copeland(wins_KK: Floats) -> Floats:
    """How many other items a majority ranks below this one, an even split counting half: (K,).

    A. H. Copeland (1951). Who beats all others (K - 1) is Condorcet's winner.
    """
    beats: Floats = np.sign(wins_KK - wins_KK.T).sum(axis=1)
    return (beats + len(wins_KK) - 1) / 2


def ranked_pairs(wins_KK: Floats) -> Floats:
    """How many items each stands above in the order of T. N. Tideman's ranked pairs (1987): (K,).

    Majorities are locked in from the largest margin down, unless they close a circle. Equal margins
    go by the larger share of wins, then by the items' numbers; pairs that stay unjoined are equal.
    """
    items = len(wins_KK)
    margin = wins_KK - wins_KK.T
    winner, loser = np.nonzero(margin > 0)
    order = np.lexsort((loser, winner, -shares(wins_KK)[winner, loser], -margin[winner, loser]))
    above = np.eye(items, dtype=bool)  # above[i, j]: a path of locked majorities leads from i to j
    for better, worse in zip(winner[order], loser[order], strict=True):
        if not above[worse, better]:
            above |= above[:, better, None] & above[worse]
    return np.asarray(above.sum(axis=1) - 1, dtype=np.float64)


RULES: dict[str, Callable[[Floats], Floats]] = {
    "borda": borda,
    "copeland": copeland,
    "ranked-pairs": ranked_pairs,
    "win-rate": win_rate,
}


def places(scores_BK: Floats) -> Ints:
    """The place of each item, 1 the best; equal scores share the better place: (B, K)."""
    better = scores_BK[:, None, :] > scores_BK[:, :, None] + 1e-12
    return np.asarray(better.sum(axis=2) + 1, dtype=np.intp)
