"""Reading any data file people have into groups or prompts, with a report of what was made of it.

A file is taken for the one format most of its first rows have. Rows of another form, and rows
nothing can be learned from, are refused one by one with the reason; a file that is not data at all
is a `DataError`. Nothing is trained on in silence and nothing is dropped in silence.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

from suffrage.core.errors import DataError, SettingsError
from suffrage.core.files import write_jsonl
from suffrage.core.records import Group, Prompt
from suffrage.data.readers import stance
from suffrage.data.readers.build import Ids, build_group, build_prompt
from suffrage.data.readers.containers import RawRow, raw_rows
from suffrage.data.readers.report import ReadReport, Refused
from suffrage.data.readers.row import (
    SAME_TASK,
    Format,
    Judged,
    Parts,
    Row,
    RowError,
    Unreadable,
    kind_of,
    recognise,
)
from suffrage.data.readers.table import GROUP_FORMATS, PROMPT_FORMATS, describe
from suffrage.stats.comparison_rows import is_comparison

ROWS_THAT_DECIDE = 200  # the format is that of most of this many recognised rows
LONGEST_REASON = 300  # characters
NOTES_SHOWN = 8  # reasons for what was left out of rows that were kept

Built = TypeVar("Built", bound=Group | Prompt)


class _Read(NamedTuple):
    """The rows of a source and the format they are taken for."""

    path: str
    rows: list[RawRow]
    format: Format
    formats: tuple[Format, ...]
    notes: tuple[str, ...]


@contextmanager
def collector_paused() -> Iterator[None]:
    """Within, no garbage is collected: of records that are all kept, the collector would walk
    every one and free none, which took a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@collector_paused()
def read_groups(
    source: str | Path,
    *,
    data_size: int | None = None,
    support_ratio: float | None = None,
    split: str = "train",
) -> tuple[list[Group], ReadReport]:
    """The groups of a file, a folder of files, or a Hugging Face dataset `organisation/name`.

    `data_size` takes the first so many rows that can be used. `support_ratio` is for stance files:
    of n rows the first int(n * support_ratio) prefer the supporting answer (completion 0), the
    rest the opposing one; without it, all prefer the supporting one. A group keeps its row's id;
    a repeated id gets `#2`, `#3`, ... `DataError` when there is nothing to learn from.
    """
    _check_settings(data_size, support_ratio)
    read = _open(source, split, GROUP_FORMATS)
    if support_ratio is not None and read.format is not stance.STANCE:
        raise SettingsError(
            f"support_ratio is for stance files, and {read.path} was taken for {read.format.name}; "
            "leave it out."
        )
    groups, report = _build(read, build_group, data_size)
    if read.format is stance.STANCE:
        ratio = 1.0 if support_ratio is None else support_ratio
        groups = stance.take_sides(groups, ratio)
        report = replace(report, notes=(*report.notes, stance.describe(len(groups), ratio)))
    return groups, report


@collector_paused()
def read_prompts(
    source: str | Path, *, data_size: int | None = None, split: str = "train"
) -> tuple[list[Prompt], ReadReport]:
    """The distinct prompts of any file `read_groups` reads, or of one that holds prompts only.

    Prompts only: `{"prompt"}` or `{"id", "prompt"}` rows, MT-Bench questions (the first turn),
    instructions, and text files with one prompt a line. An id that is a number in the file is kept
    as such in `meta["id"]`.
    """
    _check_settings(data_size, None)
    read = _open(source, split, GROUP_FORMATS + PROMPT_FORMATS)
    seen: set[object] = set()

    def build_distinct(row: Row, parts: Parts | Group | Judged, ids: Ids) -> Prompt | None:
        whole = parts.group if isinstance(parts, Judged) else parts
        content = whole.prompt.content if isinstance(whole, Group) else whole.prompt
        if content in seen:
            return None
        prompt = build_prompt(row, parts, ids)
        seen.add(content)
        return prompt

    return _build(read, build_distinct, data_size)


def write_groups(path: Path, groups: Iterable[Group]) -> None:
    """Write one group a line; `read_groups` reads them back exactly."""
    write_jsonl(path, (group.to_json() for group in groups))


def _check_settings(data_size: int | None, support_ratio: float | None) -> None:
    if data_size is not None and data_size < 1:
        raise SettingsError(f"data_size is {data_size}; it counts rows, so at least 1.")
    if support_ratio is not None and not 0 <= support_ratio <= 1:
        raise SettingsError(f"support_ratio is {support_ratio:g}; it must lie between 0 and 1.")


def _open(source: str | Path, split: str, formats: tuple[Format, ...]) -> _Read:
    rows, notes = raw_rows(source, split)
    if not rows:
        raise DataError("holds no rows; there is nothing to read.", source)
    known = (form for row in rows if (form := _recognise(row, formats)))
    votes = Counter(islice(known, ROWS_THAT_DECIDE))
    if not votes:
        raise _unknown(source, rows, formats)
    chosen = votes.most_common(1)[0][0]
    joined, said = _join_tasks(rows, chosen)
    return _Read(str(source), joined, chosen, formats, (*notes, *said))


