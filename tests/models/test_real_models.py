"""Small models trained by others, with their traps; skipped where they are absent."""

from __future__ import annotations

import pytest
import torch

from suffrage.core.errors import DataError
from suffrage.core.records import Completion, Group, Prompt
from suffrage.data.encode import Tree
from suffrage.data.forest import one_row, pack
from suffrage.models.forward import token_logps
from suffrage.models.language_model import LanguageModel, load
from suffrage.models.sample import Sampling, sample

# what the readme of the material says of them: end tokens, context, start tokens of a text
MODELS = {"stories260K": ((2, 1), 512, [1]), "gpt2_byte_951k": ((0,), 256, [])}
STORIES = ["Once upon a time", "Lily saw a big dog. ", "中文。"]


@pytest.fixture(params=MODELS)
def real(request: pytest.FixtureRequest, real_path) -> tuple[LanguageModel, str]:
    return load(real_path(f"models/{request.param}"), "cpu"), request.param


def trees(bundle: LanguageModel) -> list[Tree]:
    answers = (" there was a cat.", " the end", "")
    made = []
    for name in STORIES:
        completions = tuple(Completion(id=t, prompt_id=name, text=t) for t in answers)
        group = Group(prompt=Prompt(id=name, content=name), completions=completions)
        tree = bundle.encoder().tree(group)
        assert tree is not None
        made.append(tree)
    return made


def test_what_is_found_out_about_them(real):
    bundle, name = real
    ends, context, start = MODELS[name]
    assert (bundle.layout, bundle.end_ids, bundle.context) == ("row", ends, context)
    for tree in trees(bundle):
        assert list(tree.trunk[: len(start)]) == start
        assert all(b.tokens[-1] == ends[0] for b in tree.branches)
        assert not any(set(b.tokens[:-1]) & set(ends) for b in tree.branches)


def test_all_layouts_agree(real):
    bundle, _ = real
    made = (one_row(trees(bundle)), pack(trees(bundle), "forest"), pack(trees(bundle), "plain"))
    with torch.no_grad():
        row, forest, plain = (token_logps(bundle.model, one) for one in made)
    torch.testing.assert_close(row, plain, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(forest, plain, rtol=1e-5, atol=1e-5)


def test_greedy_text_is_that_of_transformers(real):
    bundle, _ = real
    prompts = [bundle.encoder().prompt(Prompt(id=text, content=text)) for text in STORIES]
    sampled = sample(bundle, prompts, 1, Sampling(max_new_tokens=40, temperature=0))
    for prompt, (own,) in zip(prompts, sampled, strict=True):
        ids = torch.tensor([prompt])
        out = bundle.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=40,
            eos_token_id=list(bundle.end_ids),
        )
        assert own.tokens == out[0, len(prompt) :].tolist()


def test_a_prompt_beyond_the_context_is_refused(real):
    bundle, _ = real
    long = Prompt(id="long", content="Once upon a time there was a dog. " * 60)
    with pytest.raises(DataError, match=f"'long' is too long: .* the limit is {bundle.context};"):
        bundle.encoder().fits(long, bundle.encoder().prompt(long), 20)
