"""The words by which people call a verdict on two answers, or a thumb or grade of one."""

from __future__ import annotations

import re
from typing import Literal

Verdict = int | Literal["tie", "both_bad"]  # the place of the better answer, or neither

# Words that say nothing: "Response A is better" is "A".
_FILLING = {"answer", "assistant", "best", "better", "choose", "completion", "is", "model", "more"}
_FILLING |= {"about", "one", "option", "output", "prefer", "preferred", "response", "the", "wins"}
_PLACES = {"left": 0, "first": 0, "a": 0, "1": 0, "right": 1, "second": 1, "b": 1, "2": 1}
_TIES = frozenset(
    ("tie", "equal", "equally good", "same", "draw", "both good", "no difference", "no preference")
)
_BOTH_BAD = frozenset(("both bad", "equally bad", "bad both", "tie bothbad", "tie both bad"))
_UP = frozenset(("up", "thumbs up", "good", "yes", "accept", "accepted", "like", "👍"))
_DOWN = frozenset(("down", "thumbs down", "bad", "no", "reject", "rejected", "dislike", "👎"))


def verdict_in(words: str) -> Verdict | None:
    """Which of two answers is better; None where the words do not say."""
    said = _said(words)
    if said in _TIES:
        return "tie"
    if said in _BOTH_BAD:
        return "both_bad"
    return _PLACES.get(said)


def grade_in(words: str) -> tuple[Literal["thumb", "grade"] | None, str]:
    """The kind and the value of what is said of one answer; (None, "") where the words are others.

    Grades are the capitals A to D.
    """
    if words.strip() in ("A", "B", "C", "D"):
        return "grade", words.strip()
    said = " ".join(re.findall(r"[^\W_]+|[👍👎]", words.lower()))
    if said in _UP or said in _DOWN:
        return "thumb", "up" if said in _UP else "down"
    return None, ""


def _said(words: str) -> str:
    found = re.findall(r"[^\W_]+", words.lower())
    return " ".join(word for word in found if word not in _FILLING)
