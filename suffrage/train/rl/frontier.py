"""What reward each distance from the start buys: the same run under several anchors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from suffrage.core.errors import SettingsError
from suffrage.objectives.objective import Objective
from suffrage.objectives.table import objective
from suffrage.train.outcome import Finished
from suffrage.train.rl.run import train_online
from suffrage.train.settings import TrainSettings

ANCHORS = ("kl_coef", "beta")  # the option that holds a method near its start


@dataclass(frozen=True)
class Point:
    """One anchor's strength, the finished run, and its held-out reward and KL in nats."""

    strength: float
    finished: Finished

    @property
    def reward(self) -> float:
        return self.finished.metrics["eval/reward"]

    @property
    def kl(self) -> float:
        return self.finished.metrics["eval/kl"]


def anchor_of(row: Objective) -> str | None:
    """The option of a method that holds it near its start, if it samples and has one."""
    own = row.options()
    return next((name for name in ANCHORS if name in own and row.view == "prompts"), None)


def strengths_of(given: str) -> list[float]:
    """`0.02,0.05,0.1` as numbers, smallest first; `SettingsError` for anything else.

    One alone adds a point to those that are there.
    """
    try:
        found = sorted({float(word) for word in given.split(",")})
    except ValueError:
        found = []
    if not found:
        raise SettingsError(
            f"--frontier is {given!r}; give strengths by comma, such as 0.02,0.05,0.1."
        )
    return found


def train_frontier(
    settings: TrainSettings,
    rewards: str | Sequence[str],
    anchor: str,
    strengths: Sequence[float],
    out: Path,
) -> Iterator[Point]:
    """A run under `out` for each strength of the anchor, given as each is finished.

    What is finished is not trained again, and an unfinished run goes on. Raises `SettingsError`
    where nothing is held out, since a point is a reward on held-out prompts.
    """
    if not settings.holdout and settings.eval_data is None:
        raise SettingsError("a frontier is of held-out prompts; give --eval-data or a --holdout.")
    made = {
        strength: settings.model_copy(update={"options": {**settings.options, anchor: strength}})
        for strength in strengths
    }
    for one in made.values():
        objective(one.method).check(one.options)  # all of them, before the first is trained
    for strength, one in made.items():
        yield Point(strength, train_online(one, rewards, out / f"{anchor}-{strength:g}"))
