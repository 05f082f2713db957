"""Packing: every scored token once and in order, and the same numbers in all layouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from suffrage.data import forest
from suffrage.data.encode import Branch, Tree
from suffrage.data.forest import PADDING, Forest, first_fit, pack, split
from suffrage.models.forward import branch_sums, pick_layout, token_logps
from suffrage.models.logprobs import CHUNK_BYTES
from suffrage.models.scalar_head import ScalarModel, from_language_model, scores, values

pytestmark = pytest.mark.usefixtures("every_tree_is_long")

TOKENS = st.integers(0, 264)
BRANCHES = st.lists(TOKENS, max_size=6).flatmap(
    lambda tokens: st.builds(Branch, st.just(tokens), st.integers(0, len(tokens)))
)
TREES = st.builds(
    Tree, st.lists(TOKENS, min_size=1, max_size=6), st.lists(BRANCHES, max_size=4).map(tuple)
)
# Two prompts in one row, one alone; answers of unlike lengths, one of a single token.
MIXED = [tiny.tree(1, 9, (4, 21, 13), unscored=2), tiny.tree(2, 3, (11, 2)), tiny.tree(3, 5, (1,))]


def scored(trees: list[Tree]) -> list[list[int]]:
    """What a forest must score: each branch's tokens past those of the prompt."""
    return [list(b.tokens[b.unscored :]) for tree in trees for b in tree.branches]


@given(st.lists(TREES, max_size=6), st.sampled_from(["row", "forest", "plain"]))
def test_every_scored_token_is_there_once_and_in_order(trees, layout):
    forest = pack(trees, layout)
    expected = scored(trees)
    found: list[list[int]] = [[] for _ in expected]
    for branch, token in zip(forest.branch_N.tolist(), forest.target_N.tolist(), strict=True):
        found[branch].append(token)
    assert found == expected
    assert forest.branch_N.tolist() == sorted(forest.branch_N.tolist())
    assert forest.branches == len(expected)


@given(st.lists(TREES, min_size=1, max_size=6), st.sampled_from(["row", "forest", "plain"]))
def test_a_predictor_sees_its_path_and_nothing_else(trees, layout):
    """The tokens visible from a predictor, in order of position, are the path before its target."""
    forest = pack(trees, layout)
    visible = forest.visible_RLL().flatten(0, 1)
    length = forest.input_ids_RL.shape[1]
    paths = [
        [*tree.trunk, *b.tokens[:k]]
        for tree in trees
        for b in tree.branches
        for k in range(b.unscored, len(b.tokens))
    ]
    for place, path in zip(forest.predictor_N.tolist(), paths, strict=True):
        row = place // length
        seen = visible[place]
        assert forest.input_ids_RL[row][seen].tolist() == path
        assert forest.position_ids_RL[row][seen].tolist() == list(range(len(path)))


@given(st.lists(TREES, min_size=1, max_size=6))
def test_the_last_place_of_a_branch_is_the_end_of_its_path(trees):
    for layout in ("row", "forest", "plain"):
        forest = pack(trees, layout)
        ids = forest.input_ids_RL.flatten()[forest.last_B].tolist()
        assert ids == [[*t.trunk, *b.tokens][-1] for t in trees for b in t.branches]


@given(st.lists(TREES, max_size=8))
def test_the_forest_computes_each_prompt_once(trees):
    forest = pack(trees)
    real = int((forest.tree_RL != PADDING).sum())
    assert real == sum(tree.size for tree in trees)
    assert forest.input_ids_RL.shape[1] == max((tree.size for tree in trees), default=0)


@given(st.lists(TREES, min_size=1, max_size=8))
def test_a_row_holds_no_padding(trees):
    row = pack(trees, "row")
    assert row.input_ids_RL.shape == (1, sum(tree.size for tree in trees))
    assert row.tree_RL.min() >= 0


