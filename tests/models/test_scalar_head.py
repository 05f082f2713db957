"""Reward models and critics: where they read, how they are stored, and what anyone else reads."""

from __future__ import annotations

import pytest
import tiny
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from suffrage.core.errors import ModelError
from suffrage.core.records import Completion, Group, Prompt
from suffrage.data.forest import pack
from suffrage.models.language_model import describe
from suffrage.models.scalar_head import (
    OFFSET,
    ScalarModel,
    from_language_model,
    load_reward,
    score_trees,
    scores,
    values,
)

CPU = torch.device("cpu")
TREES = [tiny.tree(1, 9, (4, 21, 13)), tiny.tree(2, 3, (11, 2)), tiny.tree(3, 5, (1,))]


@pytest.fixture(params=["llama", "gpt2"])
def scalar(request: pytest.FixtureRequest) -> ScalarModel:
    return from_language_model(tiny.bundle(request.param), seed=6)


def paths() -> list[list[int]]:
    return [[*tree.trunk, *branch.tokens] for tree in TREES for branch in tree.branches]


def test_the_backbone_is_the_language_models_and_the_head_is_new():
    base = tiny.bundle()
    made = from_language_model(base, seed=6)
    for name, tensor in base.model.base_model.state_dict().items():
        assert torch.equal(made.model.base_model.state_dict()[name], tensor), name
    assert torch.equal(
        from_language_model(base, seed=6).model.score.weight, made.model.score.weight
    )
    assert not torch.equal(
        from_language_model(base, seed=7).model.score.weight, made.model.score.weight
    )
    made.model.base_model.get_input_embeddings().weight.data.zero_()
    assert base.model.get_input_embeddings().weight.abs().sum() > 0  # nothing is shared


def test_the_head_starts_with_variance_one_over_width_plus_one():
    heads = [from_language_model(tiny.bundle(), seed).model.score.weight for seed in range(60)]
    # 60 heads of 16 numbers: the standard error of the deviation is 2.3 %
    assert torch.stack(heads).std().item() == pytest.approx(17**-0.5, rel=0.08)


@torch.no_grad()
def test_scores_are_read_at_the_last_token_and_values_before_each_scored_one(scalar):
    packed = pack(TREES, "forest")
    found, before = scores(scalar, packed), values(scalar, packed).tolist()
    hidden = [scalar.model.base_model(torch.tensor([p])).last_hidden_state[0] for p in paths()]
    heads = [(scalar.model.score(states).squeeze(1)).tolist() for states in hidden]
    assert found.tolist() == pytest.approx([head[-1] for head in heads], abs=1e-5)
    starts = [len(tree.trunk) for tree in TREES for _ in tree.branches]
    expected = [v for head, start in zip(heads, starts, strict=True) for v in head[start - 1 : -1]]
    assert before == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("budget", [1, 40, 10_000])
def test_scoring_in_parts_changes_nothing(scalar, budget):
    with torch.no_grad():
        expected = scores(scalar, pack(TREES, "plain"))
    found = score_trees(scalar, TREES, budget)
    assert not found.requires_grad
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_no_trees_have_no_scores(scalar):
    assert score_trees(scalar, []).shape == (0,)


