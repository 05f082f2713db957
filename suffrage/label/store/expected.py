"""What a right answer is: for practice and gold items, and whether two raters disagree.

A prompt says so in its meta: `expected` maps completion ids to how good they are, as numbers
(higher is better), grades (A to D) or thumbs (up, down). Every kind of judgment follows from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from suffrage.core.records import GRADES, PAIR_CHOICES, RATINGS, THUMBS, Json, JudgmentKind, Prompt

Value = str | int | tuple[tuple[str, ...], ...]
_ONE_VALUE: dict[str, tuple[str | int, ...]] = {
    "rating": RATINGS,
    "grade": GRADES,
    "thumb": THUMBS,
}


def expected_of(prompt: Prompt, kind: JudgmentKind, completions: Sequence[str]) -> Json:
    """The right answer about these completions, as `meaning` gives it, or None."""
    known = prompt.meta.get("expected")
    if not completions or not isinstance(known, dict) or not set(completions) <= set(known):
        return None
    values = [known[name] for name in completions]
    if kind in _ONE_VALUE:
        return values[0] if values[0] in _ONE_VALUE[kind] else None
    scores = [score for value in values if (score := _score(value)) is not None]
    if len(scores) < len(values):
        return None
    ordered = sorted(zip(scores, completions, strict=True), key=lambda one: (-one[0], one[1]))
    tied = groupby(ordered, key=lambda one: one[0])
    return [[name for _, name in names] for _, names in tied]


def _score(value: Json) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    for scale in (GRADES, THUMBS):
        if value in scale:
            return -float(scale.index(value))
    return None


def meaning(kind: JudgmentKind, value: Value, completions: Sequence[str]) -> Json:
    """A vote without the order on the screen: completion ids best first, or the value itself."""
    if kind == "pair":
        first, second = completions
        orders = {"a": [[first], [second]], "b": [[second], [first]]}
        return orders.get(str(value), [sorted(completions)])
    if isinstance(value, tuple):
        return [sorted(tied) for tied in value]
    return value


def as_value(kind: JudgmentKind, expected: Json, completions: Sequence[str]) -> Value:
    """The inverse of `meaning` for completions in the order shown; a tied pair is a tie."""
    if kind == "pair":
        a, b, tie, _ = PAIR_CHOICES
        return tie if len(expected) == 1 else a if expected[0] == [completions[0]] else b
    if isinstance(expected, list):
        return tuple(tuple(tied) for tied in expected)
    return str(expected) if isinstance(expected, str) else int(expected)


def disagree(kind: JudgmentKind, meanings: Sequence[Json]) -> bool:
    """Whether another rater should be asked: ratings two steps apart, else any difference."""
    if kind == "rating":
        return bool(max(meanings) - min(meanings) > 1)
    return any(one != meanings[0] for one in meanings)
