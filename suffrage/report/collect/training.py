"""Training curves: per run, the few figures that matter for its method, each explained."""

from __future__ import annotations

from dataclasses import dataclass

from suffrage.report.collect.series import known, measured_keys, numbers
from suffrage.report.figures.curves import Line, curve_picture, trend
from suffrage.report.inputs import Inputs
from suffrage.report.runs import Run
from suffrage.report.text import compact, finite
from suffrage.report.words import Words


@dataclass(frozen=True)
class Panel:
    """One small plot: the keys it draws, a key it needs and a key that makes it pointless."""

    name: str
    keys: tuple[str, ...]
    needs: str = ""
    unless: str = ""

    def fits(self, logged: list[str]) -> bool:
        needed = not self.needs or self.needs in logged
        return needed and self.unless not in logged and bool(set(self.keys) & set(logged))


PANELS = (
    # KL tells a policy that is rewarded from a reward model, whose mean score says nothing.
    Panel("reward", ("reward", "eval/reward"), needs="kl"),
    Panel("kl", ("kl",)),
    Panel("loss", ("loss", "eval/loss"), unless="kl"),  # PPO's loss has no meaning by itself
    Panel("accuracy", ("accuracy", "eval/accuracy")),
    Panel("margin", ("margin", "eval/margin")),
    Panel("logp", ("chosen_logp", "rejected_logp")),
    Panel("entropy", ("entropy",)),
    Panel("length", ("length",)),
    Panel("unfinished", ("unfinished",)),
    Panel("clip_fraction", ("clip_fraction",)),
    Panel("value_loss", ("value_loss",)),
    Panel("explained_variance", ("explained_variance",)),
)


def collect(inputs: Inputs, words: Words) -> dict[str, object] | None:
    """One block a run that logged anything."""
    runs = [run for run in inputs.runs if measured_keys(run)]
    if not runs:
        return None
    return {"runs": [_block(run, place, words) for place, run in enumerate(runs)]}


def _block(run: Run, place: int, words: Words) -> dict[str, object]:
    keys = measured_keys(run)
    panels = [panel for panel in PANELS if panel.fits(keys)]
    drawn = {key for panel in panels for key in panel.keys}
    return {
        "name": run.name,
        "method": run.method,
        "finished": run.done is not None,
        "panels": [_panel(panel, run, f"run{place}-{panel.name}", words) for panel in panels],
        "others": [key for key in keys if key not in drawn],
    }


def _panel(panel: Panel, run: Run, name: str, words: Words) -> dict[str, object]:
    lines = [line for key in panel.keys if (line := numbers(run, key))]
    title = words(f"metric.{panel.name}.title")
    spans = [f"{_line_word(line, words)} {_span(line, words)}".strip() for line in lines]
    label = f"{title}{words('list.colon')}{words('list.semicolon').join(spans)}"
    gaps = sum(len(line.points) - len(known(line.points)) for line in lines)
    return {
        "title": title,
        "meaning": _meaning(panel.name, run, words),
        "lines": [_legend(line, words) for line in lines],
        "gaps": gaps,
        "figure": curve_picture(name, lines, words("training.step"), label),
    }


# Options that move a method's loss away from 0.693 at the start, where its caption names that.
_SHIFTS = {"dpo": "nll", "reward": "margin"}


def _meaning(panel: str, run: Run, words: Words) -> str:
    """What the panel shows, for the run's method with the options it had."""
    general = words(f"metric.{panel}.meaning")
    shift = _SHIFTS.get(run.method, "")
    amount = _option(run, shift)
    if panel == "loss" and amount:
        key = f"metric.loss.{run.method}_{shift}"
        return words(key, amount=compact(amount)) if key in words.entries else general
    return words.known(f"metric.{panel}.{run.method}", general)


def _option(run: Run, name: str) -> float | None:
    options = run.settings.get("options")
    return finite(options.get(name)) if isinstance(options, dict) else None


def _line_word(line: Line, words: Words) -> str:
    """What tells the line from another in its picture; nothing where it is always alone."""
    return words.known(f"line.{line.name.replace('/', '_')}", "")


def _legend(line: Line, words: Words) -> dict[str, object]:
    points = known(trend(line.points))
    return {
        "name": _line_word(line, words),
        "held_out": line.name.startswith("eval/"),
        "first": compact(points[0][1]),
        "last": compact(points[-1][1]),
    }


def _span(line: Line, words: Words) -> str:
    points = known(trend(line.points))
    first, last = (compact(value) for value in (points[0][1], points[-1][1]))
    return words("training.span", first=first, last=last, step=compact(points[-1][0]))
