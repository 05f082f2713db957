"""SFT, reward model and DPO: the right figures whatever the split, the layout and the order."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import tiny
import torch
from ten_groups import groups, judged
from torch import Tensor, nn

from suffrage.core.errors import NumericalError
from suffrage.core.records import Group, Judgment, Preference
from suffrage.data.encode import Branch, Tree
from suffrage.models.scalar_head import from_language_model
from suffrage.objectives.table import OBJECTIVES, objective
from suffrage.train.beside import make_beside
from suffrage.train.examples import Batches, Example, make_examples
from suffrage.train.figures import Sums, averages
from suffrage.train.offline import (
    Method,
    OfflineStep,
    language_method,
    loss_sums,
    reward_method,
)
from suffrage.train.optimiser import LoopSettings, Optimiser
from suffrage.train.reference import with_reference

pytestmark = pytest.mark.usefixtures("every_tree_is_long")

METHODS = tuple(row.name for row in OBJECTIVES.values() if row.view != "prompts")


@dataclass
class Case:
    """A method on the ten groups, in double precision."""

    module: nn.Module
    examples: list[Example]
    method: Method

    def with_packing(self, layout: str, tokens: int) -> Method:
        packing = replace(self.method.packing, layout=layout, tokens=tokens)
        return replace(self.method, packing=packing)

    def gradient(self, examples: list[Example], layout: str, tokens: int) -> tuple[float, Tensor]:
        """The loss over all examples and its gradient, laid end to end."""
        self.module.zero_grad()
        total, count = 0.0, self.method.count(examples)
        for loss_sum in loss_sums(self.with_packing(layout, tokens), examples, {}):
            (loss_sum / count).backward()
            total += float(loss_sum.detach())
        parts = [p.grad.flatten() for p in self.module.parameters() if p.grad is not None]
        return total / count, torch.cat(parts)

    def step(self, tokens: int = 200, batches: Batches | None = None) -> OfflineStep:
        loop = LoopSettings(steps=100, learning_rate=3e-3, schedule="constant", warmup=0)
        return OfflineStep(
            self.examples,
            batches or Batches(len(self.examples), len(self.examples), 0),
            self.with_packing("forest", tokens),
            Optimiser({"model": self.module}, loop),
        )


def make(name: str, family: str = "llama", dtype: torch.dtype = torch.float64, **options) -> Case:
    bundle = tiny.bundle(family)
    bundle.model.to(dtype)
    row = objective(name)
    options = row.check(options)
    data = judged(10) if row.view in ("ratings", "votes") else groups(10)
    examples, _ = make_examples(data, bundle.encoder(), row)
    if row.learns == "reward":
        scalar = from_language_model(bundle, seed=3)
        scalar.model.to(dtype)
        beside = make_beside(row, options, examples)
        method = reward_method(row, options, scalar, 200, beside)
        if beside is None:
            return Case(scalar.model, examples, method)
        return Case(nn.ModuleList([scalar.model, beside.to(dtype)]), examples, method)
    if row.reference:
        examples = with_reference(bundle.frozen_copy(), examples, 200)
    return Case(bundle.model, examples, language_method(row, options, bundle, 200))


def disturb(method: Case) -> None:
    """Away from the start, where DPO's margins are all zero."""
    generator = torch.Generator().manual_seed(1)
    for parameter in method.module.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        parameter.data.add_(noise, alpha=0.05)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("name", METHODS)
def test_neither_micro_batches_nor_layout_nor_order_changes_loss_or_gradient(name, family):
    method = make(name, family)
    disturb(method)
    loss, gradient = method.gradient(method.examples, "forest", 10**6)
    assert float(gradient.norm()) > 1e-3
    for layout in ("row", "forest", "plain"):
        for budget in (1, 90, 10**6):
            for examples in (method.examples, method.examples[::-1]):
                found, of_parts = method.gradient(examples, layout, budget)
                assert found == pytest.approx(loss, rel=1e-9)
                # transformers computes Llama's norms in single precision
                close = 1e-10 if family == "gpt2" else 1e-5
                assert float((of_parts - gradient).norm()) <= close * float(gradient.norm())


@pytest.mark.parametrize("name", METHODS)
def test_a_step_moves_the_weights_alike_whatever_the_budget(name):
    moved = []
    for budget in (1, 10**6):
        method = make(name, "gpt2")
        disturb(method)
        figures = method.step(tokens=budget)(0)
        figures.pop("waste")  # the one figure that tells how a batch was cut up
        moved.append(
            (figures, torch.cat([p.detach().flatten() for p in method.module.parameters()]))
        )
    assert moved[0][0] == pytest.approx(moved[1][0], rel=1e-9)
    torch.testing.assert_close(moved[0][1], moved[1][1], rtol=0, atol=1e-8)


