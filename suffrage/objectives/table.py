"""One row a method: help texts, options, error messages, docs and tests all come from here.

A method's options are the keyword-only arguments of its function, on the command line, in a recipe
and in Python alike.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from suffrage.core.errors import SettingsError, nearest
from suffrage.objectives.likelihood import sft_loss
from suffrage.objectives.options import check_option
from suffrage.objectives.pairs import dpo_loss
from suffrage.objectives.ppo import PPOOptions
from suffrage.objectives.rewards import reward_loss

View = Literal["demonstrations", "pairs", "prompts"]


@dataclass(frozen=True)
class Objective:
    """A way of learning: its loss, what it reads from a group, and where it comes from."""

    name: str
    summary: str
    function: Callable[..., Any]
    view: View
    needs_reference: bool
    paper: str

    def options(self) -> dict[str, float]:
        """The options and their defaults."""
        found = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in found if p.kind is p.KEYWORD_ONLY}

    def check(self, given: dict[str, Any]) -> dict[str, float]:
        """The defaults with what was given; `SettingsError` for a wrong name or value."""
        options = self.options()
        for name, value in given.items():
            if name not in options:
                raise SettingsError(f"{self.name} has no option {name!r}; {nearest(name, options)}")
            options[name] = check_option(self.name, name, value, options[name])
        return options


OBJECTIVES = {
    row.name: row
    for row in (
        Objective(
            "sft",
            "imitate demonstrations (supervised fine-tuning)",
            sft_loss,
            "demonstrations",
            False,
            "2203.02155",
        ),
        Objective(
            "reward",
            "learn a reward from pairs or rankings (Bradley-Terry)",
            reward_loss,
            "pairs",
            False,
            "2203.02155",
        ),
        Objective(
            "dpo",
            "prefer what raters prefer, without a reward model",
            dpo_loss,
            "pairs",
            True,
            "2305.18290",
        ),
        Objective(
            "ppo",
            "sample, score with a reward model, improve, stay near the start (RLHF)",
            PPOOptions,
            "prompts",
            True,
            "1707.06347",
        ),
    )
}


def objective(name: str) -> Objective:
    """The row of this name; `SettingsError` with the nearest one otherwise."""
    if name not in OBJECTIVES:
        raise SettingsError(f"there is no method {name!r}; {nearest(name, OBJECTIVES)}")
    return OBJECTIVES[name]
