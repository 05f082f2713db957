"""Pairs, in every form people keep them."""

from __future__ import annotations

import math

import pytest

from suffrage.core.records import Message, Preference, SoftPair
from suffrage.data.read import read_groups

ASK = {"role": "user", "content": "天空為何是藍的？"}
GOOD = {"role": "assistant", "content": "因為散射。"}
BAD = {"role": "assistant", "content": "不知道。"}
ASKED = (Message(role="user", content="天空為何是藍的？"),)
PAIR = (SoftPair(first=0, second=1, probability=1.0, weight=1.0),)

CONVERSATIONAL = {
    "TRL explicit": {"prompt": [ASK], "chosen": [GOOD], "rejected": [BAD]},
    "TRL explicit, prompt repeated": {
        "prompt": [ASK],
        "chosen": [ASK, GOOD],
        "rejected": [ASK, BAD],
    },
    "TRL explicit, plain prompt repeated (UltraFeedback)": {
        "prompt": ASK["content"],
        "chosen": [ASK, GOOD],
        "rejected": [ASK, BAD],
        "messages": [ASK, GOOD],
        "score_chosen": 8.5,
    },
    "TRL implicit": {"chosen": [ASK, GOOD], "rejected": [ASK, BAD]},
    "messages": {"messages": [ASK], "chosen": GOOD["content"], "rejected": BAD["content"]},
    "ShareGPT": {
        "conversations": [{"from": "human", "value": ASK["content"]}],
        "chosen": {"from": "gpt", "value": GOOD["content"]},
        "rejected": {"from": "gpt", "value": BAD["content"]},
    },
    "HH": {
        "chosen": "\n\nHuman: 天空為何是藍的？\n\nAssistant: 因為散射。",
        "rejected": "\n\nHuman: 天空為何是藍的？\n\nAssistant: 不知道。",
    },
}


@pytest.mark.parametrize("form", CONVERSATIONAL)
def test_conversations(one_group, form):
    group = one_group(CONVERSATIONAL[form])
    assert group.prompt.content == ASKED
    assert [one.text for one in group.completions] == ["因為散射。", "不知道。"]
    assert group.preference.pairs == PAIR


PLAIN = {
    "TRL explicit": {"prompt": "Why?", "chosen": " Because.", "rejected": " No."},
    "Alpaca": {"instruction": "Why?", "input": "", "chosen": " Because.", "rejected": " No."},
    "question": {"question": "Why?", "chosen": " Because.", "rejected": " No."},
    "TRL implicit": {"chosen": "Why? Because.", "rejected": "Why? No."},
}


@pytest.mark.parametrize("form", PLAIN)
def test_plain_text_stays_as_it_is(one_group, form):
    group = one_group(PLAIN[form])
    assert group.prompt.content == "Why?"
    assert [one.text for one in group.completions] == [" Because.", " No."]
    assert group.preference.pairs == PAIR


@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt"),
    [
        ("Q: sky?\nA: blue", "Q: sky?\nA: green", "Q: sky?\nA:"),
        ("Q: sky?\nblue", "Q: sky?\ngreen", "Q: sky?\n"),
        ("say because", "say beside", "say"),  # never inside a word
        ("ab cd", "abx", None),  # `ab` ends a word on one side only
        ("Q: A", "Q: A b", "Q:"),  # one side begins with the whole other
        ("問：為何藍？因為散射", "問：為何藍？因此", "問：為何藍？"),
        ("yes", "no", None),
        ("  yes", "  no", None),  # white space is no prompt
    ],
)
def test_shared_beginning_is_the_prompt(one_group, reason, chosen, rejected, prompt):
    row = {"chosen": chosen, "rejected": rejected}
    if prompt is None:
        assert "share no beginning" in reason({"chosen": "q a", "rejected": "q b"}, row)
        return
    group = one_group(row)
    assert group.prompt.content == prompt
    assert [prompt + one.text for one in group.completions] == [chosen, rejected]


def test_hh_dialogue_keeps_all_turns_but_the_last_in_the_prompt(one_group):
    start = "\n\nHuman: hi\n\nAssistant: Yes?\n\nHuman: a pun"
    group = one_group(
        {"chosen": f"{start}\n\nAssistant: One.\n\nTwo.", "rejected": f"{start}\n\nAssistant: No"}
    )
    assert [(turn.role, turn.content) for turn in group.prompt.content] == [
        ("user", "hi"),
        ("assistant", "Yes?"),
        ("user", "a pun"),
    ]
    assert [one.text for one in group.completions] == ["One.\n\nTwo.", "No"]


