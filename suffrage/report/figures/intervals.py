"""Dots with their intervals, one row a model or rater: the page's plainest honest picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from suffrage.core.results import Estimate
from suffrage.report.figures.canvas import ACCENT, INK, LINE, MUTED, SURFACE, WARN, Canvas, em_width
from suffrage.report.figures.canvas import quiet_style as style
from suffrage.report.text import point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, NARROW = 720.0, 350.0  # pixels: a desk's column, a phone's
ROW, STACKED_ROW = 40.0, 54.0
_VALUE, _TOP, _BOTTOM = 60.0, 10.0, 46.0
_LABEL, _LABEL_SIZE = 240.0, 13.0  # the widest label beside its row, its font size


@dataclass(frozen=True)
class Dot:
    """One row: what it is and how it should look."""

    label: str
    estimate: Estimate
    tone: str = "accent"  # "accent", "muted" (the row to compare with), "warn" (the odd one)


_TONES = {"accent": (ACCENT, "o"), "muted": (MUTED, "o"), "warn": (WARN, "D")}


@dataclass(frozen=True)
class Scale:
    """The horizontal axis: a share from 0 to 1."""

    title: str
    reference: float | None = None  # a dashed line: chance, or the share to compare with


def both_widths(name: str, dots: Sequence[Dot], scale: Scale, label: str) -> dict[str, Markup]:
    """The picture for a desk and for a phone; the page shows one of them."""
    return {
        "wide": _picture(f"{name}-wide", dots, scale, label, stacked=False),
        "narrow": _picture(f"{name}-narrow", dots, scale, label, stacked=True),
    }


def compact_picture(name: str, dots: Sequence[Dot], scale: Scale, label: str) -> Markup:
    """The phone's picture alone, for places where several stand side by side."""
    return _picture(name, dots, scale, label, stacked=True)


def _picture(name: str, dots: Sequence[Dot], scale: Scale, label: str, *, stacked: bool) -> Markup:
    row = STACKED_ROW if stacked else ROW
    with style():
        canvas = Canvas(name, NARROW if stacked else WIDE, len(dots) * row + _TOP + _BOTTOM)
        axes = canvas.axes(16 if stacked else _label_width(dots), _TOP, _VALUE, _BOTTOM)
        axes.set(xlim=(-0.02, 1.02), ylim=(len(dots) - 0.5, -0.5))
        _draw_scale(axes, canvas, scale, len(dots))
        for place, dot in enumerate(dots):
            _draw_dot(axes, place + (0.18 if stacked else 0), dot)
            _draw_words(axes, canvas, place, dot, stacked=stacked)
        return canvas.svg(label)


def _label_width(dots: Sequence[Dot]) -> float:
    """Room for the longest name, within reason."""
    widest = max(em_width(dot.label) * _LABEL_SIZE for dot in dots)
    return min(max(widest, 46.0), _LABEL) + 24


def _draw_scale(axes: Axes, canvas: Canvas, scale: Scale, rows: int) -> None:
    axes.set_yticks([])
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    axes.grid(axis="x")
    room = canvas.width - (_VALUE + 30 if canvas.width == NARROW else _VALUE + _LABEL + 30)
    axes.set_xlabel(canvas.word(scale.title, room), color=MUTED, fontsize=12, labelpad=8)
    if scale.reference is not None:
        axes.axvline(scale.reference, color=MUTED, linewidth=1.5, linestyle=(0, (4, 3)))


def _draw_dot(axes: Axes, place: float, dot: Dot) -> None:
    colour, marker = _TONES[dot.tone]
    low, value, high = dot.estimate.low, dot.estimate.value, dot.estimate.high
    if low is not None and high is not None:
        axes.plot([0, 1], [place, place], color=LINE, linewidth=1, zorder=1)
        axes.plot([low, high], [place, place], color=colour, linewidth=5, alpha=0.45, zorder=2)
    if value is not None:
        size = 7.5 if marker == "D" else 9.5
        axes.plot(
            [value],
            [place],
            marker,
            markersize=size,
            markerfacecolor=SURFACE if dot.tone == "muted" else colour,
            markeredgecolor=colour,
            markeredgewidth=2,
            zorder=3,
            clip_on=False,
        )


def _draw_words(axes: Axes, canvas: Canvas, place: int, dot: Dot, *, stacked: bool) -> None:
    """The name left of the row (above it on a phone) and the figure at its end."""
    at_left = axes.get_yaxis_transform()
    name = canvas.word(dot.label, NARROW - 30 if stacked else _LABEL, _LABEL_SIZE)
    place_y, left, anchor = (place - 0.17, 0.0, "left") if stacked else (place, -0.012, "right")
    axes.text(left, place_y, name, transform=at_left, ha=anchor, va="center", fontsize=_LABEL_SIZE)
    value = canvas.word(point(dot.estimate))
    value_y = place + (0.18 if stacked else 0)
    axes.text(
        1.03,
        value_y,
        value,
        transform=at_left,
        ha="left",
        va="center",
        fontsize=14,
        fontweight="bold",
        color=INK if dot.tone != "warn" else WARN,
    )
