"""How `suffrage rank` can rank: its methods and their settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from suffrage.core.results import Method
from suffrage.stats.comparisons import Unit
from suffrage.stats.pair_likelihood import RIDGE, Model

METHODS: dict[Method, str] = {
    "bradley-terry": "scores of the Bradley-Terry model, ties half a win each",
    "davidson": "Bradley-Terry scores, ties modelled after Davidson",
    "plackett-luce": "scores of the Plackett-Luce model, from whole rankings",
    "borda": "mean share of meetings won, each opponent counting once",
    "copeland": "opponents beaten by a majority",
    "ranked-pairs": "items below in the order of Tideman's ranked pairs",
    "win-rate": "share of all meetings won",
}
MODELS = ("bradley-terry", "davidson", "plackett-luce")


@dataclass(frozen=True)
class Setting:
    """How to rank: the method, the model's options, and what the intervals rest on."""

    method: Method = "bradley-terry"
    side: bool = False
    ridge: float = RIDGE
    unit: Unit = "prompts"
    interval: Literal["bootstrap", "sandwich"] = "bootstrap"
    rounds: int = 1000
    seed: int = 0

    @property
    def model(self) -> Model:
        ties: Literal["half", "davidson"] = "davidson" if self.method == "davidson" else "half"
        return Model(ties, self.side, self.ridge)
