"""Log-probabilities under a linear head: values, gradients, chunks, extremes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from suffrage.models.logprobs import CHUNK_BYTES, chunk_rows, linear_logps

SCALE = 0.7


def head(tokens: int = 7, width: int = 5, vocabulary: int = 11) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((tokens, width), (vocabulary, width), (vocabulary,))
    made = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
    target_N = torch.randint(0, vocabulary, (tokens,), generator=generator)
    return *(tensor.requires_grad_() for tensor in made), target_N


def plain(hidden: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    logits = SCALE * (hidden @ weight.t() + bias)
    return logits.log_softmax(1).gather(1, target[:, None]).squeeze(1)


@pytest.fixture(params=[100, 3, 1])
def rows(request, monkeypatch) -> int:
    """Tokens a chunk: all of the seven, some, one."""
    monkeypatch.setitem(CHUNK_BYTES, "cpu", 4 * 11 * request.param)
    return int(request.param)


def test_a_value_worked_by_hand():
    # logits (0, log 2, log 5) sum to 1 + 2 + 5 in the exponential: log 2/8
    hidden, weight = torch.ones(1, 1), torch.tensor([[1.0], [2.0], [5.0]]).log()
    found = linear_logps(hidden, weight, None, torch.tensor([1]))
    assert found.item() == pytest.approx(-1.386294)


def test_chunks_give_the_plain_value(rows):
    hidden, weight, bias, target = head()
    assert chunk_rows(11, hidden.device) == rows
    found = linear_logps(hidden, weight, bias, target, SCALE)
    torch.testing.assert_close(found, plain(hidden, weight, bias, target), rtol=0, atol=1e-14)


def test_chunks_give_the_gradient_of_finite_differences(rows):
    *tensors, target = head()
    assert torch.autograd.gradcheck(
        lambda hidden, weight, bias: linear_logps(hidden, weight, bias, target, SCALE), tensors
    )


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_what_needs_no_gradient_gets_none_and_changes_nothing(rows, frozen):
    *tensors, target = head()
    wanted = torch.autograd.grad(plain(*tensors, target).sum(), tensors)
    tensors[frozen].requires_grad_(False)
    linear_logps(*tensors, target, SCALE).sum().backward()
    assert tensors[frozen].grad is None
    for tensor, gradient in zip(tensors, wanted, strict=True):
        if tensor.requires_grad:
            torch.testing.assert_close(tensor.grad, gradient)


def test_a_second_backward_pass_gives_the_same_gradient(rows):
    *tensors, target = head()
    loss = linear_logps(*tensors, target, SCALE).sum()
    first = torch.autograd.grad(loss, tensors, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(loss, tensors), first)


def test_a_target_of_probability_zero_in_single_precision_keeps_its_logarithm():
    hidden = torch.ones(1, 1, requires_grad=True)
    weight = torch.tensor([[0.0], [300.0]])
    found = linear_logps(hidden, weight, None, torch.tensor([0]))
    assert found.item() == pytest.approx(-300.0)
    (slope,) = torch.autograd.grad(found.sum(), hidden)
    assert slope.item() == pytest.approx(-300.0)


def test_half_precision_is_summed_in_single():
    *tensors, target = head()
    halves = [tensor.detach().to(torch.bfloat16).requires_grad_() for tensor in tensors]
    found = linear_logps(*halves, target, SCALE)
    assert found.dtype == torch.float32
    wanted = plain(*(half.detach().double() for half in halves), target)
    torch.testing.assert_close(found.double(), wanted, rtol=2e-2, atol=2e-2)
    found.sum().backward()
    assert all(half.grad.dtype == torch.bfloat16 for half in halves)
