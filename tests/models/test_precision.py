"""Half precision and recomputed activations: nearly, and exactly, the same numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tiny
import torch
from torch import nn

from suffrage.core.errors import ModelError
from suffrage.data.encode import Branch, Tree
from suffrage.data.forest import Forest, one_row, pack
from suffrage.models.forward import token_logps
from suffrage.models.logprobs import linear_logps
from suffrage.models.precision import computing_in, product_dtype, recompute_activations
from suffrage.models.scalar_head import from_language_model, scores

CPU = torch.device("cpu")
TREES = [Tree([5, 9, 30], (Branch([40, 41, 42]), Branch([50, 51]))), Tree([7, 8], (Branch([60]),))]


def gradients(
    model: nn.Module, precision: str, lay: Callable[[list[Tree]], Forest] = pack
) -> tuple[torch.Tensor, torch.Tensor]:
    model.zero_grad()
    with computing_in(precision, CPU):
        logps = token_logps(model, lay(TREES))
        logps.square().sum().backward()
    return logps.detach(), torch.cat([p.grad.flatten() for p in model.parameters()])


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_half_precision_is_near_and_keeps_weights_and_gradients_single(family):
    model = tiny.bundle(family).model
    exact, slope = gradients(model, "fp32")
    near, about = gradients(model, "bf16")
    assert near.dtype == about.dtype == torch.float32
    assert not torch.equal(near, exact)
    torch.testing.assert_close(near, exact, rtol=0.05, atol=0.1)
    assert float((about - slope).norm()) < 0.05 * float(slope.norm())
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_on_a_cpu_the_default_is_single_precision():
    with computing_in("auto", CPU):
        assert product_dtype(CPU) is None
    with computing_in("bf16", CPU):
        assert product_dtype(CPU) is torch.bfloat16
    assert product_dtype(CPU) is None


def test_the_gradient_of_the_head_is_summed_over_chunks_in_single_precision(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    hidden, weight = (torch.randn(n, 16, generator=generator) for n in (400, 32))
    target = torch.randint(32, (400,), generator=generator)
    found = []
    for bytes_at_once in (4 * 32, 1 << 20):  # a token at a time, and all at once
        monkeypatch.setattr("suffrage.models.logprobs.CHUNK_BYTES", {"cpu": bytes_at_once})
        weight.grad, weight.requires_grad = None, True
        with computing_in("bf16", CPU):
            linear_logps(hidden, weight, None, target).sum().backward()
        found.append(weight.grad)
    assert found[0].dtype == torch.float32
    # 400 roundings to three digits in the sum itself would differ by far more
    torch.testing.assert_close(found[0], found[1], rtol=0.02, atol=0.3)


def test_a_reward_is_read_in_single_precision():
    scalar = from_language_model(tiny.bundle("llama"), seed=3)
    with computing_in("bf16", CPU):
        reward = scores(scalar, pack(TREES))
    assert reward.dtype == torch.float32
    assert not torch.equal(reward, reward.bfloat16().float())


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_activations_computed_again_give_the_same_gradient(family):
    model = tiny.bundle(family).model
    expected = gradients(model, "fp32")
    calls: list[int] = []
    part = next(m for name, m in model.named_modules() if name.endswith(("self_attn", ".attn")))
    part.register_forward_hook(lambda *_: calls.append(1))
    gradients(model, "fp32")
    assert len(calls) == 1
    recompute_activations(model)
    found = gradients(model, "fp32")
    assert len(calls) == 3  # once forward, once again in the backward pass
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
    assert not any(m.training for m in model.modules() if isinstance(m, nn.Dropout))


def test_in_a_row_of_trees_too_they_give_the_same_gradient():
    model = tiny.bundle("llama").model
    expected = gradients(model, "fp32", one_row)
    recompute_activations(model)
    for found, right in zip(gradients(model, "fp32", one_row), expected, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-4, atol=1e-4)


def test_a_model_without_such_layers_is_refused():
    with pytest.raises(ModelError, match=r"Linear has no layers .* --gradient-checkpointing out"):
        recompute_activations(nn.Linear(2, 2))
