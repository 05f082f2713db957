"""Reading a run directory: settings first, metrics as they come, done last.

A run may still be going, or may have been killed: every file but `settings.json` may be missing,
and the last line of `metrics.jsonl` and of `samples.jsonl` may be torn. What is there is shown,
what is broken refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from suffrage.core.errors import DataError
from suffrage.core.files import numbered_jsonl, read_json, read_text
from suffrage.core.records import Meta

SETTINGS, ENVIRONMENT, METRICS, SAMPLES, DONE = (
    "settings.json",
    "environment.json",
    "metrics.jsonl",
    "samples.jsonl",
    "done.json",
)


@dataclass(frozen=True)
class Run:
    """What one training or generating run left in its directory."""

    path: Path
    name: str
    settings: Meta
    environment: Meta
    metrics: tuple[Meta, ...]
    done: Meta | None  # None: the run has not finished
    samples: tuple[Meta, ...] = ()  # answers as training went on

    @property
    def method(self) -> str:
        return str(self.settings.get("method") or self.settings.get("verb") or "")


def is_run(folder: Path) -> bool:
    """A folder with settings and at least one other file that only runs have."""
    others = (ENVIRONMENT, METRICS, DONE)
    return (folder / SETTINGS).is_file() and any((folder / name).is_file() for name in others)


def read_run(folder: Path) -> Run:
    """Read what is there; `DataError` on a file that is not what its name promises."""
    return Run(
        path=folder,
        name=folder.resolve().name,
        settings=_object(folder / SETTINGS) or {},
        environment=_object(folder / ENVIRONMENT) or {},
        metrics=_rows(folder / METRICS),
        done=_object(folder / DONE),
        samples=_rows(folder / SAMPLES),
    )


def _object(path: Path) -> Meta | None:
    if not path.is_file():
        return None
    value = read_json(path)
    if not isinstance(value, dict):
        raise DataError(f"holds a {type(value).__name__}, not an object; restore it.", path)
    return value


def _rows(path: Path) -> tuple[Meta, ...]:
    if not path.is_file():
        return ()
    rows: list[Meta] = []
    try:
        for number, value in numbered_jsonl(path):
            if not isinstance(value, dict):
                raise DataError("is not an object; remove the line.", path, number)
            rows.append(value)
    except DataError as error:
        if not _is_torn_end(path, error.row):
            raise
    return tuple(rows)


def _is_torn_end(path: Path, row: int | None) -> bool:
    """Whether the row is a last line without its newline: a run was stopped in mid-write."""
    lines = read_text(path).split("\n")
    if row != len(lines):
        return False
    try:
        json.loads(lines[-1])
    except json.JSONDecodeError:
        return True
    return False
