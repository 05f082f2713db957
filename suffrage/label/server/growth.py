"""The picture of agreement as votes came in, as SVG without a style of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from suffrage.label.server.team_data import Point

WIDTH, HEIGHT = 640.0, 240.0
LEFT, RIGHT, TOP, BOTTOM = 48.0, 24.0, 16.0, 36.0


@dataclass(frozen=True)
class Mark:
    """One point in the drawing's own pixels; `low` and `high` are None without an interval."""

    x: float
    y: float
    low: float | None
    high: float | None
    votes: int


@dataclass(frozen=True)
class Picture:
    """`lines`: where each labelled value of alpha lies."""

    marks: tuple[Mark, ...]
    lines: tuple[tuple[float, str], ...]

    @property
    def path(self) -> str:
        return " ".join(f"{mark.x:.1f},{mark.y:.1f}" for mark in self.marks)


def picture(points: Sequence[Point]) -> Picture | None:
    """None where alpha is defined nowhere. The scale always holds 0 to 1."""
    known = [point for point in points if point.alpha.value is not None]
    if not known:
        return None
    lows = [p.alpha.low for p in known if p.alpha.low is not None]
    bottom = min(0.0, *lows, *(p.alpha.value or 0.0 for p in known))
    bottom = max(-1.0, math.floor(2 * bottom) / 2)
    steps = [value / 4 for value in range(round(4 * bottom), 5, 1 if bottom == 0 else 2)]
    most = known[-1].votes

    def height(value: float) -> float:
        share = (max(value, bottom) - bottom) / (1 - bottom)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    marks = tuple(
        Mark(
            x=LEFT + (WIDTH - LEFT - RIGHT) * point.votes / most,
            y=height(point.alpha.value or 0.0),
            low=None if point.alpha.low is None else height(point.alpha.low),
            high=None if point.alpha.high is None else height(point.alpha.high),
            votes=point.votes,
        )
        for point in known
    )
    lines = tuple((height(step), f"{step:g}".replace("-", "−")) for step in steps)
    return Picture(marks, lines)
