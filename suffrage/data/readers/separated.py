"""CSV and TSV: a header, then one row a record; cells that hold JSON are taken as JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from suffrage.core.errors import DataError
from suffrage.data.readers.row import Unreadable

# Columns that never hold plain text: what looks like JSON there is JSON.
STRUCTURED = (
    "messages",
    "conversations",
    "completions",
    "ranks",
    "ranking",
    "scores",
    "comparisons",
    "vote_shares",
    "history",
    "turns",
)
_LARGEST_CELL = 2**31 - 1  # the csv module's own limit, 131,072, is shorter than a long answer


def separated_rows(words: str, separator: str, path: Path) -> Iterator[tuple[int, Any]]:
    """(first line of the record, row or `Unreadable`); `DataError` for broken quotes."""
    records = _records(words, separator, path)
    _, header = next(records, (1, []))
    if len(set(header)) < len(header):
        raise DataError("names a column twice in its header; rename one.", path, 1)
    for line, cells in records:
        if len(cells) == len(header):
            yield line, {n: cell_value(n, cell) for n, cell in zip(header, cells, strict=True)}
        else:
            yield line, Unreadable(f"has {len(cells)} columns, the header {len(header)}")


def _records(words: str, separator: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of each record that is not blank."""
    lines = csv.reader(io.StringIO(words, newline=""), delimiter=separator, strict=True)
    with _large_cells():
        while True:
            start = lines.line_num + 1
            try:
                cells = next(lines, None)
            except csv.Error as error:
                raise DataError(
                    f"is not a well-formed record ({error}); check its quotes.", path, start
                ) from None
            if cells is None:
                return
            if cells:
                yield start, cells


@contextmanager
def _large_cells() -> Iterator[None]:
    before = csv.field_size_limit(_LARGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def cell_value(column: str, cell: str) -> Any:
    """The cell, or the JSON in it where the column or the value leaves no doubt."""
    if cell[:1] not in ("[", "{"):
        return cell
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    said = value if isinstance(value, list) else [value]
    turns = said and all(isinstance(one, dict) and _is_turn(one) for one in said)
    return value if turns or column in STRUCTURED else cell


def _is_turn(value: dict[str, Any]) -> bool:
    return {"role", "content"} <= value.keys() or {"from", "value"} <= value.keys()
