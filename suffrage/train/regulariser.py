"""`--kl`: hold a policy near the model it started from, whatever the method learns.

Exact, over the whole vocabulary at every completion token: KL(policy || reference). An estimate
from the tokens at hand would be of another distribution, since these were not sampled from the
policy. Logits stand in memory in chunks only. Shape letters: N tokens, D width, V vocabulary, B
branches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from suffrage.data.forest import Forest
from suffrage.models.forward import branch_sums, head_logits, hidden_states, token_logps
from suffrage.models.language_model import LanguageModel
from suffrage.models.logprobs import chunk_rows
from suffrage.train.examples import Example
from suffrage.train.figures import Sums
from suffrage.train.terms import Terms, count_tokens

LOGITS = 4  # arrays of a chunk's logits that stand in memory together


@dataclass(frozen=True)
class Anchor:
    """What a policy is held near: `weight` times the mean divergence at a token joins the loss."""

    weight: float
    reference: LanguageModel


class _Divergence(torch.autograd.Function):
    """KL(p || q) of each row; d KL / d logit = p (log p - log q - KL), which is 0 where p = q."""

    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, reference_NV: Tensor) -> Tensor:
        logp_NV = logits_NV.log_softmax(1)
        gap_NV = logp_NV - reference_NV.log_softmax(1)
        p_NV = logp_NV.exp_()
        kl_N = (p_NV * gap_NV).sum(1)
        ctx.save_for_backward(p_NV.mul_(gap_NV.sub_(kl_N[:, None])))
        return kl_N

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_N: Tensor) -> tuple[Tensor | None, ...]:
        (slope_NV,) = ctx.saved_tensors
        return slope_NV * grad_N[:, None], None


def divergence(logits_NV: Tensor, reference_NV: Tensor) -> Tensor:
    """(N,), in nats: sum_v p_v (log p_v - log q_v) of the softmaxes p and q of two rows of logits.

    Carries a gradient into `logits_NV` alone.
    """
    found: Tensor = _Divergence.apply(logits_NV, reference_NV)  # type: ignore[no-untyped-call]
    return found


def token_divergence(
    policy: PreTrainedModel, hidden_ND: Tensor, reference: PreTrainedModel, given_ND: Tensor
) -> Tensor:
    """(N,): the divergence of what two models predict, from the hidden state before each token."""
    vocabulary = policy.config.get_text_config().vocab_size
    rows = max(1, chunk_rows(vocabulary, hidden_ND.device) // LOGITS)
    parts = zip(hidden_ND.split(rows), given_ND.split(rows), strict=True)

    def chunk(hidden: Tensor, given: Tensor) -> Tensor:
        with torch.no_grad():
            reference_NV = head_logits(reference, given)
        return divergence(head_logits(policy, hidden), reference_NV)

    # Recomputed in the backward pass: only one chunk's logits live at a time.
    return torch.cat([checkpoint(chunk, *part, use_reentrant=False) for part in parts])


def figures_with_kl(policy: LanguageModel, reference: LanguageModel) -> Callable[[Forest], Tensor]:
    """From a forest to (B, 2): each branch's log-probability, and its divergence, summed."""

    def figures(forest: Forest) -> Tensor:
        with torch.no_grad():
            given_ND = hidden_states(reference.model, forest)[forest.predictor_N]
        states = hidden_states(policy.model, forest)
        logps_N = token_logps(policy.model, forest, states)
        own_ND = states[forest.predictor_N]
        kl_N = token_divergence(policy.model, own_ND, reference.model, given_ND)
        return torch.stack([branch_sums(logps_N, forest), branch_sums(kl_N, forest)], 1)

    return figures


def terms_with_kl(terms: Terms, weight: float) -> Terms:
    """A method's terms, with `weight` times the summed divergence added to the summed losses."""

    def added(examples: Sequence[Example], figure_B2: Tensor) -> tuple[Tensor, Sums]:
        logp_B, kl_B = figure_B2.unbind(1)
        loss_sum, found = terms(examples, logp_B)
        kl = (float(kl_B.detach().sum()), count_tokens(examples))
        return loss_sum + weight * kl_B.sum(), {**found, "kl": kl}

    return added
