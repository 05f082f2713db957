"""From groups to what an offline method trains on: a tree, and the view it needs of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from suffrage.core.errors import DataError
from suffrage.core.records import Group, SoftPair
from suffrage.data.chains import chain_tree
from suffrage.data.conditioning import ASKED_AFTER, classed, compared
from suffrage.data.encode import Branch, Encoder, Tree
from suffrage.data.opinions import Ranking, Rating
from suffrage.data.preferences import consensus, heard, silenced
from suffrage.objectives.objective import Objective
from suffrage.train.heads import Heads
from suffrage.train.views import Used, used_by


@dataclass(frozen=True)
class Example:
    """One group, encoded, with only the completions that the method uses."""

    prompt_id: str
    tree: Tree
    pairs: tuple[SoftPair, ...] = ()  # indices into the tree's branches; the preferred one first
    worth: tuple[float, ...] = ()  # of each branch, higher is better
    rankings: tuple[Ranking, ...] = ()  # of the branches, by raters; `worth` is the consensus
    labels: tuple[float, ...] = ()  # of each branch that answers this prompt: desirable to whom
    ratings: tuple[Rating, ...] = ()  # of branches
    raters: tuple[str, ...] = ()  # whose votes the pairs are, where each pair is one rater's
    head: int = 0  # of a model with several, the one that all this is about
    parts: tuple[Part, ...] = ()  # for several heads: one each, and nothing in the fields above
    reference_B: Tensor | None = None  # the reference's log-probability of each branch
    weight: float = 1.0  # how much all this counts

    @property
    def lengths(self) -> list[int]:
        """Scored tokens of each branch."""
        return [len(branch.scored) for branch in self.tree.branches]

    @property
    def counts(self) -> float:
        """What the example counts in a mean over prompts: 1, unless weights say otherwise."""
        pairs = [pair.weight for pair in self.pairs]
        return self.weight * (sum(pairs) / len(pairs) if pairs else 1.0)


@dataclass(frozen=True)
class Part:
    """What an example says to one head of the model, on some of its branches."""

    branches: tuple[int, ...]
    example: Example


SILENCED = "all their raters weigh 0"
_EMPTY = {
    "demonstrations": "no completion to imitate",
    "labels": "no completion has a label",
    "classes": "no completion stands out as good or bad",
}


def make_examples(
    groups: Sequence[Group],
    encoder: Encoder,
    row: Objective,
    held_out_by: str = "",
    seed: int = 0,
    heads: Heads | None = None,
) -> tuple[list[Example], str]:
    """The examples, and a sentence on the groups left out (empty when there are none).

    `held_out_by` names the option that held these groups out of training, if one did. The seed
    draws the wordings, where a method tells the model how good an answer is. `heads` says which
    judgments are for which head of the model. Raises `DataError` when every group is left out.
    """
    if heads is None:
        made = [_example(group, encoder, row, groups, seed) for group in groups]
    else:
        made = [_for_heads(group, encoder, row, groups, heads) for group in groups]
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


def _example(
    group: Group, encoder: Encoder, row: Objective, groups: Sequence[Group], seed: int
) -> Example | str:
    """The group, one of `groups`, as an example, or why it cannot be one."""
    group = consensus(group)
    if silenced(group) and not (row.view == "demonstrations" and heard(group)):
        return SILENCED
    view = used_by(row, group, groups)
    if not view.completions:
        return _EMPTY.get(row.view, "all completions tie")
    if not view.weight:
        return "their weight is 0"
    told = row.view in ASKED_AFTER
    made = _told(group, encoder, view, seed) if told else _example_of(group, encoder, view)
    return made or f"longer than {encoder.context} tokens"


def _for_heads(
    group: Group, encoder: Encoder, row: Objective, groups: Sequence[Group], heads: Heads
) -> Example | str:
    """The group on one tree for all heads, each told what its own judgments say."""
    parts_of = enumerate(heads.split(group))
    own = ((head, part) for head, part in parts_of if part.judgments and not silenced(part))
    views = {head: used_by(row, consensus(j), heads.judged(groups, head)) for head, j in own}
    views = {head: view for head, view in views.items() if view.completions and view.weight}
    if not views:
        return "no head has a judgment to learn from"
    used = tuple(sorted({i for view in views.values() for i in view.completions}))
    whole = _example_of(group, encoder, Used(used))
    if whole is None:
        return f"longer than {encoder.context} tokens"
    parts = tuple(_part(whole, used, head, view) for head, view in views.items())
    return replace(whole, parts=parts)


def _part(whole: Example, used: tuple[int, ...], head: int, view: Used) -> Part:
    branches = tuple(used.index(i) for i in view.completions)
    tree = Tree(whole.tree.trunk, tuple(whole.tree.branches[i] for i in branches))
    return Part(branches, replace(_with_view(whole.prompt_id, tree, view), head=head))


def _example_of(group: Group, encoder: Encoder, view: Used) -> Example | None:
    completions = tuple(group.completions[i] for i in view.completions)
    tree = encoder.tree(Group(prompt=group.prompt, completions=completions))
    return None if tree is None else _with_view(group.prompt.id, tree, view)


def _with_view(prompt_id: str, tree: Tree, view: Used) -> Example:
    place = {index: branch for branch, index in enumerate(view.completions)}
    pairs = tuple(_oriented(pair, place) for pair in view.pairs)
    ratings = tuple(replace(one, completion=place[one.completion]) for one in view.ratings)
    return Example(
        prompt_id,
        tree,
        pairs=pairs,
        worth=view.worth,
        rankings=view.rankings,
        labels=view.labels,
        ratings=ratings,
        raters=view.raters,
        weight=view.weight,
    )


def _told(group: Group, encoder: Encoder, view: Used, seed: int) -> Example | None:
    """A branch for each pair with both its answers, or for each answer, after what it is told."""
    pairs = compared(group.prompt, view.pairs, seed)
    tree = chain_tree(encoder, group, pairs or classed(view.completions, view.worth))
    if tree is None:
        return None
    return Example(group.prompt.id, tree, worth=view.worth, weight=view.weight)


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
    turned = {"first": first, "second": second, "probability": p}
    return pair.model_copy(update=turned)


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
