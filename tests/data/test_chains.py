"""Answers one after another in a sequence: what is scored, what is only read, what is shared."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from suffrage.core.errors import DataError
from suffrage.core.records import Group, Message, Preference, Prompt
from suffrage.data.chains import chain_tree
from suffrage.data.conditioning import Chain, Condition, Told
from suffrage.data.encode import Branch, Encoder, Tree
from suffrage.data.forest import pack
from suffrage.models.forward import branch_sums, token_logps

GOOD, BAD = Condition("Nice:", "好："), Condition("Dull:", "壞：")
BOTH: tuple[Chain, ...] = (
    (Told(0, GOOD), Told(1, BAD)),
    (Told(2, BAD), Told(0, GOOD)),
)
TEMPLATES = {"chatml": tiny.CHATML, "llama2": tiny.LLAMA2, "no end": tiny.NO_END}


def encoder(tokenizer: PreTrainedTokenizerFast, **changes) -> Encoder:
    ends = (3, 2) if tokenizer.chat_template == tiny.CHATML else (2,)
    return replace(Encoder(tokenizer, ends, context=10_000), **changes)


def group(content: str | tuple[Message, ...], *texts: str) -> Group:
    made = tiny.group("p", "", texts, Preference())
    return made.model_copy(update={"prompt": Prompt(id="p", content=content)})


def read(made: Encoder, group: Group, chains=BOTH) -> tuple[list[str], list[list[str]]]:
    """Every path as text, and its scored stretches."""
    tree = chain_tree(made, group, chains)
    assert tree is not None
    paths, stretches = [], []
    for branch in tree.branches:
        paths.append(made.tokenizer.decode([*tree.trunk, *branch.tokens]))
        runs: list[list[int]] = []
        for place in branch.scored:
            if place - 1 not in branch.scored:
                runs.append([])
            runs[-1].append(branch.tokens[place])
        stretches.append([made.tokenizer.decode(run) for run in runs])
    return paths, stretches


@pytest.mark.parametrize("closes", [True, False])
def test_a_text_shows_both_answers_each_after_its_phrase(closes):
    made = encoder(tiny.tokenizer(bos=True, eos=closes))
    paths, scored = read(made, group("sea?", "blue", "in", "the"))
    assert paths == [
        "<s>sea?\nNice:\nblue</s>\nDull:\nin</s>",
        "<s>sea?\nDull:\nthe</s>\nNice:\nblue</s>",
    ]
    assert scored == [["blue</s>", "in</s>"], ["the</s>", "blue</s>"]]


def test_an_answer_does_not_melt_into_the_line_after_it(monkeypatch):
    monkeypatch.setattr(tiny, "MERGES", (*tiny.MERGES, ("e", "Ċ")))  # "e" and the end of a line
    made = encoder(tiny.tokenizer(bos=True))
    assert len(made.tokenizer("e\n", add_special_tokens=False)["input_ids"]) == 1
    _, scored = read(made, group("sea?", "blue", "in", "the"), BOTH[:1])
    assert scored == [["blue</s>", "in</s>"]]


def test_what_the_chains_begin_with_alike_is_the_trunk():
    made = encoder(tiny.tokenizer(bos=True))
    tree = chain_tree(made, group("sea?", "blue", "in", "the"), BOTH)
    assert tree is not None
    assert made.tokenizer.decode(tree.trunk) == "<s>sea?\n"
    assert [branch.unscored for branch in tree.branches] == [len("Nice:\n"), len("Dull:\n")]
    one = chain_tree(made, group("sea?", "blue", "in", "the"), BOTH[:1])
    assert one is not None
    assert made.tokenizer.decode(one.trunk) == "<s>sea?\nNice:\n"


@pytest.mark.parametrize("style", TEMPLATES)
def test_in_a_conversation_the_second_phrase_is_the_users_next_turn(style):
    made = encoder(tiny.tokenizer(TEMPLATES[style], bos=True))
    paths, scored = read(made, group("sea?", "blue", "in", "the"), BOTH[:1])
    assert (
        paths
        == {
            "chatml": [
                "<s>user\nsea?\n\nNice:<|end|>\n<s>assistant\nblue<|end|>\n"
                "<s>user\nDull:<|end|>\n<s>assistant\nin<|end|>"
            ],
            "llama2": ["<s>[INST] sea?\n\nNice: [/INST] blue </s><s>[INST] Dull: [/INST] in </s>"],
            "no end": [
                "user> sea?\n\nNice:\nassistant> blue\n</s>user> Dull:\nassistant> in\n</s>"
            ],
        }[style]
    )
    assert (
        scored
        == {
            "chatml": [["blue<|end|>", "in<|end|>"]],
            "llama2": [[" blue </s>", " in </s>"]],
            "no end": [["blue\n</s>", "in\n</s>"]],
        }[style]
    )


def test_a_dialogue_without_a_template_is_written_out():
    made = encoder(tiny.tokenizer(bos=True))
    asked = (Message(role="system", content="Be brief."), Message(role="user", content="sea?"))
    paths, scored = read(made, group(asked, "blue", "in", "the"), BOTH[:1])
    assert paths == [
        "<s>\n\nSystem: Be brief.\n\nHuman: sea?\n\nNice:\n\nAssistant: blue</s>"
        "\n\nHuman: Dull:\n\nAssistant: in</s>"
    ]
    assert scored == [[" blue</s>", " in</s>"]]


def test_the_phrase_is_in_the_prompts_language():
    made = encoder(tiny.tokenizer(bos=True))
    paths, _ = read(made, group("海?", "blue", "in", "the"), BOTH[:1])
    assert paths == ["<s>海?\n好：\nblue</s>\n壞：\nin</s>"]


def test_the_first_answer_is_scored_as_it_is_where_the_model_is_asked_for_it():
    for template in (None, *TEMPLATES.values()):
        made = encoder(tiny.tokenizer(template, bos=True))
        asked = group("sea?", "blue", "in", "the")
        chain = chain_tree(made, asked, BOTH[:1])
        alone = replace(made, condition=GOOD).tree(asked.model_copy(
            update={"completions": asked.completions[:1]}
        ))  # fmt: skip
        assert chain is not None
        assert alone is not None
        (own,), (whole,) = alone.branches, chain.branches
        answer = list(own.tokens[own.unscored :])
        paths = [[*tree.trunk, *tree.branches[0].tokens] for tree in (alone, chain)]
        assert paths[1][: len(paths[0])] == paths[0]
        assert [whole.tokens[i] for i in whole.scored][: len(answer)] == answer


@pytest.mark.parametrize("template", [None, *TEMPLATES.values()], ids=["none", *TEMPLATES])
@given(texts=st.lists(st.text("the ab中文,\n", max_size=8), min_size=3, max_size=3))
def test_each_answer_is_closed_by_one_scored_end_token_and_no_phrase_is_scored(template, texts):
    made = encoder(tiny.tokenizer(template, bos=True))
    tree = chain_tree(made, group("sea?", *texts), BOTH)
    assert tree is not None
    for branch in tree.branches:
        learned = [branch.tokens[i] for i in branch.scored]
        assert sum(token in made.end_ids for token in learned) == 2
        assert learned[-1] in made.end_ids
        said = made.tokenizer.decode(learned)
        assert "Nice" not in said
        assert "Dull" not in said


def test_the_encoders_own_condition_is_not_said_as_well():
    made = encoder(tiny.tokenizer(bos=True), condition=Condition("Third:", "第三："))
    paths, _ = read(made, group("sea?", "blue", "in", "the"), BOTH[:1])
    assert paths == ["<s>sea?\nNice:\nblue</s>\nDull:\nin</s>"]


def test_what_is_too_long_is_refused_left_out_or_cut():
    asked = group("sea?", "blue", "in", "the")
    whole = chain_tree(encoder(tiny.tokenizer()), asked, BOTH[:1])
    assert whole is not None
    short = encoder(tiny.tokenizer(), context=whole.depth - 5)
    with pytest.raises(DataError, match=r"'p' is too long: prompt and answer take 25 .* is 20"):
        chain_tree(short, asked, BOTH[:1])
    assert chain_tree(replace(short, overlong="skip"), asked, BOTH[:1]) is None
    cut = chain_tree(replace(short, overlong="cut"), asked, BOTH[:1])
    assert cut is not None
    # the prompt keeps half the context; of the answers the second is cut off with its phrase
    assert short.tokenizer.decode(cut.trunk) == "ea?\nNice:\n"
    assert short.tokenizer.decode(cut.branches[0].tokens) == "blue</s>\nDull"
    assert cut.scored == 5


def test_gaps_are_read_and_not_scored():
    branch = Branch([5, 6, 7, 8, 9, 10], unscored=1, gaps=((2, 4), (5, 6)))
    assert branch.scored == [1, 4]
    assert Tree([4], (branch, Branch([5, 6]))).scored == 4


def test_forest_and_plain_agree_where_a_branch_has_gaps():
    bundle = tiny.bundle("gpt2")
    model = bundle.model.double()
    gapped = Branch([15, 16, 17, 18, 19, 20, 21], 1, ((2, 4), (6, 7)))
    trees = [Tree([11, 12, 13], (gapped, Branch([30, 31], 1))), tiny.tree(3, 4, (5, 2))]
    with torch.no_grad():
        made = [pack(trees, layout) for layout in ("forest", "plain")]
        sums = [branch_sums(token_logps(model, forest), forest) for forest in made]
        logits = model(torch.tensor([[11, 12, 13, *gapped.tokens]])).logits[0].log_softmax(-1)
    assert made[0].branch_N.bincount().tolist() == [3, 1, 5, 2]
    torch.testing.assert_close(sums[0], sums[1], rtol=0, atol=1e-10)
    by_hand = sum(float(logits[2 + place, gapped.tokens[place]]) for place in (1, 4, 5))
    assert float(sums[0][0]) == pytest.approx(by_hand, abs=1e-10)
