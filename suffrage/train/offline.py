"""Steps of the methods that learn from data on disk.

A `Method` says what one forward gives for each branch, what the objective makes of those figures,
and what a batch counts. The step packs forests, spreads the batch over micro-batches, and knows how
to split even an objective that couples all groups of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from suffrage.data.forest import Forest, Layout, deal, pack, split
from suffrage.models.forward import branch_sums, token_logps
from suffrage.models.language_model import LanguageModel
from suffrage.models.logprobs import chunk_rows
from suffrage.models.processes import ALONE, Processes
from suffrage.models.scalar_head import ScalarModel, scores
from suffrage.objectives.objective import Objective
from suffrage.train.beside import Beside
from suffrage.train.examples import Batches, Example
from suffrage.train.figures import Sums, add_sums, add_up, averages
from suffrage.train.optimiser import Metrics, Optimiser
from suffrage.train.regulariser import Anchor, figures_with_kl, terms_with_kl
from suffrage.train.reward_terms import reward_terms
from suffrage.train.terms import (
    Count,
    Terms,
    count_of,
    count_tokens,
    language_terms,
)

NO_LIMIT = 1 << 62


@dataclass(frozen=True)
class Method:
    """An objective on a model: figures of branches, what follows from them, what a batch counts."""

    branches: nn.Module  # from a forest to (B,) summed log-probabilities, or scores
    terms: Terms
    count: Count
    whole_batch: bool
    packing: Packing
    kl: float | None = None  # its weight; then the figures are two a branch: `figures_with_kl`


def shared_out(method: Method, optimiser: Optimiser) -> Method:
    """The method with its weights shared out over the processes, if the launcher asks for it."""
    branches, optimiser.adamw = optimiser.processes.share_out(method.branches, optimiser.adamw)
    return replace(method, branches=branches)


class Branches(nn.Module):
    """What a model says of each branch, as the forward of a module that holds the model.

    So that what shares out a model's weights over processes sees it being called.
    """

    def __init__(self, model: nn.Module, figure: Callable[[Forest], Tensor]) -> None:
        super().__init__()
        self.model, self.figure = model, figure
        self._no_split_modules = getattr(model, "_no_split_modules", None)

    def forward(self, forest: Forest) -> Tensor:
        return self.figure(forest)


@dataclass(frozen=True)
class Packing:
    """How much is computed at once."""

    layout: Layout
    device: torch.device
    tokens: int  # at most, in one micro-batch, unless one tree is larger
    scored: int = NO_LIMIT  # completion tokens whose logits fit in one chunk

    def parts(self, examples: Sequence[Example], processes: Processes = ALONE) -> list[list[int]]:
        """Indices of the examples of each of this process's micro-batches.

        All processes have equally many, since the shares of a model meet in each; so some of them
        may be empty. Examples of like sizes go together, for less padding.
        """
        dealt = deal([example.tree.size for example in examples], processes.size)
        rounds = [self._parts(examples, hand) for hand in dealt]
        own = rounds[processes.rank]
        return own + [[]] * (max(map(len, rounds)) - len(own))

    def _parts(self, examples: Sequence[Example], hand: list[int]) -> list[list[int]]:
        trees = [examples[i].tree for i in hand]
        return [[hand[i] for i in part] for part in split(trees, self.tokens, self.scored)]

    def forest(self, examples: Sequence[Example]) -> Forest:
        return pack([example.tree for example in examples], self.layout).to(self.device)


def language_method(
    row: Objective,
    options: dict[str, Any],
    policy: LanguageModel,
    tokens: int,
    anchor: Anchor | None = None,
) -> Method:
    """An objective on a language model; `with_reference` gives its examples the reference."""

    def logps(forest: Forest) -> Tensor:
        return branch_sums(token_logps(policy.model, forest), forest)

    return Method(
        Branches(policy.model, figures_with_kl(policy, anchor.reference) if anchor else logps),
        language_terms(row, options),
        count_of(row),
        row.whole_batch,
        packing_of(policy, tokens),
        anchor.weight if anchor else None,
    )


def packing_of(policy: LanguageModel, tokens: int) -> Packing:
    vocabulary: int = policy.model.get_input_embeddings().weight.shape[0]  # type: ignore[index,assignment]
    scored = chunk_rows(vocabulary, policy.device)
    return Packing(policy.layout, policy.device, tokens, scored)


def reward_method(
    row: Objective,
    options: dict[str, Any],
    scalar: ScalarModel,
    tokens: int,
    beside: Beside | None = None,
) -> Method:
    """An objective on a reward model, and on what some learn beside it."""
    return Method(
        Branches(scalar.model, lambda forest: scores(scalar, forest)),
        reward_terms(row, options, beside),
        count_of(row),
        row.whole_batch,
        Packing(scalar.base.layout, scalar.base.device, tokens),
    )


@dataclass(frozen=True)
class OfflineStep:
    """One optimiser step on the batch of that step, in micro-batches of whole trees."""

    examples: Sequence[Example]
    batches: Batches
    method: Method
    optimiser: Optimiser

    def __call__(self, step: int) -> Metrics:
        batch = [self.examples[i] for i in self.batches.at(step)]
        sums: Sums = {}
        losses = loss_sums(self.method, batch, sums, self.processes)
        parts = len(self.method.packing.parts(batch, self.processes))
        where = partial(self._where, step, batch)
        updated = self.optimiser.update(losses, self.method.count(batch), where, parts)
        epoch = round((step + 1) / self.batches.per_epoch, 4)
        tokens = sum(example.tree.size for example in batch)
        figures = averages(add_up(self.processes.gather(sums)))
        return {"epoch": epoch, **updated, **figures, "tokens": tokens}

    def _where(self, step: int, batch: Sequence[Example]) -> str:
        """The step and its rows: those whose own loss is no number, or all where it is none's."""
        with torch.no_grad():
            losses = [sum(map(float, loss_sums(self.method, [one], {}))) for one in batch]
        rows = zip(batch, losses, strict=True)
        broken = [example.prompt_id for example, loss in rows if not math.isfinite(loss)]
        names = broken or [example.prompt_id for example in batch]
        return f"at step {step + 1}, on prompts {', '.join(names)}"

    @property
    def processes(self) -> Processes:
        return self.optimiser.processes

    def figures(self, examples: Sequence[Example]) -> list[Tensor]:
        """The figures of each example's branches, without gradients."""
        parts = self.method.packing.parts(examples, self.processes)
        return _all_branches(self.method, examples, parts, self.processes)

    def evaluate(self, held_out: Sequence[Example]) -> Metrics:
        """The same figures over other examples, exact over the whole set."""
        sums: Sums = {}
        with torch.no_grad():
            losses = loss_sums(self.method, held_out, sums, self.processes)
            total = sum(self.processes.gather(sum(float(loss) for loss in losses)))
        whole = add_up(self.processes.gather(sums))
        whole.pop("waste", None)  # of no interest here
        return {"loss": total / self.method.count(held_out), **averages(whole)}


