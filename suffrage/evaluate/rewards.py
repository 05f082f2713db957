"""How well a reward model orders completions: accuracy and calibration, by prompt.

For Bradley and Terry's model a difference of scores d says that the first completion is the better
one with probability 1 / (1 + exp(-d)). Calibration asks whether it is, that often. A model that
learned from votes forecasts votes, so votes are what its probabilities should be held against,
even where a truth without their noise is known to hold its order against.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from suffrage.core.errors import DataError, NumericalError
from suffrage.core.results import CalibrationBin, RewardResult, Said
from suffrage.stats.intervals import ROUNDS, Floats, Ints, clustered_mean, number

BINS = 8
Pair = tuple[str, float, float]  # prompt, score of first less score of second, outcome
_PAIRS_A_BIN = 5  # fewer pairs a bin say nothing; small samples get fewer bins


def reward_quality(
    model: str,
    against: Said,
    pairs: Sequence[Pair],
    seed: int = 0,
    *,
    votes: tuple[Said, Sequence[Pair]] | None = None,
    rounds: int = ROUNDS,
) -> RewardResult:
    """Quality over pairs (prompt, score of first less score of second, outcome).

    `outcome` is 1 where the first is truly better, 0 where the second is, in between for split
    votes. Accuracy compares the sign of the difference with the side of one half the outcome lies
    on; where either is even, the pair counts half. `votes` says what else calibration is measured
    against, and on which pairs. Raises `DataError` without pairs and `NumericalError` for a
    difference that is not finite.
    """
    clusters, difference, outcome = _columns(model, pairs)
    right = 0.5 + 0.5 * np.sign(difference) * np.sign(outcome - 0.5)
    calibrated_against, forecast = votes or ("", pairs)
    return RewardResult(
        model=model,
        against=against,
        accuracy=clustered_mean(right, clusters, seed=seed, rounds=rounds),
        calibration=_calibration(*_columns(model, forecast), seed, rounds),
        calibrated_against=calibrated_against,
    )


def _columns(model: str, pairs: Sequence[Pair]) -> tuple[Ints, Floats, Floats]:
    """Prompts as numbers, differences and outcomes, each checked."""
    if not pairs:
        raise DataError(f"no pair to test {model} on was found; hold some judged prompts out.")
    clusters, _ = number([cluster for cluster, _, _ in pairs])
    difference = np.array([difference for _, difference, _ in pairs], dtype=np.float64)
    outcome = np.array([outcome for _, _, outcome in pairs], dtype=np.float64)
    if not np.isfinite(difference).all():
        raise NumericalError(f"{model} gave a score that is not a finite number.")
    if not ((outcome >= 0) & (outcome <= 1)).all():
        raise ValueError("an outcome is a probability, 0 to 1")
    return clusters, difference, outcome


def _calibration(
    clusters: Ints, difference: Floats, outcome: Floats, seed: int, rounds: int
) -> tuple[CalibrationBin, ...]:
    """Bins of equally many pairs, by the probability the model gives to the one it prefers.

    Turning each pair to the model's preference (1/2 to 1) makes the answer independent of which
    completion was written first, which is often the winner.
    """
    predicted = expit(np.abs(difference))
    came_true = np.where(difference < 0, 1 - outcome, outcome)
    came_true[difference == 0] = 0.5
    bins = max(1, min(BINS, len(predicted) // _PAIRS_A_BIN))
    order = np.argsort(predicted, kind="stable")
    return tuple(
        CalibrationBin(
            predicted=float(predicted[part].mean()),
            observed=clustered_mean(came_true[part], clusters[part], seed=seed, rounds=rounds),
        )
        for part in np.array_split(order, bins)
    )
