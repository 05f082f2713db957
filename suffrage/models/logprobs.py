"""Log-probabilities of given tokens under a linear head, without holding all logits.

Shape letters: N tokens, D width, V vocabulary. The softmax of one chunk of tokens is kept for the
backward pass, computed in the memory of its logits; what is beyond one chunk is computed again
there, so memory does not grow with N times V. Autograd's own way holds three such arrays.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from suffrage.models.precision import product_dtype

SMALLEST = 1e-30  # probabilities below it have lost their logarithm to single precision
CHUNK_BYTES = {"cpu": 1 << 27, "cuda": 1 << 30}  # of logits at a time


def chunk_rows(vocabulary: int, device: torch.device) -> int:
    """Tokens whose logits stand in memory at a time."""
    return max(1, CHUNK_BYTES.get(device.type, 1 << 27) // (4 * vocabulary))


def linear_logps(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    bias_V: Tensor | None,
    target_N: Tensor,
    scale: float = 1.0,
) -> Tensor:
    """(N,) in single precision: log softmax(scale (h W^T + b)) at the target of each row."""
    rows = chunk_rows(weight_VD.shape[0], hidden_ND.device)
    dtype = product_dtype(hidden_ND.device)
    with torch.autocast(hidden_ND.device.type, enabled=False):  # here it is done by hand
        found: Tensor = _LinearLogps.apply(  # type: ignore[no-untyped-call]
            hidden_ND, weight_VD, bias_V, target_N, scale, rows, dtype
        )
    return found


class _LinearLogps(torch.autograd.Function):
    """d log p_y / d logits = onehot(y) - softmax, so the softmax is all the backward pass needs."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        target_N: Tensor,
        scale: float,
        rows: int,
        dtype: torch.dtype | None,
    ) -> Tensor:
        ctx.given = tuple(t.dtype for t in (hidden_ND, weight_VD))
        hidden_ND = hidden_ND.to(dtype or hidden_ND.dtype)
        weight_VD = weight_VD.to(dtype or weight_VD.dtype)
        bias_V = None if bias_V is None else bias_V.to(weight_VD.dtype)
        kept: Tensor | None = None
        parts = []
        for hidden, target in zip(hidden_ND.split(rows), target_N.split(rows), strict=True):
            logps, softmax = _chunk(hidden, weight_VD, bias_V, target, scale)
            parts.append(logps)
            kept = softmax if kept is None else kept
            del softmax
        ctx.scale, ctx.rows = scale, rows
        ctx.kept = kept if any(ctx.needs_input_grad) else None
        ctx.save_for_backward(hidden_ND, weight_VD, bias_V, target_N)
        return torch.cat(parts) if parts else hidden_ND.new_zeros(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_N: Tensor) -> tuple[Tensor | None, ...]:
        with torch.autocast(grad_N.device.type, enabled=False):
            return _LinearLogps._backward(ctx, grad_N)

    @staticmethod
    def _backward(ctx: Any, grad_N: Tensor) -> tuple[Tensor | None, ...]:
        hidden_ND, weight_VD, bias_V, target_N = ctx.saved_tensors
        for_hidden, for_weight, for_bias = ctx.needs_input_grad[:3]
        into_hidden = torch.empty_like(hidden_ND) if for_hidden else None
        into_weight = None
        into_bias = torch.zeros_like(bias_V) if for_bias else None
        for start in range(0, len(target_N), ctx.rows):
            part = slice(start, start + ctx.rows)
            hidden, target = hidden_ND[part], target_N[part]
            softmax, ctx.kept = ctx.kept, None
            if softmax is None:
                softmax = _chunk(hidden, weight_VD, bias_V, target, ctx.scale)[1]
            grad = _into_logits(softmax, target, grad_N[part] * ctx.scale).to(weight_VD.dtype)
            if into_hidden is not None:
                torch.mm(grad, weight_VD, out=into_hidden[part])
            if for_weight:
                into_weight = _sum_of_products(into_weight, grad.t(), hidden, ctx.given[1])
            if into_bias is not None:
                into_bias += grad.sum(0)
        if for_weight and into_weight is None:  # no token was scored
            into_weight = torch.zeros_like(weight_VD, dtype=ctx.given[1])
        if into_hidden is not None:
            into_hidden = into_hidden.to(ctx.given[0])
        return into_hidden, into_weight, into_bias, None, None, None, None


def _chunk(
    hidden: Tensor, weight_VD: Tensor, bias_V: Tensor | None, target: Tensor, scale: float
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the targets, and the softmax in the memory of the logits."""
    logits = torch.nn.functional.linear(hidden, weight_VD, bias_V)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    logits = logits if scale == 1 else logits.mul_(scale)
    softmax = torch.softmax(logits, 1, out=logits)
    chosen = softmax.gather(1, target[:, None]).squeeze(1)
    logps = chosen.log()
    lost = chosen < SMALLEST
    if bool(lost.any()):
        again = torch.nn.functional.linear(hidden[lost], weight_VD, bias_V).to(logits.dtype)
        logps[lost] = (scale * again).log_softmax(1).gather(1, target[lost, None]).squeeze(1)
    return logps, softmax


def _sum_of_products(
    total: Tensor | None, left: Tensor, right: Tensor, dtype: torch.dtype
) -> Tensor:
    """`total` plus left @ right in `dtype`, in place where the product has it already."""
    if total is None:
        return (left @ right).to(dtype)
    return total.addmm_(left, right) if left.dtype == dtype else total.add_(left @ right)


def _into_logits(softmax: Tensor, target: Tensor, grad: Tensor) -> Tensor:
    """grad (onehot - softmax), in place."""
    softmax.mul_(-grad[:, None])
    return softmax.scatter_add_(1, target[:, None], grad[:, None].to(softmax.dtype))
