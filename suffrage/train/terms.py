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

from suffrage.data.opinions import Ranking
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
            pair.weight * example.weight,
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


def weights(examples: Sequence[Example], like_B: Tensor) -> Tensor:
    """(B,): how much each branch's group counts."""
    found = [example.weight for example in examples for _ in example.tree.branches]
    return torch.tensor(found, dtype=like_B.dtype, device=like_B.device)


# ------------------------------------------------------------- a language model's objectives


def language_terms(row: Objective, options: dict[str, Any]) -> Terms:
    """What follows the forward of a language model, for one objective and its options."""
    view = _LANGUAGE[row.view]
    return lambda examples, logp_B: view(row.function, options, examples, answers(examples, logp_B))


def _demonstrations(
    function: Any, options: dict[str, Any], examples: Sequence[Example], found: Answers
) -> tuple[Tensor, Sums]:
    return (function(found, **options) * weights(examples, found.logp)).sum(), {}


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
    weight_B = weights(examples, found.logp)[own]
    for_B, against_B = weight_B * label_B, weight_B * (1 - label_B)
    return (loss_B * weight_B).sum(), {
        "chosen_reward": weighted(reward_B, for_B),
        "rejected_reward": weighted(reward_B, against_B),
        "chosen_logp": weighted(found.at(own).mean, for_B),
        "rejected_logp": weighted(found.at(own).mean, against_B),
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
    index = index_rankings(examples, found.logp.device)
    padded = found.at(index.place_GK)
    terms = function(padded, index.worth_GK, index.mask_GK, **options)
    loss_G, reward_GK = terms if isinstance(terms, GroupTerms) else (terms, padded.mean)
    return (loss_G * index.weight_G).sum(), {
        "accuracy": ranked(reward_GK.detach(), index.worth_GK, index.consensus_GK),
        "chosen_logp": of_best(padded.mean, index.worth_GK, index.consensus_GK),
    }


@dataclass(frozen=True)
class RankingIndex:
    """The rankings of several examples as tensors, all of one example weighing what it weighs."""

    place_GK: Tensor
    worth_GK: Tensor
    mask_GK: Tensor  # 1 on real completions
    consensus_GK: Tensor  # the same, and 0 on rankings that are not what the raters say together
    weight_G: Tensor


def index_rankings(examples: Sequence[Example], device: torch.device) -> RankingIndex:
    """The examples' rankings, padded to one width, their branches laid end to end."""
    rows = [
        (start, one.worth, one.share * example.weight, float(number == 0))
        for example, start in zip(examples, starts_of(examples), strict=True)
        for number, one in enumerate(_rankings_of(example))
    ]
    width = max(len(worth) for _, worth, *_ in rows)
    place = [[start + (k if k < len(w) else 0) for k in range(width)] for start, w, *_ in rows]
    worth = [[*w, *[0.0] * (width - len(w))] for _, w, *_ in rows]
    mask = [[float(k < len(w)) for k in range(width)] for _, w, *_ in rows]
    weight, consensus = ([row[column] for row in rows] for column in (2, 3))

    def tensor(values: Sequence[object]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=device)

    mask_GK = tensor(mask)
    consensus_GK = mask_GK * tensor(consensus)[:, None]
    return RankingIndex(
        torch.tensor(place, device=device), tensor(worth), mask_GK, consensus_GK, tensor(weight)
    )


def _rankings_of(example: Example) -> tuple[Ranking, ...]:
    """The consensus first: the one ranking there is, or for the figures only."""
    if len(example.rankings) == 1:
        return example.rankings
    return (Ranking(example.worth, float(not example.rankings)), *example.rankings)


def _classes(
    function: Any, options: dict[str, Any], examples: Sequence[Example], found: Answers
) -> tuple[Tensor, Sums]:
    quality_B = torch.tensor([q for e in examples for q in e.worth], device=found.logp.device)
    weight_B = weights(examples, found.logp)
    return (function(found, quality_B, **options) * weight_B).sum(), {
        "chosen_logp": weighted(found.mean, weight_B * (quality_B == GOOD)),
        "rejected_logp": weighted(found.mean, weight_B * (quality_B == BAD)),
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


def count_demonstrations(examples: Sequence[Example]) -> float:
    """Tokens, since a mean over these is what is imitated."""
    return float(sum(example.weight * example.tree.scored for example in examples))


def count_pairs(examples: Sequence[Example]) -> float:
    return float(sum(e.weight * pair.weight for e in examples for pair in e.pairs))


def count_labels(examples: Sequence[Example]) -> float:
    return float(sum(example.weight * len(example.labels) for example in examples))


def count_groups(examples: Sequence[Example]) -> float:
    """A group counts once, or once for each head that it has something to say to."""
    told = ([part.example for part in example.parts] or [example] for example in examples)
    return float(sum(example.counts for own in told for example in own))


_COUNTS: dict[str, Count] = {
    "demonstrations": count_demonstrations,
    "comparisons": count_demonstrations,
    "classes": count_demonstrations,
    "pairs": count_pairs,
    "labels": count_labels,
    "rankings": count_groups,
}
