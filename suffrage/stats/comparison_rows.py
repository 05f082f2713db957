"""Rows of a table of comparisons, as arenas and judges write them, under the names they use."""

from __future__ import annotations

from collections.abc import Mapping

from suffrage.stats.comparisons import Entry, Match

COLUMNS = {  # what a table of comparisons may call each part, the first that occurs is taken
    "first": ("a", "model_a", "first", "left"),
    "second": ("b", "model_b", "second", "right"),
    "winner": ("winner", "result", "outcome", "label"),
    "prompt": ("prompt", "prompt_id", "question_id", "question"),
    "rater": ("rater", "judge", "annotator", "user"),
}
_FIRST = ("a", "model_a", "first", "left", "1", "1.0")
_SECOND = ("b", "model_b", "second", "right", "0", "0.0")
_TIE = ("tie", "both_bad", "tie (bothbad)", "tie (both bad)", "bothbad", "draw", "0.5", "both")


def is_comparison(row: object) -> bool:
    """Whether a row of a table names two items and a winner."""
    return isinstance(row, dict) and all(
        _column(row, part) for part in ("first", "second", "winner")
    )


def _column(row: Mapping[str, object], part: str) -> str:
    return next((name for name in COLUMNS[part] if row.get(name) not in (None, "")), "")


def entry_of_row(row: Mapping[str, object]) -> Entry:
    """One comparison from a row of a table; `a` was shown first, and every column is a field.

    `winner` is a or b, 1 or 0, the name of the one that won, or tie. `ValueError` says what it is
    otherwise.
    """
    first, second, winner = (
        str(row[_column(row, part)]).strip() for part in ("first", "second", "winner")
    )
    result = _result(first, second, winner)
    prompt, rater = (_column(row, part) for part in ("prompt", "rater"))
    match = Match(
        first=first,
        second=second,
        result=result,
        side=1.0,
        prompt=str(row[prompt]) if prompt else "",
        rater=str(row[rater]) if rater else "",
    )
    better, worse = (second, first) if result == 0 else (first, second)
    return Entry((match,), ((better, worse),) if result == 0.5 else ((better,), (worse,)), row)


def _result(first: str, second: str, winner: str) -> float:
    by_name = {first: 1.0, second: 0.0}
    if winner in by_name:
        return by_name[winner]
    for value, words in ((1.0, _FIRST), (0.0, _SECOND), (0.5, _TIE)):
        if winner.casefold() in words:
            return value
    raise ValueError(f"winner {winner!r} is neither a, b, tie, {first!r} nor {second!r}")
