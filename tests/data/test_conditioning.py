"""What a model is told of an answer: phrases in the prompt's language, drawn by the seed alone."""

from __future__ import annotations

from collections import Counter

import pytest

from suffrage.core.errors import ModelError
from suffrage.core.records import Message, Prompt, SoftPair
from suffrage.data.conditioning import (
    ASKED_AFTER,
    CHINESE,
    CLASSES,
    WORDINGS,
    Condition,
    Told,
    classed,
    compared,
    load_condition,
    save_condition,
    with_phrase,
)

GOOD = Condition("Good:", "好：")


def prompt(content: str | tuple[Message, ...], name: str = "p") -> Prompt:
    return Prompt(id=name, content=content)


def turn(role: str, content: str) -> Message:
    return Message(role=role, content=content)


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("Why?", False),
        ("為什麼？", True),
        ("Say 㐀", True),
        ("Say 𠀀", True),
        ("¿Qué? ？、", False),
    ],
)
def test_a_prompt_with_a_chinese_character_gets_the_chinese_wording(text, chinese):
    assert GOOD.phrase(prompt(text)) == ("好：" if chinese else "Good:")
    assert GOOD.phrase(prompt((turn("user", text),))) == ("好：" if chinese else "Good:")


@pytest.mark.parametrize(
    ("text", "asked"),
    [("Why?", "Why?\nGood:\n"), ("Why? ", "Why? \nGood:\n"), ("Why?\n", "Why?\nGood:\n")],
)
def test_a_text_to_go_on_from_ends_with_the_phrase_on_a_line_of_its_own(text, asked):
    assert GOOD.of(prompt(text), plain=True).content == asked


def test_in_a_conversation_the_phrase_ends_the_users_last_turn():
    said = (turn("system", "Be brief."), turn("user", "Why?"))
    asked = GOOD.of(prompt(said), plain=False).content
    assert asked == (turn("system", "Be brief."), turn("user", "Why?\n\nGood:"))
    assert GOOD.of(prompt("Why?"), plain=False).content == (turn("user", "Why?\n\nGood:"),)


def test_after_another_roles_turn_the_phrase_is_a_turn_of_its_own():
    said = (turn("user", "Why?"), turn("assistant", "So."))
    assert with_phrase(prompt(said), "Good:", False).content == (*said, turn("user", "Good:"))


def test_every_wording_is_told_apart_in_both_languages():
    conditions = [condition for pair in WORDINGS for condition in pair]
    for texts in ([c.english for c in conditions], [c.chinese for c in conditions]):
        assert len(set(texts)) == len(texts) >= 10
    assert all(CHINESE.search(c.chinese) and not CHINESE.search(c.english) for c in conditions)


def test_the_model_is_asked_after_a_phrase_it_learned_as_good():
    assert ASKED_AFTER["comparisons"] in {good for good, _ in WORDINGS}
    assert ASKED_AFTER["classes"] == CLASSES[1.0]


PAIRS = (
    SoftPair(first=0, second=1, probability=0.7),
    SoftPair(first=2, second=0, probability=0.2),
    SoftPair(first=1, second=2, probability=0.5),
)


def test_both_answers_of_a_decided_pair_are_told_what_raters_thought():
    good, bad = ({pair[side] for pair in WORDINGS} for side in (0, 1))
    for seed in range(8):
        chains = compared(prompt("q"), PAIRS, seed)
        assert len(chains) == 2  # the third pair is undecided
        for chain, (better, worse) in zip(chains, ((0, 1), (0, 2)), strict=True):
            told = {one.completion: one.condition for one in chain}
            assert set(told) == {better, worse}
            assert (told[better], told[worse]) in WORDINGS
            assert told[better] in good
            assert told[worse] in bad


def test_order_and_wording_are_drawn_by_seed_and_prompt_and_by_nothing_else():
    drawn = [compared(prompt("q", f"p{i}"), PAIRS[:1], 7)[0] for i in range(300)]
    assert drawn == [compared(prompt("other", f"p{i}"), PAIRS[:1], 7)[0] for i in range(300)]
    assert drawn != [compared(prompt("q", f"p{i}"), PAIRS[:1], 8)[0] for i in range(300)]
    better_first = sum(chain[0].completion == 0 for chain in drawn)
    assert 110 < better_first < 190  # 150 expected, 8.7 the standard deviation
    wordings = Counter(frozenset(one.condition for one in chain) for chain in drawn)
    assert len(wordings) == len(WORDINGS)
    assert min(wordings.values()) > 25  # 50 expected


def test_each_answer_stands_alone_behind_the_name_of_its_class():
    assert classed((2, 0, 3), (0.0, 1.0, 0.5)) == [
        (Told(2, Condition("A bad answer:", "不好的回答：")),),
        (Told(0, Condition("A good answer:", "好的回答：")),),
        (Told(3, Condition("A middling answer:", "普通的回答：")),),
    ]


def test_the_phrase_is_kept_beside_a_model_and_read_back(tmp_path):
    save_condition(GOOD, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["suffrage.json"]
    assert load_condition(tmp_path) == GOOD


def test_without_a_phrase_nothing_is_written_or_read(tmp_path):
    save_condition(None, tmp_path)
    assert not list(tmp_path.iterdir())
    assert load_condition(tmp_path) is None
    assert load_condition("some/model-of-the-hub") is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"condition": {"english": "Good:"}}',
        '{"condition": {"english": "Good:", "chinese": 2}}',
    ],
)
def test_a_damaged_phrase_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "suffrage.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelError, match=r"suffrage\.json is damaged: .*; copy or train"):
        load_condition(tmp_path)
