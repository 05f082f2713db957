"""Sampling: n completions a prompt, the prompt computed once, rows leaving as they finish.

Random numbers belong to (seed, prompt, sample), not to a place in the batch, so the same text comes
out whatever the batch size or company.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from suffrage.core.errors import SettingsError
from suffrage.core.progress import progress_bar
from suffrage.models.forward import has_local_attention, head_logits
from suffrage.models.language_model import LanguageModel
from suffrage.models.virtual_tokens import VirtualTokens


@dataclass(frozen=True)
class Sampling:
    """How to sample; `temperature` 0 is greedy."""

    max_new_tokens: int = 128
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    batch_size: int = 64  # rows decoded together

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf or not 0 < self.top_p <= 1:
            raise SettingsError(
                f"temperature {self.temperature} and top_p {self.top_p}: the first must be at "
                "least 0, the second above 0 and at most 1."
            )
        if self.max_new_tokens < 1 or self.top_k < 0:
            raise SettingsError("ask for at least 1 new token, and a top_k of at least 0.")


@dataclass(frozen=True)
class Sample:
    """One sampled completion."""

    tokens: list[int]  # end token included, where there is one
    logps: list[float]  # log-probability of each under the temperature, before top-k and top-p
    finished: bool  # whether an end token closed it


@torch.no_grad()
def sample(
    bundle: LanguageModel,
    prompts: Sequence[Sequence[int]],
    n: int,
    sampling: Sampling,
    keys: Sequence[int] | None = None,
) -> list[list[Sample]]:
    """`n` samples for each prompt's tokens, in the order given.

    keys: what a prompt's random numbers are drawn from; by default its index.
    """
    names = list(keys) if keys is not None else list(range(len(prompts)))
    size = max(1, sampling.batch_size // n)
    results: dict[int, list[Sample]] = {}
    with progress_bar("sampling", len(prompts)) as advance:
        for part in _parts(bundle, [len(prompt) for prompt in prompts], size):
            made = _decode(
                bundle, [prompts[i] for i in part], n, sampling, [names[i] for i in part]
            )
            results.update(zip(part, made, strict=True))
            advance(len(part))
    return [results[i] for i in range(len(prompts))]


def _parts(bundle: LanguageModel, lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """The prompts to decode together: of like length, so that little is spent on padding.

    Of one length where padding would come between virtual tokens and a window that sees them.
    """
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    alone = isinstance(bundle.model, VirtualTokens) and has_local_attention(bundle.model.config)
    for _, together in groupby(order, key=lambda i: lengths[i] if alone else 0):
        same = list(together)
        for start in range(0, len(same), size):
            yield same[start : start + size]


@dataclass
class _Rows:
    """The rows still being decoded; row r of every tensor belongs to slot `slot_R[r]`."""

    cache: DynamicCache
    logits_RV: Tensor
    mask_RL: Tensor
    position_R: Tensor
    slot_R: Tensor

    def keep(self, places: Tensor) -> None:
        self.cache.batch_select_indices(places)
        self.mask_RL = self.mask_RL[places]
        self.position_R = self.position_R[places]
        self.slot_R = self.slot_R[places]


def _decode(
    bundle: LanguageModel,
    prompts: Sequence[Sequence[int]],
    n: int,
    sampling: Sampling,
    keys: Sequence[int],
) -> list[list[Sample]]:
    rows = _prefill(bundle, prompts, n)
    noise_ST = _noise(sampling, keys, n).to(bundle.device)
    ends = torch.tensor(bundle.end_ids, device=bundle.device)
    count = len(prompts) * n
    tokens_ST = torch.full((count, sampling.max_new_tokens), -1, device=bundle.device)
    logps_ST = torch.zeros((count, sampling.max_new_tokens), device=bundle.device)
    for t in range(sampling.max_new_tokens):
        chosen_R, logp_R = choose(rows.logits_RV, noise_ST[rows.slot_R, t], sampling)
        tokens_ST[rows.slot_R, t], logps_ST[rows.slot_R, t] = chosen_R, logp_R
        open_R = ~torch.isin(chosen_R, ends)
        if t + 1 == sampling.max_new_tokens or not bool(open_R.any()):
            break
        if not bool(open_R.all()):
            rows.keep(open_R.nonzero().squeeze(1))
            chosen_R = chosen_R[open_R]
        _advance(bundle, rows, chosen_R)
    made = _samples(tokens_ST, logps_ST, set(bundle.end_ids))
    return [made[i * n : (i + 1) * n] for i in range(len(prompts))]


def _prefill(bundle: LanguageModel, prompts: Sequence[Sequence[int]], n: int) -> _Rows:
    """Compute each prompt once and repeat its cache for the n samples."""
    length = max(len(prompt) for prompt in prompts)
    device = bundle.device
    padded = [[0] * (length - len(prompt)) + list(prompt) for prompt in prompts]
    mask_PL = torch.tensor([[int(i >= length - len(p)) for i in range(length)] for p in prompts])
    mask_PL = mask_PL.to(device)
    positions_PL = (mask_PL.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache(config=bundle.model.config)
    states = bundle.model.base_model(
        input_ids=torch.tensor(padded, device=device),
        attention_mask=mask_PL,
        position_ids=positions_PL,
        past_key_values=cache,
        use_cache=True,
    ).last_hidden_state
    cache.batch_repeat_interleave(n)
    return _Rows(
        cache,
        head_logits(bundle.model, states[:, -1]).repeat_interleave(n, 0),
        mask_PL.repeat_interleave(n, 0),
        positions_PL[:, -1].repeat_interleave(n, 0),
        torch.arange(len(prompts) * n, device=device),
    )


def _advance(bundle: LanguageModel, rows: _Rows, chosen_R: Tensor) -> None:
    rows.mask_RL = torch.cat([rows.mask_RL, torch.ones_like(rows.mask_RL[:, :1])], 1)
    rows.position_R = rows.position_R + 1
    states = bundle.model.base_model(
        input_ids=chosen_R[:, None],
        attention_mask=rows.mask_RL,
        position_ids=rows.position_R[:, None],
        past_key_values=rows.cache,
        use_cache=True,
    ).last_hidden_state
    rows.logits_RV = head_logits(bundle.model, states[:, -1])


def _noise(sampling: Sampling, keys: Sequence[int], n: int) -> Tensor:
    """(S, T) uniform numbers, each row from (seed, key, sample)."""
    rows = [
        np.random.default_rng([sampling.seed, key, k]).random(sampling.max_new_tokens)
        for key in keys
        for k in range(n)
    ]
    return torch.tensor(np.stack(rows), dtype=torch.float64)


def choose(logits_RV: Tensor, noise_R: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """A token for each row by inverting the cumulative distribution at `noise_R` in [0, 1).

    Returns tokens and their log-probabilities under the temperature alone: what `token_logps`
    computes for the same tokens.
    """
    if sampling.temperature == 0:
        chosen_R = logits_RV.argmax(1)
        logps_RV = logits_RV.log_softmax(1)
    else:
        logps_RV = (logits_RV / sampling.temperature).log_softmax(1)
        chosen_R = _invert(_truncated(logps_RV, sampling), noise_R)
    return chosen_R, logps_RV.gather(1, chosen_R[:, None]).squeeze(1)


def _truncated(logps_RV: Tensor, sampling: Sampling) -> Tensor:
    """Probabilities with what top-k and top-p leave out set to 0; not normalised."""
    probs_RV = logps_RV.double().exp()
    if 0 < sampling.top_k < probs_RV.shape[1]:
        least_R1 = probs_RV.topk(sampling.top_k, 1).values[:, -1:]
        probs_RV = probs_RV.masked_fill(probs_RV < least_R1, 0)
    if sampling.top_p < 1:
        ordered_RV, index_RV = probs_RV.sort(1, descending=True)
        before_RV = ordered_RV.cumsum(1) - ordered_RV
        kept_RV = ordered_RV.masked_fill(before_RV >= sampling.top_p * ordered_RV.sum(1, True), 0)
        probs_RV = torch.zeros_like(probs_RV).scatter(1, index_RV, kept_RV)
    return probs_RV


def _invert(probs_RV: Tensor, noise_R: Tensor) -> Tensor:
    cumulative_RV = probs_RV.cumsum(1)
    # Kept strictly below the total, so that a token of probability 0 is never chosen.
    target_R1 = noise_R[:, None].clamp(max=1 - 1e-12) * cumulative_RV[:, -1:]
    return torch.searchsorted(cumulative_RV, target_R1, right=True).squeeze(1)


def _samples(tokens_ST: Tensor, logps_ST: Tensor, ends: set[int]) -> list[Sample]:
    made = []
    for tokens, logps in zip(tokens_ST.tolist(), logps_ST.tolist(), strict=True):
        length = sum(token >= 0 for token in tokens)
        made.append(Sample(tokens[:length], logps[:length], tokens[length - 1] in ends))
    return made
