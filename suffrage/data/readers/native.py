"""Reader of Suffrage's own groups: what `write_groups` wrote, or a hand-written file."""

from __future__ import annotations

import json
from typing import Any

from suffrage.core.records import Group, RecordError
from suffrage.data.readers.row import Format, Row, RowError

PACKED = ("prompt", "completions", "judgments", "preference")  # of a CSV or Parquet file of groups


def pack(group: Group) -> dict[str, str]:
    """The group as a row of texts, for files whose cells hold no records; "" is the default."""
    value = group.to_json()
    return {name: _packed(value[name]) if name in value else "" for name in PACKED}


def _packed(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _unpack(row: Row) -> dict[str, Any]:
    return {name: _unpacked(row[name], name) for name in PACKED if row[name] not in (None, "")}


def _unpacked(value: Any, name: str) -> Any:
    if not isinstance(value, str):  # the CSV reader took the JSON of this column for JSON
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise RowError(f"{name} holds no JSON") from None


def _group(row: Row) -> Group:
    if not isinstance(row["prompt"], dict):
        row = _unpack(row)
    try:
        json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
        group = Group.from_json(row)
        group.to_json()
    except RecordError as error:
        raise RowError(str(error)) from None
    except (
        TypeError,
        ValueError,
        RecursionError,
    ):  # NaN, half a character, nested beyond what can be written
        raise RowError("holds a value that cannot be written back as JSON") from None
    return group


def _is_record(row: Row) -> bool:
    return isinstance(row["prompt"], dict) or set(row) == set(PACKED)


GROUPS = Format(
    "Suffrage groups",
    ("prompt",),
    ("pairs", "ranks", "scores", "labels", "demonstrations"),
    _group,
    _is_record,
)
