"""Rows into files: JSON Lines, a JSON array, CSV or Parquet, told by the end of the file's name.

Each container also says how it gives a row back, so that an export can see beforehand what a cell
would turn into.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suffrage.core.errors import DataError, SettingsError
from suffrage.core.files import atomic_path, to_line
from suffrage.data.readers.hub import optional_module
from suffrage.data.readers.separated import cell_value

Row = dict[str, Any]


@dataclass(frozen=True)
class Container:
    """How rows become a file of this kind, and a row as the reader will see it."""

    write: Callable[[Sequence[Row], Path, Path], None]  # rows, where to, the name to speak of
    media: str  # its type, for a browser
    reading: Callable[[Row], Row] = lambda row: row
    nests: bool = False  # a cell can hold any JSON


def _lines(rows: Sequence[Row], out: Path, path: Path) -> None:
    _write_text("".join(map(to_line, rows)), out, path)


def _array(rows: Sequence[Row], out: Path, path: Path) -> None:
    _write_text("[\n" + ",\n".join(to_line(row).rstrip("\n") for row in rows) + "\n]\n", out, path)


def _separated(rows: Sequence[Row], out: Path, path: Path) -> None:
    words = io.StringIO(newline="")
    writer = csv.writer(words, lineterminator="\r\n")  # so that a bare \r or \n in a cell is quoted
    writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    _write_text(words.getvalue(), out, path)


def _cell(value: Any) -> str:
    """Text as it is, nothing as nothing, all else as JSON."""
    said = "" if value is None else value
    return said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)


def _as_separated(row: Row) -> Row:
    return {name: cell_value(name, _cell(value)) for name, value in row.items()}


def _write_text(words: str, out: Path, path: Path) -> None:
    raw = words.encode()
    zipped = path.name.lower().endswith(".gz")
    out.write_bytes(gzip.compress(raw, mtime=0) if zipped else raw)


def _parquet(rows: Sequence[Row], out: Path, path: Path) -> None:
    arrow, parquet = (
        optional_module(f"pyarrow{name}", path, "written") for name in ("", ".parquet")
    )
    try:
        table = arrow.Table.from_pylist(list(rows))
    except (arrow.ArrowInvalid, arrow.ArrowTypeError):
        raise DataError(
            "cannot hold prompts that are text beside prompts that are conversations; name a "
            ".jsonl file.",
            path,
        ) from None
    parquet.write_table(table, out)


CONTAINERS: dict[str, Container] = {
    ".jsonl": Container(_lines, "application/jsonl", nests=True),
    ".json": Container(_array, "application/json", nests=True),
    ".csv": Container(_separated, "text/csv", _as_separated),
    ".parquet": Container(_parquet, "application/vnd.apache.parquet"),
}


def container_of(path: Path) -> Container:
    """The container that the name asks for; `SettingsError` where it asks for none."""
    _, suffix = split_name(path)
    found = CONTAINERS.get(suffix.lower().removesuffix(".gz"))
    if found is None or suffix.lower() == ".parquet.gz":
        raise SettingsError(
            f"{path}: the end of the name tells the kind of file, and {suffix or 'no end'} is none "
            f"of {', '.join(CONTAINERS)} (.gz after it compresses text); rename it."
        )
    return found


def split_name(path: Path) -> tuple[str, str]:
    """The name and what follows it: ("votes", ".jsonl.gz")."""
    zipped = path.name[-3:] if path.name.lower().endswith(".gz") else ""
    rest = Path(path.name.removesuffix(zipped))
    return rest.stem, rest.suffix + zipped


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write the whole file or leave what was there."""
    container = container_of(path)
    with atomic_path(path) as temporary:
        container.write(rows, temporary, path)
