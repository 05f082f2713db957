"""One view of a preference from another, so that any method can read any data that suffices.

A method needs pairs, a ranking, scores, labels or demonstrations; a file may hold another of them.
Each function takes the view itself where the data has it, else derives it, and raises `DataError`
where the data is of a kind that cannot give it. An empty answer means that this group's completions
tie: there is nothing to learn from it. Every docstring says what is lost; `method` names the caller
in the error.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NoReturn

from suffrage.core.errors import DataError
from suffrage.core.records import Preference, SoftPair


def preferred_first(low: int, high: int, for_low: float, weight: float = 1.0) -> SoftPair:
    """A pair whose `first` is the preferred one; `low` is, where neither is preferred."""
    for_low = min(max(for_low, 0.0), 1.0)  # a quotient of sums may miss the ends by a rounding
    if for_low < 0.5:
        return SoftPair(first=high, second=low, probability=1 - for_low, weight=weight)
    return SoftPair(first=low, second=high, probability=for_low, weight=weight)


def as_pairs(preference: Preference, method: str = "this method") -> tuple[SoftPair, ...]:
    """Pairs with a weight; else every two completions that ranks, scores or labels tell apart.

    Loses how far apart two scores or ranks are, and by how many a completion was found desirable;
    completions that tie give no pair. Labels give pairs only in a group that has both desirable and
    undesirable completions.
    """
    if preference.pairs:
        return tuple(pair for pair in preference.pairs if pair.weight)
    both_labels = {GOOD, BAD} <= set(_sides(preference).values())
    if preference.ranks is None and preference.scores is None and not both_labels:
        refuse(preference, "pairs", method)
    worth = _worth(preference)
    return tuple(
        preferred_first(low, high, float(worth[low] > worth[high]))
        for low, high in combinations(sorted(worth), 2)
        if worth[low] != worth[high]
    )


def best_versus_worst(preference: Preference, method: str = "this method") -> tuple[SoftPair, ...]:
    """One pair, the best completion against the worst, the first of equals. Loses all between.

    Where these two were never compared, the pair whose votes are surest.
    """
    pairs = as_pairs(preference, method)
    worth = _worth(preference) or _worth_by_pairs(pairs)
    ends = {chosen(worth, key=worth.__getitem__, default=0) for chosen in (max, min)}
    between = [pair for pair in pairs if {pair.first, pair.second} == ends]
    return tuple(between[:1] or sorted(pairs, key=lambda pair: -pair.probability)[:1])


def as_ranking(preference: Preference, method: str = "this method") -> tuple[float, ...]:
    """Ranks, 1 is best; else places by score; else Borda's count if every pair was compared.

    Completions that tie share the mean of their places. Loses distances, and how sure votes were.
    """
    if preference.ranks is not None:
        return preference.ranks
    if preference.scores is not None:
        return places(preference.scores)
    size = 1 + max((max(pair.first, pair.second) for pair in preference.pairs), default=-1)
    ranks = ranks_from_pairs(preference.pairs, size)
    if ranks is None:
        refuse(preference, "a ranking, which needs every pair", method)
    return ranks


def as_scores(preference: Preference, method: str = "this method") -> tuple[float, ...]:
    """Scores; else, from a ranking, the share of the other completions each one beats (0 to 1).

    Derived scores have invented distances: one place is as far from the next as any other.
    """
    if preference.scores is not None:
        return preference.scores
    return shares_beaten(as_ranking(preference, method))


def shares_beaten(ranks: Sequence[float]) -> tuple[float, ...]:
    """The share of the other completions that each one beats, a tie being half."""
    return tuple((len(ranks) - rank) / max(len(ranks) - 1, 1) for rank in ranks)


def as_labels(preference: Preference, method: str = "this method") -> tuple[tuple[int, float], ...]:
    """(completion, share that finds it desirable) for each labelled one; else winners and losers.

    From pairs, ranks or scores, a completion above the middle of its group is desirable and one
    below is not: better than its rivals is taken for good, which it need not be.
    """
    if preference.labels is not None:
        found = enumerate(preference.labels)
        return tuple((place, label) for place, label in found if label is not None)
    if not any((preference.pairs, preference.ranks, preference.scores)):
        refuse(preference, "labels or comparisons", method)
    wins = _worth_by_pairs(as_pairs(preference, method))
    return tuple((place, float(lead > 0)) for place, lead in sorted(wins.items()) if lead != 0)


GOOD, MIDDLING, BAD = 1.0, 0.5, 0.0


def as_qualities(
    preference: Preference,
    method: str = "this method",
    scale: tuple[float, float] | None = None,
) -> tuple[tuple[int, float], ...]:
    """(completion, GOOD, MIDDLING or BAD) for each one that the data say something of.

    Scores on a scale of known ends: its upper third (from 5 of 1 to 7, from B of A to D) is good,
    its lower third bad. Else labels: good or bad by most votes. Else ranks or scores: good where a
    completion beats two thirds of the others, bad where it beats no more than a third. Else winners
    and losers of the pairs. Only the first two tell good from better than its rivals.
    """
    if scale is not None and preference.scores is not None:
        low, high = scale
        return tuple(enumerate(_third((s - low) / (high - low)) for s in preference.scores))
    whole = preference.ranks is not None or preference.scores is not None
    if preference.labels is None and not whole and not preference.pairs:
        refuse(preference, "labels, scores or comparisons", method)
    if preference.labels is not None or not whole:
        return tuple((place, _side(share)) for place, share in as_labels(preference, method))
    ranks = as_ranking(preference, method)
    if len(set(ranks)) < 2:
        return ()
    return tuple(enumerate(_third(share) for share in shares_beaten(ranks)))


def _side(share: float) -> float:
    return GOOD if share > 0.5 else BAD if share < 0.5 else MIDDLING


def _sides(preference: Preference) -> dict[int, float]:
    """On which side of the middle each labelled completion is."""
    found = enumerate(preference.labels or ())
    return {place: _side(share) for place, share in found if share is not None}


def _third(share: float) -> float:
    thirds = round(3 * share, 9)
    return GOOD if thirds >= 2 else BAD if thirds <= 1 else MIDDLING


def as_demonstrations(preference: Preference, method: str = "this method") -> tuple[int, ...]:
    """Completions to imitate; else the desirable ones; else the best (all of them where tied).

    Loses everything said of the others.
    """
    if preference.demonstrations:
        return preference.demonstrations
    if preference.labels is not None:
        return tuple(place for place, side in _sides(preference).items() if side == GOOD)
    if not any((preference.pairs, preference.ranks, preference.scores)):
        refuse(preference, "demonstrations", method)
    worth = _worth(preference) or _worth_by_pairs(preference.pairs)
    best = max(worth.values())
    return tuple(place for place, value in sorted(worth.items()) if value == best)


def ranks_from_pairs(pairs: Sequence[SoftPair], size: int) -> tuple[float, ...] | None:
    """Places by Borda's count; None unless each two of the `size` completions were compared."""
    compared = {frozenset((pair.first, pair.second)) for pair in pairs}
    if size < 2 or len(compared) < size * (size - 1) // 2:
        return None
    wins = _worth_by_pairs(pairs)
    return places([wins[place] for place in range(size)])


