"""What the rows of every format are made with: the check that they can be read back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from suffrage.core.records import Completion, Prompt
from suffrage.data.readers.build import Ids, build_group
from suffrage.data.readers.row import Format, RowError, recognise
from suffrage.data.readers.table import GROUP_FORMATS
from suffrage.label.formats.containers import Container, Row


class UnfitError(ValueError):
    """Why a group has no row in a format."""


class Made(NamedTuple):
    """The rows of a group and why there are not more."""

    rows: list[Row]
    left_out: list[str]


def keep(
    made: Made,
    row: Row,
    form: Format,
    prompt: Prompt,
    completions: Sequence[Completion],
    container: Container,
) -> None:
    """Keep the row if the reader takes it for the same prompt and completions."""
    seen = container.reading(row)
    try:
        if recognise(seen, GROUP_FORMATS) is not form:
            raise RowError("would be read as another format")
        read = build_group(seen, form.parse(seen), Ids())
    except RowError as error:
        made.left_out.append(str(error))
        return
    texts = [one.text for one in completions] == [one.text for one in read.completions]
    keep_same(made, row, seen, texts and read.prompt.content == prompt.content)


def keep_same(made: Made, row: Row, seen: Row, same: bool) -> None:
    """Keep the row unless a text of it would come back as something else."""
    if same and all(seen[name] == value for name, value in row.items() if isinstance(value, str)):
        made.rows.append(row)
    else:
        made.left_out.append("would not be read back as it is; export it to .jsonl")
