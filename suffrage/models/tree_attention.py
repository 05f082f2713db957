"""Attention of whole trees laid end to end in one row, tree by tree, on a CPU.

A mask over a row would be mostly empty, and a CPU computes what is masked out like everything else.
Here a trunk is one causal product, and so is each block of a few branches with the trunk before it;
nothing is computed between trees, and little between branches. FlexAttention does the same on a
GPU; on a CPU it has no gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from suffrage.data.forest import Forest

BLOCK = 128  # tokens at least, unless they are a tree's last: smaller products are slow
NAME = "suffrage_trees"  # among the attention kernels that transformers knows
BEYOND = ("softcap", "position_bias", "s_aux")  # what some families add, and this kernel does not


@dataclass(frozen=True)
class Cut:
    """A tree's tokens in the row: its trunk's, then its branches' in blocks of whole branches.

    masks: for each block (S, trunk + S), to be added to the scores.
    """

    sizes: list[int]
    masks: list[Tensor]


_cuts: ContextVar[tuple[Cut, ...]] = ContextVar("cuts")


@contextmanager
def cut_into_trees(forest: Forest, dtype: torch.dtype) -> Iterator[None]:
    """What `tree_attention` meets inside is the row of this forest."""
    token = _cuts.set(tuple(_cut(forest, dtype)))
    try:
        yield
    finally:
        _cuts.reset(token)


def _cut(forest: Forest, dtype: torch.dtype) -> Iterator[Cut]:
    (trees,), (branches,) = forest.tree_RL, forest.branch_RL
    for branch_L in branches.split(trees.unique_consecutive(return_counts=True)[1].tolist()):
        trunk, *sizes = branch_L.unique_consecutive(return_counts=True)[1].tolist()
        blocks = _blocks(sizes)
        parts = branch_L[trunk:].split(blocks)
        yield Cut([trunk, *blocks], [_mask(trunk, part, dtype) for part in parts])


def _blocks(sizes: list[int]) -> list[int]:
    """Tokens of each block, which holds whole branches of so many tokens."""
    blocks: list[int] = []
    for size in sizes:
        if blocks and blocks[-1] < BLOCK:
            blocks[-1] += size
        else:
            blocks.append(size)
    return blocks


def _mask(trunk: int, branch_S: Tensor, dtype: torch.dtype) -> Tensor:
    """(S, trunk + S): 0 where a token of the block sees a token, else minus infinity."""
    own_SS = (branch_S == branch_S[:, None]).tril()
    mask = torch.zeros(len(branch_S), trunk + len(branch_S), dtype=dtype)
    mask[:, trunk:].masked_fill_(~own_SS, float("-inf"))
    return mask


def tree_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **more: Any,
) -> tuple[Tensor, None]:
    """(1, L, H, D) from queries, keys and values (1, H, L, D), as transformers calls a kernel.

    `ValueError` for families whose scores take more than keys and queries.
    """
    if any(more.get(name) is not None for name in BEYOND):
        raise ValueError(f"{type(module).__name__} adds something to its scores")
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (t.repeat_interleave(groups, 1) for t in (key, value))
    cuts = _cuts.get()
    sizes = [sum(cut.sizes) for cut in cuts]
    of_trees = (query.split(sizes, 2), key.split(sizes, 2), value.split(sizes, 2))
    parts: list[Tensor] = []
    for cut, *states in zip(cuts, *of_trees, strict=True):
        parts.extend(_tree(cut, *states, scale=scaling, dropout_p=dropout))
    return torch.cat([part.transpose(1, 2) for part in parts], 1), None


def _tree(cut: Cut, query: Tensor, key: Tensor, value: Tensor, **common: Any) -> Iterator[Tensor]:
    """What a trunk sees of itself, then what each block sees of the trunk and of itself."""
    trunk, *queries = query.split(cut.sizes, 2)
    of_trunk, *keys = key.split(cut.sizes, 2)
    in_trunk, *values = value.split(cut.sizes, 2)
    yield scaled_dot_product_attention(trunk, of_trunk, in_trunk, is_causal=True, **common)
    for mask, asks, own, holds in zip(cut.masks, queries, keys, values, strict=True):
        path, content = torch.cat([of_trunk, own], 2), torch.cat([in_trunk, holds], 2)
        mask = mask.to(asks.dtype)
        yield scaled_dot_product_attention(asks, path, content, attn_mask=mask, **common)


AttentionInterface.register(NAME, tree_attention)
