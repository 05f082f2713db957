"""From one figure a branch to the sum of a batch's losses, for each view of a group.

Every offline objective is a function of one figure a branch: the summed log-probability under the
policy, or the score of a reward model. So the forward is the same for all of them, and what follows
it is here. Shape letters: B branches of a batch, P pairs, G groups of up to K branches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from suffrage.data.views import BAD, GOOD
from suffrage.objectives.answers import Answers
from suffrage.objectives.objective import Objective
from suffrage.objectives.pairs import pair_accuracy
from suffrage.objectives.rankings import GroupTerms
from suffrage.train.examples import Example
from suffrage.train.figures import Sums, of_best, ranked, weighted

Terms = Callable[[Sequence[Example], Tensor], tuple[Tensor, Sums]]
Count = Callable[[Sequence[Example]], float]


@dataclass(frozen=True)
class PairIndex:
    """The pairs of several examples as tensors; branches are counted across the batch."""

    first_P: Tensor
    second_P: Tensor
    probability_P: Tensor
    weight_P: Tensor
    strength_P: Tensor
    group_P: Tensor


def index_pairs(examples: Sequence[Example], device: torch.device) -> PairIndex:
    """The examples' pairs, their branches laid end to end in the order of the examples."""
    rows = [
        (
            start + pair.first,
            start + pair.second,
            pair.probability,
            pair.weight,
            1.0 if pair.strength is None else pair.strength,
            number,
        )
        for number, (example, start) in enumerate(zip(examples, starts_of(examples), strict=True))
        for pair in example.pairs
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 6
    kinds = (torch.long, torch.long, *[torch.float32] * 3, torch.long)
    made = (torch.tensor(c, dtype=k, device=device) for c, k in zip(columns, kinds, strict=True))
    return PairIndex(*made)


def starts_of(examples: Sequence[Example]) -> list[int]:
    """The place of each example's first branch in the batch."""
    starts = [0]
    for example in examples:
        starts.append(starts[-1] + len(example.tree.branches))
    return starts[:-1]


def answers(examples: Sequence[Example], logp_B: Tensor) -> Answers:
    """The branches' log-probabilities with their lengths and, where it was taken, the reference."""
    taken = [e.reference_B for e in examples if e.reference_B is not None]
    reference_B = torch.cat(taken).to(logp_B) if taken else torch.zeros_like(logp_B)
    lengths = [length for example in examples for length in example.lengths]
    return Answers(logp_B, reference_B, torch.tensor(lengths, device=logp_B.device))


# ------------------------------------------------------------- a language model's objectives


def language_terms(row: Objective, options: dict[str, Any]) -> Terms:
    """What follows the forward of a language model, for one objective and its options."""
    view = _LANGUAGE[row.view]
    return lambda examples, logp_B: view(row.function, options, examples, answers(examples, logp_B))


def _demonstrations(
    function: Any, options: dict[str, Any], examples: Sequence[Example], found: Answers
) -> tuple[Tensor, Sums]:
    return function(found, **options).sum(), {}


def _pairs(
    function: Any, options: dict[str, Any], examples: Sequence[Example], found: Answers
) -> tuple[Tensor, Sums]:
    pairs = index_pairs(examples, found.logp.device)
    first, second = found.at(pairs.first_P), found.at(pairs.second_P)
    terms = function(first, second, pairs.probability_P, **options)
    margin_P = terms.reward_first_P - terms.reward_second_P
    weight_P = pairs.weight_P
    return (terms.loss_P * weight_P).sum(), {
        "accuracy": weighted(pair_accuracy(margin_P, pairs.probability_P), weight_P),
        "margin": weighted(margin_P, weight_P),
        "chosen_reward": weighted(terms.reward_first_P, weight_P),
        "rejected_reward": weighted(terms.reward_second_P, weight_P),
        "chosen_logp": weighted(first.mean, weight_P),
        "rejected_logp": weighted(second.mean, weight_P),
    }


def _labels(
    function: Any, options: dict[str, Any], examples: Sequence[Example], found: Answers
) -> tuple[Tensor, Sums]:
    device = found.logp.device
    own, strangers = _own_and_strangers(examples, device)
    label_B = torch.tensor([float(x) for e in examples for x in e.labels], device=device)
    others = (found.at(strangers),) if len(strangers) else ()
    loss_B, reward_B = function(found.at(own), label_B, *others, **options)
    return loss_B.sum(), {
        "chosen_reward": weighted(reward_B, label_B),
        "rejected_reward": weighted(reward_B, 1 - label_B),
        "chosen_logp": weighted(found.at(own).mean, label_B),
        "rejected_logp": weighted(found.at(own).mean, 1 - label_B),
    }


def _own_and_strangers(examples: Sequence[Example], device: torch.device) -> tuple[Tensor, Tensor]:
    """Places of the branches with a label, and of those that answer another prompt."""
    own: list[int] = []
    strangers: list[int] = []
    for example, start in zip(examples, starts_of(examples), strict=True):
        end = start + len(example.labels)
        own.extend(range(start, end))
        strangers.extend(range(end, start + len(example.tree.branches)))
    return torch.tensor(own, dtype=torch.long, device=device), torch.tensor(
        strangers, dtype=torch.long, device=device
    )


def _rankings(
    function: Any, options: dict[str, Any], examples: Sequence[Example], found: Answers
) -> tuple[Tensor, Sums]:
    place_GK, worth_GK, mask_GK = index_rankings(examples, found.logp.device)
    padded = found.at(place_GK)
    terms = function(padded, worth_GK, mask_GK, **options)
    loss_G, reward_GK = terms if isinstance(terms, GroupTerms) else (terms, padded.mean)
    return loss_G.sum(), {
        "accuracy": ranked(reward_GK.detach(), worth_GK, mask_GK),
        "chosen_logp": of_best(padded.mean, worth_GK, mask_GK),
    }


def index_rankings(
    examples: Sequence[Example], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """(G, K) places of the branches, their worth, and a mask that is 1 on real ones."""
    width = max(len(example.worth) for example in examples)
    rows = zip(examples, starts_of(examples), strict=True)
    place = [[start + (k if k < len(e.worth) else 0) for k in range(width)] for e, start in rows]
    worth = [[*e.worth, *[0.0] * (width - len(e.worth))] for e in examples]
    mask = [[float(k < len(e.worth)) for k in range(width)] for e in examples]
    return (
        torch.tensor(place, dtype=torch.long, device=device),
        torch.tensor(worth, dtype=torch.float32, device=device),
        torch.tensor(mask, dtype=torch.float32, device=device),
    )


def _classes(
    function: Any, options: dict[str, Any], examples: Sequence[Example], found: Answers
) -> tuple[Tensor, Sums]:
    quality_B = torch.tensor([q for e in examples for q in e.worth], device=found.logp.device)
    return function(found, quality_B, **options).sum(), {
        "chosen_logp": weighted(found.mean, (quality_B == GOOD).float()),
        "rejected_logp": weighted(found.mean, (quality_B == BAD).float()),
    }


_LANGUAGE = {
    "demonstrations": _demonstrations,
    "comparisons": _demonstrations,
    "classes": _classes,
    "pairs": _pairs,
    "labels": _labels,
    "rankings": _rankings,
}


# ------------------------------------------------------------- what a batch counts, and figures


def count_of(row: Objective) -> Count:
    """What the summed losses of a batch are divided by."""
    return count_groups if row.learns == "reward" else _COUNTS[row.view]


def count_tokens(examples: Sequence[Example]) -> float:
    return float(sum(example.tree.scored for example in examples))


def count_pairs(examples: Sequence[Example]) -> float:
    return float(sum(pair.weight for example in examples for pair in example.pairs))


def count_labels(examples: Sequence[Example]) -> float:
    return float(sum(len(example.labels) for example in examples))


def count_groups(examples: Sequence[Example]) -> float:
    """A group counts once, or once for each head that it has something to say to."""
    return float(sum(len(example.parts) or 1 for example in examples))


_COUNTS: dict[str, Count] = {
    "demonstrations": count_tokens,
    "comparisons": count_tokens,
    "classes": count_tokens,
    "pairs": count_pairs,
    "labels": count_labels,
    "rankings": count_groups,
}