def loss_sums(
    method: Method, batch: Sequence[Example], sums: Sums, processes: Processes = ALONE
) -> Iterator[Tensor]:
    """Losses that add up, over all processes, to the batch's, one a micro-batch.

    Figures go into `sums`, which likewise add up.
    """
    if method.kl is not None:
        weight = method.kl * method.count(batch) / count_tokens(batch)
        method = replace(method, terms=terms_with_kl(method.terms, weight))
    parts = method.packing.parts(batch, processes)
    if method.whole_batch and (len(parts) > 1 or processes.size > 1):
        yield from _coupled(method, batch, parts, sums, processes)
        return
    for part in parts:
        examples = [batch[i] for i in part]
        branch_B = _branches(method, batch, part, sums)
        loss_sum, found = method.terms(examples, branch_B) if part else (0 * branch_B.sum(), {})
        add_sums(sums, found)
        yield loss_sum


def _branches(method: Method, batch: Sequence[Example], part: list[int], sums: Sums) -> Tensor:
    """The figures of a part's branches; of an empty part's, those of the smallest tree instead."""
    if not part:
        smallest = min(batch, key=lambda example: example.tree.size)
        return cast(Tensor, method.branches(method.packing.forest([smallest])))
    examples = [batch[i] for i in part]
    forest = method.packing.forest(examples)
    add_sums(sums, _waste(examples, forest))
    return cast(Tensor, method.branches(forest))


def _coupled(
    method: Method,
    batch: Sequence[Example],
    parts: list[list[int]],
    sums: Sums,
    processes: Processes,
) -> Iterator[Tensor]:
    """The chain rule in two passes (2101.06983): the loss's gradient by branch, then by weight.

    The first pass, without gradients, gives all branches' figures and with them the whole batch's
    loss; in the second each micro-batch passes on its share of that loss's gradient.
    """
    figures = _all_branches(method, batch, parts, processes)
    with torch.enable_grad():
        leaf_B = torch.cat(figures).requires_grad_()
        loss_sum, found = method.terms(batch, leaf_B)
        (slope_B,) = torch.autograd.grad(loss_sum, leaf_B)
    add_sums(sums, found if processes.main else {})
    loss = loss_sum.detach() if processes.main else torch.zeros_like(loss_sum)
    if not torch.is_grad_enabled():
        yield loss
        return
    slopes = slope_B.split([len(figure) for figure in figures])
    for number, part in enumerate(parts):
        branch_B = _branches(method, batch, part, sums)
        slope = torch.cat([slopes[i] for i in part]) if part else 0
        along = (branch_B * slope).sum()
        yield along - along.detach() + (0 if number else loss)


def _all_branches(
    method: Method, batch: Sequence[Example], parts: list[list[int]], processes: Processes
) -> list[Tensor]:
    """The figures of each example's branches, whichever process computes them."""
    own: dict[int, Tensor] = {}
    with torch.no_grad():
        for part in parts:
            branch_B = _branches(method, batch, part, {})
            counts = [len(batch[i].tree.branches) for i in part]
            own.update(zip(part, branch_B.cpu().split(counts) if part else (), strict=True))
    found = {i: figure for each in processes.gather(own) for i, figure in each.items()}
    return [found[i].to(method.packing.device) for i in range(len(batch))]


def _waste(examples: Sequence[Example], forest: Forest) -> Sums:
    """Tokens computed that no tree needed: padding and, in the plain layout, repeated prompts."""
    needed = sum(example.tree.size for example in examples)
    return {"waste": (forest.tokens - needed, forest.tokens)}
