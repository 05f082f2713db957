"""Figures of the team's pages in writing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from suffrage.core.results import Estimate, RaterSummary
from suffrage.label.server.words import Words


def said(estimate: Estimate | None, share: bool = True) -> str:
    """`67%` or `0.43`; a dash where it is undefined."""
    if estimate is None or estimate.value is None:
        return "–"
    return _written(estimate.value, share)


def ends(estimate: Estimate | None, share: bool = True) -> tuple[str, str] | None:
    """The interval's ends in writing."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    return _written(estimate.low, share), _written(estimate.high, share)


def _written(value: float, share: bool = True) -> str:
    return f"{100 * value:.0f}%" if share else f"{value:.2f}".replace("-", "−")


def why_skipped(reason: str, words: Words) -> str:
    """Why an item was skipped, in the page's language, with what the rater added."""
    code, colon, more = reason.partition(": ")
    known = words.entries.get(f"skip.{code}")
    return reason if known is None else f"{known}{colon}{more}"


def because(row: RaterSummary, everybody: Sequence[RaterSummary], words: Words) -> str:
    """Why this rater stands out, from the figures the tests of `stats/odd.py` compared."""
    same = sum(other.odd == row.odd for other in everybody)
    camp = row.odd == "reversed" and same > 1
    others = [other for other in everybody if other.rater != row.rater]
    return words(
        f"team.because_{'camp' if camp else row.odd}",
        n=same,
        own=said(row.reliability),
        others=_middle([other.reliability for other in others]),
        first=said(row.first_shown),
        first_others=_middle([other.first_shown for other in others]),
    )


def _middle(estimates: Sequence[Estimate]) -> str:
    known = [one.value for one in estimates if one.value is not None]
    return _written(median(known)) if known else "–"
