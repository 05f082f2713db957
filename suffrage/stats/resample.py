"""Bootstrap samples of comparisons, reduced to counts: how often each outcome of each cell occurs.

A cell is a pair of items (and, where asked, which was shown first). A fit reads nothing but counts
of outcomes in cells, so a bootstrap round of 1.7 million comparisons is a few thousand numbers:
single comparisons are drawn from a multinomial over outcomes, whole prompts or raters through one
product of sparse counts with the times each was drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from suffrage.stats.comparisons import Comparisons
from suffrage.stats.intervals import Floats, Ints, number

OUTCOMES = 3  # of a cell: its first item won, neither, its second won
_EXACT = 1 << 24  # single precision, twice as fast, counts exactly up to here
_AT_ONCE = 64  # bootstrap rounds, so that their counts stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Cells:
    """C cells of K items; the first of a cell has the lower number."""

    items: int
    first_C: Ints
    second_C: Ints
    side_C: Floats  # 1: the first was shown first, -1: the second was, 0: not known or not asked


def reduced(comparisons: Comparisons, *, side: bool = False) -> tuple[Cells, Ints]:
    """The cells that occur, and for each comparison 3 * its cell + its outcome: (N,)."""
    items = len(comparisons.items)
    turned = comparisons.first_N > comparisons.second_N
    first = np.where(turned, comparisons.second_N, comparisons.first_N)
    second = np.where(turned, comparisons.first_N, comparisons.second_N)
    result = np.where(turned, 1 - comparisons.result_N, comparisons.result_N)
    shown = np.where(turned, -comparisons.side_N, comparisons.side_N) * side
    key = (first * items + second) * 3 + shown.astype(np.intp) + 1
    present, cell = _numbered(key, items * items * 3)
    pair, side_of = present // 3, present % 3 - 1
    cells = Cells(items, pair // items, pair % items, side_of.astype(np.float64))
    return cells, cell * OUTCOMES + (2 - 2 * result).astype(np.intp)


def _numbered(key: Ints, size: int) -> tuple[Ints, Ints]:
    """As `np.unique` with the inverse, without sorting where the keys are few."""
    if size > 8 * len(key) + 1000:
        present, place = np.unique(key, return_inverse=True)
        return present, place.reshape(-1).astype(np.intp)
    occurs = np.bincount(key, minlength=size) > 0
    return np.nonzero(occurs)[0], (np.cumsum(occurs) - 1)[key]


def counts_of(cells: Cells, outcome_N: Ints, weight_N: Floats | None = None) -> Floats:
    """How often (or with what weight) each outcome of each cell occurs: (C, 3)."""
    size = OUTCOMES * len(cells.first_C)
    return np.bincount(outcome_N, weight_N, size).astype(np.float64).reshape(-1, OUTCOMES)


def resampled_counts(
    cells: Cells, outcome_N: Ints, cluster_N: Ints | None, rounds: int, seed: int
) -> Iterator[Floats]:
    """Counts of bootstrap samples in chunks of rounds: (b, C, 3) each.

    Single comparisons are drawn where `cluster_N` is None, else whole clusters.
    """
    rng = np.random.default_rng(seed)
    size = OUTCOMES * len(cells.first_C)
    chunks = [min(_AT_ONCE, rounds - start) for start in range(0, rounds, _AT_ONCE)]
    if cluster_N is None:
        yield from _of_comparisons(outcome_N, size, chunks, rng)
    else:
        yield from _of_clusters(outcome_N, cluster_N, size, chunks, rng)


def _of_comparisons(
    outcome_N: Ints, size: int, chunks: list[int], rng: np.random.Generator
) -> Iterator[Floats]:
    counts = np.bincount(outcome_N, minlength=size)
    seen = np.nonzero(counts)[0]
    for rounds in chunks:
        drawn = np.zeros((rounds, size))
        drawn[:, seen] = rng.multinomial(len(outcome_N), counts[seen] / len(outcome_N), rounds)
        yield drawn.reshape(rounds, -1, OUTCOMES)


def _of_clusters(
    outcome_N: Ints, cluster_N: Ints, size: int, chunks: list[int], rng: np.random.Generator
) -> Iterator[Floats]:
    cluster, clusters = number(cluster_N)
    kind = "f4" if len(outcome_N) < _EXACT else "f8"
    place = (outcome_N, cluster)  # by column, so that the times drawn are read once, in order
    sums = sparse.csc_array((np.ones(len(cluster)), place), shape=(size, clusters)).astype(kind)
    for rounds in chunks:
        times = np.empty((rounds, clusters), dtype=kind)
        for row in times:  # one round at a time, so that its counts stay in the processor's cache
            row[:] = np.bincount(rng.integers(clusters, size=clusters), minlength=clusters)
        totals = np.asarray(sums @ np.ascontiguousarray(times.T), dtype=np.float64)
        yield totals.T.reshape(rounds, -1, OUTCOMES)
