"""Attention tree by tree: what each token may see, and what the kernel leaves to others."""

from __future__ import annotations

import pytest
import tiny
import torch
from torch.nn.functional import scaled_dot_product_attention

from suffrage.data.encode import Tree
from suffrage.data.forest import one_row, pack
from suffrage.models.attention import takes_trees
from suffrage.models.forward import token_logps
from suffrage.models.tree_attention import cut_into_trees, tree_attention

TREES = [tiny.tree(1, 9, (4, 21)), Tree([5, 6, 7], ()), tiny.tree(2, 3, (11, 2, 1))]
HEADS, WIDTH = 4, 8


def random_states(heads: int, seed: int) -> torch.Tensor:
    size = sum(tree.size for tree in TREES)
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, heads, size, WIDTH, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("block", [1, 5, 128])  # every branch alone, two together, all together
@pytest.mark.parametrize("key_heads", [HEADS, 2, 1])
def test_it_is_attention_under_the_whole_mask(key_heads, block, monkeypatch):
    monkeypatch.setattr("suffrage.models.tree_attention.BLOCK", block)
    forest = one_row(TREES)
    query, key, value = (random_states(h, i) for i, h in enumerate((HEADS, key_heads, key_heads)))
    with cut_into_trees(forest, torch.float64):
        found, _ = tree_attention(None, query, key, value, None, scaling=0.3)
    wide = (t.repeat_interleave(HEADS // key_heads, 1) for t in (key, value))
    mask = forest.visible_RLL()[:, None]
    expected = scaled_dot_product_attention(query, *wide, attn_mask=mask, scale=0.3)
    torch.testing.assert_close(found, expected.transpose(1, 2), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["softcap", "position_bias", "s_aux"])
def test_scores_with_something_added_are_left_to_others(name):
    states = random_states(HEADS, 0)
    with cut_into_trees(one_row(TREES), torch.float64), pytest.raises(ValueError, match="adds"):
        tree_attention(None, states, states, states, None, **{name: torch.ones(1)})


def test_a_model_takes_the_kernel_for_that_forward_only():
    model = tiny.bundle("llama").model
    with torch.no_grad():
        expected = token_logps(model, pack(TREES, "plain"))
        torch.testing.assert_close(token_logps(model, one_row(TREES)), expected)
    assert model.config._attn_implementation == "sdpa"


def test_only_pytorchs_own_kernel_on_a_cpu_is_replaced():
    model = tiny.bundle("llama").model
    assert takes_trees(model)
    model.config._attn_implementation = "eager"
    assert not takes_trees(model)
