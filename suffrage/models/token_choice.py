"""The choice of a token: what changes logits, what truncates probabilities, and the draw.

Pure functions of tensors. Shape letters: R rows, V vocabulary, L tokens so far, K blocks of the
vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from suffrage.models.sampling import Sampling

BLOCK = 256  # tokens summed together when a cumulative distribution is inverted
NUCLEUS = 512  # of the likeliest tokens are ordered first to find those that top-p keeps


def choose(
    logits_RV: Tensor, noise_R: Tensor, sampling: Sampling, changed_RV: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """A token for each row by inverting the cumulative distribution at `noise_R` in [0, 1).

    changed_RV: the logits to choose by, where a penalty or a suppressed token changed them.
    Returns tokens and their log-probabilities under the temperature alone: what `token_logps`
    computes for the same tokens.
    """
    temperature = sampling.temperature or 1.0
    scaled_RV = logits_RV if temperature == 1 else logits_RV / temperature
    weights_RV, log_total_R = _weights(scaled_RV)
    if sampling.temperature == 0:
        chosen_R = (logits_RV if changed_RV is None else changed_RV).argmax(1)
    else:
        if changed_RV is not None:
            weights_RV, _ = _weights(changed_RV / temperature)
        chosen_R = _invert(_truncated(weights_RV, sampling), noise_R)
    return chosen_R, scaled_RV.gather(1, chosen_R[:, None]).squeeze(1) - log_total_R


def _weights(scaled_RV: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities over that of the likeliest token, and the logarithm of the softmax's sum."""
    peak_R1 = scaled_RV.amax(1, keepdim=True)
    weights_RV = (scaled_RV - peak_R1).exp_()
    return weights_RV, peak_R1.squeeze(1) + weights_RV.sum(1).log()


def _truncated(weights_RV: Tensor, sampling: Sampling) -> Tensor:
    """What top-k, then top-p, then min-p leave out set to 0; not normalised."""
    if 0 < sampling.top_k < weights_RV.shape[1]:
        least_R1 = weights_RV.topk(sampling.top_k, 1).values[:, -1:]
        weights_RV = weights_RV.masked_fill(weights_RV < least_R1, 0)
    if sampling.top_p < 1:
        weights_RV = _nucleus(weights_RV, sampling.top_p)
    if sampling.min_p > 0:
        least_R1 = sampling.min_p * weights_RV.amax(1, keepdim=True)
        weights_RV = weights_RV.masked_fill(weights_RV < least_R1, 0)
    return weights_RV


def _nucleus(weights_RV: Tensor, share: float) -> Tensor:
    """The fewest likeliest tokens that hold the share, of which there are few as a rule."""
    wanted_R1 = share * weights_RV.sum(1, keepdim=True, dtype=torch.float64)
    count, vocabulary = NUCLEUS, weights_RV.shape[1]
    while True:
        ordered_RK, index_RK = weights_RV.topk(min(count, vocabulary), 1)
        upto_RK = ordered_RK.double().cumsum(1)
        if count >= vocabulary or bool((upto_RK[:, -1:] >= wanted_R1).all()):
            break
        count *= 8
    kept_RK = ordered_RK.masked_fill(upto_RK - ordered_RK >= wanted_R1, 0)
    return torch.zeros_like(weights_RV).scatter(1, index_RK, kept_RK)


def _invert(weights_RV: Tensor, noise_R: Tensor) -> Tensor:
    """The token at `noise_R` of the cumulative distribution: first its block, then its place.

    Only the blocks' sums and one block a row are summed in double precision. A token of weight 0 is
    never chosen: targets stay from 0 to below the total, and the first sum beyond one has grown.
    """
    sums_RK = _block_sums(weights_RV)
    upto_RK = sums_RK.cumsum(1)
    target_R1 = noise_R[:, None].clamp(max=1 - 1e-12) * upto_RK[:, -1:]
    block_R1 = _beyond(upto_RK, target_R1)
    before_R1 = (upto_RK - sums_RK).gather(1, block_R1)
    index_RB = block_R1 * BLOCK + torch.arange(BLOCK, device=weights_RV.device)
    last = weights_RV.shape[1] - 1
    inside_RB = weights_RV.gather(1, index_RB.clamp(max=last)).double()
    within_RB = inside_RB.masked_fill(index_RB > last, 0).cumsum(1)
    rest_R1 = (target_R1 - before_R1).clamp(min=0).minimum(within_RB[:, -1:] * (1 - 1e-12))
    return (block_R1 * BLOCK + _beyond(within_RB, rest_R1)).clamp(max=last).squeeze(1)


def _block_sums(weights_RV: Tensor) -> Tensor:
    whole = weights_RV.shape[1] // BLOCK * BLOCK
    sums_RK = weights_RV[:, :whole].unflatten(1, (-1, BLOCK)).sum(2)
    return torch.cat([sums_RK, weights_RV[:, whole:].sum(1, keepdim=True)], 1).double()


def _beyond(upto_RK: Tensor, target_R1: Tensor) -> Tensor:
    """(R, 1): the first place whose sum is above the target; the last where none is (nan)."""
    return torch.searchsorted(upto_RK, target_R1, right=True).clamp(max=upto_RK.shape[1] - 1)


def penalised(logits_RV: Tensor, seen_RL: Tensor, penalty: float) -> Tensor:
    """Logits of the tokens seen divided by the penalty, or multiplied where they are negative.

    Keskar et al. 2019 (CTRL, 1909.05858), section 4.1, with the sign handled as transformers does.
    """
    seen_logits_RL = logits_RV.gather(1, seen_RL)
    lower_RL = torch.where(seen_logits_RL < 0, seen_logits_RL * penalty, seen_logits_RL / penalty)
    return logits_RV.scatter(1, seen_RL, lower_RL)


def without(logits_RV: Tensor, rows: Sequence[int], tokens: Sequence[int]) -> Tensor:
    """Logits with these tokens impossible in these rows."""
    places = [torch.tensor(list(ids), device=logits_RV.device) for ids in (rows, tokens)]
    changed_RV = logits_RV.clone()
    changed_RV[places[0][:, None], places[1][None, :]] = float("-inf")
    return changed_RV
