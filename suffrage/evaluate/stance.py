"""Which side a model's answers take, with intervals over prompts.

Answers to one prompt resemble each other, so twenty samples of ten prompts are nearer to ten
observations than to two hundred: prompts are resampled, not answers. Two things keep the intervals
of one model together. None is narrower than Wilson's over all its answers, since answers that
resemble each other cannot tell more than as many independent ones. And a side that no answer took
can have no larger share than the commonest side leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suffrage.core.errors import DataError
from suffrage.core.results import Estimate, ModelStance
from suffrage.stats.intervals import ROUNDS, clustered_mean, wilson

SIDES = ("support", "balanced", "oppose")


def stance_shares(
    model: str,
    stances: Sequence[Sequence[str]],
    well_formed: Sequence[Sequence[bool]] | None = None,
    seed: int = 0,
    *,
    sides: Sequence[str] = SIDES,
    rounds: int = ROUNDS,
) -> ModelStance:
    """Shares of the stances of a model's answers: `stances` holds one row a prompt, one a sample.

    `sides` are reported even when no answer takes them, other stances when one does. `well_formed`
    has the shape of `stances`.
    """
    given = np.array([stance for row in stances for stance in row], dtype=object)
    prompts = np.repeat(np.arange(len(stances)), [len(row) for row in stances])
    if not len(given):
        raise DataError(f"{model} gave no answers to measure; generate some first.")

    def share(hits: np.ndarray) -> Estimate:
        return _at_least_wilson(clustered_mean(hits, prompts, seed=seed, rounds=rounds), hits)

    return ModelStance(
        model=model,
        shares=_within_the_rest(
            {side: share(given == side) for side in dict.fromkeys([*sides, *given])}
        ),
        well_formed=None if well_formed is None else share(_flat(well_formed, stances)),
        prompts=len(stances),
        samples=max(len(row) for row in stances),
    )


def _at_least_wilson(share: Estimate, hits: np.ndarray) -> Estimate:
    """The share with an interval that holds the one of as many independent answers."""
    assert share.low is not None
    assert share.high is not None
    low, high = wilson(float(hits.sum()), len(hits))
    return share.model_copy(update={"low": min(share.low, low), "high": max(share.high, high)})


def _within_the_rest(shares: dict[str, Estimate]) -> dict[str, Estimate]:
    """The share of a side that no answer took, bounded by what the commonest side leaves.

    Resampling says nothing of such a share, and Wilson's interval over a few prompts supposes that
    all answers of a prompt agree. But shares add up to 1: with 1 less the lower end of another
    share as its upper end, the interval fails only where that share's does.
    """
    commonest = max(shares, key=lambda side: shares[side].value or 0.0)
    low, note = shares[commonest].low, f"no such answer: at most what “{commonest}” leaves"
    if low is None:
        return shares
    rest = {"high": 1 - low, "note": note}
    return {
        side: share.model_copy(update=rest)
        if share.value == 0 and share.high is not None and 1 - low < share.high
        else share
        for side, share in shares.items()
    }


def _flat(well_formed: Sequence[Sequence[bool]], stances: Sequence[Sequence[str]]) -> np.ndarray:
    if [len(row) for row in well_formed] != [len(row) for row in stances]:
        raise ValueError("well_formed and stances have different shapes")
    return np.array([ok for row in well_formed for ok in row], dtype=bool)
