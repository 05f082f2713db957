"""Reader of several answers to a prompt with ranks, an order, scores, upvotes or comparisons."""

from __future__ import annotations

from typing import Any

from suffrage.core.records import Json, Preference, RecordError
from suffrage.data.readers.row import (
    Content,
    Format,
    Parts,
    Row,
    RowError,
    answer_to,
    items,
    number,
    prompt_of,
    share,
)
from suffrage.data.readers.upvotes import scores_of_votes

GIVEN = ("ranks", "ranking", "scores", "upvotes", "comparisons")
VERDICTS = ("a", "b", "tie")


def _ranked(row: Row) -> Parts:
    given = items(row["completions"], "completions")
    if len(given) < 2:
        raise RowError("completions holds fewer than the two that can be compared")
    prompt: Content = prompt_of(row["prompt"])
    names = tuple(f"completion {place}" for place in range(len(given)))
    answers = [answer_to(prompt, one, name) for one, name in zip(given, names, strict=True)]
    asked = answers[0][0]
    if any(other != asked for other, _ in answers):
        raise RowError("completions answer different prompts")
    return Parts(asked, tuple(reply for _, reply in answers), names, _preference(row, len(given)))


def _preference(row: Row, size: int) -> Preference:
    given = [name for name in GIVEN if row.get(name) is not None]
    if not any(items(row[name], name) for name in given):
        raise RowError(f"{given[0]} is empty")
    views: dict[str, Json] = {}
    if row.get("ranking") is not None:
        views["ranks"] = _ranks_from_order(row["ranking"], size)
    if row.get("ranks") is not None:
        views["ranks"] = _ranks(row["ranks"])
    if row.get("scores") is not None:
        views["scores"] = tuple(number(one, "scores") for one in items(row["scores"], "scores"))
    if row.get("upvotes") is not None and "scores" not in views:
        upvotes = items(row["upvotes"], "upvotes")
        views["scores"] = scores_of_votes(upvotes, row.get("accepted"))
    try:
        return Preference.from_json(views | _pairs(row))
    except RecordError as error:
        raise RowError(str(error)) from None


def _pairs(row: Row) -> dict[str, Json]:
    if row.get("comparisons") is not None:
        return {"pairs": [_compared(one) for one in items(row["comparisons"], "comparisons")]}
    if row.get("vote_shares") is not None:
        return {"pairs": _shared(row["vote_shares"])}
    return {}


def _ranks(value: Any) -> tuple[float, ...]:
    """One a completion, lower is better; where they count from 0, the best becomes 1."""
    ranks = [number(rank, "ranks") for rank in items(value, "ranks")]
    above = 1 - min(ranks, default=1)
    return tuple(rank + max(above, 0) for rank in ranks)


def _ranks_from_order(value: Any, size: int) -> tuple[float, ...]:
    """Places from 0, best first; a list in the list holds ties (ranks 1, 2, 2, 4)."""
    order = [tied if isinstance(tied, list) else [tied] for tied in items(value, "ranking")]
    places = [place for tied in order for place in tied]
    if not all(type(place) is int for place in places) or sorted(places) != list(range(size)):
        raise RowError(f"ranking does not name each of the {size} completions (from 0) once")
    ranks = [0.0] * size
    for k, tied in enumerate(order):
        for place in tied:
            ranks[place] = 1.0 + sum(map(len, order[:k]))
    return tuple(ranks)


def _shared(value: Any) -> list[Json]:
    """[i, j, share of the votes for i, votes] a pair; its weight is its votes over their mean."""
    rows = [items(one, "vote_shares") for one in items(value, "vote_shares")]
    if any(len(row) != 4 for row in rows):
        raise RowError("vote_shares holds something other than [i, j, share, votes]")
    found = [[number(one, "vote_shares") for one in row] for row in rows]
    mean = sum(row[3] for row in found) / max(len(found), 1)
    return [
        {
            "first": i,
            "second": j,
            "probability": share(part, "vote_shares"),
            "weight": votes / mean if mean else 1.0,
        }
        for i, j, part, votes in found
    ]


def _compared(value: Any) -> Json:
    """[i, j, verdict]: a means i is better, b means j, and a tie is half a win each."""
    if not isinstance(value, list) or len(value) != 3 or value[2] not in VERDICTS:
        raise RowError("comparisons holds something other than [i, j, 'a', 'b' or 'tie']")
    i, j, verdict = value
    if type(i) is not int or type(j) is not int:
        raise RowError("comparisons names a completion by something other than its place, from 0")
    if verdict == "b":
        i, j = j, i
    return {"first": i, "second": j, "probability": 0.5 if verdict == "tie" else 1.0}


RANKED = Format(
    "ranked groups",
    ("prompt", "completions", "|".join(GIVEN)),
    ("ranks", "scores", "pairs"),
    _ranked,
)
