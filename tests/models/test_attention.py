"""The mask in blocks: what the dense one says, and used only where the model computes it right."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import tiny
import torch
from torch.nn.attention import flex_attention

from suffrage.data.forest import pack
from suffrage.models import attention
from suffrage.models.attention import block_mask, difference
from suffrage.models.forward import hidden_states

TREES = [tiny.tree(1, 9, (4, 21, 13)), tiny.tree(2, 3, (11, 2)), tiny.tree(3, 5, (7,))]


@pytest.fixture
def uncompiled(monkeypatch):
    """FlexAttention as plain torch operations, which needs no compiler."""
    monkeypatch.setattr(flex_attention, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)


@pytest.fixture
def model(monkeypatch):
    """A model, after whose loading every forest counts as long and on a GPU."""
    made = tiny.bundle("llama").model
    monkeypatch.setattr(attention, "_wanted", lambda model, forest: forest.layout == "forest")
    return made


def test_the_blocks_hold_what_the_dense_mask_holds():
    forest = pack(TREES)
    visible = block_mask(forest).mask_mod
    rows, length = forest.tree_RL.shape
    found = flex_attention.create_mask(visible, rows, None, length, length, device="cpu")
    torch.testing.assert_close(found[:, 0], forest.visible_RLL())


@pytest.mark.filterwarnings("ignore")  # the compiler's own remarks
def test_both_kernels_say_the_same(uncompiled):
    assert difference(tiny.bundle("llama").model, pack(TREES)) < 1e-5


@pytest.mark.filterwarnings("ignore")
@torch.no_grad()  # a CPU has the forward only
def test_where_it_is_wanted_the_model_takes_blocks_for_that_forward_only(
    uncompiled, model, monkeypatch
):
    forest, plain = pack(TREES), pack(TREES, "plain")
    expected = hidden_states(model, plain)[plain.last_B]
    seen = []
    made = attention.block_mask
    monkeypatch.setattr(attention, "block_mask", lambda f: seen.append(f) or made(f))
    torch.testing.assert_close(hidden_states(model, forest)[forest.last_B], expected)
    hidden_states(model, forest)
    assert len(seen) == 3  # once to compare, then once a forward
    assert model.config._attn_implementation == "sdpa"


def test_a_kernel_that_fails_is_told_and_left_alone(model, monkeypatch):
    forest, plain = pack(TREES), pack(TREES, "plain")
    expected = hidden_states(model, plain)

    def fails(_):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(attention, "block_mask", fails)
    with pytest.warns(UserWarning, match="no compiler"):
        found = hidden_states(model, forest)
    again = hidden_states(model, forest)  # without another word
    torch.testing.assert_close(again, found)
    assert model.config._attn_implementation == "sdpa"
    torch.testing.assert_close(found[forest.last_B], expected[plain.last_B])


def test_a_kernel_that_says_something_else_is_left_alone(model, monkeypatch):
    monkeypatch.setattr(attention, "difference", lambda model, forest: 0.02)
    monkeypatch.setattr(attention, "block_mask", lambda forest: pytest.fail("used all the same"))
    hidden_states(model, pack(TREES))


@pytest.mark.parametrize(
    ("cuda", "length", "supported", "recomputed", "layout", "wanted"),
    [
        (True, 512, True, False, "forest", True),
        (False, 512, True, False, "forest", False),
        (True, 511, True, False, "forest", False),
        (True, 512, False, False, "forest", False),
        (True, 512, True, True, "forest", False),
        (True, 512, True, False, "plain", False),
    ],
)
def test_wanted_for_long_rows_on_a_gpu(
    cuda, length, supported, recomputed, layout, wanted, monkeypatch
):
    monkeypatch.setattr(attention, "recomputes", lambda model: recomputed)
    model = SimpleNamespace(_supports_flex_attn=supported)
    ids = SimpleNamespace(is_cuda=cuda, shape=(3, length))
    assert attention._wanted(model, SimpleNamespace(input_ids_RL=ids, layout=layout)) is wanted
