"""Groups of raters who prefer different things, found from votes on answers with known features.

EM with hard assignment, as MaxMin-RLHF finds its reward models (2402.08925, algorithm 2), with a
linear reward a group: each rater goes to the group whose reward makes their votes likeliest, then
each group's reward is fitted to its raters' votes. Unlike `camps`, which needs the same items
judged again and again, this works where no answer is seen twice.

Shape letters: N votes, D features, R raters, G groups. `x_ND` is the features of the answer voted
for less those of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from suffrage.core.errors import DataError
from suffrage.stats.intervals import Floats, Ints

RIDGE = 1.0  # of standardised features: half a vote's worth of doubt each
RESTARTS, ROUNDS, FOLDS = 8, 30, 4


@dataclass(frozen=True, eq=False)
class VoteGroups:
    """The group of each rater, each group's weights, and the votes' log posterior."""

    group_R: Ints
    weight_GD: Floats
    log_posterior: float


@dataclass(frozen=True, eq=False)
class GroupCount:
    """How many groups were chosen, and the held-out log-likelihood a vote of 1, 2, ... groups."""

    chosen: int
    held_out_G: tuple[float, ...]


def find_vote_groups(
    x_ND: Floats, rater_N: Ints, groups: int, *, ridge: float = RIDGE, seed: int = 0
) -> VoteGroups:
    """The likeliest of several runs of EM from random assignments.

    Groups are numbered by size, the largest first. `DataError` with fewer raters than groups.
    """
    raters = int(rater_N.max()) + 1
    if groups > raters:
        raise DataError(f"{groups} groups of raters were asked for, and {raters} raters voted.")
    rng = np.random.default_rng(seed)
    starts = [
        rng.permutation(np.arange(raters) % groups) for _ in range(RESTARTS if groups > 1 else 1)
    ]
    found = [_em(x_ND, rater_N, start, groups, ridge) for start in starts]
    return _by_size(max(found, key=lambda one: one.log_posterior))


def _em(x_ND: Floats, rater_N: Ints, start: Ints, groups: int, ridge: float) -> VoteGroups:
    group_R, weight_GD = start, np.zeros((groups, x_ND.shape[1]))
    for _ in range(ROUNDS):
        for group in range(groups):
            own = group_R[rater_N] == group
            if own.any():  # a group that nobody is in keeps its weights: raters may come back
                weight_GD[group] = _fit(x_ND[own], weight_GD[group], ridge)
        before, group_R = group_R, likeliest(x_ND, rater_N, weight_GD)
        if np.array_equal(before, group_R):
            break
    log_likelihood = log_expit((x_ND * weight_GD[group_R[rater_N]]).sum(1)).sum()
    penalty = ridge / 2 * float((weight_GD**2).sum())
    return VoteGroups(group_R, weight_GD, float(log_likelihood) - penalty)


def likeliest(x_ND: Floats, rater_N: Ints, weight_GD: Floats) -> Ints:
    """(R,) the group under whose reward each rater's votes are likeliest."""
    likelihood_NG = log_expit(x_ND @ weight_GD.T)
    likelihood_RG = np.zeros((int(rater_N.max()) + 1, len(weight_GD)))
    np.add.at(likelihood_RG, rater_N, likelihood_NG)
    found: Ints = likelihood_RG.argmax(1)
    return found


def _fit(x_ND: Floats, start_D: Floats, ridge: float) -> Floats:
    """Logistic regression without intercept, N(0, 1 / ridge) on each weight."""

    def loss(weight_D: Floats) -> tuple[float, Floats]:
        margin_N = x_ND @ weight_D
        slope_D = -(expit(-margin_N) @ x_ND) + ridge * weight_D
        return float(-log_expit(margin_N).sum() + ridge / 2 * weight_D @ weight_D), slope_D

    found: Floats = minimize(loss, start_D, jac=True, method="L-BFGS-B").x
    return found


def _by_size(found: VoteGroups) -> VoteGroups:
    sizes = np.bincount(found.group_R, minlength=len(found.weight_GD))
    order = np.argsort(-sizes, kind="stable")
    place = np.argsort(order)
    return VoteGroups(place[found.group_R], found.weight_GD[order], found.log_posterior)


def count_vote_groups(
    x_ND: Floats, rater_N: Ints, prompt_N: Ints, *, most: int = 4, seed: int = 0
) -> GroupCount:
    """The number of groups by the likelihood of votes on prompts kept back.

    The smallest number whose mean is within a standard error (over prompts) of the best.
    """
    most = min(most, int(rater_N.max()) + 1)
    held_GN = np.stack([_held_out(x_ND, rater_N, prompt_N, k, seed) for k in range(1, most + 1)])
    best = int(held_GN.mean(1).argmax())
    for count in range(best + 1):
        behind = _standard_error(held_GN[best] - held_GN[count], prompt_N)
        if held_GN[best].mean() - held_GN[count].mean() <= behind:
            return GroupCount(count + 1, tuple(held_GN.mean(1).tolist()))
    raise AssertionError("the best is within any error of itself")


def _held_out(x_ND: Floats, rater_N: Ints, prompt_N: Ints, groups: int, seed: int) -> Floats:
    """(N,) log-likelihood of each vote under groups found without its prompt."""
    prompts = np.random.default_rng(seed).permutation(int(prompt_N.max()) + 1)
    fold_N = (prompts % FOLDS)[prompt_N]
    found_N = np.zeros(len(x_ND))
    for fold in range(FOLDS):
        out = fold_N == fold
        fitted = find_vote_groups(x_ND[~out], _whole(rater_N, ~out), groups, seed=seed)
        weight_ND = fitted.weight_GD[fitted.group_R[rater_N[out]]]
        found_N[out] = log_expit((x_ND[out] * weight_ND).sum(1))
    return found_N


def _whole(rater_N: Ints, kept_N: np.ndarray) -> Ints:
    """The raters of the kept votes; `DataError` where one has no vote left."""
    kept = rater_N[kept_N]
    if len(np.unique(kept)) <= int(rater_N.max()):
        raise DataError("a rater voted on too few prompts to keep a quarter back; name the number.")
    found: Ints = kept
    return found


def _standard_error(difference_N: Floats, prompt_N: Ints) -> float:
    """Of the mean of votes that come in prompts."""
    sums = np.bincount(prompt_N, weights=difference_N - difference_N.mean())
    return float(np.sqrt((sums**2).sum())) / len(difference_N)


def standardised(x_ND: Floats, most: int = 64) -> Floats:
    """(N, at most `most`): the leading directions of the votes' features, each of variance 1.

    Weights of many features that hardly vary would follow noise.
    """
    left, size, _ = np.linalg.svd(x_ND, full_matrices=False)
    kept = size[:most] > 1e-6 * size[0]
    found: Floats = left[:, :most][:, kept] * np.sqrt(len(x_ND))
    return found


def names_of(group_R: Ints, raters: Sequence[str]) -> dict[str, str]:
    """{rater: "group-1"}."""
    return {name: f"group-{int(group) + 1}" for name, group in zip(raters, group_R, strict=True)}
