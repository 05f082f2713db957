"""Judgments of every kind as votes on pairs of completions.

A vote belongs to an item: one prompt, one criterion and two completions in the order of their ids.
It is keyed by these ids and never by the side of the screen, so `choice` says which completion won
and `first_shown` separately whether that one stood first. Ratings, grades and thumbs become votes
by comparing what one rater said of several completions of a prompt: how much better is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np

from suffrage.core.records import GRADES, Judgment
from suffrage.stats.intervals import Floats, Ints

Name = TypeVar("Name", str, tuple[str, str, str, str])
Item = tuple[str, str, str, str]  # prompt, criterion, first and second completion


@dataclass(frozen=True)
class Opinion:
    """What one rater thinks of some completions of a prompt: higher scores are better."""

    rater: str
    prompt: str
    criterion: str
    scores: dict[str, float]
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Votes:
    """Votes as arrays: V votes by the `raters` on the `items` of the `prompts`."""

    raters: tuple[str, ...]
    items: tuple[Item, ...]
    prompts: tuple[str, ...]
    rater_V: Ints
    item_V: Ints
    choice_V: Floats  # 1: the item's first completion won, 0: the second, .5: neither
    first_shown_V: Floats  # 1: the item's first completion was shown first, 0: second, nan: unknown
    prompt_I: Ints  # of each item

    @property
    def prompt_V(self) -> Ints:
        """The prompt of each vote."""
        return self.prompt_I[self.item_V]


def latest(judgments: Iterable[Judgment]) -> list[Judgment]:
    """The judgments that no later one supersedes; loses what raters said before a correction.

    A correction reaches only its own rater's judgments of the same prompt: nobody can withdraw
    another's vote, and ids need to be unique only within a prompt.
    """
    judgments = list(judgments)
    superseded = {(j.prompt_id, j.rater, j.supersedes) for j in judgments if j.supersedes}
    return [j for j in judgments if (j.prompt_id, j.rater, j.id) not in superseded]


def last_words(judgments: Iterable[Judgment]) -> list[Judgment]:
    """`latest`; and of what a rater said twice of the same completions in one way, the last."""
    said: dict[tuple[object, ...], Judgment] = {}
    for j in latest(judgments):
        said[j.prompt_id, j.rater, j.criterion, j.kind, frozenset(j.completions)] = j
    return list(said.values())


def scores_of(judgment: Judgment) -> dict[str, float]:
    """The judged completions with a score each, higher is better; empty for a demonstration."""
    return _SCORES[judgment.kind](judgment)


def _pair_scores(judgment: Judgment) -> dict[str, float]:
    a, b = judgment.completions
    return {a: float(judgment.value == "a"), b: float(judgment.value == "b")}


def _ranking_scores(judgment: Judgment) -> dict[str, float]:
    assert isinstance(judgment.value, tuple)  # the record sees to it
    places = enumerate(judgment.value)
    return {name: -float(place) for place, tied in places for name in tied}


def _rating_scores(judgment: Judgment) -> dict[str, float]:
    return {judgment.completions[0]: float(judgment.value)}  # type: ignore[arg-type]


def _grade_scores(judgment: Judgment) -> dict[str, float]:
    return {judgment.completions[0]: float(len(GRADES) - GRADES.index(str(judgment.value)))}


def _thumb_scores(judgment: Judgment) -> dict[str, float]:
    return {judgment.completions[0]: float(judgment.value == "up")}


_SCORES: dict[str, Callable[[Judgment], dict[str, float]]] = {
    "pair": _pair_scores,
    "ranking": _ranking_scores,
    "rating": _rating_scores,
    "grade": _grade_scores,
    "thumb": _thumb_scores,
    "demonstration": lambda judgment: {},
}


def opinions(judgments: Iterable[Judgment]) -> list[Opinion]:
    """One opinion a pair or ranking; one rater's ratings, grades or thumbs of a prompt are one.

    Judgments are taken as they come: call `latest` first.
    """
    found: dict[tuple[str, ...], Opinion] = {}
    for judgment in judgments:
        about = (judgment.rater, judgment.prompt_id, judgment.criterion)
        compares = judgment.kind in ("pair", "ranking")
        key = (*about, judgment.kind, judgment.id if compares else "")
        empty = Opinion(*about, {}, judgment.shown)
        found.setdefault(key, empty).scores.update(scores_of(judgment))
    return list(found.values())


def pair_votes(judgments: Iterable[Judgment]) -> Votes:
    """Every judgment as votes on pairs; superseded ones are dropped.

    One rater has one vote an item: the last one given counts.
    """
    cast: dict[tuple[str, Item], tuple[float, float]] = {}
    for opinion in opinions(latest(judgments)):
        for item, choice, first in _comparisons(opinion):
            cast[opinion.rater, item] = (choice, first)
    return _as_arrays(cast)


def _comparisons(opinion: Opinion) -> Iterator[tuple[Item, float, float]]:
    place = {name: index for index, name in enumerate(opinion.shown)}
    for first, second in combinations(sorted(opinion.scores), 2):
        difference = opinion.scores[first] - opinion.scores[second]
        together = first in place and second in place  # not two ratings, each shown alone
        shown = float(place[first] < place[second]) if together else np.nan
        item = (opinion.prompt, opinion.criterion, first, second)
        yield item, 0.5 + 0.5 * float(np.sign(difference)), shown


def _as_arrays(cast: dict[tuple[str, Item], tuple[float, float]]) -> Votes:
    raters = _numbered(rater for rater, _ in cast)
    items = _numbered(item for _, item in cast)
    prompts = _numbered(item[0] for item in items)
    values = np.array(list(cast.values()), dtype=np.float64).reshape(-1, 2)
    return Votes(
        raters=tuple(raters),
        items=tuple(items),
        prompts=tuple(prompts),
        rater_V=_ints([raters[rater] for rater, _ in cast]),
        item_V=_ints([items[item] for _, item in cast]),
        choice_V=values[:, 0],
        first_shown_V=values[:, 1],
        prompt_I=_ints([prompts[item[0]] for item in items]),
    )


def _numbered(names: Iterable[Name]) -> dict[Name, int]:
    return {name: index for index, name in enumerate(dict.fromkeys(names))}


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.intp)
