"""The divergence from the model as given: its value, its gradient, and its place in a loss."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import tiny
import torch
from ten_groups import groups
from torch import Tensor

from suffrage.core.errors import SettingsError
from suffrage.core.runs import RunDirectory
from suffrage.models import logprobs
from suffrage.models.language_model import LanguageModel
from suffrage.objectives.table import objective
from suffrage.train.examples import Example, make_examples
from suffrage.train.figures import Sums, averages
from suffrage.train.offline import Method, language_method, loss_sums
from suffrage.train.reference import with_reference
from suffrage.train.regulariser import Anchor, divergence
from suffrage.train.rl.run import train_online
from suffrage.train.run import train_offline

pytestmark = pytest.mark.usefixtures("every_tree_is_long")

# One of each view, with a coupled loss, a reference, and KTO's answers to other prompts among them.
METHODS = ("sft", "hindsight", "conditional", "dpo", "aot", "orpo", "kto", "rrhf")


def test_the_divergence_is_the_one_worked_by_hand():
    p, q = (0.2, 0.5, 0.3), (0.5, 0.3, 0.2)
    logits = torch.tensor([[math.log(x) + 3 for x in p], [math.log(x) for x in q]]).double()
    reference = torch.tensor([[math.log(x) - 7 for x in q], [math.log(x) for x in p]]).double()
    logits.requires_grad_()
    found = divergence(logits, reference)
    # .2 ln(.2 / .5) + .5 ln(.5 / .3) + .3 ln(.3 / .2), and the other way about
    assert found.tolist() == pytest.approx([0.193794, 0.223805], abs=1e-6)
    found[0].backward()
    # p (ln(p / q) - KL)
    assert logits.grad[0].tolist() == pytest.approx([-0.222017, 0.158516, 0.063501], abs=1e-6)
    assert logits.grad[1].tolist() == [0, 0, 0]


def test_the_gradient_of_the_divergence_is_that_of_finite_differences():
    generator = torch.Generator().manual_seed(2)
    logits, reference = torch.randn(2, 4, 7, generator=generator, dtype=torch.float64) * 2
    assert torch.autograd.gradcheck(divergence, (logits.requires_grad_(), reference))


def test_equal_models_have_no_divergence_and_no_gradient_of_it():
    logits = torch.randn(5, 9, generator=torch.Generator().manual_seed(3)).requires_grad_()
    found = divergence(logits, logits.detach())
    found.sum().backward()
    assert torch.equal(found, torch.zeros(5))
    assert torch.equal(logits.grad, torch.zeros(5, 9))


def moved(bundle: LanguageModel) -> LanguageModel:
    """The model with its weights elsewhere, by a seeded noise."""
    generator = torch.Generator().manual_seed(1)
    for parameter in bundle.model.parameters():
        noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        parameter.data.add_(noise, alpha=0.05)
    return bundle


def make(
    name: str, family: str = "gpt2", weight: float = 0.7
) -> tuple[list[Example], Method, Anchor]:
    """A method on the ten groups, held near the model as it was before its weights moved."""
    policy = tiny.bundle(family)
    policy.model.double()
    anchor = Anchor(weight, policy.frozen_copy())
    row = objective(name)
    examples, _ = make_examples(groups(10), policy.encoder(), row)
    if row.reference:
        examples = with_reference(anchor.reference, examples, 200)
    given = anchor if weight else None
    return examples, language_method(row, row.check({}), moved(policy), 200, given), anchor


def run(
    method: Method, examples: list[Example], layout: str = "forest", tokens: int = 10**6
) -> tuple[float, Tensor, dict[str, float]]:
    """Loss, gradient and figures over all examples."""
    method = replace(method, packing=replace(method.packing, layout=layout, tokens=tokens))
    model, sums = method.branches.model, Sums()
    model.zero_grad()
    total, count = 0.0, method.count(examples)
    for loss_sum in loss_sums(method, examples, sums):
        (loss_sum / count).backward()
        total += float(loss_sum.detach())
    parts = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return total / count, torch.cat(parts), averages(sums)


def plain_divergence(method: Method, anchor: Anchor, examples: list[Example]) -> Tensor:
    """The mean over completion tokens, by the plainest computation."""
    found = []
    for example in examples:
        for branch in example.tree.branches:
            path = torch.tensor([[*example.tree.trunk, *branch.tokens]])
            own, other = (
                model(path).logits[0].log_softmax(-1)
                for model in (method.branches.model, anchor.reference.model)
            )
            kl = (own.exp() * (own - other)).sum(-1)
            before = len(example.tree.trunk) - 1
            found += [kl[before + place] for place in branch.scored]
    return torch.stack(found).mean()


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_grows_by_the_weighted_mean_over_completion_tokens(name):
    examples, method, anchor = make(name)
    _, without, _ = make(name, weight=0.0)
    loss, gradient, figures = run(method, examples)
    bare, of_bare, _ = run(without, examples)
    method.branches.model.zero_grad()
    kl = plain_divergence(method, anchor, examples)
    kl.backward()
    of_kl = torch.cat([p.grad.flatten() for p in method.branches.model.parameters()])
    assert float(kl.detach()) > 0.05
    assert figures["kl"] == pytest.approx(float(kl.detach()), rel=1e-9)
    assert loss == pytest.approx(bare + 0.7 * float(kl.detach()), rel=1e-9)
    torch.testing.assert_close(gradient, of_bare + 0.7 * of_kl, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", METHODS)
def test_neither_micro_batches_nor_layout_nor_order_changes_it(name, monkeypatch):
    examples, method, _ = make(name)
    loss, gradient, figures = run(method, examples)
    monkeypatch.setitem(logprobs.CHUNK_BYTES, "cpu", 265 * 4 * 20)  # five tokens a chunk
    for layout in ("row", "forest", "plain"):
        for budget in (1, 300):
            found, of_parts, others = run(method, examples[::-1], layout, budget)
            assert found == pytest.approx(loss, rel=1e-9)
            assert others["kl"] == pytest.approx(figures["kl"], rel=1e-9)
            assert float((of_parts - gradient).norm()) <= 1e-9 * float(gradient.norm())


@pytest.mark.parametrize("name", ["dpo", "aot"])
def test_without_gradients_the_loss_is_the_same(name):
    examples, method, _ = make(name)
    loss, _, figures = run(method, examples)
    for tokens in (1, 10**6):
        packing, sums = replace(method.packing, tokens=tokens), Sums()
        with torch.no_grad():
            parts = list(loss_sums(replace(method, packing=packing), examples, sums))
        assert float(sum(parts)) / method.count(examples) == pytest.approx(loss, rel=1e-9)
        assert averages(sums)["kl"] == pytest.approx(figures["kl"], rel=1e-9)


def test_a_head_with_a_soft_cap_is_held_alike():
    examples, method, anchor = make("sft", family="gemma2")
    _, _, figures = run(method, examples)
    with torch.no_grad():
        kl = float(plain_divergence(method, anchor, examples))
    assert figures["kl"] == pytest.approx(kl, rel=1e-4)  # its norms are in single precision


@pytest.mark.parametrize("changes", [{}, {"adapter": "lora"}, {"adapter": "prompt"}])
def test_a_run_starts_at_no_divergence_and_logs_it(settings, tmp_path, changes):
    train_offline(settings("sft", kl=0.3, epochs=2, holdout=0.2, **changes), tmp_path / "run")
    before, first, *rest = RunDirectory(tmp_path / "run").metrics
    virtual = changes.get("adapter") == "prompt"  # tokens before a text change it from the start
    assert (first["kl"] > 1e-3) == (before["eval/kl"] > 1e-3) == virtual
    assert rest[-1]["kl"] > 1e-4
    assert rest[-1]["eval/kl"] > 1e-4


@pytest.mark.parametrize("method", ["dpo", "aot"])  # of pairs alone, and of a whole batch
def test_the_divergence_can_be_watched_without_changing_anything(settings, tmp_path, method):
    fixed = {"epochs": 2, "holdout": 0.3, "microbatch_tokens": 40}
    rows = {}
    for watch in ("auto", "on"):
        train_offline(settings(method, watch_kl=watch, **fixed), tmp_path / watch)
        rows[watch] = RunDirectory(tmp_path / watch).metrics
    assert not any("eval/kl" in row for row in rows["auto"])
    seen = [row.pop("eval/kl") for row in rows["on"] if "eval/kl" in row]
    assert rows["on"] == rows["auto"]
    assert seen[0] == pytest.approx(0, abs=1e-6)
    assert seen[-1] > 1e-5
    train_offline(settings(method, kl=1e-12, **fixed), tmp_path / "held")
    held = [row["eval/kl"] for row in RunDirectory(tmp_path / "held").metrics if "eval/kl" in row]
    assert seen == pytest.approx(held, rel=1e-3, abs=1e-7)


def test_with_an_adapter_the_divergence_is_seen_unasked(settings, tmp_path):
    run = tmp_path / "run"
    train_offline(settings("dpo", adapter="lora", epochs=3, lr=1e-2, holdout=0.3), run)
    assert RunDirectory(run).metrics[-1]["eval/kl"] > 1e-6


def test_a_heavier_weight_keeps_the_policy_nearer(settings, tmp_path):
    ends = []
    for weight in (0.1, 10.0):
        run_of = tmp_path / str(weight)
        ends.append(train_offline(settings("sft", kl=weight, epochs=6, lr=3e-3), run_of).metrics)
    assert ends[1]["kl"] < 0.5 * ends[0]["kl"]


def test_a_reward_model_and_ppo_refuse_it(settings, tmp_path):
    with pytest.raises(SettingsError, match=r"reward trains a reward model, .* leave it out"):
        train_offline(settings("reward", kl=0.1), tmp_path / "run")
    with pytest.raises(SettingsError, match=r"ppo is held near its start by --kl-coef"):
        train_online(settings("ppo", kl=0.1), "reward", tmp_path / "run")
    assert not (tmp_path / "run").exists()