COUPLED = tuple(name for name in METHODS if objective(name).whole_batch)


@pytest.mark.parametrize("name", [name for name in METHODS if name not in COUPLED])
def test_a_prompt_of_weight_two_is_as_two_of_it(name):
    method = make(name)
    disturb(method)
    first, *others = method.examples
    twice, gradient = method.gradient([first, first, *others], "forest", 10**6)
    found, of_weight = method.gradient([replace(first, weight=2.0), *others], "forest", 10**6)
    assert found == pytest.approx(twice, rel=1e-9)
    assert float((of_weight - gradient).norm()) <= 1e-5 * float(gradient.norm())
    assert found != pytest.approx(method.gradient(method.examples, "forest", 10**6)[0], rel=1e-6)


@pytest.mark.parametrize("name", COUPLED)
def test_where_answers_are_set_against_each_other_a_weight_multiplies_the_loss(name):
    method = make(name)
    disturb(method)
    first, *others = method.examples
    sums = []
    for weight in (1.0, 2.0, 4.0):
        examples = [replace(first, weight=weight), *others]
        (loss,) = loss_sums(method.with_packing("forest", 10**6), examples, {})
        sums.append(float(loss.detach()))
    assert sums[2] - sums[1] == pytest.approx(2 * (sums[1] - sums[0]), rel=1e-6)
    assert sums[1] != pytest.approx(sums[0], rel=1e-4)


def test_rankings_of_two_answers_by_three_raters_are_soft_pairs():
    """DPO's rankings of two answers are its pairs, and so are the shares of the raters."""

    def vote(number: int, rater: str) -> Judgment:
        order = ((f"p{number}-0",), (f"p{number}-1",))
        value = order if rater != "Cid" else order[::-1]
        names = tuple(name for (name,) in order)
        made = {"id": rater, "prompt_id": f"p{number}", "rater": rater, "kind": "ranking"}
        return Judgment(**made, value=value, completions=names)

    def judged_group(number: int) -> Group:
        group = tiny.group(f"p{number}", f"question {number}? ", ["the sea", "singing"])
        votes = tuple(vote(number, rater) for rater in ("Ann", "Bob", "Cid"))
        raters = {"Ann": 0.5} if number else {}
        preference = Preference(raters=raters)
        return group.model_copy(update={"judgments": votes, "preference": preference})

    found = []
    for name in ("dpo", "dpo-list"):
        bundle, row = tiny.bundle("gpt2"), objective(name)
        bundle.model.double()
        examples, _ = make_examples([judged_group(0), judged_group(1)], bundle.encoder(), row)
        examples = with_reference(bundle.frozen_copy(), examples, 200)
        method = language_method(row, row.check({"beta": 0.7}), bundle, 200)
        case = Case(bundle.model, examples, method)
        disturb(case)
        found.append(case.gradient(examples, "forest", 200))
    (loss, gradient), (of_ranks, its_gradient) = found
    assert of_ranks == pytest.approx(loss, rel=1e-6)
    assert float((its_gradient - gradient).norm()) <= 1e-6 * float(gradient.norm())
    assert examples[0].rankings[0].share == pytest.approx(2 / 3)
    assert examples[1].rankings[0].share == pytest.approx(1.5 / 2.5)


def whole_model_logps(method: Case, example: Example) -> list[float]:
    """Each branch's summed log-probability by the plainest computation."""
    sums = []
    for branch in example.tree.branches:
        path = torch.tensor([[*example.tree.trunk, *branch.tokens]])
        logps = method.module(path).logits[0].log_softmax(-1)
        start = len(example.tree.trunk) + branch.unscored
        sums.append(sum(float(logps[k - 1, path[0, k]]) for k in range(start, path.shape[1])))
    return sums


@torch.no_grad()
def test_the_loss_of_sft_is_the_mean_over_all_tokens():
    method = make("sft", "gpt2")
    total = sum(sum(whole_model_logps(method, example)) for example in method.examples)
    tokens = sum(len(b.tokens) - b.unscored for e in method.examples for b in e.tree.branches)
    assert method.step().evaluate(method.examples)["loss"] == pytest.approx(-total / tokens)


