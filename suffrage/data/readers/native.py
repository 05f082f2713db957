"""Reader of Suffrage's own groups: what `write_groups` wrote, or a hand-written file."""

from __future__ import annotations

import json

from suffrage.core.records import Group, RecordError
from suffrage.data.readers.row import Format, Row, RowError


def _group(row: Row) -> Group:
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
    return isinstance(row["prompt"], dict)


GROUPS = Format(
    "Suffrage groups",
    ("prompt",),
    ("pairs", "ranks", "scores", "labels", "demonstrations"),
    _group,
    _is_record,
)
