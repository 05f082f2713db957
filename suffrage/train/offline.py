"""Steps of the methods that learn from data on disk.

A `Method` says what one forward gives for each branch, what the objective makes of those figures,
and what a batch counts. The step packs forests, spreads the batch over micro-batches, and knows how
to split even an objective that couples all groups of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from suffrage.core.progress import progress_bar
from suffrage.data.forest import Forest, Layout, pack, split
from suffrage.models.forward import branch_sums, token_logps
from suffrage.models.language_model import LanguageModel
from suffrage.models.logprobs import chunk_rows
from suffrage.models.scalar_head import ScalarModel, scores
from suffrage.objectives.table import Objective
from suffrage.train.examples import Batches, Example
from suffrage.train.figures import Sums, add_sums, averages
from suffrage.train.loop import Metrics, Optimiser
from suffrage.train.terms import Count, Terms, count_of, language_terms, reward_terms

NO_LIMIT = 1 << 62


@dataclass(frozen=True)
class Method:
    """An objective on a model: figures of branches, what follows from them, what a batch counts."""

    branches: Callable[[Forest], Tensor]  # (B,) summed log-probabilities, or scores
    terms: Terms
    count: Count
    whole_batch: bool
    packing: Packing


@dataclass(frozen=True)
class Packing:
    """How much is computed at once."""

    layout: Layout
    device: torch.device
    tokens: int  # at most, in one micro-batch, unless one tree is larger
    scored: int = NO_LIMIT  # completion tokens whose logits fit in one chunk

    def parts(self, examples: Sequence[Example]) -> list[list[int]]:
        """Indices of the examples of each micro-batch, of like sizes, for less padding."""
        order = sorted(range(len(examples)), key=lambda i: -examples[i].tree.size)
        trees = [examples[i].tree for i in order]
        return [[order[i] for i in part] for part in split(trees, self.tokens, self.scored)]

    def forest(self, examples: Sequence[Example]) -> Forest:
        return pack([example.tree for example in examples], self.layout).to(self.device)


def language_method(
    row: Objective, options: dict[str, Any], policy: LanguageModel, tokens: int
) -> Method:
    """An objective on a language model; where it has a reference, see `with_reference`."""
    return Method(
        lambda forest: branch_sums(token_logps(policy.model, forest), forest),
        language_terms(row, options),
        count_of(row),
        row.whole_batch,
        packing_of(policy, tokens),
    )


def packing_of(policy: LanguageModel, tokens: int) -> Packing:
    vocabulary: int = policy.model.get_input_embeddings().weight.shape[0]  # type: ignore[index,assignment]
    scored = chunk_rows(vocabulary, policy.device)
    return Packing(policy.layout, policy.device, tokens, scored)


def reward_method(
    row: Objective, options: dict[str, Any], scalar: ScalarModel, tokens: int
) -> Method:
    """An objective on a reward model."""
    return Method(
        lambda forest: scores(scalar, forest),
        reward_terms(row, options),
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
        where = f"at step {step + 1}, on prompts {', '.join(e.prompt_id for e in batch)}"
        updated = self.optimiser.update(
            loss_sums(self.method, batch, sums), self.method.count(batch), where
        )
        epoch = round((step + 1) / self.batches.per_epoch, 4)
        return {"epoch": epoch, **updated, **averages(sums)}

    def evaluate(self, held_out: Sequence[Example]) -> Metrics:
        """The same figures over other examples, exact over the whole set."""
        sums: Sums = {}
        with torch.no_grad():
            total = sum(float(loss) for loss in loss_sums(self.method, held_out, sums))
        return {"loss": total / self.method.count(held_out), **averages(sums)}


def loss_sums(method: Method, batch: Sequence[Example], sums: Sums) -> Iterator[Tensor]:
    """Losses that add up to the batch's, one a micro-batch; figures go into `sums`."""
    parts = method.packing.parts(batch)
    if method.whole_batch and len(parts) > 1:
        yield from _coupled(method, batch, parts, sums)
        return
    for part in parts:
        examples = [batch[i] for i in part]
        branch_B = method.branches(method.packing.forest(examples))
        loss_sum, found = method.terms(examples, branch_B)
        add_sums(sums, found)
        yield loss_sum


def _coupled(
    method: Method, batch: Sequence[Example], parts: list[list[int]], sums: Sums
) -> Iterator[Tensor]:
    """The chain rule in two passes (2101.06983): the loss's gradient by branch, then by weight.

    The first pass, without gradients, gives all branches' figures and with them the whole batch's
    loss; in the second each micro-batch passes on its share of that loss's gradient.
    """
    ordered = [batch[i] for part in parts for i in part]
    forests = [method.packing.forest([batch[i] for i in part]) for part in parts]
    with torch.no_grad():
        found_B = torch.cat([method.branches(forest) for forest in forests])
    with torch.enable_grad():
        leaf_B = found_B.requires_grad_()
        loss_sum, found = method.terms(ordered, leaf_B)
        (slope_B,) = torch.autograd.grad(loss_sum, leaf_B)
    add_sums(sums, found)
    share = loss_sum.detach() / len(parts)
    slopes = slope_B.split([forest.branches for forest in forests])
    for forest, slope in zip(forests, slopes, strict=True):
        if not torch.is_grad_enabled():
            yield share
            continue
        along = (method.branches(forest) * slope).sum()
        yield along - along.detach() + share


def with_reference(
    policy: LanguageModel, examples: Sequence[Example], tokens: int
) -> list[Example]:
    """The examples with the log-probabilities of the policy as it is now: the reference."""
    packing = packing_of(policy, tokens)
    made = list(examples)
    with torch.no_grad(), progress_bar("reference", len(examples)) as advance:
        for part in packing.parts(examples):
            own = [examples[i] for i in part]
            forest = packing.forest(own)
            sums_B = branch_sums(token_logps(policy.model, forest), forest).cpu()
            for i, taken in zip(part, sums_B.split([len(e.lengths) for e in own]), strict=True):
                made[i] = replace(examples[i], reference_B=taken)
            advance(len(part))
    return made
