"""Lines against the training step, small enough to stand side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from suffrage.report.figures.canvas import ACCENT, MUTED, SECOND, SURFACE, Canvas
from suffrage.report.figures.canvas import quiet_style as style
from suffrage.report.text import compact

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 300  # a curve of more is thinned: no screen shows more, and the page stays small
SMOOTHED_FROM = 40  # points from which a moving average is drawn over the faint raw line
_SIZE = (280.0, 170.0)
Dash = str | tuple[int, tuple[int, int]]
_LINES: tuple[tuple[str, Dash], ...] = (
    (ACCENT, "-"),
    (SECOND, (0, (4, 2))),
)  # told apart by dash as well as by colour

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """One series: (step, value) in order; not-a-number where a step has no finite value."""

    name: str
    points: Points


def curve_picture(name: str, lines: Sequence[Line], step_word: str, label: str) -> Markup:
    """One or two lines on one pair of axes."""
    with style():
        canvas = Canvas(name, *_SIZE)
        axes = canvas.axes(44, 8, 10, 38)
        for line, (colour, dash) in zip(lines, _LINES, strict=False):
            _draw_line(axes, line, colour, dash)
        axes.grid(axis="y")
        _few_ticks(axes, whole_x=True)
        axes.set_xlabel(canvas.word(step_word), color=MUTED, fontsize=12, labelpad=4)
        return canvas.svg(label)


def path_picture(name: str, points: Points, titles: tuple[str, str], label: str) -> Markup:
    """Where training went in the plane of two metrics: hollow start, filled end."""
    with style():
        canvas = Canvas(name, 420, 300)
        axes = canvas.axes(58, 14, 18, 48)
        each, path = np.array(thin(points)).T, np.array(thin(trend_path(points))).T
        axes.plot(*each, "o", color=ACCENT, markersize=4, markeredgewidth=0, alpha=0.35)
        axes.plot(*path, color=ACCENT)
        for spot, fill in ((0, SURFACE), (-1, ACCENT)):
            axes.plot(*path[:, spot], "o", markersize=11, mfc=fill, mec=ACCENT, mew=2.5, zorder=4)
        axes.margins(0.06)
        _name_axes(canvas, axes, titles)
        return canvas.svg(label)


def frontier_picture(
    name: str, points: Sequence[tuple[str, float, float]], titles: tuple[str, str], label: str
) -> Markup:
    """Named points (x, y) of one set of runs, joined in the order of x."""
    with style():
        canvas = Canvas(name, 420, 300)
        axes = canvas.axes(58, 14, 34, 48)
        ordered = sorted(points, key=lambda point: point[1:])
        axes.plot(*zip(*(point[1:] for point in ordered), strict=True), color=ACCENT, alpha=0.45)
        for word, x, y in ordered:
            axes.plot(x, y, "o", color=ACCENT, markersize=9, zorder=4)
            axes.annotate(
                canvas.word(word), (x, y), (0, 9), textcoords="offset points", ha="center"
            )
        axes.margins(0.14)  # room for the names
        _name_axes(canvas, axes, titles)
        return canvas.svg(label)


def _name_axes(canvas: Canvas, axes: Axes, titles: tuple[str, str]) -> None:
    """A grid, a few ticks, and what is drawn along and up."""
    axes.grid(visible=True)
    _few_ticks(axes)
    axes.set_xlabel(canvas.word(titles[0]), color=MUTED, fontsize=12, labelpad=6)
    axes.set_ylabel(canvas.word(titles[1]), color=MUTED, fontsize=12, labelpad=6)


def _draw_line(axes: Axes, line: Line, colour: str, dash: Dash) -> None:
    points = np.array(thin(trend(line.points)))
    if len(line.points) >= SMOOTHED_FROM:
        axes.plot(*np.array(thin(line.points)).T, color=colour, linewidth=1, alpha=0.35)
    marker = "o" if len(points) <= 12 else ""
    axes.plot(*points.T, color=colour, linestyle=dash, marker=marker, markersize=4.5)


def trend(points: Points) -> list[tuple[float, float]]:
    """The strong line: a moving average of the values where there are many, else the values."""
    if len(points) < SMOOTHED_FROM:
        return list(points)
    steps, values = np.array(points, dtype=float).T
    return list(zip(steps, moving_average(values, len(values) // 12), strict=True))


def trend_path(points: Points) -> list[tuple[float, float]]:
    """As `trend`, for both coordinates of a path."""
    order = range(len(points))
    across = trend([(place, point[0]) for place, point in zip(order, points, strict=True)])
    up = trend([(place, point[1]) for place, point in zip(order, points, strict=True)])
    return [(x, y) for (_, x), (_, y) in zip(across, up, strict=True)]


def thin(points: Points) -> list[tuple[float, float]]:
    """At most `POINTS` of the points, evenly by position, the first and the last always."""
    kept = np.unique(np.linspace(0, len(points) - 1, min(len(points), POINTS)).round().astype(int))
    return [points[index] for index in kept]


def moving_average(values: np.ndarray, width: int) -> np.ndarray:
    """Mean over `width` points around each (fewer at the ends), passing over not-a-number."""
    width = max(width, 1) | 1
    known = np.isfinite(values)
    window = np.ones(width)
    total = np.convolve(np.where(known, values, 0.0), window, mode="full")
    count = np.convolve(known.astype(float), window, mode="full")
    middle = slice(width // 2, width // 2 + len(values))
    return np.where(
        known & (count[middle] > 0), total[middle] / np.maximum(count[middle], 1), np.nan
    )


def _few_ticks(axes: Axes, whole_x: bool = False) -> None:
    """A handful of plain numbers on each axis, never mathematics or an offset; no half steps."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for axis in (axes.xaxis, axes.yaxis):
        whole = whole_x and axis is axes.xaxis
        axis.set_major_locator(MaxNLocator(4, integer=whole))
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))


def tick(value: float) -> str:
    """`0.25`, `1500`, `2e+06`: no trailing noise from floating point."""
    if value and not 1e-3 <= abs(value) < 1e5:
        return compact(value).replace("e+0", "e").replace("e−0", "e−")
    return f"{value:.4f}".rstrip("0").rstrip(".").replace("-", "−") if math.isfinite(value) else ""
