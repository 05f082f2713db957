"""Which completions of a group each kind of method uses, and what it is told of them.

A view that a group cannot give is refused in one sentence, which names the methods that could learn
from every group there is: they are found by asking each view of the table, so that a new method
appears in the sentence by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from suffrage.core.errors import PromptError
from suffrage.core.records import Group, Preference, SoftPair
from suffrage.data.opinions import Ranking, Rating, as_rankings, as_ratings, as_votes
from suffrage.data.preferences import consensus, scale_of
from suffrage.data.views import (
    ViewError,
    as_demonstrations,
    as_labels,
    as_pairs,
    as_qualities,
    as_scores,
)
from suffrage.objectives.objective import Objective, View
from suffrage.objectives.table import OBJECTIVES


@dataclass(frozen=True)
class Used:
    """The completions a method uses, and what it is told of them, in their order."""

    completions: tuple[int, ...]  # places in the group
    pairs: tuple[SoftPair, ...] = ()  # of places in the group
    worth: tuple[float, ...] = ()
    rankings: tuple[Ranking, ...] = ()  # by the raters, where `worth` is the consensus
    labels: tuple[float, ...] = ()
    ratings: tuple[Rating, ...] = ()  # of places in the group
    raters: tuple[str, ...] = ()  # whose votes the pairs are
    weight: float = 1.0  # how much the group counts


def _demonstrations(group: Group, method: str) -> Used:
    return Used(as_demonstrations(_preference(group), method))


def _pairs(group: Group, method: str) -> Used:
    pairs = as_pairs(_preference(group), method)
    return Used(tuple(sorted({i for pair in pairs for i in (pair.first, pair.second)})), pairs)


def _rankings(group: Group, method: str) -> Used:
    worth = as_scores(_preference(group), method)
    rankings = as_rankings(group, method)
    differ = any(len(set(one.worth)) > 1 for one in rankings)
    return Used(tuple(range(len(worth))) if differ else (), worth=worth, rankings=rankings)


def _labels(group: Group, method: str) -> Used:
    labelled = as_labels(_preference(group), method)
    return Used(tuple(i for i, _ in labelled), labels=tuple(share for _, share in labelled))


def _comparisons(group: Group, method: str) -> Used:
    pairs = as_pairs(_preference(group), method)
    decided = tuple(pair for pair in pairs if pair.probability != 0.5)
    return Used(tuple(sorted({i for p in decided for i in (p.first, p.second)})), decided)


def _classes(group: Group, method: str) -> Used:
    found = as_qualities(_preference(group), method, scale_of(group))
    return Used(tuple(i for i, _ in found), worth=tuple(quality for _, quality in found))


def _ratings(group: Group, method: str) -> Used:
    ratings = as_ratings(group, method)
    return Used(tuple(sorted({rating.completion for rating in ratings})), ratings=ratings)


def _votes(group: Group, method: str) -> Used:
    votes = as_votes(group, method)
    pairs = tuple(pair for _, pair in votes)
    used = tuple(sorted({i for pair in pairs for i in (pair.first, pair.second)}))
    return Used(used, pairs, raters=tuple(rater for rater, _ in votes))


def _preference(group: Group) -> Preference:
    return group.preference or Preference()


VIEWS: dict[View, Callable[[Group, str], Used]] = {
    "demonstrations": _demonstrations,
    "pairs": _pairs,
    "rankings": _rankings,
    "labels": _labels,
    "ratings": _ratings,
    "votes": _votes,
    "comparisons": _comparisons,
    "classes": _classes,
}
_FIELDS = {  # what holds a view, where that is not its own name
    "rankings": ("ranks", "scores"),
    "ratings": ("scores",),
    "comparisons": ("pairs",),
    "classes": ("labels", "scores", "ranks"),
}


def used_by(row: Objective, group: Group, groups: Iterable[Group]) -> Used:
    """What the method uses of a group whose preference is its consensus.

    `PromptError` where the group holds no view that gives it; the sentence names the methods that
    all of `groups` can feed.
    """
    try:
        return replace(VIEWS[row.view](group, row.name), weight=_preference(group).weight)
    except ViewError as error:
        others = _in_words(_names(row, group, (consensus(other) for other in groups)))
        raise PromptError(
            f"holds {error.held}, and {row.name} learns from {error.needed}; {others}.",
            group.prompt.id,
        ) from error


def _in_words(names: Sequence[str]) -> str:
    if not names:
        return "no method can learn from every row, so keep rows of one kind"
    return f"every row here can feed {', '.join(names)}"


def _names(row: Objective, group: Group, groups: Iterable[Group]) -> list[str]:
    """Methods that every group can feed: first those like `row`, on what the group holds itself."""
    feeding = set(VIEWS)
    for other in groups:
        feeding = {view for view in feeding if _feeds(view, other)}
    rows = (other for other in OBJECTIVES.values() if other.view in feeding)
    return [other.name for other in sorted(rows, key=lambda other: _distance(other, row, group))]


def _feeds(view: View, group: Group) -> bool:
    try:
        VIEWS[view](group, "")
    except ViewError:
        return False
    return True


def _distance(other: Objective, row: Objective, group: Group) -> tuple[bool, bool]:
    names = _FIELDS.get(other.view, (other.view,))
    held = (getattr(_preference(group), name, None) for name in names)
    return other.learns != row.learns, not any(held)