def test_hh_joins_two_turns_of_one_speaker(one_group):
    start = "\n\nHuman: hi\n\nAssistant: Wait.\n\nAssistant: Yes?\n\nHuman: go"
    group = one_group(
        {"chosen": f"{start}\n\nAssistant: a", "rejected": f"{start}\n\nAssistant: b"}
    )
    assert [turn.content for turn in group.prompt.content] == ["hi", "Wait.\n\nYes?", "go"]


def test_sharegpt_system_and_several_turns(one_group):
    group = one_group(
        {
            "system": "Be brief.",
            "conversations": [
                {"from": "system", "value": " "},
                {"from": "human", "value": "1"},
                {"from": "gpt", "value": "2"},
                {"from": "human", "value": "3"},
            ],
            "chosen": {"from": "gpt", "value": "4"},
            "rejected": {"from": "gpt", "value": "5"},
        }
    )
    roles = [turn.role for turn in group.prompt.content]
    assert roles == ["system", "user", "assistant", "user"]
    assert group.prompt.content[0].content == "Be brief."


def test_turns_before_a_repeated_prompt_belong_to_it(one_group):
    system = {"role": "system", "content": "Be brief."}
    sides = {"chosen": [system, ASK, GOOD], "rejected": [system, ASK, BAD]}
    group = one_group({"prompt": ASK["content"]} | sides)
    assert [turn.role for turn in group.prompt.content] == ["system", "user"]


HH = "\n\nHuman: {}\n\nAssistant: {}"
GOOD_ROW = {"prompt": "q", "chosen": "a", "rejected": "b"}
GOOD_HH = {"chosen": HH.format("q", "a"), "rejected": HH.format("q", "b")}
GOOD_TURNS = {"chosen": [ASK, GOOD], "rejected": [ASK, BAD]}
REFUSED = [
    (GOOD_ROW, GOOD_ROW | {"rejected": "a"}, "chosen equals rejected"),
    (GOOD_ROW, GOOD_ROW | {"rejected": " a\n"}, "chosen equals rejected"),
    (GOOD_ROW, GOOD_ROW | {"rejected": " "}, "rejected is empty"),
    (GOOD_ROW, GOOD_ROW | {"prompt": ""}, "the prompt is empty"),
    (GOOD_ROW, GOOD_ROW | {"prompt": 7}, "prompt is a number, not text"),
    (GOOD_ROW, GOOD_ROW | {"chosen": None}, "has no chosen"),
    (GOOD_ROW, {"prompt": "q", "rejected": "b"}, "has no chosen"),
    (GOOD_ROW, GOOD_ROW | {"chosen": "\ud800"}, "half a character"),
    (GOOD_ROW, GOOD_ROW | {"chosen": True}, "chosen is true, not text"),
    (GOOD_ROW, ["q", "a", "b"], "is a list, not an object with fields"),
    (GOOD_ROW, GOOD_ROW | {"prompt": [GOOD]}, "ends with an assistant's turn"),
    (GOOD_ROW, GOOD_ROW | {"chosen": [ASK]}, "chosen does not end with an assistant's turn"),
    (GOOD_ROW, GOOD_ROW | {"chosen": [BAD, GOOD]}, "turns before the answer"),
    (GOOD_ROW, {"prompt": "q", "completion": "a"}, "looks like prompt and completion among TRL"),
    (
        GOOD_HH,
        {"chosen": HH.format("q", "a"), "rejected": HH.format("z", "b")},
        "different prompts",
    ),
    (GOOD_HH, {"chosen": HH.format("q", ""), "rejected": HH.format("q", "b")}, "chosen is empty"),
    (GOOD_HH, {"chosen": "q a", "rejected": "q b"}, "looks like TRL implicit preference"),
    (GOOD_TURNS, {"chosen": [GOOD], "rejected": [BAD]}, "the prompt is empty"),
    (GOOD_TURNS, {"chosen": [BAD, GOOD], "rejected": [BAD, BAD]}, "ends with an assistant's turn"),
    (GOOD_TURNS, {"chosen": [{"role": "x"}], "rejected": [BAD]}, "chosen, turn 1 has an unknown"),
    (
        GOOD_TURNS,
        {"chosen": [{"role": "user", "content": " "}, GOOD], "rejected": [ASK, BAD]},
        "different prompts",
    ),
]


