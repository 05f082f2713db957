"""From text to tokens: chat templates, the seam, end tokens, and what is too long."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from suffrage.core.errors import DataError, SettingsError
from suffrage.core.records import Group, Message, Preference, Prompt
from suffrage.data.encode import Encoder, Tree

END = 2  # </s>
TEMPLATES = {"chatml": tiny.CHATML, "llama2": tiny.LLAMA2, "no end": tiny.NO_END}


def encoder(tokenizer: PreTrainedTokenizerFast, **changes) -> Encoder:
    ends = (3, END) if tokenizer.chat_template == tiny.CHATML else (END,)
    return replace(Encoder(tokenizer, ends, context=10_000), **changes)


def group(prompt: str | tuple[Message, ...], *texts: str) -> Group:
    made = tiny.group("p", "", texts, Preference())
    return made.model_copy(update={"prompt": Prompt(id="p", content=prompt)})


def dialogue(*turns: tuple[str, str]) -> tuple[Message, ...]:
    return tuple(Message(role=role, content=content) for role, content in turns)


def scored(tree: Tree | None) -> list[list[int]]:
    assert tree is not None
    return [list(b.tokens[b.unscored :]) for b in tree.branches]


@pytest.mark.parametrize("style", TEMPLATES)
def test_a_conversation_is_rendered_by_the_tokenizers_own_template(style):
    tokenizer = tiny.tokenizer(TEMPLATES[style], bos=True)
    made = encoder(tokenizer).tree(group(dialogue(("user", "the sea")), "blue", "green ink"))
    before = {
        "chatml": "<s>user\nthe sea<|end|>\n<s>assistant\n",
        "llama2": "<s>[INST] the sea [/INST]",
        "no end": "user> the sea\nassistant> ",
    }[style]
    after = {
        "chatml": ("blue<|end|>", "green ink<|end|>"),
        "llama2": (" blue </s>", " green ink </s>"),
        "no end": ("blue\n</s>", "green ink\n</s>"),
    }[style]
    assert made is not None
    assert tokenizer.decode(made.trunk) == before
    assert tuple(tokenizer.decode(tokens) for tokens in scored(made)) == after
    assert list(made.trunk).count(1) == before.count("<s>")  # never a second one


@pytest.mark.parametrize("style", TEMPLATES)
@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12))
def test_an_answer_ends_with_exactly_one_end_token(style, text):
    made = encoder(tiny.tokenizer(TEMPLATES[style]))
    for prompt in ("question", dialogue(("user", "question"))):
        (tokens,) = scored(made.tree(group(prompt, text)))
        assert tokens[-1] in made.end_ids
        assert not set(tokens[:-1]) & set(made.end_ids)


@pytest.mark.parametrize("closes", [True, False])
def test_a_plain_text_gets_the_tokenizers_own_start_once_and_one_end(closes):
    tokenizer = tiny.tokenizer(bos=True, eos=closes)
    made = encoder(tokenizer).tree(group("one two", " three", ""))
    assert made is not None
    assert tokenizer.decode(made.trunk) == "<s>one two"
    assert [tokenizer.decode(tokens) for tokens in scored(made)] == [" three</s>", "</s>"]
    assert encoder(tokenizer).prompt(Prompt(id="p", content="one two")) == list(made.trunk)


@pytest.mark.parametrize("closes", [True, False])
def test_a_dialogue_without_a_template_is_written_out(closes):
    tokenizer = tiny.tokenizer(bos=True, eos=closes)
    turns = dialogue(("system", "Be brief."), ("user", "Hi"), ("assistant", "Yes?"), ("user", "Go"))
    made = encoder(tokenizer).tree(group(turns, "Gone"))
    assert made is not None
    assert tokenizer.decode(made.trunk) == (
        "<s>\n\nSystem: Be brief.\n\nHuman: Hi\n\nAssistant: Yes?\n\nHuman: Go\n\nAssistant:"
    )
    assert [tokenizer.decode(tokens) for tokens in scored(made)] == [" Gone</s>"]
    assert encoder(tokenizer).prompt(Prompt(id="p", content=turns)) == list(made.trunk)


def test_where_tokens_merge_across_the_seam_the_trunk_ends_before_it():
    tokenizer = tiny.tokenizer(bos=True)
    made = encoder(tokenizer).tree(group("sea th", "e end", "is"))
    assert made is not None
    # "the" is one token, so with the first answer the prompt's own "th" is never seen
    assert tokenizer.decode(made.trunk) == "<s>sea "
    assert [tokenizer.decode(b.tokens) for b in made.branches] == ["the end</s>", "this</s>"]
    assert [b.unscored for b in made.branches] == [0, 1]
    assert [tokenizer.decode(tokens) for tokens in scored(made)] == ["the end</s>", "is</s>"]


@given(
    st.text("thea bing中文", max_size=10),
    st.lists(st.text("thea bing中文", max_size=8), max_size=3),
)
def test_trunk_and_branch_are_the_tokens_of_the_whole_text(prompt, texts):
    tokenizer = tiny.tokenizer(bos=True)
    made = encoder(tokenizer).tree(group(prompt, *texts))
    assert made is not None
    for branch, text in zip(made.branches, texts, strict=True):
        assert [*made.trunk, *branch.tokens] == [*tokenizer(prompt + text)["input_ids"], END]
    assert made.scored == sum(len(tokens) for tokens in scored(made))
    paths = [len(made.trunk) + len(branch.tokens) for branch in made.branches]
    assert made.depth == max(paths, default=len(made.trunk))


def test_what_a_template_writes_after_the_end_token_is_left_out():
    (tokens,) = scored(encoder(tiny.tokenizer(tiny.CHATML)).tree(group("q", "answer")))
    assert tokens[-1] == 3  # not the newline after it


def test_an_end_token_within_the_answer_is_not_taken_for_its_end():
    made = encoder(tiny.tokenizer()).tree(group("q", "a</s>bc"))
    (tokens,) = scored(made)
    assert tokens.count(END) == 2
    assert tokens[-1] == END


@pytest.mark.parametrize("template", [None, *TEMPLATES.values()], ids=["none", *TEMPLATES])
@given(
    text=st.text("the ab中文,!", min_size=1, max_size=10).map(str.strip),
    chat=st.booleans(),
)
def test_text_reads_back_what_tree_wrote(template, text, chat):
    made = encoder(tiny.tokenizer(template, bos=True))
    prompt: str | tuple[Message, ...] = dialogue(("user", "中 the")) if chat else "中 the "
    tree = made.tree(group(prompt, text))
    (tokens,) = scored(tree)
    assert tree is not None
    given_tokens = [*tree.trunk, *tree.branches[0].tokens[: tree.branches[0].unscored]]
    record = Prompt(id="p", content=prompt)
    assert made.text(record, given_tokens, tokens) == text
    if template != tiny.NO_END:  # this one ends an answer with a newline before the end token
        assert made.text(record, given_tokens, tokens[:-1]) == text


def test_a_plain_text_keeps_its_spaces():
    made = encoder(tiny.tokenizer(bos=True))
    tree = made.tree(group("one", "  two \n"))
    assert tree is not None
    prompt = Prompt(id="p", content="one")
    assert made.text(prompt, tree.trunk, tree.branches[0].tokens) == "  two \n"


@pytest.mark.parametrize("end", [2, 3])
def test_each_end_id_is_left_out_of_the_text(end):
    made = encoder(tiny.tokenizer(), end_ids=(2, 3))
    prompt = Prompt(id="p", content="q")
    letters = made.tokenizer("ok")["input_ids"]
    assert made.text(prompt, made.prompt(prompt), [*letters, end]) == "ok"


LONG = group("abcdefghij"[::2], "123456", "12")  # 5 tokens and 7 with the end token


def test_what_fits_is_left_as_it_is():
    made = encoder(tiny.tokenizer(), context=12).tree(LONG)
    assert made is not None
    assert (made.depth, made.size) == (12, 15)


def test_refusing_names_the_prompt_its_length_and_the_ways_out():
    with pytest.raises(DataError, match=r"'p' is too long: prompt and answer take 12 .*is 11"):
        encoder(tiny.tokenizer(), context=11).tree(LONG)
    with pytest.raises(DataError, match=r"the prompt alone takes 5 tokens .*is 4; pass --overlong"):
        encoder(tiny.tokenizer(), context=4).tree(LONG)


def test_skipping_leaves_the_group_out():
    assert encoder(tiny.tokenizer(), context=11, overlong="skip").tree(LONG) is None


@pytest.mark.parametrize(
    ("prompt", "answer", "trunk", "kept"),
    [
        ("acegikmoqs", "123", "egikmoqs", "123</s>"),  # the prompt gives way first
        ("acegikmoqs", "123456789", "ikmoqs", "123456"),  # but keeps half the context
        ("ace", "123456789012", "ace", "123456789"),  # or all it has
    ],
)
def test_cutting_keeps_the_prompts_end_and_the_answers_start(prompt, answer, trunk, kept):
    tokenizer = tiny.tokenizer()
    made = encoder(tokenizer, context=12, overlong="cut").tree(group(prompt, answer, "1"))
    assert made is not None
    assert tokenizer.decode(made.trunk) == trunk
    assert [tokenizer.decode(b.tokens) for b in made.branches] == [kept, "1</s>"]
    assert made.depth == 12


@pytest.mark.parametrize("new_tokens", [1, 3, 6, 9])
@pytest.mark.parametrize("overlong", ["cut", "skip", "refuse"])
def test_a_prompt_leaves_room_for_the_answer(new_tokens, overlong):
    made = encoder(tiny.tokenizer(), context=10, overlong=overlong)
    prompt, tokens = Prompt(id="p", content="acegi"), [10, 11, 12, 13, 14]
    if new_tokens <= 5:
        assert made.fits(prompt, tokens, new_tokens) == tokens
    elif overlong == "cut":
        assert made.fits(prompt, tokens, new_tokens) == tokens[-(10 - new_tokens) :]
    elif overlong == "skip":
        assert made.fits(prompt, tokens, new_tokens) is None
    else:
        with pytest.raises(DataError, match="'p' is too long"):
            made.fits(prompt, tokens, new_tokens)


def test_an_answer_as_long_as_the_context_leaves_no_room():
    with pytest.raises(SettingsError, match=r"10 new tokens leave no room .* 10; ask for fewer"):
        encoder(tiny.tokenizer(), context=10).fits(Prompt(id="p", content="a"), [5], 10)


@pytest.mark.parametrize("prompt", ["", "th"])
def test_an_answer_needs_a_token_before_it(prompt):
    """Without a start token an empty prompt, or one that melts into "the", leaves none."""
    with pytest.raises(DataError, match=r"'p' is empty, or its only token melts into the answer"):
        encoder(tiny.tokenizer()).tree(group(prompt, "e end", "is"))


def test_a_conversation_the_template_refuses_is_named():
    tokenizer = tiny.tokenizer("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(DataError, match=r"'p' does not suit .*\(roles must alternate\); change"):
        encoder(tokenizer).tree(group(dialogue(("user", "a"), ("user", "b")), "c"))
