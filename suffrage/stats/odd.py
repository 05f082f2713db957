"""Raters who stand out, with the evidence; nobody is ever dropped by this.

Every test compares a rater with the median of the *other* raters, uses the rater's own standard
error over prompts (Student's t: few prompts prove little), and divides `FALSE_ALARMS` by the number
of tests, so that a panel without odd raters is left in peace in at least 98 of 100 studies.

- reversed: orders pairs as the others do less often than a coin would;
- side: orders fewer pairs as the others do, and wins go to one side of the screen;
- careless: orders fewer pairs as the others do, so few that over half look like coin flips: were a
  share q of the votes as good as the others' and the rest coins, reliability would be
  1/2 + q (others - 1/2), and the estimate of q is below one half.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Odd = Literal["", "careless", "reversed", "side"]

FALSE_ALARMS = 0.02  # chance that anyone in a panel of good raters is named
SIDE_MARGIN = 0.1  # smaller preferences for a side are real but do little harm
COIN_SHARE = 0.5
_TESTS = 4  # reversed, careless, one side, the other side


@dataclass(frozen=True)
class Share:
    """A rater's share, its standard error and the number of prompts; nan where unknown."""

    value: float
    error: float
    prompts: int

    def bounds(self, tail: float) -> tuple[float, float]:
        """Lower and upper bound, each missed with probability `tail`."""
        if self.prompts < 2:
            return -math.inf, math.inf
        half = float(stats.t.ppf(1 - tail, self.prompts - 1)) * self.error
        return self.value - half, self.value + half


def odd_raters(reliability: Sequence[Share], first_shown: Sequence[Share]) -> list[tuple[Odd, str]]:
    """For each rater, how they are odd ("" when not) and one sentence of evidence.

    Fewer than three raters cannot show who of them is odd.
    """
    known = sum(not math.isnan(share.value) for share in reliability)
    if known < 3:
        return [("", "")] * len(reliability)
    tail = FALSE_ALARMS / (_TESTS * known)
    found = [_odd(rater, reliability, first_shown, tail) for rater in range(len(reliability))]
    return _with_camp(found)


def _odd(
    rater: int, reliability: Sequence[Share], first_shown: Sequence[Share], tail: float
) -> tuple[Odd, str]:
    own, others = reliability[rater], _median_of_others(reliability, rater)
    upper = own.bounds(tail)[1]
    agrees = f"orders {own.value:.0%} of pairs as the others do (the others: {others:.0%})"
    if upper < 0.5:
        return "reversed", f"{agrees}, less often than a coin would."
    if not upper < others:
        return "", ""
    side = _side(first_shown[rater], _median_of_others(first_shown, rater), tail)
    if side:
        return "side", f"{side}, and {agrees}."
    if own.value < 0.5 + COIN_SHARE * (others - 0.5):
        return "careless", f"{agrees}: over half of these votes look like coin flips."
    return "", ""


def _side(own: Share, others: float, tail: float) -> str:
    low, high = own.bounds(tail)
    if low > others + SIDE_MARGIN:
        won, side, usual = own.value, "first", others
    elif high < others - SIDE_MARGIN:
        won, side, usual = 1 - own.value, "last", 1 - others
    else:
        return ""
    return f"prefers what was shown {side} in {won:.0%} of pairs (the others: {usual:.0%})"


def _median_of_others(shares: Sequence[Share], rater: int) -> float:
    others = [share.value for index, share in enumerate(shares) if index != rater]
    known = [value for value in others if not math.isnan(value)]
    return float(np.median(known)) if known else math.nan


def _with_camp(found: list[tuple[Odd, str]]) -> list[tuple[Odd, str]]:
    """Several reversed raters may be a minority of another mind: the evidence says so."""
    reversed_raters = sum(kind == "reversed" for kind, _ in found)
    if reversed_raters < 2:
        return found
    more = f"; {reversed_raters} raters do so and may be a group of another mind."
    return [(kind, text[:-1] + more if kind == "reversed" else text) for kind, text in found]