@pytest.mark.parametrize(("good", "bad", "words"), REFUSED)
def test_refused(reason, good, bad, words):
    assert words in reason(good, bad)


def test_a_prompt_under_another_name_is_not_made_up_from_the_answers(jsonl):
    """The answers share a first word; the real prompt is in a field no reader knows."""
    from suffrage.core.errors import DataError

    row = {"query": "Why?", "chosen": "Well because", "rejected": "Well no"}
    with pytest.raises(DataError, match="in no format Suffrage reads"):
        read_groups(jsonl(row))


@pytest.mark.parametrize(
    ("share", "expected"), [(0.75, 0.75), ("0.6", 0.6), (None, 1.0), ("", 1.0)]
)
def test_a_vote_share_says_how_sure_the_voters_were(one_group, share, expected):
    row = {"prompt": "q", "chosen": "a", "rejected": "b", "vote_share": share}
    (pair,) = one_group(row).preference.pairs
    assert (pair.first, pair.second, pair.probability) == (0, 1, expected)


@pytest.mark.parametrize(("weight", "expected"), [(2.5, 2.5), ("0.5", 0.5), (0, 0), ("", 1)])
def test_a_row_may_say_its_weight_and_its_pairs_strength(one_group, weight, expected):
    row = {"prompt": "q", "chosen": "a", "rejected": "b", "weight": weight, "strength": "0.75"}
    preference = one_group(row).preference
    assert preference.weight == expected
    assert preference.pairs[0].strength == 0.75
    thumb = one_group({"prompt": "q", "completion": "a", "label": True, "weight": weight})
    assert thumb.preference.weight == expected


@pytest.mark.parametrize("empty", [None, "", "  ", float("nan")])
def test_an_empty_cell_says_nothing(one_group, empty):
    told = dict.fromkeys(("weight", "strength", "vote_share"), empty)
    preference = one_group({"prompt": "q", "chosen": "a", "rejected": "b"} | told).preference
    assert preference == Preference(pairs=PAIR)
    thumb = one_group({"prompt": "q", "completion": "a", "label": True} | told)
    assert thumb.preference == Preference(labels=(1.0,))


def test_a_csv_file_may_leave_cells_empty(tmp_path):
    path = tmp_path / "pairs.csv"
    lines = ("prompt,chosen,rejected,weight,strength,vote_share", "问,好,坏,,,", "q,a,b,2,.5,.75")
    path.write_text("\n".join(lines), encoding="utf-8")
    groups, report = read_groups(path)
    assert not report.refused
    assert groups[0].preference == Preference(pairs=PAIR)
    told = SoftPair(first=0, second=1, probability=0.75, strength=0.5)
    assert groups[1].preference == Preference(pairs=(told,), weight=2)


def test_a_parquet_file_may_hold_null_or_nan(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "pairs.parquet"
    cells = [None, math.nan, 0.75]
    figures = {"weight": cells, "strength": cells, "vote_share": cells}
    texts = {"prompt": ["q", "r", "s"], "chosen": ["a"] * 3, "rejected": ["b"] * 3}
    parquet.write_table(arrow.table(texts | figures), path)
    groups, report = read_groups(path)
    assert not report.refused
    assert [group.preference.weight for group in groups] == [1, 1, 0.75]
    assert [group.preference.pairs[0].strength for group in groups] == [None, None, 0.75]
    assert [group.preference.pairs[0].probability for group in groups] == [1, 1, 0.75]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("weight", -1, "weight is -1, less than 0"),
        ("weight", "heavy", "text where a number"),
        ("weight", True, "weight holds true where a number should be"),
        ("strength", 3, "strength is 3, no share from 0 to 1"),
    ],
)
def test_a_weight_that_is_none_is_refused(reason, field, value, words):
    good = {"prompt": "q", "chosen": "a", "rejected": "b"}
    assert words in reason(good, good | {field: value})


@pytest.mark.parametrize(
    ("share", "words"),
    [(1.5, "vote_share is 1.5, no share from 0 to 1"), ("many", "text where a number should be")],
)
def test_a_vote_share_that_is_none_is_refused(reason, share, words):
    good = {"prompt": "q", "chosen": "a", "rejected": "b"}
    assert words in reason(good, good | {"vote_share": share})
