"""From groups to what an offline method trains on: a tree, and the view it needs of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from suffrage.core.errors import DataError
from suffrage.core.records import Group, Preference, SoftPair
from suffrage.data.encode import Branch, Encoder, Tree
from suffrage.data.preferences import consensus
from suffrage.data.views import as_demonstrations, as_labels, as_pairs, as_scores
from suffrage.objectives.table import Objective, View


@dataclass(frozen=True)
class Example:
    """One group, encoded, with only the completions that the method uses."""

    prompt_id: str
    tree: Tree
    pairs: tuple[SoftPair, ...] = ()  # indices into the tree's branches; the preferred one first
    worth: tuple[float, ...] = ()  # of each branch, higher is better
    labels: tuple[bool, ...] = ()  # of each branch that answers this prompt: desirable or not
    reference_B: Tensor | None = None  # the reference's log-probability of each branch

    @property
    def lengths(self) -> list[int]:
        """Scored tokens of each branch."""
        return [len(branch.tokens) - branch.unscored for branch in self.tree.branches]


@dataclass(frozen=True)
class _View:
    """The completions a method uses, and what it is told of them, in their order."""

    used: tuple[int, ...]
    pairs: tuple[SoftPair, ...] = ()  # indices into the group's completions
    worth: tuple[float, ...] = ()
    labels: tuple[bool, ...] = ()


def _demonstrations(preference: Preference, method: str) -> _View:
    return _View(as_demonstrations(preference, method))


def _pairs(preference: Preference, method: str) -> _View:
    pairs = as_pairs(preference, method)
    return _View(tuple(sorted({i for pair in pairs for i in (pair.first, pair.second)})), pairs)


def _rankings(preference: Preference, method: str) -> _View:
    worth = as_scores(preference, method)
    differ = len(set(worth)) > 1
    return _View(tuple(range(len(worth))) if differ else (), worth=worth)


def _labels(preference: Preference, method: str) -> _View:
    labelled = as_labels(preference, method)
    return _View(tuple(i for i, _ in labelled), labels=tuple(good for _, good in labelled))


_VIEWS: dict[View, Callable[[Preference, str], _View]] = {
    "demonstrations": _demonstrations,
    "pairs": _pairs,
    "rankings": _rankings,
    "labels": _labels,
}
_EMPTY = {"demonstrations": "no completion to imitate", "labels": "no completion has a label"}


def make_examples(
    groups: Sequence[Group], encoder: Encoder, row: Objective, held_out_by: str = ""
) -> tuple[list[Example], str]:
    """The examples, and a sentence on the groups left out (empty when there are none).

    `held_out_by` names the option that held these groups out of training, if one did. Raises
    `DataError` when every group is left out.
    """
    made = [_example(group, encoder, row) for group in groups]
    kept = [example for example in made if isinstance(example, Example)]
    left_out = Counter(reason for reason in made if isinstance(reason, str))
    note = "; ".join(f"{count} rows left out: {why}" for why, count in left_out.items())
    if not kept:
        raise _nothing_left(note, row.name, held_out_by)
    return (_with_strangers(kept, encoder.context) if row.mismatched else kept), note


def _nothing_left(note: str, method: str, held_out_by: str) -> DataError:
    if held_out_by:
        return DataError(
            f"no held-out row is left to evaluate on: {note}; give {method} another {held_out_by}."
        )
    return DataError(f"no row is left to train on: {note}; give {method} other data.")


def _example(group: Group, encoder: Encoder, row: Objective) -> Example | str:
    """The group as an example, or why it cannot be one."""
    view = _VIEWS[row.view](consensus(group).preference or Preference(), row.name)
    if not view.used:
        return _EMPTY.get(row.view, "all completions tie")
    completions = tuple(group.completions[i] for i in view.used)
    tree = encoder.tree(Group(prompt=group.prompt, completions=completions))
    if tree is None:
        return f"longer than {encoder.context} tokens"
    place = {index: branch for branch, index in enumerate(view.used)}
    pairs = tuple(_oriented(pair, place) for pair in view.pairs)
    return Example(group.prompt.id, tree, pairs, view.worth, view.labels)


def _with_strangers(examples: list[Example], context: int) -> list[Example]:
    """Each example with, as its last branch, an answer to the next one's prompt (KTO's y').

    The answer keeps the tokens it has after its own prompt, up to what the context has room for.
    """
    others = examples[1:] + examples[:1]
    return [
        replace(example, tree=_with_branch(example.tree, other.tree.branches[0], context))
        for example, other in zip(examples, others, strict=True)
    ]


def _with_branch(tree: Tree, stranger: Branch, context: int) -> Tree:
    tokens = stranger.tokens[stranger.unscored :][: context - len(tree.trunk)]
    return Tree(tree.trunk, (*tree.branches, Branch(tokens)))


def _oriented(pair: SoftPair, place: dict[int, int]) -> SoftPair:
    """The preferred completion first, so that margins and accuracies read the same everywhere."""
    first, second, p = place[pair.first], place[pair.second], pair.probability
    if p < 0.5:
        first, second, p = second, first, 1 - p
    return SoftPair(first=first, second=second, probability=p, weight=pair.weight)


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
