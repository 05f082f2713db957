"""How often a reward model's predicted probabilities came true (DeGroot and Fienberg 1983)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from suffrage.core.results import CalibrationBin
from suffrage.report.figures.canvas import ACCENT, MUTED, Canvas
from suffrage.report.figures.canvas import quiet_style as style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TICKS = ([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])


def calibration_picture(
    name: str, bins: Sequence[CalibrationBin], titles: tuple[str, str], label: str
) -> Markup:
    """Observed share against predicted probability, intervals upright, the diagonal as the aim."""
    with style():
        canvas = Canvas(name, 380, 340)
        axes = canvas.axes(64, 12, 20, 50)
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.set_xticks(*_TICKS)
        axes.set_yticks(*_TICKS)
        axes.grid(visible=True)
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.5, linestyle=(0, (4, 3)))
        _draw_bins(axes, bins)
        axes.set_xlabel(canvas.word(titles[0]), color=MUTED, fontsize=12, labelpad=6)
        axes.set_ylabel(canvas.word(titles[1]), color=MUTED, fontsize=12, labelpad=6)
        return canvas.svg(label)


def _draw_bins(axes: Axes, bins: Sequence[CalibrationBin]) -> None:
    points: list[tuple[float, float]] = []
    for item in bins:
        low, value, high = item.observed.low, item.observed.value, item.observed.high
        if value is not None:
            points.append((item.predicted, value))
        if low is not None and high is not None:
            axes.plot([item.predicted] * 2, [low, high], color=ACCENT, linewidth=4, alpha=0.4)
    across, up = zip(*points, strict=True)
    axes.plot(across, up, "-o", color=ACCENT, markersize=7, linewidth=1.5, clip_on=False)
