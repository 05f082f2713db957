"""How a model attends to a forest: a dense mask, tree by tree, or in blocks (FlexAttention).

A token of a forest sees its own trunk and its own branch, so most of a long row's mask is empty.
FlexAttention (2412.05496) skips the empty blocks on a GPU and never holds the mask; on a CPU the
trees of a row are taken one after the other. A dense mask is quicker where trees are short.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask
from transformers import PreTrainedModel

from suffrage.data.forest import PADDING, Forest
from suffrage.models.precision import recomputes
from suffrage.models.tree_attention import NAME as TREES
from suffrage.models.tree_attention import cut_into_trees

FLEX = "flex_attention"
LONG_ROW = 512  # tokens; the mask of shorter rows is a few blocks of 128
TOLERANCE = 1e-2  # of the probe, in which the two kernels may round differently

_proven: WeakKeyDictionary[PreTrainedModel, bool] = WeakKeyDictionary()


@contextmanager
def attending(model: PreTrainedModel, forest: Forest) -> Iterator[Tensor | BlockMask | None]:
    """Set the model to take the mask that this yields, for the forward inside."""
    if forest.layout == "row" and not _computed_again(model):
        with _implementation(model, TREES), cut_into_trees(forest, model.dtype):
            yield None
        return
    if not (_wanted(model, forest) and _agrees(model, forest)):
        yield dense_mask(model, forest)
        return
    with _implementation(model, FLEX):
        yield block_mask(forest)


def takes_trees(model: PreTrainedModel) -> bool:
    """Whether its attention may be taken tree by tree: by PyTorch's own kernel, on a CPU."""
    return model.device.type == "cpu" and model.config._attn_implementation == "sdpa"


def _computed_again(model: PreTrainedModel) -> bool:
    """Whether layers run again in the backward pass, where they would meet another setting."""
    return torch.is_grad_enabled() and recomputes(model)


def _wanted(model: PreTrainedModel, forest: Forest) -> bool:
    """Where blocks pay."""
    return (
        forest.layout == "forest"
        and forest.input_ids_RL.is_cuda
        and forest.input_ids_RL.shape[1] >= LONG_ROW
        and bool(getattr(model, "_supports_flex_attn", False))
        and not _computed_again(model)
    )


def _agrees(model: PreTrainedModel, forest: Forest) -> bool:
    """Whether both kernels say the same of this model; asked once, of its first long forest."""
    if model not in _proven:
        try:
            error = difference(model, forest)
        except Exception as failure:  # whatever a compiler or a kernel raises
            warnings.warn(f"FlexAttention cannot be used here: {failure}", stacklevel=2)
            error = float("inf")
        _proven[model] = error < TOLERANCE
    return _proven[model]


@torch.no_grad()
def difference(model: PreTrainedModel, forest: Forest) -> float:
    """The largest difference of hidden states between the two kernels, over the largest state."""
    dense = states_under(model, forest, dense_mask(model, forest)).float()
    with _implementation(model, FLEX):
        blocks = states_under(model, forest, block_mask(forest)).float()
    real = forest.tree_RL != PADDING
    return float((dense - blocks)[real].abs().max() / dense[real].abs().max())


def states_under(model: PreTrainedModel, forest: Forest, mask: Tensor | BlockMask | None) -> Tensor:
    """(R, L, D): the last hidden state of every token."""
    states: Tensor = model.base_model(
        input_ids=forest.input_ids_RL,
        attention_mask=mask,
        position_ids=forest.position_ids_RL,
        use_cache=False,
    ).last_hidden_state
    return states


@contextmanager
def _implementation(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Another attention kernel for a while; sampling, which has other masks, keeps its own."""
    before, config = model.config._attn_implementation, model.config.get_text_config()
    config._attn_implementation = name
    try:
        yield
    finally:
        config._attn_implementation = before


def block_mask(forest: Forest) -> BlockMask:
    """`Forest.visible_RLL` without holding it."""
    tree_RL, branch_RL = forest.tree_RL, forest.branch_RL
    rows, length = tree_RL.shape

    def visible(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        same_tree = tree_RL[row, query] == tree_RL[row, key]
        trunk_or_own = (branch_RL[row, key] == 0) | (branch_RL[row, key] == branch_RL[row, query])
        return same_tree & trunk_or_own & (key <= query)

    return create_block_mask(visible, rows, None, length, length, device=str(tree_RL.device))


def dense_mask(model: PreTrainedModel, forest: Forest) -> Tensor:
    """(R, 1, L, L) of what sees what, or (R, L) of what is no padding in the plain layout."""
    if forest.layout == "plain":
        return (forest.tree_RL != PADDING).long()
    return as_model_takes(model, forest.visible_RLL()[:, None])


def as_model_takes(model: PreTrainedModel, visible: Tensor) -> Tensor:
    """A mask of four dimensions, true where a token is seen, as it is or to be added to scores."""
    if model.config._attn_implementation == "sdpa":
        return visible
    lowest = torch.finfo(model.dtype).min
    return torch.zeros_like(visible, dtype=model.dtype).masked_fill(~visible, lowest)
