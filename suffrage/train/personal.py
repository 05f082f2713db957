"""A reward for each rater: a common head, and how far the rater's own goes from it.

A mixed-effects model (Laird and Ware 1982): heads w_r = w + d_r on one trunk with
d_r ~ N(0, I / lambda) and a flat prior on the common w, fitted by its largest posterior density.
That people's rewards are linear in features they share is the model of 2503.17338, which has no
such prior. With it a rater of few votes stays with the others and a rater of many is heard.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from suffrage.models.scalar_head import ScalarModel
from suffrage.train.examples import Example
from suffrage.train.figures import Sums
from suffrage.train.terms import Terms, count_groups

SHRINKAGE = 1.0  # lambda; the states that heads read are about sqrt(D) long, so it is a weak prior


def deviations(weight_HD: Tensor) -> Tensor:
    """(H, D): how far each head is from the common one.

    The density is largest, whatever the heads, where the common one is their mean.
    """
    return weight_HD - weight_HD.mean(0, keepdim=True)


def with_prior(terms: Terms, scalar: ScalarModel, size: float) -> Terms:
    """The terms with lambda / 2 |d_r|^2 of each rater, shared over the `size` parts of an epoch.

    A part is what one rater said of one prompt. Only what is learned from pays for the prior:
    figures of held-out votes stay what they are without it.
    """

    def posterior(examples: Sequence[Example], score: Tensor) -> tuple[Tensor, Sums]:
        total, found = terms(examples, score)
        if not torch.is_grad_enabled():
            return total, found
        penalty = SHRINKAGE / 2 * deviations(scalar.weight_HD).pow(2).sum()
        return total + penalty * count_groups(examples) / size, found

    return posterior
