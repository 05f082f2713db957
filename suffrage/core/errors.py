"""The errors a user can meet.

    SuffrageError
    ├── UserError        something the user can put right: one sentence, exit code 2
    │   ├── DataError    a file or a row of it (names both)
    │   │   └── PromptError  one prompt, until its file and row are known
    │   ├── ModelError   a model, tokenizer or device
    │   ├── SettingsError  an option or its value
    │   └── RunError     a run directory: taken, unfinished, damaged
    └── NumericalError   a loss that is not finite: the run stops, the last checkpoint stays

Every message says what was wrong, what was found, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class SuffrageError(Exception):
    """Base of every error Suffrage raises on purpose."""


class UserError(SuffrageError):
    """The user can put it right; the command line prints the one sentence and exits with 2."""


class DataError(UserError):
    """A data file, or one row of it, is not what it should be."""

    def __init__(self, message: str, path: Path | str | None = None, row: int | None = None):
        """`row` counts from 1, as an editor does."""
        where = "" if path is None else f"{path}: " if row is None else f"{path}, row {row}: "
        super().__init__(f"{where}{message}")
        self.path, self.row = path, row


class PromptError(DataError):
    """One prompt cannot be used; `message` follows its id."""

    def __init__(
        self, message: str, prompt_id: str, path: Path | str | None = None, row: int | None = None
    ):
        super().__init__(f"prompt {prompt_id!r} {message}", path, row)
        self.message, self.prompt_id = message, prompt_id


class ModelError(UserError):
    """A model, its tokenizer, or the device it should run on."""


class SettingsError(UserError):
    """An option that does not exist or a value it cannot take."""


class RunError(UserError):
    """A run directory that is taken, unfinished or damaged."""


class NumericalError(SuffrageError):
    """A loss or reward that is not a finite number."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error sentence: the likeliest intended names, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=3)
    alike = [_likeness(name, other) for other in close]
    likeliest = [repr(other) for other, k in zip(close, alike, strict=True) if k == max(alike)]
    return f"did you mean {' or '.join(likeliest)}?" if close else f"known: {', '.join(known)}."


def _likeness(name: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, name).ratio()
