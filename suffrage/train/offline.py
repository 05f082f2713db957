"""Steps of the methods that learn from data on disk: SFT, reward models, DPO.

A method gives two functions of (examples, forest): how much the batch counts, and the sum of its
losses with the figures to log. Everything else is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from suffrage.core.progress import progress_bar
from suffrage.data.forest import Forest, Layout, pack, split
from suffrage.models.forward import branch_lengths, branch_sums, token_logps
from suffrage.models.language_model import LanguageModel
from suffrage.models.scalar_head import ScalarModel, scores
from suffrage.objectives.likelihood import sft_loss
from suffrage.objectives.pairs import dpo_loss, pair_accuracy
from suffrage.objectives.rewards import group_weights, reward_loss
from suffrage.train.examples import Batches, Example, index_pairs
from suffrage.train.loop import Metrics, Optimiser

Sums = dict[str, tuple[float, float]]  # name -> sum and what to divide it by
Losses = Callable[[Sequence[Example], Forest], tuple[Tensor, Sums]]
Count = Callable[[Sequence[Example]], float]


@dataclass(frozen=True)
class OfflineStep:
    """One optimiser step on the batch of that step, in micro-batches of whole trees."""

    examples: Sequence[Example]
    batches: Batches
    losses: Losses
    count: Count
    optimiser: Optimiser
    layout: Layout
    device: torch.device
    budget: int

    def __call__(self, step: int) -> Metrics:
        batch = [self.examples[i] for i in self.batches.at(step)]
        sums: Sums = {}
        where = f"at step {step + 1}, on prompts {', '.join(e.prompt_id for e in batch)}"
        updated = self.optimiser.update(self._micro(batch, sums), self.count(batch), where)
        epoch = round((step + 1) / self.batches.per_epoch, 4)
        return {"epoch": epoch, **updated, **averages(sums)}

    def _micro(self, batch: Sequence[Example], sums: Sums) -> Iterator[Tensor]:
        for part, forest in forests(batch, self.layout, self.device, self.budget):
            loss_sum, found = self.losses(part, forest)
            add_sums(sums, found)
            yield loss_sum

    def evaluate(self, held_out: Sequence[Example]) -> Metrics:
        """The same figures over other examples, exact over the whole set."""
        sums: Sums = {}
        total = sum(float(loss) for loss in self._micro(held_out, sums))
        return {"loss": total / self.count(held_out), **averages(sums)}


def forests(
    examples: Sequence[Example], layout: Layout, device: torch.device, budget: int
) -> Iterator[tuple[list[Example], Forest]]:
    """The examples, `budget` tokens at a time, each part with its forest."""
    for indices in split([example.tree for example in examples], budget):
        part = [examples[i] for i in indices]
        yield part, pack([example.tree for example in part], layout).to(device)


def add_sums(sums: Sums, found: Sums) -> None:
    for name, (value, weight) in found.items():
        before = sums.get(name, (0.0, 0.0))
        sums[name] = (before[0] + value, before[1] + weight)


def averages(sums: Sums) -> Metrics:
    return {name: value / weight if weight else 0.0 for name, (value, weight) in sums.items()}


def count_tokens(examples: Sequence[Example]) -> float:
    return float(sum(example.tree.scored for example in examples))


def count_pairs(examples: Sequence[Example]) -> float:
    return float(sum(pair.weight for example in examples for pair in example.pairs))


def count_groups(examples: Sequence[Example]) -> float:
    return float(sum(1 for example in examples if example.pairs))


@dataclass(frozen=True)
class SFT:
    """Imitation of the demonstrations, every token counting the same."""

    policy: LanguageModel

    def __call__(self, examples: Sequence[Example], forest: Forest) -> tuple[Tensor, Sums]:
        loss_sum = sft_loss(token_logps(self.policy.model, forest)).sum()
        return loss_sum, {}


@dataclass(frozen=True)
class Reward:
    """The reward model's Bradley-Terry loss, each prompt's pairs counting as one."""

    scalar: ScalarModel
    options: dict[str, Any]

    def __call__(self, examples: Sequence[Example], forest: Forest) -> tuple[Tensor, Sums]:
        pairs = index_pairs(examples, forest)
        score_B = scores(self.scalar, forest)
        first_P, second_P = score_B[pairs.first_P], score_B[pairs.second_P]
        weight_P = group_weights(pairs.weight_P, pairs.group_P)
        loss_P = reward_loss(first_P, second_P, pairs.probability_P, **self.options)
        return (loss_P * weight_P).sum(), {
            "accuracy": _weighted(pair_accuracy(first_P - second_P, pairs.probability_P), weight_P),
            "margin": _weighted(first_P - second_P, weight_P),
            "reward": (float(score_B.detach().sum()), len(score_B)),
        }


def with_reference(
    policy: LanguageModel, examples: Sequence[Example], budget: int
) -> list[Example]:
    """The examples with the log-probabilities of the policy as it is now: DPO's reference."""
    made: list[Example] = []
    parts = forests(examples, policy.layout, policy.device, budget)
    with torch.no_grad(), progress_bar("reference", len(examples)) as advance:
        for part, forest in parts:
            sums_B = branch_sums(token_logps(policy.model, forest), forest)
            own = sums_B.split([len(example.tree.branches) for example in part])
            made += [replace(e, reference_B=r) for e, r in zip(part, own, strict=True)]
            advance(len(part))
    return made


@dataclass(frozen=True)
class DPO:
    """DPO; the examples come from `with_reference`."""

    policy: LanguageModel
    options: dict[str, Any]

    def __call__(self, examples: Sequence[Example], forest: Forest) -> tuple[Tensor, Sums]:
        pairs = index_pairs(examples, forest)
        sum_B = branch_sums(token_logps(self.policy.model, forest), forest)
        reference_B = torch.cat([e.reference_B for e in examples if e.reference_B is not None])
        length_B = branch_lengths(forest)
        loss_P, first_P, second_P = dpo_loss(
            sum_B[pairs.first_P],
            sum_B[pairs.second_P],
            reference_B[pairs.first_P],
            reference_B[pairs.second_P],
            pairs.probability_P,
            length_B[pairs.first_P],
            **self.options,
        )
        weight_P = pairs.weight_P
        mean_B = (sum_B / length_B).detach()
        return (loss_P * weight_P).sum(), {
            "accuracy": _weighted(pair_accuracy(first_P - second_P, pairs.probability_P), weight_P),
            "margin": _weighted(first_P - second_P, weight_P),
            "chosen_reward": _weighted(first_P, weight_P),
            "rejected_reward": _weighted(second_P, weight_P),
            "chosen_logp": _weighted(mean_B[pairs.first_P], weight_P),
            "rejected_logp": _weighted(mean_B[pairs.second_P], weight_P),
        }


def _weighted(values_P: Tensor, weight_P: Tensor) -> tuple[float, float]:
    return float((values_P * weight_P).sum().detach()), float(weight_P.sum())
