"""Readers of answers with upvotes: questions of Stack Exchange, threads of Reddit.

Raw counts say as much of a question's traffic as of an answer's worth. Their logarithm is closer to
it, and rounded, answers that differ by little tie; only answers to the same question are compared.
"""

from __future__ import annotations

import math
from typing import Any

from suffrage.core.records import Preference
from suffrage.data.readers.row import Format, Parts, Row, RowError, items, kind_of, number, text

VOTED_DOWN = -1.0


def vote_score(upvotes: float, accepted: bool = False) -> float:
    """round(log2(1 + upvotes)), plus 1 if the answer was accepted; -1 if the votes are negative.

    The score of 2112.00861 and of StackLLaMA. Nobody's vote gives 0, 3 give 2, 100 give 7.
    """
    return VOTED_DOWN if upvotes < 0 else round(math.log2(1 + upvotes)) + float(accepted)


def scores_of_votes(upvotes: list[Any], accepted: Any) -> tuple[float, ...]:
    """The score of each answer; `accepted` is the place of the accepted one, or null."""
    if accepted is not None and (type(accepted) is not int or not 0 <= accepted < len(upvotes)):
        raise RowError(f"accepted is no place of the {len(upvotes)} completions (from 0)")
    votes = [number(one, "upvotes") for one in upvotes]
    return tuple(vote_score(count, place == accepted) for place, count in enumerate(votes))


def _question(row: Row) -> Parts:
    given = items(row["answers"], "answers")
    if len(given) < 2:
        raise RowError("answers holds fewer than the two that can be compared")
    names = tuple(f"answer {place}" for place in range(len(given)))
    read = [_answer(one, name) for one, name in zip(given, names, strict=True)]
    scores = tuple(score for _, score in read)
    asked, replies = text(row["question"], "question"), tuple(reply for reply, _ in read)
    return Parts(asked, replies, names, Preference(scores=scores))


def _answer(value: Any, name: str) -> tuple[str, float]:
    """The text and the score of an answer; a `pm_score` was made by the formula already."""
    if not isinstance(value, dict):
        raise RowError(f"{name} is {kind_of(value)}, not an object with text and upvotes")
    reply = text(value.get("text"), f"{name}, text")
    if value.get("pm_score") is not None:
        return reply, number(value["pm_score"], f"{name}, pm_score")
    accepted = value.get("selected", value.get("accepted")) is True
    return reply, vote_score(number(value.get("upvotes"), f"{name}, upvotes"), accepted)


def _has_answers(row: Row) -> bool:
    answers = row["answers"]
    return isinstance(answers, list) and all(isinstance(one, dict) for one in answers)


def _thread(row: Row) -> Parts:
    """Two comments on a post of the Stanford Human Preferences."""
    sides = ("human_ref_A", "human_ref_B")
    votes = (number(row[name], name) for name in ("score_A", "score_B"))
    scores = tuple(vote_score(count) for count in votes)
    replies = tuple(text(row[side], side) for side in sides)
    return Parts(text(row["history"], "history"), replies, sides, Preference(scores=scores))


NOTE = "an answer's score is log2(1 + upvotes), rounded, 1 more where it was accepted"
STACK_EXCHANGE = Format(
    "Stack Exchange", ("question", "answers"), ("scores",), _question, _has_answers, NOTE
)
THREAD = Format(
    "Stanford Human Preferences",
    ("history", "human_ref_A", "human_ref_B", "score_A", "score_B"),
    ("scores",),
    _thread,
    note="a comment's score is log2(1 + upvotes), rounded; equal ones tie",
)
