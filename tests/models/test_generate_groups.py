"""From prompts to groups of completions."""

from __future__ import annotations

import pytest
import tiny

from suffrage.core.errors import DataError
from suffrage.core.records import Group, Prompt
from suffrage.models.generate import generate
from suffrage.models.sample import Sampling

PROMPTS = [Prompt(id=f"p{i}", content=text) for i, text in enumerate(["the sea", "中文", "a"])]
SAMPLING = Sampling(max_new_tokens=6, seed=4, temperature=0.9)


def test_each_prompt_gets_n_completions_that_say_where_they_come_from():
    bundle = tiny.bundle(template=tiny.CHATML)
    groups = generate(bundle, PROMPTS, 3, SAMPLING, name="run/sft")
    assert [group.prompt for group in groups] == PROMPTS
    completions = [c for group in groups for c in group.completions]
    assert len({c.id for c in completions}) == len(completions) == 9
    for c in completions:
        assert (c.source, c.seed, c.settings["temperature"]) == ("run/sft", 4, 0.9)
        assert isinstance(c.settings["finished"], bool)
    assert all(Group.from_json(group.to_json()) == group for group in groups)


def test_the_same_call_gives_the_same_groups_and_another_seed_others():
    bundle = tiny.bundle()
    first = generate(bundle, PROMPTS, 2, SAMPLING)
    assert generate(bundle, PROMPTS, 2, SAMPLING) == first
    other = generate(bundle, PROMPTS, 2, Sampling(max_new_tokens=6, seed=5, temperature=0.9))
    assert {c.id for g in other for c in g.completions}.isdisjoint(
        c.id for g in first for c in g.completions
    )
    assert [c.text for g in other for c in g.completions] != [
        c.text for g in first for c in g.completions
    ]


def test_more_tokens_than_half_the_context_are_cut_to_it():
    bundle = tiny.bundle(eos_token_id=3)
    (group,) = generate(bundle, PROMPTS[:1], 1, Sampling(max_new_tokens=1000))
    assert group.completions[0].settings["max_new_tokens"] == 64


def test_prompts_that_do_not_fit_are_refused_or_skipped():
    long = Prompt(id="long", content="x" * 200)
    with pytest.raises(DataError, match="'long' is too long"):
        generate(tiny.bundle(), [PROMPTS[0], long], 1, SAMPLING)
    kept = generate(tiny.bundle(), [PROMPTS[0], long], 1, SAMPLING, overlong="skip")
    assert [group.prompt.id for group in kept] == ["p0"]
    cut = generate(tiny.bundle(), [PROMPTS[0], long], 1, SAMPLING, overlong="cut")
    assert [group.prompt.id for group in cut] == ["p0", "long"]
    with pytest.raises(DataError, match="no prompt fits in the model's context"):
        generate(tiny.bundle(), [long], 1, SAMPLING, overlong="skip")
