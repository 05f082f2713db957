"""Who simulated raters truly are: how each kind behaves, and the file that keeps the truth.

A behaviour turns what is on the screen into scores, from which rankings and pair choices follow;
one completion alone is judged by how good it seems (`seems`). To add a behaviour, write both
functions and a row of `BEHAVIOURS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from pydantic import Field, field_validator

from suffrage.core.errors import DataError, nearest
from suffrage.core.files import read_json, write_json
from suffrage.core.records import Record, RecordError


class SimulatedRater(Record):
    """Who a rater truly is."""

    name: str = Field(min_length=1)
    behaviour: str = "good"  # a key of BEHAVIOURS
    camp: str = ""  # whose values they hold, for the utility function
    noise: float = Field(default=0.6, gt=0)  # in units of utility; 0.6: a lead of 2 wins 97 %

    @field_validator("behaviour")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in BEHAVIOURS:
            raise ValueError(f"there is no behaviour {value!r}, {nearest(value, BEHAVIOURS)}")
        return value


@dataclass(frozen=True)
class Sight:
    """What one rater has before them: texts in the order shown, and what each is worth to them."""

    texts: tuple[str, ...]
    utilities: tuple[float, ...]
    noise: float
    done: int = 0  # how many votes this rater gave before


BEST = 5.5  # utility of an answer that could not be better


def _gumbel(rng: Random) -> float:
    return -math.log(-math.log(rng.random() or 0.5))


def good(sight: Sight, rng: Random) -> list[float]:
    """Utility in units of noise plus Gumbel noise, once for each different text.

    Sorting by these scores draws a ranking from Plackett and Luce's model (Yellott 1977).
    """
    drawn: dict[str, float] = {}
    for text, utility in zip(sight.texts, sight.utilities, strict=True):
        drawn.setdefault(text, utility / sight.noise + _gumbel(rng))
    return [drawn[text] for text in sight.texts]


def careless(sight: Sight, rng: Random) -> list[float]:
    """Does not read: any order is as likely as another."""
    return [_gumbel(rng) for _ in sight.texts]


def reversed_(sight: Sight, rng: Random) -> list[float]:
    """Reads well, but puts the best last."""
    return [-score for score in good(sight, rng)]


def side(sight: Sight, rng: Random) -> list[float]:
    """Mostly keeps the order on the screen: each place down costs 2.5, quality counts little."""
    return [
        -2.5 * place + 0.1 * utility / sight.noise + _gumbel(rng)
        for place, utility in enumerate(sight.utilities)
    ]


def length(sight: Sight, rng: Random) -> list[float]:
    """Takes the longer text for the better: twice the length is worth 2, quality counts little."""
    return [
        2 * math.log2(1 + len(text)) + 0.1 * utility / sight.noise + _gumbel(rng)
        for text, utility in zip(sight.texts, sight.utilities, strict=True)
    ]


def drifting(sight: Sight, rng: Random) -> list[float]:
    """Tires: reads well at first, and half as keenly after every 20 votes."""
    return good(replace(sight, noise=sight.noise * 2 ** (sight.done / 20)), rng)


def seems(sight: Sight, rng: Random) -> float:
    """How good the one text shown is, 0 to 1: its utility over `BEST`, with normal noise."""
    (utility,) = sight.utilities
    return min(1.0, max(0.0, (utility + sight.noise * rng.gauss(0, 1)) / BEST))


def seems_by_length(sight: Sight, rng: Random) -> float:
    """From 20 letters, 0, to 640, 1."""
    return min(1.0, max(0.0, math.log2((1 + len(sight.texts[0])) / 20) / 5 + rng.gauss(0, 0.1)))


def seems_less_sure(sight: Sight, rng: Random) -> float:
    return seems(replace(sight, noise=sight.noise * 2 ** (sight.done / 20)), rng)


@dataclass(frozen=True)
class Behaviour:
    """How a kind of rater judges what they see, and how fast (1: reads everything)."""

    scores: Callable[[Sight, Random], list[float]]
    seems: Callable[[Sight, Random], float]
    pace: float
    meaning: str


BEHAVIOURS: dict[str, Behaviour] = {
    "good": Behaviour(good, seems, 1.0, "follows the truth, with noise"),
    "careless": Behaviour(careless, lambda _, rng: rng.random(), 0.25, "chooses at random"),
    "reversed": Behaviour(
        reversed_, lambda sight, rng: 1 - seems(sight, rng), 1.0, "puts the best last"
    ),
    "side": Behaviour(
        side, lambda _, rng: 1 - 0.1 * rng.random(), 0.4, "mostly keeps the order shown"
    ),
    "length": Behaviour(length, seems_by_length, 0.5, "takes the longer for the better"),
    "drifting": Behaviour(drifting, seems_less_sure, 0.8, "reads well at first, then ever less"),
}


def read_population(path: Path) -> list[SimulatedRater]:
    """The raters of a population file: `{"raters": [{"name", "behaviour", "camp", "noise"}]}`."""
    value = read_json(path)
    rows = value.get("raters") if isinstance(value, dict) else None
    if not isinstance(rows, list) or not rows:
        raise DataError('is no population; write {"raters": [{"name": ..., ...}]}.', path)
    raters: dict[str, SimulatedRater] = {}
    for number, row in enumerate(rows, start=1):
        try:
            rater = SimulatedRater.from_json(row)
        except RecordError as error:
            raise DataError(f"{error}.", path, number) from error
        if rater.name in raters:
            raise DataError(f"has a second rater named {rater.name!r}; rename one.", path, number)
        raters[rater.name] = rater
    return list(raters.values())


def write_population(path: Path, raters: Sequence[SimulatedRater]) -> None:
    """Write who the raters truly are; keep this file away from whoever estimates it."""
    write_json(path, {"raters": [rater.to_json() for rater in raters]})
