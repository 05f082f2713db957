"""Comparisons of items as arrays: what Bradley-Terry, Crowd-BT, camps and the ranking rules read.

An item is whatever is ranked across prompts: a model, a style, an answer. A comparison has two of
them, which won, which stood first on the screen, the prompt it was made on and who made it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np

from suffrage.core.errors import DataError
from suffrage.core.records import Group
from suffrage.stats.intervals import Floats, Ints
from suffrage.stats.votes import Opinion, latest, opinions

_SINGLY = (  # how completions are ranked whose sources do not tell them apart
    "rank the completions themselves, in a table as `suffrage label export --format comparisons` "
    "writes it"
)
Order = tuple[tuple[str, ...], ...]  # names, best first; one group holds ties


class Match(NamedTuple):
    """One comparison by name, before it is numbered."""

    first: str
    second: str
    result: float  # 1: first won, 0: second, .5: neither
    side: float = 0.0  # 1: first was shown first, -1: second was, 0: not known
    prompt: str = ""
    rater: str = ""


@dataclass(frozen=True, eq=False)
class Comparisons:
    """N comparisons of K items by the raters on the prompts."""

    items: tuple[str, ...]
    raters: tuple[str, ...]
    prompts: tuple[str, ...]
    first_N: Ints
    second_N: Ints
    result_N: Floats  # 1: first won, 0: second, .5: neither
    side_N: Floats  # 1: first was shown first, -1: second was, 0: not known
    prompt_N: Ints
    rater_N: Ints

    def __len__(self) -> int:
        return len(self.first_N)

    def take(self, chosen: Ints) -> Comparisons:
        """Those comparisons only (places or a mask); items keep their numbers."""
        names = ("first_N", "second_N", "result_N", "side_N", "prompt_N", "rater_N")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})


def from_matches(matches: Iterable[Match], items: Sequence[str] = ()) -> Comparisons:
    """Numbered comparisons; `items` come first, in their order, the others as they are met.

    A comparison of an item with itself says nothing and is left out.
    """
    kept = [match for match in matches if match.first != match.second]
    names = {name: place for place, name in enumerate(items)}
    for match in kept:
        for name in (match.first, match.second):
            names.setdefault(name, len(names))
    raters = _numbered(match.rater for match in kept)
    prompts = _numbered(match.prompt for match in kept)
    return Comparisons(
        items=tuple(names),
        raters=tuple(raters),
        prompts=tuple(prompts),
        first_N=np.array([names[match.first] for match in kept], dtype=np.intp),
        second_N=np.array([names[match.second] for match in kept], dtype=np.intp),
        result_N=np.array([match.result for match in kept], dtype=np.float64),
        side_N=np.array([match.side for match in kept], dtype=np.float64),
        prompt_N=np.array([prompts[match.prompt] for match in kept], dtype=np.intp),
        rater_N=np.array([raters[match.rater] for match in kept], dtype=np.intp),
    )


def _numbered(names: Iterable[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


Unit = Literal["prompts", "raters", "comparisons"]


def clusters_of(comparisons: Comparisons, unit: Unit) -> Ints | None:
    """What is resampled whole: each comparison's prompt or rater; None for single comparisons."""
    if unit == "comparisons":
        return None
    return comparisons.prompt_N if unit == "prompts" else comparisons.rater_N


class Entry(NamedTuple):
    """What one rater said once: every comparison in it, the order, and fields to split it by."""

    matches: tuple[Match, ...]
    order: Order
    fields: Mapping[str, object]


def entries_of_groups(groups: Iterable[Group]) -> Iterator[Entry]:
    """The judgments of groups, about the sources of their completions (which model made them).

    Ratings, grades and thumbs are compared pair by pair; superseded judgments do not count. Fields:
    the prompt's meta, rater and criterion. `DataError` where a completion that was compared does
    not say what made it.
    """
    for group in groups:
        sources = {completion.id: completion.source for completion in group.completions}
        for opinion in opinions(latest(group.judgments)):
            if len(opinion.scores) > 1:
                _check_sources(opinion, sources)
                named = {"rater": opinion.rater, "criterion": opinion.criterion}
                fields = {**group.prompt.meta, **named}
                yield Entry(tuple(_matches(opinion, sources)), _order(opinion, sources), fields)


def _check_sources(opinion: Opinion, sources: Mapping[str, str]) -> None:
    for name in opinion.scores:
        if not sources[name].strip():
            raise DataError(
                f"completion {name!r} of prompt {opinion.prompt!r} does not say what made it; give "
                f"every completion a `source` (a model's name), or {_SINGLY}."
            )


def check_sources_differ(entries: Sequence[Entry]) -> None:
    """`DataError` where every comparison is of two completions of the same source."""
    matches = [match for entry in entries for match in entry.matches]
    if matches and all(match.first == match.second for match in matches):
        names = ", ".join(repr(name) for name in sorted({match.first for match in matches})[:3])
        raise DataError(
            "compares only completions with the same `source` "
            f"({names}), and sources are what is ranked; give each completion the `source` that "
            f"made it (a model's name), or {_SINGLY}."
        )


def _order(opinion: Opinion, sources: Mapping[str, str]) -> Order:
    levels = sorted(set(opinion.scores.values()), reverse=True)
    return tuple(
        tuple(sources[name] for name, score in opinion.scores.items() if score == level)
        for level in levels
    )


def _matches(opinion: Opinion, sources: Mapping[str, str]) -> Iterator[Match]:
    place = {name: index for index, name in enumerate(opinion.shown)}
    for first, second in combinations(opinion.scores, 2):
        difference = opinion.scores[first] - opinion.scores[second]
        together = first in place and second in place  # not two ratings, each shown alone
        yield Match(
            first=sources[first],
            second=sources[second],
            result=0.5 + 0.5 * float(np.sign(difference)),
            side=float(np.sign(place[second] - place[first])) if together else 0.0,
            prompt=opinion.prompt,
            rater=opinion.rater,
        )
