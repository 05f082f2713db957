"""From one score a branch to the sum of a batch's losses, for the objectives of reward models.

Shape letters: B branches of a batch, P pairs, R ratings of one scale, G groups of up to K branches,
H heads of the model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from suffrage.data.opinions import Scale
from suffrage.objectives.objective import Objective
from suffrage.objectives.ordinal import rating_accuracy
from suffrage.objectives.pairs import pair_accuracy
from suffrage.objectives.rewards import group_weights
from suffrage.train.beside import Beside, Cutpoints, Reliabilities
from suffrage.train.examples import Example
from suffrage.train.figures import Sums, ranked, weighted
from suffrage.train.terms import Terms, index_pairs, index_rankings, starts_of


def reward_terms(row: Objective, options: dict[str, Any], beside: Beside | None = None) -> Terms:
    """What follows the forward of a reward model; each group counts as one, or as its weight says.

    `beside` are the figures that some objectives learn beside the model.
    """
    if isinstance(beside, Cutpoints):
        own: Terms = partial(_ratings, row.function, options, beside)
    elif isinstance(beside, Reliabilities):
        own = partial(_votes, row.function, options, beside)
    else:
        own = partial(_REWARD[row.view], row.function, options)
    return partial(_of_heads, own)


def _of_heads(own: Terms, examples: Sequence[Example], score: Tensor) -> tuple[Tensor, Sums]:
    """The terms of each head's part of the examples; score: (B,), or (B, H) for H heads."""
    if score.dim() == 1:
        return own(examples, score)
    parts = [
        (part, [start + branch for branch in part.branches])
        for example, start in zip(examples, starts_of(examples), strict=True)
        for part in example.parts
    ]
    score_B = torch.cat([score[rows, part.example.head] for part, rows in parts])
    return own([part.example for part, _ in parts], score_B)


def _reward_pairs(
    function: Any, options: dict[str, Any], examples: Sequence[Example], score_B: Tensor
) -> tuple[Tensor, Sums]:
    pairs = index_pairs(examples, score_B.device)
    first_P, second_P = score_B[pairs.first_P], score_B[pairs.second_P]
    weight_P = group_weights(pairs.weight_P.to(score_B), pairs.group_P)
    loss_P = function(first_P, second_P, pairs.probability_P, pairs.strength_P, **options)
    return (loss_P * weight_P).sum(), {
        "accuracy": weighted(pair_accuracy(first_P - second_P, pairs.probability_P), weight_P),
        "margin": weighted(first_P - second_P, weight_P),
        "reward": (float(score_B.detach().sum()), len(score_B)),
    }


def _reward_labels(
    function: Any, options: dict[str, Any], examples: Sequence[Example], score_B: Tensor
) -> tuple[Tensor, Sums]:
    label_B = torch.tensor([float(x) for e in examples for x in e.labels], device=score_B.device)
    shares = [e.weight / len(e.labels) for e in examples for _ in e.labels]
    weight_B = torch.tensor(shares).to(score_B)
    right_B = ((score_B > 0) == (label_B > 0.5)).float().masked_fill(label_B == 0.5, 0.5)
    return (function(score_B, label_B, **options) * weight_B).sum(), {
        "accuracy": weighted(right_B, weight_B),
        "reward": (float(score_B.detach().sum()), len(score_B)),
    }


def _reward_rankings(
    function: Any, options: dict[str, Any], examples: Sequence[Example], score_B: Tensor
) -> tuple[Tensor, Sums]:
    index = index_rankings(examples, score_B.device)
    score_GK = score_B[index.place_GK]
    loss_G = function(score_GK, index.worth_GK, index.mask_GK, **options)
    return (loss_G * index.weight_G).sum(), {
        "accuracy": ranked(score_GK, index.worth_GK, index.consensus_GK),
        "reward": (float(score_B.detach().sum()), len(score_B)),
    }


def _ratings(
    function: Any,
    options: dict[str, Any],
    cutpoints: Cutpoints,
    examples: Sequence[Example],
    score_B: Tensor,
) -> tuple[Tensor, Sums]:
    rows: dict[tuple[Scale, int], list[tuple[int, int, float]]] = defaultdict(list)
    for example, start in zip(examples, starts_of(examples), strict=True):
        whole = sum(one.weight for one in example.ratings)
        for one in example.ratings:
            row = (start + one.completion, one.level, example.weight * one.weight / whole)
            rows[one.scale, example.head].append(row)
    losses, right = [], []
    for (scale, head), given in rows.items():
        place, level, weight = zip(*given, strict=True)
        score_R, rating_R = score_B[list(place)], torch.tensor(level, device=score_B.device)
        weight_R = torch.tensor(weight, dtype=score_B.dtype, device=score_B.device)
        cutpoints_C = cutpoints(scale, head)
        losses.append((function(score_R, rating_R, cutpoints_C, **options) * weight_R).sum())
        right.append(weighted(rating_accuracy(score_R, rating_R, cutpoints_C), weight_R))
    return torch.stack(losses).sum(), {
        "accuracy": (sum(value for value, _ in right), sum(weight for _, weight in right)),
        "reward": (float(score_B.detach().sum()), len(score_B)),
    }


def _votes(
    function: Any,
    options: dict[str, Any],
    reliabilities: Reliabilities,
    examples: Sequence[Example],
    score_B: Tensor,
) -> tuple[Tensor, Sums]:
    e_P, votes_P = reliabilities([rater for example in examples for rater in example.raters])

    def loss(first_P: Tensor, second_P: Tensor, probability_P: Tensor, _: Tensor) -> Tensor:
        found: Tensor = function(first_P, second_P, probability_P, e_P, votes_P, **options)
        return found

    total, found = _reward_pairs(loss, {}, examples, score_B)
    return total, {**found, "reliability": (float(e_P.detach().sum()), len(e_P))}


_REWARD = {"pairs": _reward_pairs, "labels": _reward_labels, "rankings": _reward_rankings}