@torch.no_grad()
def test_anyone_can_load_a_saved_reward_model(scalar, tmp_path):
    """transformers alone gives our score at the last token, in a padded batch too."""
    scalar.base.save(tmp_path / "model")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    longest = max(map(len, paths()))
    padded = torch.tensor([path + [0] * (longest - len(path)) for path in paths()])
    mask = torch.tensor([[int(i < len(path)) for i in range(longest)] for path in paths()])
    logits = theirs(padded, attention_mask=mask).logits
    assert logits.shape == (6, 1)
    found = score_trees(load_reward(tmp_path / "model", CPU), TREES)
    torch.testing.assert_close(found, logits[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", [None, tiny.EOS, tiny.PAD])
@pytest.mark.parametrize("side", ["left", "right"])
@torch.no_grad()
def test_texts_padded_by_the_saved_tokenizer_score_the_same(tmp_path, padding, side):
    """With the end token as padding, transformers would read the score one token too early."""
    base = describe("base", tiny.model(), tiny.tokenizer(pad=padding))
    made = from_language_model(base, seed=6)
    assert base.tokenizer.pad_token == padding  # the language model's own tokenizer stays as it is
    made.base.save(tmp_path)
    prompt, texts = "the sea", [" ab", " and the thing", " 中文"]
    answers = tuple(Completion(id=text, prompt_id="p", text=text) for text in texts)
    group = Group(prompt=Prompt(id="p", content=prompt), completions=answers)
    found = score_trees(made, [made.base.encoder().tree(group)])
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, padding_side=side)
    batch = tokenizer([prompt + t + tiny.EOS for t in texts], padding=True, return_tensors="pt")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    logits = theirs(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    assert tokenizer.pad_token_id == theirs.config.pad_token_id not in base.end_ids
    torch.testing.assert_close(found, logits[:, 0], rtol=1e-3, atol=1e-4)


def test_the_offset_is_kept_and_taken_off(scalar, tmp_path):
    before = score_trees(scalar, TREES)
    setattr(scalar.model.config, OFFSET, 1.75)
    scalar.base.save(tmp_path / "model")
    loaded = load_reward(tmp_path / "model", CPU)
    assert loaded.offset == 1.75
    torch.testing.assert_close(score_trees(loaded, TREES), before - 1.75)


def test_a_loaded_reward_model_is_frozen_and_a_copy_is_its_own(scalar, tmp_path):
    scalar.base.save(tmp_path / "model")
    loaded = load_reward(tmp_path / "model", CPU)
    assert not any(p.requires_grad for p in loaded.model.parameters())
    copied = loaded.copy()
    copied.model.score.weight.data.zero_()
    assert loaded.model.score.weight.abs().sum() > 0


def test_a_language_model_is_no_reward_model(tmp_path):
    with pytest.raises(ModelError, match=r"is no reward model .*; train one with `suffrage train"):
        load_reward(tiny.saved(tmp_path / "lm"), CPU)


HEADS = ("helpful", "honest", "harmless")


@pytest.fixture(params=["llama", "gpt2"])
def three(request: pytest.FixtureRequest, tmp_path) -> ScalarModel:
    """A model of three heads with offsets of their own, saved under `model`."""
    made = from_language_model(tiny.bundle(request.param), seed=6, heads=HEADS)
    setattr(made.model.config, OFFSET, [0.25, -1.5, 2.0])
    made.base.save(tmp_path / "model")
    return made


@torch.no_grad()
def test_several_heads_are_labels_that_anyone_can_read(three, tmp_path):
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model")
    assert theirs.config.id2label == dict(enumerate(HEADS))
    found = score_trees(three, TREES)
    assert found.shape == (6, 3)
    for path, score in zip(paths(), found, strict=True):
        logits = theirs(torch.tensor([path])).logits[0]
        expected = [logit - by for logit, by in zip(logits.tolist(), (0.25, -1.5, 2), strict=True)]
        assert score.tolist() == pytest.approx(expected, abs=1e-4)


def test_one_head_is_taken_by_name_or_number_and_the_bare_name_is_the_mean_of_all(three, tmp_path):
    all_B3 = score_trees(three, TREES)
    wanted = {"#honest": all_B3[:, 1], "#2": all_B3[:, 2], "": all_B3.mean(1)}
    for name, expected_B in wanted.items():
        loaded = load_reward(f"{tmp_path / 'model'}{name}", CPU)
        torch.testing.assert_close(score_trees(loaded, TREES), expected_B, rtol=1e-4, atol=1e-5)
        assert loaded.heads == ()
        assert loaded.model.config.num_labels == 1
        assert values(loaded, pack(TREES)).dim() == 1  # a critic can start from it


def test_a_taken_head_can_be_saved_as_a_reward_model_of_its_own(three, tmp_path):
    load_reward(f"{tmp_path / 'model'}#harmless", CPU).base.save(tmp_path / "own")
    found = score_trees(load_reward(tmp_path / "own", CPU), TREES)
    torch.testing.assert_close(found, score_trees(three, TREES)[:, 2], rtol=1e-4, atol=1e-5)


def test_an_unknown_head_is_answered_with_those_there_are(three, tmp_path):
    with pytest.raises(ModelError, match=r"has no head 'kind'; it has helpful, honest, harmless\."):
        load_reward(f"{tmp_path / 'model'}#kind", CPU)
    from_language_model(tiny.bundle(), seed=6).base.save(tmp_path / "one")
    with pytest.raises(ModelError, match=r"one has no head 'kind'; it has one, .*one\."):
        load_reward(f"{tmp_path / 'one'}#kind", CPU)


def test_a_classifier_of_classes_is_no_reward_model_but_one_label_of_it_can_serve(tmp_path):
    config = tiny.model().config
    config.num_labels = 2
    AutoModelForSequenceClassification.from_config(config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"or name one of its labels as hf:.*#LABEL\."):
        load_reward(tmp_path, CPU)


def test_a_family_without_classifiers_is_refused_in_a_sentence():
    with pytest.raises(ModelError, match="GraniteForCausalLM has no sequence classifier"):
        from_language_model(tiny.bundle("granite"), seed=0)
