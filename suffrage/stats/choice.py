"""One choice for groups of people who want different things: by the mean, and by MaxMin.

The mean choice is best for people on average, and may be one that a minority finds the worst of
all. The MaxMin choice is the one whose least happy group is happiest: the egalitarian principle of
S. Chakraborty et al., "MaxMin-RLHF" (2024), equation 11, over items instead of policies.

What an item is worth to a group must be on one scale for all groups: here the chance that someone
of the group prefers it to another item drawn at random, from the group's own Bradley-Terry scores.
Scores themselves are not comparable, for a group that decides more sharply has larger ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.special import expit

from suffrage.stats.intervals import Floats


def worth(scores_BK: Floats) -> Floats:
    """The mean over the other items of P(item beats other) under Bradley-Terry scores: (B, K)."""
    chance = expit(scores_BK[:, :, None] - scores_BK[:, None, :])
    against = chance.sum(axis=2) - 0.5  # less the half against itself
    return np.asarray(against / max(scores_BK.shape[1] - 1, 1), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Choices:
    """The mean and the MaxMin choice among K items for G groups."""

    worth_GK: Floats
    mean_K: Floats  # what each item is worth on average
    least_K: Floats  # what it is worth to the group that likes it least
    mean_choice: int
    maxmin_choice: int
    mixture_K: Floats  # the lottery over items whose least happy group is happiest
    mixture_value: float


def choose(worth_GK: Floats, weight_G: Floats | None = None) -> Choices:
    """Both choices; `weight_G` is how many people each group stands for (equal without it).

    Of equal items the first is chosen.
    """
    weight = np.ones(len(worth_GK)) if weight_G is None else weight_G
    mean, least = weight @ worth_GK / weight.sum(), worth_GK.min(axis=0)
    mixture, value = maxmin_mixture(worth_GK)
    return Choices(worth_GK, mean, least, int(mean.argmax()), int(least.argmax()), mixture, value)


def maxmin_mixture(worth_GK: Floats) -> tuple[Floats, float]:
    """Shares of items (K,) that make the least happy group's mean worth largest, and that worth.

    The linear programme: maximise v with sum_k q_k worth_gk >= v for every group, q a distribution.
    A model need not answer alike every time, so it can be fairer than any single item.
    """
    groups, items = worth_GK.shape
    found = linprog(
        np.append(np.zeros(items), -1.0),
        A_ub=np.hstack([-worth_GK, np.ones((groups, 1))]),
        b_ub=np.zeros(groups),
        A_eq=np.append(np.ones(items), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, 1)] * items + [(None, None)],
    )
    solution = np.asarray(found.x, dtype=np.float64)
    return solution[:items], float(solution[-1])


def choice_shares(draws_GBK: Floats, weight_G: Floats) -> tuple[Floats, Floats]:
    """In which share of bootstrap rounds each item is the mean and the MaxMin choice: (K,) each.

    `draws_GBK` holds each group's Bradley-Terry scores of each round.
    """
    groups, rounds, items = draws_GBK.shape
    worth_GBK = worth(draws_GBK.reshape(-1, items)).reshape(groups, rounds, items)
    mean = np.tensordot(weight_G / weight_G.sum(), worth_GBK, axes=1).argmax(axis=1)
    least = worth_GBK.min(axis=0).argmax(axis=1)
    share = [np.bincount(chosen, minlength=items) / rounds for chosen in (mean, least)]
    return share[0], share[1]