def test_short_trees_make_a_forest_where_a_row_is_asked_for(monkeypatch):
    monkeypatch.setattr(forest, "LONG_TREE", 20)
    long, short = tiny.tree(1, 9, (4, 21)), tiny.tree(2, 3, (2, 1))
    assert pack([long, short], "row").layout == "row"  # 34 and 6: 20 on average
    assert pack([long, short, tiny.tree(3, 16, (3,))], "row").layout == "forest"
    assert pack([], "row").layout == "forest"


@given(st.lists(st.integers(1, 50), max_size=30))
def test_bins_hold_everything_once_and_none_overflows(sizes):
    bins = first_fit(sizes)
    assert sorted(index for each in bins for index in each) == list(range(len(sizes)))
    assert all(sum(sizes[i] for i in each) <= max(sizes) for each in bins)
    if sizes:  # two bins at most half full would have been one
        assert len(bins) <= 2 * sum(sizes) / max(sizes) + 1


def test_first_fit_puts_the_largest_first():
    assert first_fit([3, 7, 4, 2, 5]) == [[1], [4, 3], [2, 0]]


@given(st.lists(TREES, max_size=8), st.integers(1, 60))
def test_micro_batches_keep_order_and_budget(trees, budget):
    parts = split(trees, budget)
    assert [index for part in parts for index in part] == list(range(len(trees)))
    for part in parts:
        assert len(part) == 1 or sum(trees[i].size for i in part) <= budget


Figures = Callable[[Forest], Tensor]
WITHOUT_CLASSIFIER = ("cohere", "granite")


def makers(family: str, dtype: torch.dtype) -> tuple[list[torch.nn.Module], dict[str, Figures]]:
    """A model and, where the family has one, a reward model, and what is computed with them."""
    bundle = tiny.bundle(family)
    model = bundle.model.to(dtype)
    figures: dict[str, Figures] = {"token_logps": lambda forest: token_logps(model, forest)}
    if family in WITHOUT_CLASSIFIER:
        return [model], figures
    scalar = from_language_model(bundle, seed=4)
    scalar = ScalarModel(replace(scalar.base, model=scalar.model.to(dtype)))
    figures["scores"] = lambda forest: scores(scalar, forest)
    figures["values"] = lambda forest: values(scalar, forest)
    return [model, scalar.model], figures


def gradients(modules: list[torch.nn.Module], figure: Tensor) -> list[Tensor]:
    """The gradient of a sum in which every figure weighs differently."""
    weights = torch.linspace(0.3, 1.7, len(figure), dtype=figure.dtype)
    parameters = [p for module in modules for p in module.parameters()]
    found = torch.autograd.grad((figure * weights).sum(), parameters, allow_unused=True)
    return [g for g in found if g is not None]


# transformers computes the norms of the other families in single precision, whatever the model's.
DOUBLE_THROUGHOUT = ("gpt2", "phi", "gpt_neox")
FOREST_FAMILIES = ["llama", "gpt2", "qwen3", "olmo2", "phi", "gpt_neox", "cohere", "granite"]


@pytest.mark.parametrize("family", FOREST_FAMILIES)
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-5)], ids=["f64", "f32"]
)
def test_all_layouts_give_the_same_numbers_and_gradients(family, dtype, tolerance):
    modules, figures = makers(family, dtype)
    assert pick_layout(modules[0], MIXED) == "row"
    plain = pack(MIXED, "plain")
    of_gradient = tolerance if family in DOUBLE_THROUGHOUT else max(tolerance, 1e-6)
    for (name, figure), layout in product(figures.items(), ("row", "forest")):
        packed, expected = figure(pack(MIXED, layout)), figure(plain)
        assert packed.dtype == dtype, name
        torch.testing.assert_close(packed, expected, rtol=tolerance, atol=tolerance, msg=name)
        pairs = zip(gradients(modules, packed), gradients(modules, expected), strict=True)
        for found, wanted in pairs:
            scale = max(float(wanted.abs().max()), 1)
            assert float((found - wanted).abs().max()) <= of_gradient * scale, name


