"""Figures as words for one line of text."""

from __future__ import annotations

from suffrage.core.results import Estimate


def span(estimate: Estimate) -> str:
    """A figure with its interval, for one line."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate.note or "undefined"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
