"""Readers of Label Studio's exports, JSON (a row a task) and JSON_MIN (a row an annotation).

The labelling configuration is not in the file, so answers are known by the names of the data's
fields, in their order: the left of a `Pairwise` is the first answer. Annotations that were skipped
(`was_cancelled`) and predictions are left out and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from suffrage.data.readers.annotations import VIEWS, Sheet, Who, read_fields
from suffrage.data.readers.row import SAME_TASK, Format, Judged, Row, RowError, items, text

ABOUT_ANNOTATION = (
    "annotation_id",
    "annotator",
    "created_at",
    "updated_at",
    "lead_time",
    "agreement",
    "id",
    SAME_TASK,
)
_UNSORTED = "_"  # the bucket of what a rater left in the list
_QUESTION = re.compile(
    r"best|better|choice|compar|grade|judg|label|pair|prefer|quality|rat|thumb|vote|verdict|winner"
)


def _task(row: Row) -> Judged:
    sheet = read_fields(_id(row), row["data"])
    for annotation in items(row["annotations"], "annotations"):
        if not isinstance(annotation, dict):
            raise RowError("annotations holds something other than objects")
        if annotation.get("was_cancelled"):
            sheet.skip("annotations that were cancelled")
        else:
            _annotation(sheet, annotation)
    sheet.skip("predictions of models", len(row.get("predictions") or ()))
    return sheet.judged()


def _id(row: Row) -> str | None:
    found = row.get("id")
    return str(found) if type(found) is int else text(found, "id") if found else None


def _annotation(sheet: Sheet, annotation: Mapping[str, Any]) -> None:
    who = _who(annotation.get("id"), annotation.get("completed_by"), annotation)
    for result in items(annotation.get("result") or [], "result"):
        if not isinstance(result, dict) or not isinstance(result.get("value"), dict):
            raise RowError("result holds something other than objects with a value")
        about = result.get("to_name")
        question = str(result.get("from_name", ""))
        _statement(sheet, who, question, result["value"], about if isinstance(about, str) else "")


def _who(name: Any, by: Any, row: Mapping[str, Any]) -> Who:
    """An annotator without an id is one nobody else is: two unknown people are not one."""
    if isinstance(by, dict):
        by = by.get("id") or by.get("email")
    rater = f"annotation {name}" if by in (None, "") else str(by)
    seconds, created = row.get("lead_time"), row.get("created_at")
    took = float(seconds) if isinstance(seconds, int | float) and seconds >= 0 else None
    return Who(str(name), rater, took, created if isinstance(created, str) else None)


def _statement(sheet: Sheet, who: Who, question: str, value: Row, about: str = "") -> None:
    """One result: what it is, its value tells."""
    kind = next((kind for kind in _STATEMENTS if kind in value), None)
    if kind is None:
        sheet.skip(f"{question!r} is no comparison, rating, choice, ranking or text")
    else:
        _STATEMENTS[kind](sheet, who, question, value[kind], about)


def _pairwise(sheet: Sheet, who: Who, question: str, value: Any, about: str) -> None:
    if value in ("left", "right"):
        sheet.pair(who, question, ("left", "right").index(value))
    else:
        sheet.skip(f"{question!r} is neither left nor right")


def _ranker(sheet: Sheet, who: Who, question: str, value: Any, about: str) -> None:
    """A list in order, under the tag's own name or bare; else buckets, whose items tie."""
    lists = value if isinstance(value, dict) else {question: value}
    buckets = {name: tied for name, tied in lists.items() if name != _UNSORTED}
    if not all(isinstance(tied, list) for tied in buckets.values()):
        sheet.skip(f"{question!r} is neither a list in order nor lists of items by bucket")
    elif isinstance(value, list) or _is_order(sheet, question, buckets):
        sheet.ranking(who, question, [[one] for one in next(iter(buckets.values()))])
    elif (tied := _by_number(buckets)) is not None:
        sheet.ranking(who, question, tied)
    else:
        sheet.skip(f"{question!r} sorts into buckets whose names do not end in their number")


