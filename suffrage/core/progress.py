"""Progress bars on stderr: drawn on a terminal, silent elsewhere, so that logs stay readable."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[..., None]


@contextmanager
def progress_bar(label: str, total: int | None, start: int = 0) -> Iterator[Advance]:
    """Yield `advance(steps=1, note="")`; the bar shows the time left and the last note."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        Remaining(),
        TextColumn("{task.fields[note]}"),
    )
    console = Console(stderr=True)
    drawn = console.is_terminal and os.environ.get("RANK", "0") == "0"  # of several processes one
    with Progress(*columns, console=console, transient=True, disable=not drawn) as bars:
        task = bars.add_task(label, total=total, completed=start, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            bars.update(task, advance=steps)
            if note:
                bars.update(task, note=note)

        yield advance


def say(line: str) -> None:
    """A line for people, above a bar that is being drawn, in a log as it is."""
    print(line, file=sys.stderr, flush=True)
