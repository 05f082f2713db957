"""The loops people write by hand: DPO on padded pairs, the baselines of `offline.py`.

Each side of a pair is a row of its own, padded to the longest of the batch. `full` takes the logits
of every token, as most scripts do; without it only completion tokens meet the vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from transformers import PreTrainedModel

from suffrage.train.examples import Example

BETA = 0.1
Row = tuple[list[int], int]  # tokens, and how many of them are the prompt's


def train_padded(
    model: PreTrainedModel, examples: Sequence[Example], batch_size: int, epochs: int, full: bool
) -> None:
    """DPO with a frozen copy as reference, whose log-probabilities are computed in each step."""
    reference = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    for _ in range(epochs):
        for start in range(0, len(examples), batch_size):
            rows = [
                row for example in examples[start : start + batch_size] for row in _rows(example)
            ]
            with torch.no_grad():
                reference_B = _logps(reference, rows, full)
            ratio_B = _logps(model, rows, full) - reference_B
            loss = -logsigmoid(BETA * (ratio_B[0::2] - ratio_B[1::2])).mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()


def _rows(example: Example) -> list[Row]:
    tree = example.tree
    return [([*tree.trunk, *b.tokens], len(tree.trunk) + b.unscored) for b in tree.branches]


def _logps(model: PreTrainedModel, rows: Sequence[Row], full: bool) -> Tensor:
    longest = max(len(tokens) for tokens, _ in rows)
    ids_BL = torch.zeros(len(rows), longest, dtype=torch.long)
    real_BL, scored_BL = torch.zeros_like(ids_BL), torch.zeros_like(ids_BL)
    for i, (tokens, start) in enumerate(rows):
        ids_BL[i, : len(tokens)] = torch.tensor(tokens)
        real_BL[i, : len(tokens)] = 1
        scored_BL[i, start : len(tokens)] = 1
    if full:
        logits = model(ids_BL, attention_mask=real_BL, use_cache=False).logits[:, :-1]
        logps = logits.log_softmax(-1).gather(2, ids_BL[:, 1:, None]).squeeze(2)
        return (logps * scored_BL[:, 1:]).sum(1)
    states = model.base_model(ids_BL, attention_mask=real_BL, use_cache=False).last_hidden_state
    row_N, place_N = scored_BL[:, 1:].nonzero(as_tuple=True)
    logits_NV = model.get_output_embeddings()(states[row_N, place_N])
    logps_N = logits_NV.log_softmax(-1).gather(1, ids_BL[row_N, place_N + 1, None]).squeeze(1)
    return torch.zeros(len(rows)).index_add(0, row_N, logps_N)
