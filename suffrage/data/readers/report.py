"""What became of a file's rows, for programs and for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from suffrage.core.errors import PromptError

REASONS_SHOWN, ROWS_SHOWN = 5, 5


@dataclass(frozen=True)
class Refused:
    """A row nothing could be learned from; `row` counts from 1."""

    path: str
    row: int
    reason: str


@dataclass(frozen=True)
class ReadReport:
    """What a file was taken for and what became of its rows; `str` is for people.

    places: the file and row each kept prompt's id comes from.
    """

    path: str
    format: str
    rows: int
    kept: int
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()
    places: Mapping[str, tuple[str, int]] = field(default_factory=dict, compare=False, repr=False)

    @contextmanager
    def located(self) -> Iterator[None]:
        """Whatever is found wrong with a prompt inside, is told with its file and row."""
        try:
            yield
        except PromptError as error:
            place = self.places.get(error.prompt_id, (self.path, None))
            raise PromptError(error.message, error.prompt_id, *place) from error

    def __str__(self) -> str:
        head = f"{self.path}: {self.format}, {self.kept:,} of {self.rows:,} rows kept"
        if self.refused:
            head += f", {len(self.refused):,} refused"
        return "\n".join([head, *_reasons(self.refused), *(f"  {note}" for note in self.notes)])


def _reasons(refused: Sequence[Refused]) -> list[str]:
    """One line a reason, the commonest first, each with its first rows."""
    rows: dict[str, list[int]] = {}
    for one in refused:
        rows.setdefault(one.reason, []).append(one.row)
    common = sorted(rows, key=lambda reason: -len(rows[reason]))
    lines = [f"  {len(rows[reason]):,}: {reason} ({_places(rows[reason])})" for reason in common]
    hidden = len(lines) - REASONS_SHOWN
    more = [f"  and {hidden} more reasons"] if hidden > 0 else []
    return lines[:REASONS_SHOWN] + more


def _places(rows: Sequence[int]) -> str:
    shown = ", ".join(map(str, rows[:ROWS_SHOWN]))
    return f"row{'s' if len(rows) > 1 else ''} {shown}{', ...' if len(rows) > ROWS_SHOWN else ''}"
