"""Finding what a report can show among the files and folders it was given.

A folder is searched a few levels down for run directories, result files, group files and
`responses.json`; files of other kinds in it are passed over, but a file named outright must be one
of these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from suffrage.core.errors import DataError
from suffrage.core.results import Comparison, ComparisonResult, Result, read_result
from suffrage.report.reading import (
    GroupFile,
    check_encoding,
    looks_like_groups,
    looks_like_result,
    read_groups,
    read_responses,
)
from suffrage.report.runs import (
    DONE,
    ENVIRONMENT,
    METRICS,
    SAMPLES,
    SETTINGS,
    Run,
    is_run,
    read_run,
)
from suffrage.report.text import unique_names

DEPTH = 4  # levels of folders searched, the given one included
RESPONSES = "responses.json"
_SKIPPED_FOLDERS = {"checkpoints", "__pycache__", "node_modules"}
_RUN_FILES = {SETTINGS, ENVIRONMENT, METRICS, SAMPLES, DONE, "timing.jsonl"}

R = TypeVar("R", bound=Result)


@dataclass
class Inputs:
    """Everything found, each kind in the order it was given or sorted by path."""

    runs: list[Run] = field(default_factory=list)
    groups: list[GroupFile] = field(default_factory=list)
    results: list[tuple[Path, Result]] = field(default_factory=list)

    def of(self, kind: type[R]) -> list[R]:
        """The results of one kind."""
        return [result for _, result in self.results if isinstance(result, kind)]

    @property
    def empty(self) -> bool:
        return not (self.runs or self.groups or self.results)


def find_inputs(paths: Sequence[Path], out: Path | None = None) -> Inputs:
    """Read all inputs under `paths`, each once; `DataError` when there is nothing to show."""
    inputs = Inputs()
    seen: set[Path] = set() if out is None else {out.resolve()}
    for path in paths:
        for found in _walk(Path(path)):
            if found.resolve() not in seen:
                seen.add(found.resolve())
                _take(found, inputs, named=found == Path(path))
    if inputs.empty:
        places = ", ".join(str(path) for path in paths) or "no path"
        raise DataError(
            f"{places}: nothing here that a report shows; name a run directory, a result file, "
            "a group file, or a folder that holds one."
        )
    return _named_in_order(inputs)


def _walk(path: Path) -> Iterator[Path]:
    """The path itself if it is a file, else the run directories and files under it, sorted."""
    if not path.is_dir():
        yield path
        return
    for folder, subfolders, names in os.walk(path):
        depth = len(Path(folder).relative_to(path).parts) + 1
        subfolders[:] = sorted(
            name for name in subfolders if not name.startswith(".") and name not in _SKIPPED_FOLDERS
        )
        if depth >= DEPTH:
            subfolders.clear()
        if is_run(Path(folder)):
            yield Path(folder)
        files = (Path(folder, name) for name in sorted(names) if not name.startswith("."))
        yield from (file for file in files if file.is_file())  # no pipes, no dangling links


def _take(path: Path, inputs: Inputs, *, named: bool) -> None:
    if path.is_dir():
        inputs.runs.append(read_run(path))
    elif not path.exists():
        raise DataError("no such file or folder; check the path.", path)
    elif path.name == RESPONSES:
        inputs.results.append((path, read_responses(path)))
    elif path.name not in _RUN_FILES and looks_like_result(path):
        inputs.results.append((path, read_result(path)))
    elif path.name not in _RUN_FILES and looks_like_groups(path):
        inputs.groups.append(read_groups(path))
    elif named:
        check_encoding(path)
        raise DataError(
            "is nothing a report shows; name a run directory, a result file (raters, ranking, "
            "reward, stance, comparison, summary), a group file or responses.json.",
            path,
        )


def _named_in_order(inputs: Inputs) -> Inputs:
    """Runs by starting time where all of them tell it, each with a name no other has."""
    started = [run.environment.get("started") for run in inputs.runs]
    if all(isinstance(time, str) for time in started):
        inputs.runs.sort(key=lambda run: str(run.environment["started"]))
    names = unique_names([run.path.resolve() for run in inputs.runs])
    inputs.runs = [replace(run, name=names[run.path.resolve()]) for run in inputs.runs]
    return inputs


def comparisons(inputs: Inputs) -> list[Comparison]:
    """All rows of all comparison files, in order."""
    return [row for result in inputs.of(ComparisonResult) for row in result.rows]