@torch.no_grad()
def test_the_loss_of_dpo_is_the_weighted_mean_over_all_pairs():
    method = make("dpo", "gpt2", beta=0.6, label_smoothing=0.1)
    reference = [whole_model_logps(method, example) for example in method.examples]
    disturb(method)
    total = weights = right = 0.0
    for example, ref in zip(method.examples, reference, strict=True):
        now = whole_model_logps(method, example)
        for pair in example.pairs:
            i, j = pair.first, pair.second
            h = 0.6 * ((now[i] - ref[i]) - (now[j] - ref[j]))
            p = pair.probability * 0.9 + (1 - pair.probability) * 0.1
            total += pair.weight * (
                p * math.log1p(math.exp(-h)) + (1 - p) * math.log1p(math.exp(h))
            )
            right += pair.weight * (0.5 if pair.probability == 0.5 else float(h > 0))
            weights += pair.weight
    found = method.step().evaluate(method.examples)
    assert found["loss"] == pytest.approx(total / weights, rel=1e-6)
    assert found["accuracy"] == pytest.approx(right / weights, rel=1e-6)


@torch.no_grad()
def test_the_loss_of_a_reward_model_is_the_mean_over_prompts_of_their_pairs():
    method = make("reward", "gpt2", centring=0.07)
    total = counts = 0.0
    for example in method.examples:
        scores = []
        for branch in example.tree.branches:
            path = torch.tensor([[*example.tree.trunk, *branch.tokens]])
            states = method.module.base_model(path).last_hidden_state
            scores.append(float(method.module.score(states)[0, -1, 0]))
        for pair in example.pairs:
            a, b, p = scores[pair.first], scores[pair.second], pair.probability
            loss = p * math.log1p(math.exp(b - a)) + (1 - p) * math.log1p(math.exp(a - b))
            total += pair.weight * (loss + 0.07 * (a + b) ** 2) / len(example.pairs)
            counts += pair.weight / len(example.pairs)
    found = method.step().evaluate(method.examples)
    assert found["loss"] == pytest.approx(total / counts, rel=1e-6)


@pytest.mark.parametrize("name", ["dpo", "kto"])  # kto's loss of all rows depends on each
def test_of_a_batch_whose_loss_is_no_number_the_rows_that_do_it_are_named(name):
    method = make(name)
    broken = method.examples[3]
    assert broken.reference_B is not None
    nothing = torch.full_like(broken.reference_B, math.nan)
    method.examples[3] = replace(broken, reference_B=nothing)
    with pytest.raises(NumericalError, match="the loss is nan at step 1, on prompts p3; lower"):
        method.step()(0)


def test_dpo_starts_at_log_two_with_no_margin():
    found = make("dpo").step()(0)
    assert found["loss"] == pytest.approx(math.log(2), abs=1e-9)
    assert found["accuracy"] == 0.5
    for name in ("margin", "chosen_reward", "rejected_reward"):
        assert found[name] == pytest.approx(0, abs=1e-9)
    assert found["chosen_logp"] < 0


@pytest.mark.parametrize(("name", "steps"), [("sft", 120), ("reward", 40), ("dpo", 40)])
def test_one_batch_can_be_learned_by_heart(name, steps):
    method = make(name, dtype=torch.float32)
    sure = [e for e in method.examples if all(p.probability != 0.5 for p in e.pairs)][:3]
    method.examples = [
        Example(
            e.prompt_id,
            e.tree,
            tuple(p.model_copy(update={"probability": 1.0}) for p in e.pairs[:1]),
            reference_B=e.reference_B,
        )
        for e in sure
    ]
    step = method.step(batches=Batches(3, 3, 0))
    first, last = step(0), {}
    for index in range(1, steps):
        last = step(index)
    assert last["loss"] < 0.2 * first["loss"]
    assert last.get("accuracy", 1.0) == 1.0


def test_figures_are_exact_over_a_set_in_parts():
    method = make("dpo", "gpt2", beta=0.6)
    disturb(method)
    with torch.no_grad():
        whole = method.step(tokens=10**6).evaluate(method.examples)
        parts = method.step(tokens=1).evaluate(method.examples)
    assert parts == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize(
    ("layout", "computed"),
    [("row", 18), ("forest", 2 * 12), ("plain", 3 * 9)],  # rows times their length
)
def test_waste_is_what_no_tree_needed(layout, computed):
    large = Tree([5] * 5, (Branch([6] * 3), Branch([7] * 4)))  # 12 tokens, paths of 8 and 9
    small = Tree([8] * 4, (Branch([9] * 2),))  # 6 tokens, one path
    case = make("sft")
    found: Sums = {}
    examples = [Example("a", large), Example("b", small)]
    list(loss_sums(case.with_packing(layout, 100), examples, found))
    assert averages(found)["waste"] == pytest.approx((computed - 18) / computed)
