"""Which side a model's answers take, with intervals over prompts.

Answers to one prompt resemble each other, so twenty samples of ten prompts are nearer to ten
observations than to two hundred: prompts are resampled, not answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suffrage.core.errors import DataError
from suffrage.core.results import Estimate, ModelStance
from suffrage.stats.intervals import ROUNDS, clustered_mean

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
        return clustered_mean(hits, prompts, seed=seed, rounds=rounds)

    return ModelStance(
        model=model,
        shares={side: share(given == side) for side in dict.fromkeys([*sides, *given])},
        well_formed=None if well_formed is None else share(_flat(well_formed, stances)),
        prompts=len(stances),
        samples=max(len(row) for row in stances),
    )


def _flat(well_formed: Sequence[Sequence[bool]], stances: Sequence[Sequence[str]]) -> np.ndarray:
    if [len(row) for row in well_formed] != [len(row) for row in stances]:
        raise ValueError("well_formed and stances have different shapes")
    return np.array([ok for row in well_formed for ok in row], dtype=bool)