def places(scores: Sequence[float]) -> tuple[float, ...]:
    """1 for the highest score; equal scores share the mean of their places."""
    return tuple(
        1.0 + sum(other > score for other in scores) + (list(scores).count(score) - 1) / 2
        for score in scores
    )


def _worth(preference: Preference) -> dict[int, float]:
    """A figure a completion, higher is better, from scores, ranks or labels; empty if none."""
    if preference.scores is not None:
        return dict(enumerate(preference.scores))
    if preference.ranks is not None:
        return {place: -rank for place, rank in enumerate(preference.ranks)}
    return _sides(preference)


def _worth_by_pairs(pairs: Sequence[SoftPair]) -> dict[int, float]:
    """Votes won less votes lost, each pair as one (Borda); rounded, so that ties are ties."""
    worth: dict[int, float] = {}
    for pair in pairs:
        lead = 2 * pair.probability - 1
        worth[pair.first] = worth.get(pair.first, 0.0) + lead
        worth[pair.second] = worth.get(pair.second, 0.0) - lead
    return {place: round(value, 9) for place, value in worth.items()}


_VIEWS = {  # what a preference may hold, and how a message calls it
    "pairs": "pairs",
    "ranks": "rankings",
    "scores": "scores",
    "labels": "labels of single completions",
    "demonstrations": "demonstrations",
}


class ViewError(DataError):
    """A preference that gives no view of the kind a method learns from; in words, both."""

    def __init__(self, method: str, needed: str, held: str):
        super().__init__(
            f"{method} learns from {needed}, and this data holds {held}; use a method that can "
            "learn from that, or collect comparisons of the completions."
        )
        self.needed, self.held = needed, held


def refuse(preference: Preference, view: str, method: str) -> NoReturn:
    """Raise the error for a preference that does not give this view."""
    held = " and ".join(name for field, name in _VIEWS.items() if getattr(preference, field))
    raise ViewError(method, view, f"{held} only" if held else "no preference")
