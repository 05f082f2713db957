"""Any Hugging Face sequence classifier as a reward: what it reads, and which number is the reward.

The expected scores come from transformers alone, one text at a time, without padding.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import tiny
import torch
from tokenizers import processors
from transformers import AutoModelForSequenceClassification, BertConfig, PreTrainedTokenizerFast

from suffrage.core.errors import ModelError, PromptError
from suffrage.core.records import Message, Prompt
from suffrage.models.classifier import AT_ONCE, Classifier, evidence, load_classifier
from suffrage.models.reward_name import RewardName, reward_name

CPU = torch.device("cpu")
PLAIN = [Prompt(id="p", content="the sea"), Prompt(id="q", content="中")]
TEXTS = [["ab ab", "singing the thing"], ["好", "no"]]


def reader(**changes: object) -> PreTrainedTokenizerFast:
    """A tokenizer that sets prompt and answer apart, as BERT's does."""
    made = tiny.tokenizer(**changes)  # type: ignore[arg-type]
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> $B:1 </s>:1",
        special_tokens=[(tiny.BOS, 1), (tiny.EOS, 2)],
    )
    return made


def saved(folder: Path, labels: int = 3, **changes: object) -> Path:
    """A random BERT whose labels are called mood-0, mood-1, ..."""
    config = BertConfig(
        vocab_size=265,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=40,
        initializer_range=0.5,
        pad_token_id=0,
        id2label={i: f"mood-{i}" for i in range(labels)},
        **changes,
    )
    torch.manual_seed(3)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    save_reader(reader(), folder)
    return folder


