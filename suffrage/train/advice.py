"""What a user should know of a finished run's curves, and what to do about it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from suffrage.objectives.objective import Objective
from suffrage.train.optimiser import Metrics

FALL = 0.1  # nats a token by which preferred answers may become less likely before we say so


def advice(row: Objective, rows: Sequence[Metrics]) -> tuple[str, ...]:
    """One sentence for each thing that went wrong; none where all is well.

    rows: the run's metrics, from the first step to the last.
    """
    return tuple(filter(None, (_pushed_away(row, rows), _learned_by_heart(rows))))


def _pushed_away(row: Objective, rows: Sequence[Metrics]) -> str:
    """Preferred answers that lose likelihood, as DPO's loss allows (2404.19733, section 4)."""
    ends = _ends(rows, "eval/chosen_logp") or _ends(rows, "chosen_logp")
    if ends is None or ends[1] >= ends[0] - FALL:
        return ""
    remedies = "a smaller --lr, fewer --epochs or --kl 0.1"
    also = " or --nll 1" if "nll" in row.options() else ""
    return (
        f"the preferred answers themselves became less likely ({ends[0]:.2f} -> {ends[1]:.2f} nats "
        f"a token), so the model moves toward neither answer; {remedies}{also} keeps them likely"
    )


def _learned_by_heart(rows: Sequence[Metrics]) -> str:
    held_out = [row["eval/loss"] for row in rows if "eval/loss" in row]
    if len(held_out) < 3 or held_out[-1] <= min(held_out) * 1.05 + 1e-6:
        return ""
    best = min((row for row in rows if "eval/loss" in row), key=lambda row: row["eval/loss"])
    return (
        f"the held-out loss was lowest at step {best['step']:g} ({best['eval/loss']:.3f}) and "
        f"ended at {held_out[-1]:.3f}, so the later steps learned the training rows by heart; "
        "--patience 1 keeps the best weights"
    )


def _ends(rows: Sequence[Metrics], name: str) -> tuple[float, float] | None:
    """The means over the first and the last tenth of what was logged."""
    values = [row[name] for row in rows if name in row]
    if len(values) < 2:
        return None
    share = max(1, len(values) // 10)
    return statistics.fmean(values[:share]), statistics.fmean(values[-share:])
