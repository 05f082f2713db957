"""The reference's log-probabilities: computed once, and never another model's or another text's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny
import torch
from ten_groups import groups

from suffrage.data.encode import Branch
from suffrage.models.language_model import LanguageModel
from suffrage.objectives.table import objective
from suffrage.train import reference
from suffrage.train.examples import Example, make_examples
from suffrage.train.reference import reference_key, with_reference


@pytest.fixture
def bundle(tmp_path, monkeypatch) -> LanguageModel:
    monkeypatch.setenv("SUFFRAGE_CACHE", str(tmp_path))
    return tiny.bundle("gpt2")


@pytest.fixture
def examples(bundle) -> list[Example]:
    return make_examples(groups(6), bundle.encoder(), objective("dpo"))[0]


def forbidden(*_: object) -> None:
    raise AssertionError("the forward ran")


def sums(examples: list[Example]) -> torch.Tensor:
    return torch.cat([example.reference_B for example in examples])


@torch.no_grad()
def test_they_are_those_of_the_plainest_computation(bundle, examples):
    for example in with_reference(bundle, examples, tokens=60):
        for branch, found in zip(example.tree.branches, example.reference_B, strict=True):
            path = torch.tensor([[*example.tree.trunk, *branch.tokens]])
            logps = bundle.model(path).logits[0].log_softmax(-1)
            start = len(example.tree.trunk) + branch.unscored
            plain = sum(float(logps[k - 1, path[0, k]]) for k in range(start, path.shape[1]))
            assert float(found) == pytest.approx(plain, rel=1e-5)


def test_a_second_time_they_are_read_not_computed(bundle, examples, monkeypatch):
    first = with_reference(bundle, examples, tokens=60)
    monkeypatch.setattr(reference, "token_logps", forbidden)
    assert torch.equal(sums(with_reference(bundle, examples, tokens=10**6)), sums(first))


def test_other_weights_other_tokens_another_layout_make_another_key(bundle, examples):
    trees = [example.tree for example in examples]
    keys = {reference_key(bundle, trees), reference_key(replace(bundle, layout="plain"), trees)}
    first = trees[0]
    moved = replace(first.branches[0], unscored=first.branches[0].unscored + 1)
    for branch in (Branch([*first.branches[0].tokens, 5]), moved):
        keys.add(reference_key(bundle, [replace(first, branches=(branch,)), *trees[1:]]))
    keys.add(reference_key(bundle, trees[::-1]))
    with torch.no_grad():
        next(bundle.model.parameters())[0, 0] += 1e-6
    keys.add(reference_key(bundle, trees))
    assert len(keys) == 6


def test_a_damaged_file_is_computed_anew(bundle, examples, tmp_path):
    first = with_reference(bundle, examples, tokens=60)
    (file,) = (tmp_path / "reference").iterdir()
    for content in (b"", b"\x00" * 40, file.read_bytes()[:-2]):
        file.write_bytes(content)
        assert torch.equal(sums(with_reference(bundle, examples, tokens=60)), sums(first))


def test_a_cache_that_cannot_be_written_stops_nothing(bundle, examples, tmp_path):
    (tmp_path / "reference").write_text("a file where the folder belongs")
    assert len(with_reference(bundle, examples, tokens=60)) == len(examples)