@pytest.mark.parametrize("family", ["gemma2", "mistral", "gpt_neo", "bloom"])
def test_what_cannot_take_the_mask_is_laid_out_plain(family):
    """Windows of 64 tokens: longer than the loader's probe, shorter than what people train on."""
    assert tiny.bundle(family).layout == "plain"


def test_a_window_that_is_switched_off_does_not_matter():
    assert tiny.bundle("mistral", sliding_window=None).layout == "row"


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "granite", "cohere", "gpt_neo"])
@torch.no_grad()
def test_log_probabilities_are_the_models_own(family):
    """The plainest computation: one path at a time through the whole model."""
    bundle = tiny.bundle(family)
    found = token_logps(bundle.model, pack(MIXED, bundle.layout))
    expected = []
    for tree in MIXED:
        for branch in tree.branches:
            path = torch.tensor([[*tree.trunk, *branch.tokens]])
            logps = bundle.model(path).logits[0].float().log_softmax(-1)
            start = len(tree.trunk) + branch.unscored
            expected += [float(logps[k - 1, path[0, k]]) for k in range(start, path.shape[1])]
    assert found.tolist() == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("layout", ["forest", "plain"])
def test_what_stands_in_the_padding_does_not_matter(layout):
    _, figures = makers("llama", torch.float64)
    forest = pack(MIXED, layout)
    padding = forest.tree_RL == PADDING
    assert bool(padding.any())
    ids = forest.input_ids_RL.masked_fill(padding, 77)
    positions = forest.position_ids_RL.masked_fill(padding, 55)
    junk = replace(forest, input_ids_RL=ids, position_ids_RL=positions)
    for figure in figures.values():
        torch.testing.assert_close(figure(junk), figure(forest), rtol=0, atol=1e-12)


@pytest.mark.parametrize("layout", ["row", "forest", "plain"])
def test_the_company_does_not_matter(layout):
    _, figures = makers("llama", torch.float64)
    for figure in figures.values():
        together = figure(pack(MIXED, layout))
        alone = torch.cat([figure(pack([tree], layout)) for tree in MIXED])
        backwards = [figure(pack([t], layout)) for t in reversed(MIXED)]
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)
        torch.testing.assert_close(
            figure(pack(MIXED[::-1], layout)), torch.cat(backwards), rtol=0, atol=1e-12
        )


def test_the_vocabulary_in_chunks_gives_the_same_numbers_and_gradient(monkeypatch):
    modules, figures = makers("llama", torch.float64)
    forest = pack(MIXED)
    whole = figures["token_logps"](forest)
    monkeypatch.setitem(CHUNK_BYTES, "cpu", 4 * 265 * 7)
    chunked = figures["token_logps"](forest)
    torch.testing.assert_close(chunked, whole, rtol=0, atol=1e-12)
    pairs = zip(gradients(modules, chunked), gradients(modules, whole), strict=True)
    for found, wanted in pairs:
        torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)


def test_temperature_divides_the_logits():
    bundle = tiny.bundle()
    tree = tiny.tree(5, 4, (3,))
    path = torch.tensor([[*tree.trunk, *tree.branches[0].tokens]])
    logits = bundle.model(path).logits[0, 3:6].float()
    expected = (logits / 0.6).log_softmax(-1).gather(1, path[0, 4:, None]).squeeze(1)
    found = token_logps(bundle.model, pack([tree]), temperature=0.6)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_sums_over_branches():
    forest = pack(MIXED)
    sums = branch_sums(torch.arange(len(forest.target_N), dtype=torch.float32), forest)
    # lengths 2, 19, 11, 11, 2, 1 and the numbers 0, 1, 2, ... dealt out in order
    assert sums.tolist() == [1, sum(range(2, 21)), sum(range(21, 32)), sum(range(32, 43)), 87, 45]
