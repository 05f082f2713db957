"""Recognising and reading the files a report takes: by their content, not their names."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from suffrage.core.errors import DataError
from suffrage.core.files import Json, numbered_jsonl, read_bytes, read_json, read_text
from suffrage.core.records import Group, RecordError
from suffrage.core.results import Answer, Comparison, ComparisonResult

_RESULT_START = re.compile(rb'\s*\{\s*"result"\s*:')
_GROUP_START = re.compile(rb'\s*\{\s*"prompt"\s*:\s*\{')
_LARGEST = 50_000_000  # bytes of a JSON file that is looked through for its kind
_RESPONSE_KEY = re.compile(r"response_from_(.+?)(?:_model)?$")


@dataclass(frozen=True)
class GroupFile:
    """The groups of one JSONL file."""

    path: Path
    groups: tuple[Group, ...]


def looks_like_result(path: Path) -> bool:
    """A JSON file that says it is a result, wherever in the object it says so.

    One that begins like a result is taken for one even when it is broken, so that it is not lost
    in silence; one that merely holds the word is another program's.
    """
    if path.suffix != ".json" or path.stat().st_size > _LARGEST:
        return False
    raw = _as_utf8(read_bytes(path))
    if _RESULT_START.match(raw):
        return True
    return b'"result"' in raw and isinstance(_field(raw, "result"), str)


def looks_like_groups(path: Path) -> bool:
    """A JSON Lines file (gzip or not) whose first line has a prompt that is an object."""
    names = path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]
    if ".jsonl" not in names:
        return False
    first = _as_utf8(read_bytes(path)).lstrip().split(b"\n", 1)[0]
    return bool(_GROUP_START.match(first)) or isinstance(_field(first, "prompt"), dict)


def _as_utf8(raw: bytes) -> bytes:
    """What the kind is told by: UTF-16 counts, so that such a file is refused and not lost."""
    if raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace").encode("utf-8", "replace")
    return raw.removeprefix(BOM_UTF8)


def check_encoding(path: Path) -> None:
    """Raise `DataError` where a file is unknown because its text is in another encoding."""
    if {".json", ".jsonl"} & set(path.suffixes):
        read_text(path)


def _field(raw: bytes, name: str) -> Json:
    """The object's field, or None where there is no such object."""
    try:
        value = json.loads(raw)
    except ValueError:  # broken JSON or text that is not UTF-8: not one of ours
        return None
    return value.get(name) if isinstance(value, dict) else None


def read_groups(path: Path) -> GroupFile:
    """Every group of the file; `DataError` names the first row that is none."""
    groups: list[Group] = []
    for number, value in numbered_jsonl(path):
        try:
            groups.append(Group.from_json(value))
        except RecordError as error:
            raise DataError(f"{error}; correct the row.", path, number) from error
    return GroupFile(path, tuple(groups))


def read_responses(path: Path) -> ComparisonResult:
    """The assignment's answers file: `[{"prompt", "response_from_X_model", ...}]`."""
    value = read_json(path)
    if not isinstance(value, list):
        raise DataError("is no list of answers; make it again with `suffrage generate`.", path)
    return ComparisonResult(
        rows=tuple(_comparison(row, path, number) for number, row in enumerate(value, start=1))
    )


def _comparison(row: Json, path: Path, number: int) -> Comparison:
    answers = tuple(_answers(row)) if isinstance(row, dict) else ()
    if not answers or "prompt" not in row:
        raise DataError(
            'lacks "prompt" or "response_from_..._model"; make it again with `suffrage generate`.',
            path,
            number,
        )
    return Comparison(prompt=_plain(row["prompt"]), answers=answers)


def _answers(row: dict[str, Json]) -> Iterator[Answer]:
    for key, text in row.items():
        if found := _RESPONSE_KEY.match(key):
            yield Answer(model=found.group(1), text=_plain(text))


def _plain(value: Json) -> str:
    """A prompt or answer as text, whether it was written as text or as messages."""
    if isinstance(value, list):
        turns = [turn.get("content", "") for turn in value if isinstance(turn, dict)]
        value = "\n\n".join(map(str, turns))
    text = "" if value is None else str(value)
    return text.encode("utf-8", "replace").decode()  # JSON may hold half of a surrogate pair
