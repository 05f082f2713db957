"""Readers of Argilla's exports: records (versions 1 and 2) and flat data sets of either.

A record's fields are the prompt and the answers, told by their names; a response to a question is
one judgment. Only submitted responses count: drafts and discarded ones are left out and counted,
and so are suggestions, which nobody has confirmed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from suffrage.data.readers.annotations import PROMPT_FIELDS, VIEWS, Sheet, Who, read_fields
from suffrage.data.readers.row import Format, Judged, Row, RowError, items, text

RESPONSES, USERS, STATUS = ".responses", ".responses.users", ".responses.status"
_PARTS = ("user_id", "value", "status")
_IDS = ("id", "external_id", "_server_id")


class Response(NamedTuple):
    """What one user answered to one question; version 2 may leave out the status."""

    question: str
    user: Any
    value: Any
    status: Any


def _record(row: Row) -> Judged:
    said = row["responses"]
    responses = _by_question(said) if isinstance(said, dict) else _by_user(said)
    return _judged(row, row["fields"], responses)


def _by_user(said: Any) -> Iterator[Response]:
    """Version 1: a user's answers to all questions."""
    for one in items(said, "responses"):
        if not isinstance(one, dict):
            raise RowError("responses holds something other than objects")
        values = one.get("values") or {}
        if not isinstance(values, dict):
            raise RowError("values of a response are no object")
        status = one.get("status")
        if not values:
            yield Response("", one.get("user_id"), None, status)
        for question, value in values.items():
            answer = value.get("value") if isinstance(value, dict) else value
            yield Response(question, one.get("user_id"), answer, status)


def _by_question(said: Mapping[str, Any]) -> Iterator[Response]:
    """Version 2: all users' answers to a question."""
    for question, answers in said.items():
        for one in items(answers, f"responses to {question!r}"):
            if not isinstance(one, dict):
                raise RowError("responses holds something other than objects")
            yield Response(question, one.get("user_id"), one.get("value"), one.get("status"))


def _flat(row: Row) -> Judged:
    fields = {name: value for name, value in row.items() if isinstance(value, str | list)}
    for name in _IDS:
        fields.pop(name, None)
    plain = {n: v for n, v in fields.items() if not _columns(n, row) and "." not in n}
    return _judged(row, plain, _in_columns(row))


def _in_columns(row: Row) -> Iterator[Response]:
    for name, value in row.items():
        if name.endswith(RESPONSES) and value is not None:
            question = name.removesuffix(RESPONSES)
            answers = items(value, name)
            users, states = (row.get(question + end) or [] for end in (USERS, STATUS))
            for place, answer in enumerate(answers):
                yield Response(question, _at(users, place), answer, _at(states, place))
        elif _columns(name, row) and not name.endswith(RESPONSES):
            for one in _rows_of(value):
                yield Response(name, one["user_id"], one["value"], one["status"])


def _at(values: Any, place: int) -> Any:
    return values[place] if isinstance(values, list) and place < len(values) else None


def _columns(name: str, row: Row) -> bool:
    """Whether a column holds responses: a list of parts, or a list for each part."""
    value = row[name]
    if name.endswith(RESPONSES):
        return True
    if isinstance(value, dict):
        return set(_PARTS) <= set(value) and all(isinstance(value[one], list) for one in _PARTS)
    is_list = isinstance(value, list) and bool(value)
    return is_list and all(isinstance(one, dict) and set(_PARTS) <= set(one) for one in value)


def _rows_of(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return value
    if len({len(value[one]) for one in _PARTS}) > 1:
        raise RowError("a question's users, values and statuses are of different lengths")
    return [
        dict(zip(_PARTS, one, strict=True)) for one in zip(*(value[n] for n in _PARTS), strict=True)
    ]


def _judged(row: Row, fields: Mapping[str, Any], responses: Iterator[Response]) -> Judged:
    name = next((row[one] for one in _IDS if row.get(one) not in (None, "")), None)
    sheet = read_fields(None if name is None else text(str(name), "id"), fields)
    unknown = 0
    for response in responses:
        if response.status not in ("submitted", None):
            sheet.skip(f"responses that are {str(response.status)[:20]}, not submitted")
        elif response.value is not None:
            unknown += response.user in (None, "")
            rater = str(response.user or f"response {unknown} to {sheet.id}")
            _statement(sheet, Who(rater, rater), response.question, response.value)
    return sheet.judged()


def _statement(sheet: Sheet, who: Who, question: str, value: Any) -> None:
    """What kind of question it was, only the value tells."""
    order = _ranking(value)
    if order is not None:
        sheet.ranking(who, question, order)
    elif isinstance(value, int | float):
        sheet.rating(who, question, value)
    elif isinstance(value, str):
        known = sheet.choice(who, question, value) or sheet.written(who, question, value)
        if not known:
            sheet.skip(f"{question!r} says nothing known of an answer")
    else:
        sheet.skip(f"{question!r} is no ranking, rating, label or text")


def _ranking(value: Any) -> list[list[Any]] | None:
    """Names best first, those of one rank together; version 2 gives the names alone."""
    if isinstance(value, dict) and {"rank", "value"} <= set(value):
        ranks, names = value["rank"], value["value"]
        if not isinstance(ranks, list) or not isinstance(names, list) or len(ranks) != len(names):
            return None
        value = [{"rank": rank, "value": name} for rank, name in zip(ranks, names, strict=True)]
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(one, str) for one in value):
        return [[name] for name in value]
    if not all(isinstance(one, dict) and {"rank", "value"} <= set(one) for one in value):
        return None
    tied: defaultdict[int, list[Any]] = defaultdict(list)
    for one in value:
        if type(one["rank"]) is int:
            tied[one["rank"]].append(one["value"])
    return [tied[rank] for rank in sorted(tied)]


def _is_record(row: Row) -> bool:
    return isinstance(row["fields"], dict) and isinstance(row["responses"], list | dict)


def _is_flat(row: Row) -> bool:
    return any(isinstance(name, str) and _columns(name, row) for name in row)


SUBMITTED = "submitted responses count; a rating counts as one from 1 to 7"
ARGILLA = Format("Argilla records", ("fields", "responses"), VIEWS, _record, _is_record, SUBMITTED)
ARGILLA_FLAT = Format(
    "Argilla data set",
    ("|".join(PROMPT_FIELDS),),
    VIEWS,
    _flat,
    _is_flat,
    f"a question is a column `NAME.responses`, or one of user_id, value and status; {SUBMITTED}",
)
