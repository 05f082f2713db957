"""Numbers over steps, taken from whatever a run logged."""

from __future__ import annotations

import math

from suffrage.report.figures.curves import Line, Points
from suffrage.report.runs import Run
from suffrage.report.text import finite

# Keys that count or time the work rather than measure it.
BOOKKEEPING = {"step", "epoch", "lr", "seconds", "tokens", "time", "examples"}


def numbers(run: Run, key: str) -> Line | None:
    """The key's values by step, in order; None when it never held a finite number.

    A value that is null, NaN, infinite or no number leaves a gap. A step logged twice (a run that
    resumed from a checkpoint) counts as it was logged last.
    """
    by_step: dict[float, float] = {}
    for row, values in enumerate(run.metrics, start=1):
        if key in values:
            step = finite(values.get("step"))
            value = finite(values[key])
            by_step[float(row) if step is None else step] = math.nan if value is None else value
    if not any(math.isfinite(value) for value in by_step.values()):
        return None
    return Line(key, sorted(by_step.items()))


def known(points: Points) -> list[tuple[float, float]]:
    """The points that have a finite value."""
    return [(step, value) for step, value in points if math.isfinite(value)]


def measured_keys(run: Run) -> list[str]:
    """Every key that ever held a finite number and measures something, in order of appearance."""
    keys = dict.fromkeys(key for row in run.metrics for key in row)
    return [key for key in keys if key not in BOOKKEEPING and numbers(run, key)]