def save_reader(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    tokenizer.save_pretrained(folder)
    stated = json.loads((folder / "tokenizer_config.json").read_text())
    stated["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    (folder / "tokenizer_config.json").write_text(json.dumps(stated))


def logits(folder: Path, prompt: str, text: str) -> list[float]:
    """[CLS] prompt [SEP] answer [SEP], read by transformers alone."""
    words = tiny.tokenizer()
    asked, said = (words.encode(part, add_special_tokens=False) for part in (prompt, text))
    ids = torch.tensor([[1, *asked, 2, *said, 2]])
    kinds = torch.tensor([[0] * (len(asked) + 2) + [1] * (len(said) + 1)])
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        found: list[float] = model(ids, token_type_ids=kinds).logits[0].tolist()
    return found


def expected(folder: Path) -> list[list[float]]:
    return [
        logits(folder, str(prompt.content), text)
        for prompt, own in zip(PLAIN, TEXTS, strict=True)
        for text in own
    ]


def load(name: str) -> Classifier:
    return load_classifier(reward_name(name), CPU)


def test_a_name_has_three_parts(tmp_path):
    assert reward_name("runs/r") == RewardName("runs/r")
    assert reward_name("runs/r#honest") == RewardName("runs/r", "honest")
    assert reward_name("hf:a/b#1") == RewardName("a/b", "1", foreign=True)
    odd = tmp_path / "a#b"
    odd.mkdir()
    assert reward_name(f"hf:{odd}") == RewardName(str(odd), "", foreign=True)
    assert reward_name(f"{odd}#c") != reward_name(odd)


@pytest.mark.parametrize("label", ["mood-1", "1"])
def test_the_reward_is_the_log_odds_of_the_label(tmp_path, label):
    folder = saved(tmp_path / "bert")
    found = load(f"hf:{folder}#{label}").scores(PLAIN, TEXTS)
    wanted = [z[1] - math.log(math.exp(z[0]) + math.exp(z[2])) for z in expected(folder)]
    assert found.tolist() == pytest.approx(wanted, abs=1e-5)
    assert len({round(value, 3) for value in wanted}) == 4  # the texts differ
    assert not found.requires_grad


def test_of_two_classes_it_is_the_difference_of_the_logits(tmp_path):
    folder = saved(tmp_path / "bert", labels=2)
    found = load(f"hf:{folder}#mood-0").scores(PLAIN, TEXTS)
    assert found.tolist() == pytest.approx([z[0] - z[1] for z in expected(folder)], abs=1e-5)


@pytest.mark.parametrize(
    ("labels", "changes", "name"),
    [(1, {}, ""), (3, {"problem_type": "regression"}, "#mood-2")],
)
def test_a_regressions_output_is_taken_as_it_is(tmp_path, labels, changes, name):
    folder = saved(tmp_path / "bert", labels, **changes)
    found = load(f"hf:{folder}{name}").scores(PLAIN, TEXTS)
    assert found.tolist() == pytest.approx([z[-1] for z in expected(folder)], abs=1e-5)


def test_evidence_worked_by_hand():
    # log-odds of the third of (.5, -1.25, 2): 2 - log(e^.5 + e^-1.25) = 2 - log 1.9352261
    rows = torch.tensor([[0.5, -1.25, 2.0]])
    assert evidence(rows, 2, None).item() == pytest.approx(2 - math.log(1.9352261), abs=1e-6)
    assert evidence(rows, 1, "multi_label_classification").item() == -1.25
    assert evidence(torch.tensor([[90.0, -90.0]]), 1, None).item() == -180  # no plateau


def test_many_texts_are_scored_in_their_order(tmp_path):
    classifier = load(f"hf:{saved(tmp_path / 'bert', labels=1)}")
    texts = [f"{i} " * (1 + i % 5) for i in range(AT_ONCE + 3)]
    alone = [classifier.scores(PLAIN[:1], [[text]]).item() for text in texts]
    assert classifier.scores(PLAIN[:1], [texts]).tolist() == pytest.approx(alone, abs=1e-5)
    assert classifier.scores([], []).shape == (0,)


def test_what_is_too_long_loses_its_beginning(tmp_path):
    folder = saved(tmp_path / "bert", labels=1)
    long = Prompt(id="long", content="x" * 100 + "yz" * 15)
    found = load(f"hf:{folder}").scores([long], [["ab"]])
    # 40 places, of which </s> ab </s> and <s> leave 36 to the prompt's end
    kept = str(long.content)[-36:]
    assert found.item() == pytest.approx(logits(folder, kept, "ab")[0], abs=1e-5)


@pytest.mark.parametrize("pad", [tiny.PAD, None])
def test_a_causal_classifier_reads_the_conversation_by_its_own_template(tmp_path, pad):
    """Llama's reads at the last token; without a token to pad with, one text at a time."""
    config = tiny.model().config
    config.num_labels, config.pad_token_id = 1, 0 if pad else None
    torch.manual_seed(4)
    model = AutoModelForSequenceClassification.from_config(config)
    model.save_pretrained(tmp_path / "llama")
    tiny.tokenizer(tiny.CHATML, pad=pad).save_pretrained(tmp_path / "llama")
    prompt = Prompt(id="p", content=(Message(role="user", content="the sea"),))
    found = load(f"hf:{tmp_path / 'llama'}").scores([prompt], [["ab", "singing"]])
    for text, score in zip(("ab", "singing"), found.tolist(), strict=True):
        whole = f"<s>user\nthe sea<|end|>\n<s>assistant\n{text}<|end|>\n"
        ids = torch.tensor([tiny.tokenizer().encode(whole, add_special_tokens=False)])
        with torch.no_grad():
            assert score == pytest.approx(model.eval()(ids).logits.item(), abs=1e-5)


def test_a_conversation_the_template_refuses_is_named(tmp_path):
    folder = saved(tmp_path / "bert", labels=1)
    save_reader(reader(template="{{ raise_exception('no system turn') }}"), folder)
    with pytest.raises(PromptError, match=r"'p' does not suit the reward's .*no system turn"):
        load(f"hf:{folder}").scores(PLAIN, TEXTS)


def test_an_unknown_label_is_answered_with_those_there_are(tmp_path):
    folder = saved(tmp_path / "bert")
    for name, wrong in (("#good", "has no label 'good'"), ("#3", "has no label '3'")):
        told = rf"{wrong}; name one as hf:.*bert#LABEL: mood-0, mood-1, mood-2\."
        with pytest.raises(ModelError, match=told):
            load(f"hf:{folder}{name}")
    with pytest.raises(ModelError, match=r"has 3 labels; name one as .*: mood-0, mood-1, mood-2"):
        load(f"hf:{folder}")


def test_a_model_without_a_classifiers_head_is_refused(tmp_path):
    """Its head would be random."""
    with pytest.raises(ModelError, match=r"holds no weights for score\.weight"):
        load(f"hf:{tiny.saved(tmp_path / 'lm')}#0")