def _join_tasks(rows: list[RawRow], form: Format) -> tuple[list[RawRow], tuple[str, ...]]:
    """The rows with those of one task as one, in the place of the first."""
    if form.task is None:
        return rows, ()
    tasks: dict[Hashable, list[RawRow]] = {}
    for row in rows:
        known = isinstance(row.value, dict) and form.recognises(row.value)
        key = (row.path, form.task(row.value)) if known else object()
        tasks.setdefault(key, []).append(row)
    joined = [_joined(same) if len(same) > 1 else same[0] for same in tasks.values()]
    return joined, (f"{len(rows):,} rows are annotations of {len(joined):,} tasks",)


def _joined(same: list[RawRow]) -> RawRow:
    first = same[0]
    value = {**first.value, SAME_TASK: [row.value for row in same]}
    return first._replace(value=value)


def _recognise(row: RawRow, formats: tuple[Format, ...]) -> Format | None:
    return recognise(row.value, formats) if isinstance(row.value, dict) else None


def _unknown(source: str | Path, rows: Sequence[RawRow], formats: tuple[Format, ...]) -> DataError:
    """The error for a file none of whose rows is known."""
    if any(is_comparison(row.value) for row in rows):
        return DataError("is a table of who beat whom; `suffrage rank` reads it.", source)
    if any(_recognise(row, PROMPT_FORMATS) for row in rows):
        return DataError(
            "holds prompts only, which is nothing to learn from; `suffrage generate` answers them.",
            source,
        )
    first = rows[0]
    if isinstance(first.value, dict):
        fields = ", ".join(f"{name[:30]!a}" for name in list(first.value)[:12]) or "no fields"
        found = f"fields {fields}"
    else:
        found = _not_a_row(first.value)
    return DataError(
        f"is in no format Suffrage reads (row {first.number}: {found}); rename the fields to those "
        f"of one of these: {describe(formats)}.",
        source,
    )


def _not_a_row(value: object) -> str:
    if isinstance(value, Unreadable):
        return value.reason
    return f"is {kind_of(value)}, not an object with fields"


def _build(
    read: _Read,
    build: Callable[[Row, Parts | Group | Judged, Ids], Built | None],
    data_size: int | None,
) -> tuple[list[Built], ReadReport]:
    """Build until `data_size` rows are kept; `build` gives None for a prompt it had before."""
    built: list[Built] = []
    refused: list[Refused] = []
    places: dict[str, tuple[str, int]] = {}
    left_out: Counter[str] = Counter()
    ids, repeated = Ids(), 0
    for row in _taken(read.rows):
        if len(built) == data_size:
            break
        try:
            parts = _take_apart(row, read)
            one = build(row.value, parts, ids)
        except RowError as error:
            refused.append(Refused(row.path, row.number, str(error)[:LONGEST_REASON]))
            continue
        if one is None:
            repeated += 1
            continue
        built.append(one)
        left_out.update(parts.left_out if isinstance(parts, Judged) else ())
        places[one.prompt.id if isinstance(one, Group) else one.id] = (row.path, row.number)
    _check_enough(read, len(built), refused, data_size)
    notes = (
        *read.notes,
        read.format.note,
        *_left_out(left_out),
        *_counts(ids, repeated, data_size),
    )
    said, rows = tuple(note for note in notes if note), len(read.rows)
    form = read.format.name
    return built, ReadReport(read.path, form, rows, len(built), tuple(refused), said, places)


def _left_out(reasons: Counter[str]) -> list[str]:
    """A line a reason for what was left out of rows that were kept, the commonest first."""
    said = [
        f"{count:,} left out: {reason[:LONGEST_REASON]}" for reason, count in reasons.most_common()
    ]
    hidden = len(said) - NOTES_SHOWN
    return said[:NOTES_SHOWN] + ([f"and {hidden} more reasons"] if hidden > 0 else [])


def _taken(rows: list[RawRow]) -> Iterator[RawRow]:
    """Each row, which then leaves its place in the list to an empty one.

    A million judgments need no room as rows beside that as records.
    """
    for place, row in enumerate(rows):
        rows[place] = row._replace(value=None)
        yield row


def _take_apart(row: RawRow, read: _Read) -> Parts | Group | Judged:
    if not isinstance(row.value, dict):
        raise RowError(_not_a_row(row.value))
    found, missing = recognise(row.value, read.formats), read.format.missing(row.value)
    if found and found is not read.format:
        raise RowError(f"looks like {found.name} among {read.format.name}")
    if missing:
        raise RowError(f"has no {missing.replace('|', ' or ')}")
    return read.format.parse(row.value)


def _check_enough(read: _Read, kept: int, refused: list[Refused], data_size: int | None) -> None:
    if kept == 0:
        reasons = "; ".join(f"row {one.row}: {one.reason}" for one in refused[:3])
        raise DataError(
            f"was taken for {read.format.name}, and none of its {len(read.rows)} rows can be used "
            f"({reasons}); mend them.",
            read.path,
        )
    if data_size is not None and kept < data_size:
        raise DataError(
            f"holds fewer rows than data_size {data_size} asks for: {kept} of its "
            f"{len(read.rows)} can be used; lower data_size.",
            read.path,
        )


def _counts(ids: Ids, repeated: int, data_size: int | None) -> list[str]:
    """What else happened to the rows, for the report."""
    return [
        f"only the first {data_size:,} were asked for (data_size)" if data_size else "",
        f"{repeated:,} left out that repeat a prompt" if repeated else "",
        f"{ids.repeated:,} repeat an id or a prompt; #2, #3, ... tell them apart"
        if ids.repeated
        else "",
    ]