def _is_order(sheet: Sheet, question: str, buckets: Row) -> bool:
    """Whether the one list holds all items under the tag's name: all of them in a bucket, which
    has a name of its own, say nothing of their order."""
    if len(buckets) != 1:
        return False
    ((name, listed),) = buckets.items()
    named = name == question if question else not name[-1:].isdigit()
    return named and {sheet.find(one) for one in listed} == set(sheet.answers)


def _by_number(buckets: Row) -> list[list[Any]] | None:
    """The buckets in the order of the numbers that end their names; None where they have none."""
    numbers = {name: re.search(r"\d+$", name) for name in buckets}
    found = {int(number[0]): buckets[name] for name, number in numbers.items() if number}
    return [found[place] for place in sorted(found)] if len(found) == len(buckets) else None


def _choices(sheet: Sheet, who: Who, question: str, value: Any, about: str) -> None:
    chosen = value if isinstance(value, list) else [value]
    if len(chosen) != 1 or not isinstance(chosen[0], str):
        sheet.skip(f"{question!r} is several choices")
    elif not sheet.choice(who, question, chosen[0], about):
        sheet.skip(f"{question!r} is a choice that says nothing known of an answer")


def _textarea(sheet: Sheet, who: Who, question: str, value: Any, about: str) -> None:
    parts = value if isinstance(value, list) else [value]
    written = "\n".join(part for part in parts if isinstance(part, str))
    if not sheet.written(who, question, written):
        sheet.skip(f"{question!r} is a text whose name says neither answer nor reason")


def _rating(sheet: Sheet, who: Who, question: str, value: Any, about: str) -> None:
    sheet.rating(who, question, value, about)


_STATEMENTS: dict[str, Callable[[Sheet, Who, str, Any, str], None]] = {
    "selected": _pairwise,
    "rating": _rating,
    "ranker": _ranker,
    "choices": _choices,
    "text": _textarea,
}


def _annotations_of_task(row: Row) -> Judged:
    """The rows of one task; text fields are data, but for those named as a question."""
    first = {name: value for name, value in row.items() if name not in ABOUT_ANNOTATION}
    sheet = read_fields(_id(row), {n: v for n, v in first.items() if not _is_result(v)})
    for one in row.get(SAME_TASK) or [row]:
        who = _who(one.get("annotation_id"), one.get("annotator"), one)
        for question, value in one.items():
            if question not in (*ABOUT_ANNOTATION, *sheet.answers):
                _smallest(sheet, who, question, value)
    return sheet.judged()


def _is_result(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and set(_STATEMENTS) & set(one) for one in value)
        and not any("id" in one for one in value)
    )


def _smallest(sheet: Sheet, who: Who, question: str, value: Any) -> None:
    """A list of results, or the bare text of a single choice or text area."""
    if _is_result(value):
        for result in value:
            _statement(sheet, who, question, result)
    elif isinstance(value, dict) and set(value) & set(_STATEMENTS):
        _statement(sheet, who, question, value)
    elif isinstance(value, str):
        asked = _QUESTION.search(question.lower())
        if not (asked and sheet.choice(who, question, value)):
            sheet.written(who, question, value, sure="answer" not in question.lower())


def _is_task(row: Row) -> bool:
    return isinstance(row["data"], dict) and isinstance(row["annotations"], list)


def _same_task(row: Row) -> Hashable:
    return _id(row) or repr({n: v for n, v in row.items() if isinstance(v, str)})


LABEL_STUDIO = Format(
    "Label Studio",
    ("data", "annotations"),
    VIEWS,
    _task,
    _is_task,
    note="a rating counts as one from 1 to 7; the left of a pair is the first answer in the data",
)
LABEL_STUDIO_MIN = Format(
    "Label Studio JSON_MIN",
    ("annotation_id", "annotator"),
    VIEWS,
    _annotations_of_task,
    note="the rows of one task are one group; a rating counts as one from 1 to 7",
    task=_same_task,
)
