"""Sampling: the right distribution, the same text in any company, and true log-probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tiny
import torch
from scipy.stats import chisquare

from suffrage.core.errors import SettingsError
from suffrage.data.encode import Branch, Tree
from suffrage.data.forest import pack
from suffrage.models.forward import token_logps
from suffrage.models.language_model import LanguageModel
from suffrage.models.sample import Sample, Sampling, choose, sample

PROMPTS = [[7, 30, 41, 5], [9], [100, 3, 200, 17, 60, 61, 62], [44, 44]]


def greedy_by_transformers(bundle: LanguageModel, prompt: list[int], new_tokens: int) -> list[int]:
    ids = torch.tensor([prompt])
    out = bundle.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=new_tokens,
        eos_token_id=list(bundle.end_ids),
        pad_token_id=0,
    )
    found: list[int] = out[0, len(prompt) :].tolist()
    return found


@pytest.mark.parametrize("family", ["llama", "gpt2", "mistral", "gemma2", "gpt_neo", "cohere"])
def test_greedy_text_is_that_of_transformers(family):
    bundle = tiny.bundle(family)
    sampled = sample(bundle, PROMPTS, 1, Sampling(max_new_tokens=20, temperature=0))
    for prompt, (own,) in zip(PROMPTS, sampled, strict=True):
        assert own.tokens == greedy_by_transformers(bundle, prompt, 20)


def test_greedy_text_beyond_a_sliding_window_is_that_of_transformers():
    bundle = tiny.bundle("mistral", sliding_window=6)
    sampled = sample(bundle, PROMPTS, 1, Sampling(max_new_tokens=20, temperature=0))
    for prompt, (own,) in zip(PROMPTS, sampled, strict=True):
        assert own.tokens == greedy_by_transformers(bundle, prompt, 20)


def tokens(sampled: list[list[Sample]]) -> list[list[list[int]]]:
    return [[s.tokens for s in own] for own in sampled]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_the_text_depends_on_neither_batch_size_nor_company(family):
    bundle = tiny.bundle(family)
    settings = {"max_new_tokens": 12, "temperature": 0.8, "seed": 3}
    keys = [4, 1, 7, 2]
    together = sample(bundle, PROMPTS, 3, Sampling(**settings, batch_size=64), keys)
    for size in (1, 5, 7):
        assert tokens(sample(bundle, PROMPTS, 3, Sampling(**settings, batch_size=size), keys)) == (
            tokens(together)
        )
    for index, key in enumerate(keys):
        alone = sample(bundle, [PROMPTS[index]], 3, Sampling(**settings), [key])
        assert tokens(alone) == tokens([together[index]])
        fewer = sample(bundle, [PROMPTS[index]], 2, Sampling(**settings), [key])
        assert tokens(fewer)[0] == tokens([together[index]])[0][:2]


def test_seed_prompt_and_sample_each_draw_anew():
    bundle = tiny.bundle()
    drawn = [
        sample(bundle, [PROMPTS[0]], 2, Sampling(max_new_tokens=12, seed=seed), [key])
        for seed, key in ((0, 0), (1, 0), (0, 1))
    ]
    texts = [tuple(s.tokens) for own in drawn for s in own[0]]
    assert len(set(texts)) == 6


@pytest.mark.parametrize("family", ["llama", "gpt2", "mistral"])
@pytest.mark.parametrize("temperature", [0.7, 1.6])
def test_the_log_probabilities_are_those_of_the_forward(family, temperature):
    bundle = tiny.bundle(family)
    sampling = Sampling(max_new_tokens=15, temperature=temperature, top_k=40, top_p=0.9, seed=1)
    sampled = sample(bundle, PROMPTS, 2, sampling)
    trees = [
        Tree(prompt, tuple(Branch(s.tokens) for s in own))
        for prompt, own in zip(PROMPTS, sampled, strict=True)
    ]
    with torch.no_grad():
        found = token_logps(bundle.model, pack(trees, bundle.layout), temperature=temperature)
    drawn = [logp for own in sampled for s in own for logp in s.logps]
    assert drawn == pytest.approx(found.tolist(), abs=2e-5)


def test_end_tokens_stop_a_row_and_the_others_go_on():
    bundle = tiny.bundle(vocab_size=8, seed=5)
    (own,) = sample(bundle, [[5, 6]], 60, Sampling(max_new_tokens=9, temperature=1.3))
    for s in own:
        assert s.finished == (s.tokens[-1] == 2)
        assert 2 not in s.tokens[:-1]
        assert s.finished or len(s.tokens) == 9
        assert len(s.logps) == len(s.tokens)
    assert {2, 9} < {len(s.tokens) for s in own}


def test_every_end_id_stops():
    bundle = tiny.bundle(vocab_size=8, seed=5, eos_token_id=[3, 2])
    assert bundle.end_ids == (2, 3)
    (own,) = sample(bundle, [[5, 6]], 60, Sampling(max_new_tokens=9, temperature=1.3))
    assert {s.tokens[-1] for s in own if s.finished} == {2, 3}
    assert not any({2, 3} & set(s.tokens[:-1]) for s in own)


def exact(logits: torch.Tensor, sampling: Sampling) -> np.ndarray:
    """The probabilities after temperature, then top-k, then top-p, in plain numpy."""
    scaled = logits.double().numpy() / sampling.temperature
    p = np.exp(scaled - scaled.max())
    p /= p.sum()
    order = np.argsort(-p)
    kept = order[: sampling.top_k or len(p)]
    total, nucleus = p[kept].sum(), []
    for token in kept:
        nucleus.append(token)
        if p[nucleus].sum() >= sampling.top_p * total:
            break
    cut = np.zeros_like(p)
    cut[nucleus] = p[nucleus]
    return cut / cut.sum()


@pytest.mark.parametrize(
    "changes",
    [{}, {"temperature": 0.6}, {"top_k": 4}, {"top_p": 0.8}, {"top_k": 6, "top_p": 0.7}],
    ids=str,
)
def test_samples_follow_the_exact_distribution(changes):
    """Chi-squared over all continuations of two tokens in a vocabulary of eight."""
    bundle = tiny.bundle(vocab_size=8, seed=2)
    sampling = Sampling(**{"max_new_tokens": 2, "temperature": 1.0, "seed": 11, **changes})
    count = 4000
    (own,) = sample(bundle, [[5, 6, 1]], count, sampling)
    expected = {}
    with torch.no_grad():
        first = exact(bundle.model(torch.tensor([[5, 6, 1]])).logits[0, -1], sampling)
        for a in range(8):
            if a == 2:
                expected[(a,)] = first[a]
                continue
            then = exact(bundle.model(torch.tensor([[5, 6, 1, a]])).logits[0, -1], sampling)
            expected.update({(a, b): first[a] * then[b] for b in range(8)})
    drawn = dict.fromkeys(expected, 0)
    for s in own:
        drawn[tuple(s.tokens)] += 1
    assert all(drawn[path] == 0 for path, p in expected.items() if p == 0)
    common = [path for path, p in expected.items() if p * count >= 5]
    observed = [drawn[path] for path in common]
    wanted = [expected[path] * count for path in common]
    assert len(common) >= 4
    if count - sum(wanted) > 5:  # the rare ones as one
        observed, wanted = [*observed, count - sum(observed)], [*wanted, count - sum(wanted)]
    else:
        wanted = [w * sum(observed) / sum(wanted) for w in wanted]
    assert chisquare(observed, wanted).pvalue > 1e-3


THIRDS = torch.tensor([[0.2, 0.5, 0.3]]).log()


@pytest.mark.parametrize(
    ("noise", "changes", "token"),
    [
        (0.0, {}, 0),
        (0.19, {}, 0),
        (0.21, {}, 1),
        (0.71, {}, 2),
        (1 - 1e-16, {}, 2),
        (0.0, {"top_k": 2}, 1),  # the others keep their order and share the whole
        (0.62, {"top_k": 2}, 1),
        (0.63, {"top_k": 2}, 2),
        (0.99, {"top_k": 1}, 1),
        (0.99, {"top_k": 5}, 2),
        (0.99, {"top_p": 0.49}, 1),
        (0.62, {"top_p": 0.6}, 1),
        (0.63, {"top_p": 0.6}, 2),
        (0.0, {"top_p": 0.81}, 0),
        (0.33, {"temperature": 0.5}, 1),  # squares: .04, .25, .09 of .38
        (0.1, {"temperature": 0.5}, 0),
        (0.77, {"temperature": 0.5}, 2),
        (0.0, {"temperature": 0.0}, 1),
    ],
)
def test_a_number_picks_its_token(noise, changes, token):
    chosen, logp = choose(THIRDS, torch.tensor([noise], dtype=torch.float64), Sampling(**changes))
    assert chosen.tolist() == [token]
    squares = {0: 0.04 / 0.38, 1: 0.25 / 0.38, 2: 0.09 / 0.38}
    plain = {0: 0.2, 1: 0.5, 2: 0.3}
    p = squares[token] if changes.get("temperature") == 0.5 else plain[token]
    assert logp.item() == pytest.approx(math.log(p), abs=1e-6)  # truncation leaves it alone


@pytest.mark.parametrize(
    "changes",
    [{"temperature": -0.1}, {"top_p": 0.0}, {"top_p": 1.1}, {"top_k": -1}, {"max_new_tokens": 0}],
)
def test_settings_that_cannot_be(changes):
    with pytest.raises(SettingsError, match="at least"):
        Sampling(**changes)
