"""What reward each distance from the start bought, over runs that differ in their anchor alone."""

from __future__ import annotations

from dataclasses import dataclass

from suffrage.core.records import Meta
from suffrage.report.figures.curves import frontier_picture
from suffrage.report.inputs import Inputs
from suffrage.report.runs import Run
from suffrage.report.text import compact, finite
from suffrage.report.words import Words

ANCHORS = ("kl_coef", "beta")
SHARED = ("method", "model", "reward", "data", "eval_data", "seed")  # of runs on one frontier


@dataclass(frozen=True)
class Point:
    """A finished run: its anchor's strength, and held-out reward and KL of what it kept."""

    run: str
    anchor: str
    strength: float
    kl: float
    reward: float
    interval: str


def frontiers(inputs: Inputs) -> list[list[Point]]:
    """The runs of each frontier of two points or more, the weakest anchor first."""
    found: dict[str, list[Point]] = {}
    for run in inputs.runs:
        point = _point(run)
        if point is not None:
            found.setdefault(_of(run, point.anchor), []).append(point)
    ordered = [sorted(points, key=lambda point: point.strength) for points in found.values()]
    return [points for points in ordered if len({point.strength for point in points}) > 1]


def _of(run: Run, anchor: str) -> str:
    """What runs on one frontier have in common."""
    options = {k: v for k, v in run.settings["options"].items() if k != anchor}
    return repr([anchor, sorted(options.items()), [run.settings.get(name) for name in SHARED]])


def _point(run: Run) -> Point | None:
    options = run.settings.get("options")
    figures = (run.done or {}).get("metrics")
    if not isinstance(options, dict) or not isinstance(figures, dict):
        return None
    kl, reward = finite(figures.get("eval/kl")), finite(figures.get("eval/reward"))
    anchor = next((name for name in ANCHORS if name in options), None)
    strength = None if anchor is None else finite(options[anchor])
    if anchor is None or strength is None or kl is None or reward is None:
        return None
    return Point(run.name, anchor, strength, kl, reward, _interval(figures))


def _interval(figures: Meta) -> str:
    low, high = finite(figures.get("eval/reward_low")), finite(figures.get("eval/reward_high"))
    return "" if low is None or high is None else f" [{compact(low)}, {compact(high)}]"


def frontier_plots(inputs: Inputs, words: Words) -> list[dict[str, object]]:
    """A picture and a table for each frontier."""
    return [
        _plot(points, f"frontier{place}", words) for place, points in enumerate(frontiers(inputs))
    ]


def _plot(points: list[Point], name: str, words: Words) -> dict[str, object]:
    best = max(points, key=lambda point: point.reward)
    told = words(
        "frontier.told",
        anchor=best.anchor,
        strength=compact(best.strength),
        reward=compact(best.reward),
        kl=compact(best.kl),
    )
    titles = (words("reward_kl.kl"), words("frontier.reward"))
    drawn = [(compact(point.strength), point.kl, point.reward) for point in points]
    rows = [
        (compact(p.strength), compact(p.reward) + p.interval, compact(p.kl), p.run) for p in points
    ]
    figure = frontier_picture(name, drawn, titles, told)
    return {"figure": figure, "told": told, "rows": rows, "anchor": best.anchor}
