"""From a file, a folder or a dataset's name to numbered rows, whatever they mean.

What a file is, is told by its content where content can tell (gzip, Parquet, JSON) and by its name
where it cannot (CSV, TSV, one prompt a line). Row numbers are what an editor shows: the line in
JSON Lines, CSV and text, the element in a JSON array, the row in Parquet, always from 1.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from suffrage.core.errors import DataError
from suffrage.core.files import read_text
from suffrage.data.readers.hub import dataset_rows, parquet_rows
from suffrage.data.readers.row import Unreadable
from suffrage.data.readers.separated import separated_rows

DATA_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet", ".txt")
ROW_LISTS = ("data", "rows")  # the names under which an object may hold its rows
_DATASET_NAME = re.compile(r"[\w.-]+/[\w.-]+")


class RawRow(NamedTuple):
    """One row as it stands in its file."""

    path: str
    number: int
    value: Any


def raw_rows(source: str | Path, split: str) -> tuple[list[RawRow], tuple[str, ...]]:
    """The rows of a file, a folder of files or a Hugging Face dataset, and notes for the report."""
    path = Path(source)
    if isinstance(source, str) and not os.path.lexists(source) and _names_dataset(source):
        return _numbered(source, dataset_rows(source, split)), ()
    if not os.path.isdir(path):
        return _numbered(str(path), _file_rows(path)), ()
    files = sorted(one for one in path.iterdir() if _suffix(one) in DATA_SUFFIXES)
    if not files:
        raise DataError(f"is a folder without a data file ({', '.join(DATA_SUFFIXES)}).", path)
    rows = [row for file in files for row in _numbered(str(file), _file_rows(file))]
    return rows, (f"read {len(files)} files: {', '.join(file.name for file in files)}",)


def _numbered(path: str, rows: Iterable[tuple[int, Any]]) -> list[RawRow]:
    return [RawRow(path, number, value) for number, value in rows]


def _names_dataset(source: str) -> bool:
    return bool(_DATASET_NAME.fullmatch(source)) and _suffix(Path(source)) not in DATA_SUFFIXES


def _suffix(path: Path) -> str:
    """The ending that tells the format: `.jsonl` for `a.jsonl.gz`."""
    name = path.name.lower().removesuffix(".gz")
    return "" if name.startswith(".") else os.path.splitext(name)[1]


def _file_rows(path: Path) -> Iterable[tuple[int, Any]]:
    if _first_bytes(path) == b"PAR1":
        return parquet_rows(path)
    words = read_text(path)
    if not words.strip():
        raise DataError("is empty; there is nothing to read.", path)
    by_name: dict[str, Callable[[], Iterator[tuple[int, Any]]]] = {
        ".csv": lambda: separated_rows(words, ",", path),
        ".tsv": lambda: separated_rows(words, "\t", path),
        ".txt": lambda: _text_rows(words),
    }
    read = by_name.get(_suffix(path), lambda: _json_rows(words, path))
    return read()


def _first_bytes(path: Path) -> bytes:
    """Four bytes, decompressed; what is wrong with the file is said when it is read whole."""
    if not os.path.isfile(path):  # a pipe can be read only once
        return b""
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as opened:
            return opened.read(4)
    except (OSError, EOFError, zlib.error):
        return b""


def _text_rows(words: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(words.split("\n"), 1):
        if line.strip():
            yield number, {"prompt": line.strip()}


def _json_rows(words: str, path: Path) -> Iterator[tuple[int, Any]]:
    """JSON Lines by name or when the first line is a whole object, else one array or object."""
    start = words.lstrip()
    first, _, rest = start.partition("\n")
    by_name = _suffix(path) in (".jsonl", ".ndjson") and not start.startswith("[")
    if not by_name and not start.startswith(("[", "{")):
        raise DataError(
            f"is neither JSON nor Parquet (it begins with {start[:20]!a}); end the name of a CSV "
            "file in .csv, of a TSV file in .tsv, of one prompt a line in .txt.",
            path,
        )
    lines = by_name or (start.startswith("{") and _is_json(first))
    if lines and (rest.strip() or not _holds_rows(_loads(first, path, 1))):
        return _line_rows(words, path)
    return enumerate(_array(words, path), 1)


def _is_json(words: str) -> bool:
    try:
        json.loads(words)
    except (ValueError, RecursionError) as error:
        return not isinstance(error, json.JSONDecodeError)
    return True


def _holds_rows(value: Any) -> bool:
    return isinstance(value, dict) and any(isinstance(value.get(k), list) for k in ROW_LISTS)


def _line_rows(words: str, path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(words.split("\n"), 1):
        if line.strip():
            yield number, _loads(line, path, number)


def _loads(words: str, path: Path, row: int | None) -> Any:
    """The value, `Unreadable` if it is JSON that Python cannot hold; `DataError` if it is not."""
    try:
        return json.loads(words)
    except json.JSONDecodeError as error:
        place = f"column {error.colno}" if row else f"line {error.lineno}, column {error.colno}"
        raise DataError(f"is not JSON ({error.msg}, {place}); mend it.", path, row) from None
    except RecursionError:
        return Unreadable("is nested too deeply")
    except ValueError:
        return Unreadable("holds a number of thousands of digits")


def _array(words: str, path: Path) -> list[Any]:
    value = _loads(words, path, None)
    if isinstance(value, Unreadable):
        raise DataError(f"{value.reason}; remove that row.", path)
    if _holds_rows(value):
        value = next(value[name] for name in ROW_LISTS if isinstance(value.get(name), list))
    return value if isinstance(value, list) else [value]
