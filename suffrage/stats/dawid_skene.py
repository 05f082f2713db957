"""True labels and raters' errors from labels alone: majority, Dawid and Skene, GLAD.

A label is one rater's value, 0 to V - 1, for one item: N labels by R raters of I items. A rater may
label an item several times. Every model starts from the majority's shares, and works in logs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize
from scipy.special import expit, log_expit, logsumexp, softmax

from suffrage.core.errors import DataError
from suffrage.stats.intervals import Floats, Ints

SMOOTHING = 0.1
_ROUNDS = 1000
_TOLERANCE = 1e-7


@dataclass(frozen=True, eq=False)
class Labels:
    """N labels: who said what of which item."""

    rater_N: Ints
    item_N: Ints
    value_N: Ints
    raters: int
    items: int
    values: int

    def __post_init__(self) -> None:
        if not len(self.value_N):
            raise DataError("there are no labels; collect some first.")


def majority(labels: Labels) -> Floats:
    """The share of an item's labels that each value has: (I, V); even where it has none."""
    place = labels.item_N * labels.values + labels.value_N
    counts = np.bincount(place, minlength=labels.items * labels.values)
    counts_IV = counts.reshape(labels.items, labels.values).astype(np.float64)
    total = counts_IV.sum(axis=1, keepdims=True)
    return np.where(total > 0, counts_IV / np.maximum(total, 1), 1 / labels.values)


@dataclass(frozen=True, eq=False)
class Truth:
    """What is inferred: the items' values, how common values are, and each rater's errors."""

    posterior_IV: Floats
    prior_V: Floats
    confusion_RVV: Floats  # [r, j, l]: how often rater r says l where j is true
    log_likelihood: float


def dawid_skene(
    labels: Labels, *, one_coin: bool = False, smoothing: float = SMOOTHING, rounds: int = _ROUNDS
) -> Truth:
    """EM of A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer error-rates
    using the EM algorithm" (Applied Statistics 28, 1979), equations 2.3 to 2.5.

    With `one_coin` a rater has one accuracy for all values and errs evenly. `smoothing` is added to
    every cell of a rater's table of errors (0 gives the paper's estimates): without it few labels
    make certainties.
    """
    posterior, before = majority(labels), -np.inf
    for _ in range(rounds):
        prior = posterior.mean(axis=0)
        confusion = _confusion(labels, posterior, one_coin, smoothing)
        with np.errstate(divide="ignore"):  # log 0 is right: such a label is impossible
            joint = np.log(prior) + _evidence(labels, np.log(confusion))
        likelihood = float(logsumexp(joint, axis=1).sum())
        posterior = softmax(joint, axis=1)
        if likelihood - before < _TOLERANCE * max(abs(likelihood), 1):
            break
        before = likelihood
    return Truth(posterior, prior, confusion, likelihood)


def _confusion(labels: Labels, posterior: Floats, one_coin: bool, smoothing: float) -> Floats:
    """The M step: (R, V, V)."""
    raters, values = labels.raters, labels.values
    place = labels.rater_N * values + labels.value_N
    said = _summed(posterior[labels.item_N], place, raters * values)
    counts = said.reshape(raters, values, values).swapaxes(1, 2) + smoothing
    if one_coin:
        right = np.trace(counts, axis1=1, axis2=2) / np.maximum(counts.sum(axis=(1, 2)), 1e-300)
        wrong = (1 - right) / max(values - 1, 1)
        same = np.eye(values)
        return np.asarray(right[:, None, None] * same + wrong[:, None, None] * (1 - same))
    total = counts.sum(axis=2, keepdims=True)  # 0: the rater never met that value
    return np.where(total > 0, counts / np.where(total > 0, total, 1), 1 / values)


def _evidence(labels: Labels, log_RVV: Floats) -> Floats:
    """The log probability of an item's labels under each true value: (I, V)."""
    return _summed(log_RVV[labels.rater_N, :, labels.value_N], labels.item_N, labels.items)


def _summed(rows_NV: Floats, place_N: Ints, size: int) -> Floats:
    """The sum of the rows at each place: (size, V)."""
    columns = [np.bincount(place_N, column, size) for column in rows_NV.T]
    return np.stack(columns, axis=1).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Glad:
    """Abilities of raters (below 0: worse than chance) and ease of items, with the values."""

    posterior_IV: Floats
    ability_R: Floats
    ease_I: Floats  # > 0: near 0 even the best guess


def glad(labels: Labels, *, rounds: int = 50) -> Glad:
    """J. Whitehill et al., "Whose vote should count more" (NeurIPS 2009).

    P(label is right) = 1 / (1 + exp(-ability * ease)), other values share the rest. EM; the M step
    climbs with the paper's priors, ability and log ease normal with mean 1 and variance 1.
    """
    posterior = majority(labels)
    theta = np.ones(labels.raters + labels.items)
    for _ in range(rounds):
        right = posterior[labels.item_N, labels.value_N]
        found = optimize.minimize(
            _glad_loss, theta, args=(labels, right), jac=True, method="L-BFGS-B"
        )
        theta, before = np.asarray(found.x, dtype=np.float64), posterior
        posterior = _glad_posterior(labels, theta)
        if np.abs(posterior - before).max() < 1e-5:
            break
    return Glad(posterior, theta[: labels.raters], np.exp(theta[labels.raters :]))


def _skill(labels: Labels, theta: Floats) -> tuple[Floats, Floats, Floats]:
    """Ability times ease of each label, and both factors: (N,) each."""
    ability = theta[labels.rater_N]
    ease = np.exp(theta[labels.raters + labels.item_N])
    return ability * ease, ability, ease


def _glad_loss(theta: Floats, labels: Labels, right_N: Floats) -> tuple[float, Floats]:
    """Minus the expected log posterior, and its gradient."""
    skill, ability, ease = _skill(labels, theta)
    others = np.log(max(labels.values - 1, 1))
    fit = right_N * log_expit(skill) + (1 - right_N) * (log_expit(-skill) - others)
    pull = right_N - expit(skill)
    by_rater = np.bincount(labels.rater_N, pull * ease, labels.raters)
    by_item = np.bincount(labels.item_N, pull * ability * ease, labels.items)
    gradient = np.concatenate([by_rater, by_item]) - (theta - 1)
    return -float(fit.sum()) + float(((theta - 1) ** 2).sum()) / 2, -gradient


def _glad_posterior(labels: Labels, theta: Floats) -> Floats:
    skill = _skill(labels, theta)[0]
    wrong = log_expit(-skill) - np.log(max(labels.values - 1, 1))
    each = np.tile(wrong[:, None], labels.values)
    each[np.arange(len(skill)), labels.value_N] = log_expit(skill)
    return np.asarray(softmax(_summed(each, labels.item_N, labels.items), axis=1))
