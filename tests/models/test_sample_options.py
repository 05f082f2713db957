"""The options of sampling against transformers' own logits processors, and their errors."""

from __future__ import annotations

import numpy as np
import pytest
import tiny
import torch
from transformers import (
    LogitsProcessorList,
    MinNewTokensLengthLogitsProcessor,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    SuppressTokensLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.generation.logits_process import SuppressTokensAtBeginLogitsProcessor

from suffrage.core.errors import NumericalError, SettingsError
from suffrage.core.records import Prompt
from suffrage.data.encode import Branch, Tree
from suffrage.data.forest import pack
from suffrage.models.forward import token_logps
from suffrage.models.generate import generate
from suffrage.models.sample import Sampling, choose, sample
from suffrage.models.token_choice import BLOCK, penalised, without

PROMPTS = [[7, 30, 41, 5], [9], [100, 3, 200, 17, 60, 61, 62], [44, 44]]
VOCABULARY = 2 * BLOCK + 88  # two whole blocks and a part of one


def random_logits(rows: int = 3) -> torch.Tensor:
    return 2.5 * torch.randn(rows, VOCABULARY, generator=torch.Generator().manual_seed(3))


def chances(logits_RV: torch.Tensor, sampling: Sampling) -> np.ndarray:
    """The share of evenly spread numbers that each token of row 0 gets."""
    count = 20_000
    noise = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    chosen = torch.cat(
        [
            choose(logits_RV[:1].expand(len(part), -1), part, sampling)[0]
            for part in noise.split(1000)
        ]
    )
    return np.bincount(chosen.numpy(), minlength=VOCABULARY) / count


@pytest.mark.parametrize(
    ("changes", "warpers"),
    [
        ({}, []),
        ({"temperature": 0.6}, [TemperatureLogitsWarper(0.6)]),
        ({"top_k": 17}, [TopKLogitsWarper(17)]),
        ({"top_p": 0.83}, [TopPLogitsWarper(0.83)]),
        ({"top_p": 0.9995}, [TopPLogitsWarper(0.9995)]),  # beyond the first 512 tokens
        ({"min_p": 0.07}, [MinPLogitsWarper(0.07)]),
        (
            {"temperature": 1.7, "top_k": 40, "top_p": 0.9, "min_p": 0.2},
            [
                TemperatureLogitsWarper(1.7),
                TopKLogitsWarper(40),
                TopPLogitsWarper(0.9),
                MinPLogitsWarper(0.2),
            ],
        ),
    ],
    ids=["none", "temperature", "top_k", "top_p", "top_p of many", "min_p", "all"],
)
def test_truncation_is_that_of_transformers(changes, warpers):
    logits_RV = random_logits()
    warped = LogitsProcessorList(warpers)(torch.zeros(3, 1, dtype=torch.long), logits_RV)
    expected = warped[0].double().softmax(0).numpy()
    found = chances(logits_RV, Sampling(**changes))
    assert found == pytest.approx(expected, abs=1.01 / 20_000)
    assert not found[expected == 0].any()


@pytest.mark.parametrize("penalty", [1.4, 0.7])
def test_the_repetition_penalty_is_that_of_transformers(penalty):
    logits_RV = random_logits()
    seen_RL = torch.tensor([[5, 9, 5, 300], [0, 1, 2, 599], [7, 7, 7, 7]])
    assert (logits_RV.gather(1, seen_RL) < 0).any()
    assert (logits_RV.gather(1, seen_RL) > 0).any()
    expected = RepetitionPenaltyLogitsProcessor(penalty)(seen_RL, logits_RV.clone())
    torch.testing.assert_close(penalised(logits_RV, seen_RL, penalty), expected)


def test_suppressed_tokens_are_those_of_transformers():
    logits_RV = random_logits()
    expected = SuppressTokensLogitsProcessor([4, 511])(torch.zeros(3, 1).long(), logits_RV)
    torch.testing.assert_close(without(logits_RV, range(3), [4, 511]), expected)
    some = without(logits_RV, [1], [4])
    assert torch.isinf(some).nonzero().tolist() == [[1, 4]]
    assert not torch.isinf(logits_RV).any()


def test_a_token_of_probability_0_is_never_chosen():
    """Weights of a few tokens at the seams of blocks, asked at and around every seam's number."""
    places = [0, BLOCK - 1, BLOCK, 2 * BLOCK + 87]
    logits_RV = torch.full((1, VOCABULARY), float("-inf"))
    logits_RV[0, places] = torch.tensor([0.1, 0.2, 0.3, 0.4]).log()
    seams = [0.0, 0.1, 0.3, 0.6, 1.0]
    numbers = [s + d for s in seams for d in (-1e-7, -1e-16, 0, 1e-16, 1e-7) if 0 <= s + d < 1]
    noise_R = torch.tensor(numbers, dtype=torch.float64)
    chosen_R, logp_R = choose(logits_RV.expand(len(numbers), -1), noise_R, Sampling())
    assert set(chosen_R.tolist()) == set(places)
    assert torch.isfinite(logp_R).all()
    for number, token in ((0.05, 0), (0.29, BLOCK - 1), (0.31, BLOCK), (0.61, VOCABULARY - 1)):
        assert choose(logits_RV, torch.tensor([number]).double(), Sampling())[0].item() == token


def greedy(bundle, processors, prompt, new_tokens):
    """Tokens by the whole model and transformers' processors, without a cache."""
    tokens = list(prompt)
    for _ in range(new_tokens):
        ids = torch.tensor([tokens])
        with torch.no_grad():
            scores = LogitsProcessorList(processors)(ids, bundle.model(ids).logits[:, -1].clone())
        tokens.append(int(scores.argmax()))
        if tokens[-1] in bundle.end_ids:
            break
    return tokens[len(prompt) :]


@pytest.mark.parametrize("family", ["llama", "mistral"])  # in slots, and in groups
def test_penalty_length_and_suppression_together(family):
    bundle = tiny.bundle(family, vocab_size=12, seed=4)
    bundle.model.generation_config.begin_suppress_tokens = [7]
    bundle.model.generation_config.suppress_tokens = [5]
    prompts = [[6, 10, 3], [9], [4, 4, 8, 11]]
    options = Sampling(
        max_new_tokens=14,
        temperature=0,
        repetition_penalty=1.3,
        min_new_tokens=6,
        suppress_tokens=(8,),
        batch_size=2,
    )
    sampled = sample(bundle, prompts, 1, options)
    for prompt, (own,) in zip(prompts, sampled, strict=True):
        processors = [
            RepetitionPenaltyLogitsProcessor(1.3),
            MinNewTokensLengthLogitsProcessor(len(prompt), 6, list(bundle.end_ids)),
            SuppressTokensLogitsProcessor([5, 8]),
            SuppressTokensAtBeginLogitsProcessor([7], len(prompt)),
        ]
        assert own.tokens == greedy(bundle, processors, prompt, 14)
        assert len(own.tokens) >= 6


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_log_probabilities_stay_those_of_the_model(family):
    """Penalties and suppression change what is chosen, not what is said of it."""
    bundle = tiny.bundle(family)
    options = Sampling(
        max_new_tokens=15,
        temperature=1.6,
        repetition_penalty=1.5,
        min_p=0.01,
        min_new_tokens=9,
        suppress_tokens=tuple(range(20, 60)),
        seed=1,
        batch_size=3,
    )
    sampled = sample(bundle, PROMPTS, 2, options)
    assert not {t for own in sampled for s in own for t in s.tokens} & set(range(20, 60))
    trees = [
        Tree(prompt, tuple(Branch(s.tokens) for s in own))
        for prompt, own in zip(PROMPTS, sampled, strict=True)
    ]
    with torch.no_grad():
        expected = token_logps(bundle.model, pack(trees, bundle.layout), temperature=1.6)
    drawn = [logp for own in sampled for s in own for logp in s.logps]
    assert drawn == pytest.approx(expected.tolist(), abs=2e-5)


def test_a_stop_string_ends_a_row_with_the_token_that_completed_it():
    """Each row as it is without stop strings, up to the first place where one is complete."""
    bundle = tiny.bundle(vocab_size=265, seed=2)
    free = Sampling(max_new_tokens=40, temperature=1.3, seed=5)
    whole = [s for own in sample(bundle, PROMPTS, 6, free) for s in own]
    decode = bundle.tokenizer.decode
    text = decode(whole[0].tokens[:12])
    stop = (text[3:5], text[9:12])
    stopped = Sampling(max_new_tokens=40, temperature=1.3, seed=5, stop=stop)
    found = [s for own in sample(bundle, PROMPTS, 6, stopped) for s in own]
    for before, after in zip(whole, found, strict=True):
        upto = [
            t for t in range(1, len(before.tokens) + 1) if contains(decode(before.tokens[:t]), stop)
        ]
        count = min(upto, default=len(before.tokens))
        assert after.tokens == before.tokens[:count]
        assert after.logps == pytest.approx(before.logps[:count], abs=2e-5)
        assert after.finished == (bool(upto) or before.finished)
    assert sum(a.tokens != b.tokens for a, b in zip(found, whole, strict=True)) >= 1


def contains(text, parts):
    return any(part in text for part in parts)


def test_the_text_is_cut_before_the_stop_string():
    bundle = tiny.bundle(template=tiny.CHATML)
    prompt, options = Prompt(id="p", content="the sea"), {"max_new_tokens": 30, "seed": 4}
    (whole,) = generate(bundle, [prompt], 1, Sampling(**options))
    text = whole.completions[0].text
    (group,) = generate(bundle, [prompt], 1, Sampling(**options, stop=("never", text[6:9])))
    (cut,) = group.completions
    assert cut.text == text[: text.index(text[6:9])].strip()
    assert cut.settings["finished"] is True
    assert cut.settings["stop"] == ["never", text[6:9]]
    assert "min_p" not in cut.settings


def test_a_suppressed_token_that_does_not_exist_is_told():
    with pytest.raises(
        SettingsError, match="names 300, and the tokens of llama are 0 to 264; take"
    ):
        sample(tiny.bundle(), PROMPTS, 1, Sampling(suppress_tokens=(4, 300)))


def test_logits_that_are_no_numbers_are_told():
    bundle = tiny.bundle()
    with torch.no_grad():
        bundle.model.get_output_embeddings().weight[5] = float("nan")
    with pytest.raises(NumericalError, match="log-probability of nan"):
        sample(bundle, PROMPTS, 1, Sampling(max_new_tokens=3))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"min_p": -0.1}, "min_p -0.1 and"),
        ({"min_p": 1.1}, "at most 1"),
        ({"repetition_penalty": 0.0}, "repetition_penalty 0.0"),
        ({"min_new_tokens": 129}, "at most max_new_tokens, which is 128"),
        ({"min_new_tokens": -1}, "min_new_tokens -1"),
        ({"stop": ("a", "")}, "at least one character"),
    ],
)
def test_settings_that_cannot_be(changes, words):
    with pytest.raises(SettingsError, match=words):
        Sampling(**changes)
