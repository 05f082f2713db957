"""Groups to a file, or to one for training and one for the test that share no prompt."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suffrage.core.errors import DataError, SettingsError, nearest
from suffrage.core.files import check_writable, to_line
from suffrage.core.records import Group
from suffrage.data.views import ViewError
from suffrage.label.formats.containers import Container, Row, container_of, split_name, write_rows
from suffrage.label.formats.made import Made, UnfitError
from suffrage.label.formats.pseudonyms import with_pseudonyms
from suffrage.label.formats.rows import FORMATS, ExportFormat

REASONS_SHOWN = 5


@dataclass(frozen=True)
class LeftOut:
    """Why a group, or one of its possible rows, is not in the file."""

    prompt_id: str
    reason: str


@dataclass(frozen=True)
class ExportReport:
    """What was written: rows a file; which groups have no row, and which rows some of them lack."""

    format: str
    files: Mapping[Path, int]
    groups: int
    left_out: tuple[LeftOut, ...] = ()  # groups without a row
    rows_left_out: tuple[LeftOut, ...] = ()  # of groups that have others

    def __str__(self) -> str:
        lines = [f"{path}: {rows:,} rows of {self.format}" for path, rows in self.files.items()]
        lines += _reasons("groups", self.left_out) + _reasons("rows", self.rows_left_out)
        return "\n".join(lines)


def _reasons(what: str, left_out: Sequence[LeftOut]) -> list[str]:
    common = Counter(one.reason for one in left_out).most_common()
    lines = [f"  {count:,} {what} left out: {why}" for why, count in common[:REASONS_SHOWN]]
    hidden = len(common) - REASONS_SHOWN
    return lines + ([f"  and {hidden} more reasons"] if hidden > 0 else [])


def export(
    groups: Iterable[Group],
    path: Path,
    format: str,
    *,
    pseudonyms: bool = False,
    split: float | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> ExportReport:
    """Write the groups to `path` in one of `FORMATS`; the end of the name tells the container.

    `split` is the share of the prompts held out: NAME-train and NAME-test are written in place of
    `path`, and prompts with the same words (but for white space) are on one side. `seed` chooses
    them, and the order of the pseudonyms. Files are whole or not there. `SettingsError` for an
    unknown format, container or split, `RunError` where a file exists or cannot be written,
    `DataError` where no group has a row, or only one side of the split has.
    """
    form, container = _format(format), container_of(path)
    files = _files(path, split)
    for file in files:
        check_writable(file, overwrite=overwrite)
    named = list(groups)
    shown = with_pseudonyms(named, seed) if pseudonyms else named
    made = [(group, _make(group, form, container)) for group in shown]
    sides = _sides(made, split, seed) if split is not None else [made]
    _check_rows(made, sides, path, form)
    for file, side in zip(files, sides, strict=True):
        write_rows(_rows(side), file)
    return _report(form, dict(zip(files, sides, strict=True)), made)


Exported = Sequence[tuple[Group, Made]]


def _format(name: str) -> ExportFormat:
    if name not in FORMATS:
        raise SettingsError(f"there is no export format {name!r}; {nearest(name, FORMATS)}")
    return FORMATS[name]


def _files(path: Path, split: float | None) -> list[Path]:
    if split is None:
        return [path]
    if not 0 < split < 1:
        raise SettingsError(f"split is {split:g}; it is a share of the prompts, between 0 and 1.")
    stem, suffix = split_name(path)
    return [path.with_name(f"{stem}-{side}{suffix}") for side in ("train", "test")]


def _make(group: Group, form: ExportFormat, container: Container) -> Made:
    try:
        made = form.make(group, container)
    except UnfitError as error:
        return Made([], [str(error)])
    except ViewError as error:
        return Made([], [f"gives no {error.needed}: it holds {error.held}"])
    rows = [row for row in made.rows if _is_text(row)]
    bad = len(made.rows) - len(rows)
    return Made(rows, [*made.left_out, *["holds half a character (a lone surrogate)"] * bad])


def _is_text(row: Row) -> bool:
    try:
        to_line(row).encode()
    except UnicodeEncodeError:
        return False
    return True


def _sides(made: Exported, split: float, seed: int) -> list[Exported]:
    """Train and test; a prompt's place depends on its words and the seed, not on the order."""
    used = {_words(group) for group, rows in made if rows.rows}
    order = sorted(used, key=lambda words: hashlib.sha256(f"{seed}\x1f{words}".encode()).digest())
    held = set(order[: min(max(round(split * len(order)), 1), len(order) - 1)])
    return [[one for one in made if (_words(one[0]) in held) is side] for side in (False, True)]


def _words(group: Group) -> str:
    return " ".join(group.prompt.text.split())


def _rows(made: Exported) -> list[Row]:
    return [row for _, rows in made for row in rows.rows]


def _check_rows(made: Exported, sides: Sequence[Exported], path: Path, form: ExportFormat) -> None:
    if not _rows(made):
        reasons = dict.fromkeys(why for _, one in made for why in one.left_out)
        why = "; ".join([*reasons][:3]) or "there is none"
        raise DataError(
            f"none of the {len(made)} groups can be exported as {form.name} ({why}); choose "
            "another format, or collect more judgments.",
            path,
        )
    if not all(map(_rows, sides)):
        raise DataError("one prompt cannot be split in two; export it whole.", path)


def _report(form: ExportFormat, sides: Mapping[Path, Exported], made: Exported) -> ExportReport:
    return ExportReport(
        format=form.name,
        files={file: len(_rows(side)) for file, side in sides.items()},
        groups=len(made),
        left_out=tuple(_left_out(made, whole=True)),
        rows_left_out=tuple(_left_out(made, whole=False)),
    )


def _left_out(made: Exported, whole: bool) -> list[LeftOut]:
    """A group without rows is left out once, whatever the number of reasons."""
    found = []
    for group, one in made:
        if bool(one.rows) is not whole:
            reasons = ["; ".join(dict.fromkeys(one.left_out))] if whole else one.left_out
            found += [LeftOut(group.prompt.id, reason) for reason in reasons]
    return found
