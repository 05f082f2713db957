"""Raters who stand out, with the evidence; nobody is ever dropped by this.

What the *other* raters of a study show is held to be what readers do (`suffrage/stats/readers.py`).
A rater is odd who agrees with the others as seldom as at most `SELDOM` of readers would, and

- reversed: orders pairs as the others do less often than a coin would, so seldom that over half
  of the votes look turned round;
- side: wins go to one side of the screen, far more than with the others, and over a third of the
  votes look like coin flips (which is then enough);
- careless: over half of the votes look like coin flips: were a share q of them as good as the
  others' and the rest coins, reliability would be 1/2 + q (others - 1/2), and q is below one half.

Whoever is closer to the others than that is weak, and not odd. `python -m benchmarks.odd` tells how
many odd raters are found and how many good ones named.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from suffrage.stats.readers import coin_tails, reader_tails

Odd = Literal["", "careless", "reversed", "side"]

SELDOM = 0.05  # over all that is not known of readers: of known ones, about 0.02 agree so seldom
SIDES = 0.02  # chance that a reader who prefers no side seems to
SIDE_MARGIN = 0.1  # smaller preferences for a side are real but do little harm
COIN_SHARE = 0.5  # of the votes of a careless rater
SIDE_SHARE = 1 / 3  # of the votes, where they go to one side
FEWEST = 5  # prompts: less proves nothing of a rater
NO_COIN = 0.025  # chance for a coin to agree as seldom as a reversed rater


@dataclass(frozen=True)
class Share:
    """A rater's share, its standard error, and the numbers of prompts and of votes; nan: unknown.

    `sure` and `worth`: the same share with each vote counted as far as the others are sure of it,
    and how many votes of one weight that is worth.
    """

    value: float
    error: float
    prompts: int
    votes: float
    sure: float
    worth: float

    def bounds(self, tail: float) -> tuple[float, float]:
        """Lower and upper bound, each missed with probability `tail` (Student's t)."""
        if self.prompts < 2:
            return -math.inf, math.inf
        half = float(stats.t.ppf(1 - tail, self.prompts - 1)) * self.error
        return self.value - half, self.value + half


def odd_raters(reliability: Sequence[Share], first_shown: Sequence[Share]) -> list[tuple[Odd, str]]:
    """For each rater, how they are odd ("" when not) and one sentence of evidence.

    Fewer than three raters cannot show who of them is odd.
    """
    known = [index for index, share in enumerate(reliability) if share.prompts >= FEWEST]
    found: list[tuple[Odd, str]] = [("", "")] * len(reliability)
    if len(known) < 3:
        return found
    panel = [reliability[index] for index in known]
    worth = np.array([share.worth for share in panel]) / _design_effect(panel)
    agreed = np.array([share.sure for share in panel]) * worth
    chances = zip(known, reader_tails(agreed, worth), coin_tails(agreed, worth), strict=True)
    for rater, reads, coin in chances:
        found[rater] = _odd(rater, reliability, first_shown, reads, coin)
    return _with_camp(found)


def _design_effect(shares: Sequence[Share]) -> float:
    """How many votes are worth one that is independent: votes of one prompt resemble each other.

    How far is a matter of what was judged, so this is the mean over the raters of their error's
    square over that of independent votes (Kish's design effect).
    """
    value, error, votes = (
        np.array([getattr(share, name) for share in shares], float)
        for name in ("value", "error", "votes")
    )
    smooth = (value * votes + 2) / (votes + 4)
    return max(1.0, float(np.mean(error**2 * (votes + 4) / (smooth * (1 - smooth)))))


def _odd(
    rater: int,
    reliability: Sequence[Share],
    first_shown: Sequence[Share],
    reads: float,
    coin: float,
) -> tuple[Odd, str]:
    """`reads`, `coin`: the chance that a reader, and that a coin, agrees so seldom."""
    own, others = reliability[rater], _median_of_others(reliability, rater, "value")
    agrees = f"orders {own.value:.0%} of pairs as the others do (the others: {others:.0%})"
    usual = _median_of_others(reliability, rater, "sure")
    if not usual > 0.5:
        return "", ""  # nobody knows what is right
    read = (own.sure - 0.5) / (usual - 0.5)
    if reads < SELDOM and read < COIN_SHARE - 1 and coin < NO_COIN:
        return "reversed", f"{agrees}, less often than a coin would."
    side = _side(first_shown[rater], _median_of_others(first_shown, rater, "value"), SIDES / 2)
    if side and read < 1 - SIDE_SHARE:
        return "side", f"{side}, and {agrees}."
    if reads < SELDOM and read < 1 - COIN_SHARE:
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


def _median_of_others(shares: Sequence[Share], rater: int, of: Literal["value", "sure"]) -> float:
    """Whoever judged too little to be known is not among the others."""
    others = [share for index, share in enumerate(shares) if index != rater]
    known = [getattr(share, of) for share in others if share.prompts >= FEWEST]
    return float(np.median(known)) if known else math.nan


def _with_camp(found: list[tuple[Odd, str]]) -> list[tuple[Odd, str]]:
    """Several reversed raters may be a minority of another mind: the evidence says so."""
    reversed_raters = sum(kind == "reversed" for kind, _ in found)
    if reversed_raters < 2:
        return found
    more = f"; {reversed_raters} raters do so and may be a group of another mind."
    return [(kind, text[:-1] + more if kind == "reversed" else text) for kind, text in found]
