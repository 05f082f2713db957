"""When a run that samples has gone far enough, each time with its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from suffrage.train.loop import badness
from suffrage.train.settings import TrainSettings

MOST_STEPS = 20_000  # unless said otherwise


@dataclass(frozen=True)
class Stops:
    """A reward that is enough, and a distance to the reference that is too much."""

    reward: float | None = None
    kl: float | None = None

    def __call__(self, row: Mapping[str, Any]) -> str:
        """Why to stop after this row of figures; empty to go on.

        The reward is that of held-out prompts where the row has it, else the training's; the loop
        evaluates before it heeds the latter.
        """
        reward = row.get("eval/reward", row.get("reward"))
        if self.reward is not None and reward is not None and reward >= self.reward:
            return f"the reward reached {reward:.3g}, and --stop-reward is {self.reward:g}"
        # Best-of-n samples from the reference itself: what it has learned shows when evaluated.
        kl = max(row.get("kl", 0.0), row.get("eval/kl", 0.0))
        if self.kl is not None and kl > self.kl:
            return f"the KL to the reference reached {kl:.3g}, past --stop-kl {self.kl:g}"
        return ""


def why_ended(
    rows: Sequence[Mapping[str, Any]], settings: TrainSettings, steps: int, wanted: int
) -> str:
    """The cause of the end of a run of at most `steps` of the `wanted` steps, from its figures."""
    last = rows[-1]
    cause = Stops(settings.stop_reward, settings.stop_kl)(last)
    if cause:
        return cause
    held_out = [bad for row in rows if (bad := badness(row)) is not None]
    if settings.patience and last["step"] < steps and held_out:
        many = "an evaluation" if settings.patience == 1 else f"{settings.patience} evaluations"
        return f"the held-out reward has not risen for {many}"
    if steps < wanted:
        return f"the most steps, {steps}, are done; --max-steps allows more"
    return f"all {steps} steps are done"
