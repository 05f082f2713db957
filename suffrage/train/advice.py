"""What a user should know of a run's curves, and what to do about it.

A check reads the run's metrics, from the first step on, and returns a sentence where something goes
wrong, or nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from suffrage.core.progress import say
from suffrage.objectives.labels import balanced_weights
from suffrage.objectives.objective import Objective
from suffrage.train.examples import Example
from suffrage.train.optimiser import Metrics

Rows = Sequence[Metrics]
Check = Callable[[Rows], str]

FALL = 0.1  # nats a token by which preferred answers may become less likely before we say so
ENOUGH = 10  # rows before anything is said of a run that goes on
NEARLY_EVEN = 1.1  # a weight below it would change nothing worth a word
GROWTH = 1.1  # times as many rows before the checks look again, so that long runs stay quick


def offline_checks(row: Objective) -> tuple[Check, ...]:
    """The checks of a method that reads its answers from a file."""
    return (partial(_pushed_away, row), _learned_by_heart)


def advice(checks: Sequence[Check], rows: Rows) -> tuple[str, ...]:
    """One sentence for each thing that went wrong; none where all is well."""
    return tuple(filter(None, (check(rows) for check in checks)))


@dataclass
class LiveAdvice:
    """Told of each row as it is logged, says each thing that goes wrong once, while it does."""

    checks: Sequence[Check]
    rows: dict[float, Metrics] = field(default_factory=dict)  # a resumed run logs a step again
    _due: int = ENOUGH

    def __call__(self, row: Metrics) -> None:
        self.rows[row["step"]] = row
        if len(self.rows) < self._due:
            return
        self._due = math.ceil(GROWTH * len(self.rows))
        rows = list(self.rows.values())
        found = {check: sentence for check in self.checks if (sentence := check(rows))}
        for sentence in found.values():
            say(f"at step {row['step']:g}: {sentence}")
        self.checks = [check for check in self.checks if check not in found]


def _pushed_away(row: Objective, rows: Rows) -> str:
    """Preferred answers that lose likelihood, as DPO's loss allows (2404.19733, section 4)."""
    found = ends(rows, "eval/chosen_logp") or ends(rows, "chosen_logp")
    if found is None or found[1] >= found[0] - FALL:
        return ""
    remedies = "a smaller --lr, fewer --epochs or --kl 0.1"
    also = " or --nll 1" if "nll" in row.options() else ""
    return (
        f"the preferred answers themselves became less likely ({found[0]:.2f} -> {found[1]:.2f} "
        f"nats a token), so the model moves toward neither answer; {remedies}{also} keeps them "
        "likely"
    )


def _learned_by_heart(rows: Rows) -> str:
    held_out = [row["eval/loss"] for row in rows if "eval/loss" in row]
    lowest = min(held_out, default=0.0)  # below 0 where a loss allows for wrong votes
    if len(held_out) < 3 or held_out[-1] <= lowest + 0.05 * abs(lowest) + 1e-6:
        return ""
    best = min((row for row in rows if "eval/loss" in row), key=lambda row: row["eval/loss"])
    return (
        f"the held-out loss was lowest at step {best['step']:g} ({best['eval/loss']:.3f}) and "
        f"ended at {held_out[-1]:.3f}, so the later steps learned the training rows by heart; "
        "--patience 1 keeps the best weights"
    )


def unbalanced(row: Objective, options: Mapping[str, Any], examples: Sequence[Example]) -> str:
    """Labels of one kind that outweigh the other (2402.01306, on hyperparameters)."""
    if row.name != "kto" or {options["desirable_weight"], options["undesirable_weight"]} != {1.0}:
        return ""
    desirable = sum(e.weight * share for e in examples for share in e.labels)
    undesirable = sum(e.weight * (1 - share) for e in examples for share in e.labels)
    weights = balanced_weights(desirable, undesirable)
    if max(weights) < NEARLY_EVEN:
        return ""
    option, weight = max(zip(("--desirable-weight", "--undesirable-weight"), weights, strict=True),
                         key=lambda one: one[1])  # fmt: skip
    return (
        f"{desirable:.4g} labels say desirable and {undesirable:.4g} undesirable, so one kind is "
        f"heard more than the other; {option} {weight:.3g} evens them out"
    )


def ends(rows: Rows, name: str) -> tuple[float, float] | None:
    """A figure's means over the first and the last tenth of what was logged."""
    values = [row[name] for row in rows if name in row]
    if len(values) < 2:
        return None
    share = max(1, len(values) // 10)
    return statistics.fmean(values[:share]), statistics.fmean(values[-share:])
