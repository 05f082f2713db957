"""From groups to what an offline method trains on: a tree, and the view it needs of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from suffrage.core.errors import DataError
from suffrage.core.records import Group, Preference, SoftPair
from suffrage.data.encode import Encoder, Tree
from suffrage.data.forest import Forest
from suffrage.data.preferences import consensus
from suffrage.data.views import as_demonstrations, as_pairs
from suffrage.objectives.table import View


@dataclass(frozen=True)
class Example:
    """One group, encoded, with only the completions that the view uses."""

    prompt_id: str
    tree: Tree
    pairs: tuple[SoftPair, ...] = ()  # indices into the tree's branches; the preferred one first
    reference_B: Tensor | None = None  # the reference's log-probability of each branch


@dataclass(frozen=True)
class PairIndex:
    """The pairs of several examples as tensors; P pairs, branches counted across the forest."""

    first_P: Tensor
    second_P: Tensor
    probability_P: Tensor
    weight_P: Tensor
    group_P: Tensor


def make_examples(
    groups: Sequence[Group], encoder: Encoder, view: View, method: str
) -> tuple[list[Example], str]:
    """The examples, and a sentence on the groups left out (empty when there are none)."""
    made = [_example(group, encoder, view, method) for group in groups]
    kept = [example for example in made if isinstance(example, Example)]
    left_out = Counter(reason for reason in made if isinstance(reason, str))
    note = "; ".join(f"{count} rows left out: {why}" for why, count in left_out.items())
    if not kept:
        raise DataError(f"no row is left to train on: {note}; give {method} other data.")
    return kept, note


def _example(group: Group, encoder: Encoder, view: View, method: str) -> Example | str:
    """The group as an example, or why it cannot be one."""
    preference = consensus(group).preference or Preference()
    if view == "demonstrations":
        used = as_demonstrations(preference, method)
        pairs: tuple[SoftPair, ...] = ()
    else:
        pairs = as_pairs(preference, method)
        used = tuple(sorted({i for pair in pairs for i in (pair.first, pair.second)}))
    if not used:
        return "no completion to imitate" if view == "demonstrations" else "all completions tie"
    completions = tuple(group.completions[i] for i in used)
    bare = Group(prompt=group.prompt, completions=completions)
    tree = encoder.tree(bare)
    if tree is None:
        return f"longer than {encoder.context} tokens"
    place = {index: branch for branch, index in enumerate(used)}
    return Example(group.prompt.id, tree, tuple(_oriented(pair, place) for pair in pairs))


def _oriented(pair: SoftPair, place: dict[int, int]) -> SoftPair:
    """The preferred completion first, so that margins and accuracies read the same everywhere."""
    first, second, p = place[pair.first], place[pair.second], pair.probability
    if p < 0.5:
        first, second, p = second, first, 1 - p
    return SoftPair(first=first, second=second, probability=p, weight=pair.weight)


def index_pairs(examples: Sequence[Example], forest: Forest) -> PairIndex:
    """The examples' pairs, on the forest's device; the forest packs their trees in this order."""
    rows: list[tuple[int, int, float, float, int]] = []
    offset = 0
    for number, example in enumerate(examples):
        for pair in example.pairs:
            first, second = offset + pair.first, offset + pair.second
            rows.append((first, second, pair.probability, pair.weight, number))
        offset += len(example.tree.branches)
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    device = forest.last_B.device
    return PairIndex(
        first_P=torch.tensor(columns[0], dtype=torch.long, device=device),
        second_P=torch.tensor(columns[1], dtype=torch.long, device=device),
        probability_P=torch.tensor(columns[2], dtype=torch.float32, device=device),
        weight_P=torch.tensor(columns[3], dtype=torch.float32, device=device),
        group_P=torch.tensor(columns[4], dtype=torch.long, device=device),
    )


@dataclass(frozen=True)
class Batches:
    """Which examples each step takes: every epoch a new order, known from the seed alone."""

    size: int  # examples
    batch_size: int
    seed: int

    @property
    def per_epoch(self) -> int:
        return -(-self.size // self.batch_size)

    def at(self, step: int) -> list[int]:
        """The indices of `step` (from 0); no state, so a resumed run draws the same."""
        epoch, number = divmod(step, self.per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(self.size)
        chosen = order[number * self.batch_size : (number + 1) * self.batch_size]
        return [int(i) for i in chosen]
