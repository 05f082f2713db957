"""What `suffrage rank` is asked and what it answers: methods, settings, leaderboards, choices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from suffrage.core.records import Record
from suffrage.core.results import Estimate
from suffrage.stats.comparisons import Unit
from suffrage.stats.pair_likelihood import RIDGE, Model

Method = Literal[
    "bradley-terry", "davidson", "plackett-luce", "borda", "copeland", "ranked-pairs", "win-rate"
]
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


class RankedItem(Record):
    """One line of a leaderboard."""

    item: str
    place: int
    places: tuple[int, int]  # the middle 95 % of its places over the bootstrap
    score: Estimate  # what it is, the ranking's method says
    win_rate: Estimate  # share of its comparisons won, ties half
    comparisons: int


class Ranking(Record):
    """A leaderboard of one group of raters, or of all."""

    group: str = ""
    method: Method
    comparisons: int
    prompts: int
    raters: int
    items: tuple[RankedItem, ...]  # best first
    first_shown: Estimate | None = None  # chance that the one shown first wins between equals
    ties: Estimate | None = None  # Davidson's nu / (2 + nu): chance that two equals tie
    note: str = ""


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


class Choice(Record):
    """One item for all groups, by one rule, and how sure the choice is."""

    rule: Literal["mean", "maxmin"]
    item: str
    share: float  # of the bootstrap rounds that choose it
    worth: dict[str, float]  # group -> chance that it prefers the item to another at random


class Camp(Record):
    """Raters who agree among themselves, as a mixture of Bradley-Terry models finds them."""

    name: str
    raters: dict[str, float]  # those likeliest in this camp, and how likely


class RankingResult(Record):
    """A leaderboard for each group, and the choices for all."""

    result: Literal["ranking"] = "ranking"
    by: str = ""  # what the groups were split by
    rankings: tuple[Ranking, ...]
    choices: tuple[Choice, ...] = ()
    camps: tuple[Camp, ...] = ()
    camp_gains: dict[int, Estimate] = Field(default_factory=dict)  # in predicting votes kept back
    mixture: dict[str, float] = Field(
        default_factory=dict
    )  # the fairest lottery: item -> its share
    mixture_worth: float | None = None  # to the group that likes it least
