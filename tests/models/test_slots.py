"""Slots give what groups give, whoever comes and goes."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch

from suffrage.models import slots
from suffrage.models.rows import Row
from suffrage.models.sample import Sampling, sample
from suffrage.models.slots import SlotRows, takes_slots

PROMPTS = [[7 * i % 251 + 4 for i in range(start, start + size)] for start, size in
           ((0, 4), (50, 1), (9, 31), (3, 12), (77, 2), (60, 23), (31, 5))]  # fmt: skip


@pytest.mark.parametrize("family", ["llama", "gpt2", "qwen3", "gpt_neox", "phi", "cohere"])
@pytest.mark.parametrize("size", [1, 5, 64])
def test_rows_that_come_and_go_are_those_of_groups(family, size, monkeypatch):
    monkeypatch.setattr(slots, "PREFILL", 40)  # several prefills
    monkeypatch.setattr(slots, "GROWTH", 8)  # and buffers that grow under way
    bundle = tiny.bundle(family, eos_token_id=list(range(2, 30)))
    assert takes_slots(bundle)
    sampling = Sampling(max_new_tokens=24, temperature=1.5, seed=8, batch_size=size)
    found = sample(bundle, PROMPTS, 3, sampling)
    expected = sample(replace(bundle, layout="plain"), PROMPTS, 3, sampling)
    assert len({len(s.tokens) for own in found for s in own}) > 5
    for own, other in zip(found, expected, strict=True):
        assert [s.tokens for s in own] == [s.tokens for s in other]
        for s, o in zip(own, other, strict=True):
            assert s.logps == pytest.approx(o.logps, abs=2e-5)


def test_each_prompt_is_computed_once_and_slots_stay_full(monkeypatch):
    bundle = tiny.bundle(vocab_size=8, seed=5)  # rows end after 5 tokens or so
    seen: list[tuple[int, ...]] = []
    forward = bundle.model.base_model.forward

    def counted(**inputs):
        seen.append(tuple(inputs["input_ids"].shape))
        return forward(**inputs)

    monkeypatch.setattr(bundle.model.base_model, "forward", counted)
    sampling = Sampling(max_new_tokens=9, temperature=1.3, batch_size=6)
    made = sample(bundle, [[5, 6, 4]] * 8, 5, sampling)
    assert seen[0] == (8, 3)
    steps = [rows for rows, length in seen[1:] if length == 1]
    assert len(steps) == len(seen) - 1
    # Every token but a row's last is read once.
    assert sum(steps) == sum(len(s.tokens) - 1 for own in made for s in own)
    assert max(steps) == 6
    assert len(steps) < 1.6 * sum(steps) / 6  # groups of six would wait for their longest


@pytest.mark.parametrize("family", ["mistral", "gemma2", "gpt_neo", "bloom"])
def test_other_models_decode_groups(family):
    assert not takes_slots(tiny.bundle(family))


def test_eager_attention_sees_the_same(monkeypatch):
    bundle = tiny.bundle()
    sampling = Sampling(max_new_tokens=24, temperature=1.5, seed=8, batch_size=5)
    expected = sample(bundle, PROMPTS, 2, sampling)
    bundle.model.set_attn_implementation("eager")
    found = sample(bundle, PROMPTS, 2, sampling)
    assert [s.tokens for own in found for s in own] == [s.tokens for own in expected for s in own]


def test_the_last_rows_move_into_the_slots_that_were_left():
    rows = SlotRows(tiny.bundle(), deque(), 6)
    named = [Row([0] * 3, np.random.default_rng(0)) for _ in range(6)]
    rows.rows = list(named)
    for layer in rows.layers:
        layer.longest = 2  # of a step before rows of three came
        layer.buffers = [torch.arange(6.0)[:, None, None, None].expand(6, 1, 4, 1).clone()]
    rows._close_up([1, 3, 5])
    assert rows.rows == [named[3], named[1], named[5]]
    held = rows.layers[0].buffers[0][:3, 0, :3, 0]
    assert held.tolist() == [[3, 3, 3], [1, 1, 1], [5, 5, 5]]
