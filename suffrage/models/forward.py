"""The one forward: from a forest to log-probabilities, values and scores.

Hidden states come from the model's backbone; the vocabulary is met only where a completion token is
predicted, in chunks, so that logits of the whole batch never stand in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from suffrage.core.errors import ModelError
from suffrage.data.encode import Tree
from suffrage.data.forest import PADDING, Forest, Layout, one_row, pack
from suffrage.models.attention import attending, dense_mask, states_under, takes_trees
from suffrage.models.logprobs import chunk_rows, linear_logps

TOLERANCE = 1e-3  # of the probes; a wrong mask or head is off by 0.1 and more


def hidden_states(model: PreTrainedModel, forest: Forest) -> Tensor:
    """(R * L, D): the last hidden state of every token, rows laid end to end."""
    with attending(model, forest) as mask:
        return states_under(model, forest, mask).flatten(0, 1)


def head_logits(model: PreTrainedModel, hidden_ND: Tensor) -> Tensor:
    """(N, V) logits in at least single precision, with the scalings that some families apply."""
    logits = at_least_single(model.get_output_embeddings()(hidden_ND))
    scale, cap = _scale(model), _softcap(model)
    if scale != 1:  # it is 1 as a rule, and a pass over the vocabulary costs
        logits = logits * scale
    return cap * torch.tanh(logits / cap) if cap else logits


def _scale(model: PreTrainedModel) -> float:
    config = model.config
    return float(getattr(config, "logit_scale", 1.0) / getattr(config, "logits_scaling", 1.0))


def _softcap(model: PreTrainedModel) -> float:
    return float(getattr(model.config, "final_logit_softcapping", None) or 0)


def at_least_single(values: Tensor) -> Tensor:
    """Half precision as single; double stays."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def token_logps(
    model: PreTrainedModel, forest: Forest, hidden: Tensor | None = None, temperature: float = 1.0
) -> Tensor:
    """(N,): log-probability of each scored token.

    hidden: what `hidden_states` returned for the same forest, to share one forward.
    temperature: divides the logits, as it did when the tokens were sampled.
    """
    states = hidden_states(model, forest) if hidden is None else hidden
    hidden_ND, head = states[forest.predictor_N], model.get_output_embeddings()
    if type(head) is nn.Linear and not _softcap(model):
        scale = _scale(model) / temperature
        return linear_logps(hidden_ND, head.weight, head.bias, forest.target_N, scale)
    return _logps_by_head(model, hidden_ND, forest.target_N, temperature)


def _logps_by_head(
    model: PreTrainedModel, hidden_ND: Tensor, target_N: Tensor, temperature: float
) -> Tensor:
    """For heads that are more than a linear map (adapters, soft caps)."""
    rows = chunk_rows(model.config.get_text_config().vocab_size, hidden_ND.device)
    parts = zip(hidden_ND.split(rows), target_N.split(rows), strict=True)
    # Recomputed in the backward pass: only one chunk's logits live at a time.
    chunks = [checkpoint(_logps, model, *part, temperature, use_reentrant=False) for part in parts]
    return torch.cat(chunks)


def _logps(
    model: PreTrainedModel, hidden_ND: Tensor, target_N: Tensor, temperature: float
) -> Tensor:
    logits_NV = head_logits(model, hidden_ND) / temperature
    chosen_N = logits_NV.gather(1, target_N[:, None]).squeeze(1)
    return chosen_N - logits_NV.logsumexp(1)


def token_entropies(
    model: PreTrainedModel, forest: Forest, hidden: Tensor, temperature: float = 1.0
) -> Tensor:
    """(N,): entropy, in nats, of the distribution that each scored token was drawn from."""
    hidden_ND = hidden[forest.predictor_N]
    rows = chunk_rows(model.config.get_text_config().vocab_size, hidden_ND.device)
    chunks = [
        checkpoint(_entropies, model, part, temperature, use_reentrant=False)
        for part in hidden_ND.split(rows)
    ]
    return torch.cat(chunks)


def _entropies(model: PreTrainedModel, hidden_ND: Tensor, temperature: float) -> Tensor:
    logps_NV = (head_logits(model, hidden_ND) / temperature).log_softmax(1)
    return -(logps_NV.exp() * logps_NV).sum(1)


def branch_sums(values_N: Tensor, forest: Forest) -> Tensor:
    """(B,): a value per scored token summed over each branch."""
    zeros_B = torch.zeros(forest.branches, dtype=values_N.dtype, device=values_N.device)
    return zeros_B.index_add(0, forest.branch_N, values_N)


def pick_layout(model: PreTrainedModel, trees: Sequence[Tree]) -> Layout:
    """A layout in which the model says of the trees what it says of plain rows."""
    if has_local_attention(model.config):
        return "plain"
    expected = _at_predictors(model, pack(trees, "plain"))
    if not _says(model, pack(trees, "forest"), expected):
        return "plain"
    return "row" if takes_trees(model) and _says(model, one_row(trees), expected) else "forest"


@torch.no_grad()
def _at_predictors(model: PreTrainedModel, forest: Forest) -> Tensor:
    """(N, D): the hidden states that scored tokens are predicted from."""
    forest = forest.to(model.device)
    return hidden_states(model, forest)[forest.predictor_N]


def _says(model: PreTrainedModel, forest: Forest, expected: Tensor) -> bool:
    """Whether the states are as expected; not so where an architecture refuses mask or kernel."""
    try:
        found = _at_predictors(model, forest)
    except (TypeError, ValueError, RuntimeError, IndexError, AttributeError):
        return False
    return bool((found - expected).abs().max() < TOLERANCE * expected.abs().max())


def has_local_attention(config: Any) -> bool:
    """Windows longer than the probe would pass it unseen, so they are read from the config."""
    # GPT-Neo calls them attention_layers and its full ones global.
    kinds = getattr(config, "layer_types", None) or getattr(config, "attention_layers", None)
    if kinds:
        return any(kind not in ("full_attention", "global") for kind in kinds)
    return bool(getattr(config, "sliding_window", None))


def check_head(model: PreTrainedModel, trees: Sequence[Tree]) -> None:
    """Refuse a model whose head does what `head_logits` does not know."""
    forest = pack(trees, "plain").to(model.device)
    with torch.no_grad():
        found = head_logits(model, hidden_states(model, forest))
        expected = model(
            input_ids=forest.input_ids_RL,
            attention_mask=dense_mask(model, forest),
            position_ids=forest.position_ids_RL,
            use_cache=False,
        ).logits.flatten(0, 1)
    real = (forest.tree_RL != PADDING).flatten()
    if not expected[real].isfinite().all():
        raise ModelError(
            f"the weights of this {type(model).__name__} give logits that are no numbers; they are "
            "damaged, so take an earlier model."
        )
    if not torch.allclose(found[real], expected[real].float(), atol=TOLERANCE, rtol=TOLERANCE):
        raise ModelError(
            f"{type(model).__name__} computes its logits in a way Suffrage does not know; "
            "please report the model's name."
        )
