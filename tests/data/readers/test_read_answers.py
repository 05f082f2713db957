"""Demonstrations and thumbs."""

from __future__ import annotations

import pytest

ASK = {"role": "user", "content": "Why?"}
ANSWER = {"role": "assistant", "content": "So."}
SHAREGPT = [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"prompt": "Why?", "completion": "So."}, "Why?"),
        ({"prompt": [ASK], "completion": [ANSWER]}, ["user: Why?"]),
        ({"messages": [ASK, ANSWER]}, ["user: Why?"]),
        ({"conversations": SHAREGPT}, ["user: Why?"]),
        ({"conversations": SHAREGPT, "system": "Hm"}, ["system: Hm", "user: Why?"]),
        ({"instruction": "Why?", "input": "", "output": "So."}, "Why?"),
        ({"instruction": "加總", "input": "1 2", "output": "So."}, "加總\n1 2"),
        (
            {"instruction": "c", "history": [["a", "b"]], "system": "s", "output": "So."},
            ["system: s", "user: a", "assistant: b", "user: c"],
        ),
    ],
)
def test_demonstrations(one_group, row, prompt):
    group = one_group(row)
    assert _plain(group.prompt.content) == prompt
    assert [one.text for one in group.completions] == ["So."]
    assert group.preference.demonstrations == (0,)
    assert group.preference.labels is None
    assert group.preference.pairs == ()


@pytest.mark.parametrize(
    ("label", "meant"), [(True, True), (False, False), (1, True), (0, False), ("False", False)]
)
@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Why?", "completion": "So."},
        {"prompt": [ASK], "completion": [ANSWER]},
        {"messages": [ASK, ANSWER]},
        {"conversations": SHAREGPT},
    ],
)
def test_thumbs(one_group, row, label, meant):
    group = one_group(row | {"label": label})
    assert group.preference.labels == (meant,)
    assert group.preference.demonstrations is None
    assert [one.text for one in group.completions] == ["So."]


@pytest.mark.parametrize(
    ("label", "share", "meant"), [(True, 0.75, 0.75), (False, "0.2", 0.2), (True, "", 1.0)]
)
def test_the_share_of_the_votes_says_more_than_a_thumb(one_group, label, share, meant):
    group = one_group({"prompt": "q", "completion": "a", "label": label, "vote_share": share})
    assert group.preference.labels == (meant,)


THUMB = {"prompt": "q", "completion": "a", "label": True}
SHOWN = {"prompt": "q", "completion": "a"}
TALK = {"messages": [ASK, ANSWER]}
TASK = {"instruction": "Why?", "output": "So."}


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        (THUMB, THUMB | {"label": 2}, "label is a number, not true or false"),
        (THUMB, THUMB | {"label": "good"}, "label is 'good', not true or false"),
        (THUMB, THUMB | {"label": []}, "label is a list, not true or false"),
        (THUMB, SHOWN, "looks like prompt and completion among TRL unpaired"),
        (SHOWN, THUMB, "looks like TRL unpaired among prompt and completion"),
        (SHOWN, SHOWN | {"completion": " "}, "completion is empty"),
        (TALK, {"messages": [ASK]}, "has no answer"),
        (TALK, {"messages": []}, "the prompt is empty"),
        (TALK, {"messages": [ASK, {"role": "assistant"}]}, "messages, turn 2 is null, not text"),
        (TALK, {"messages": [ASK, "So."]}, "messages, turn 2 is text, not an object"),
        (TALK, {"messages": [ANSWER, ANSWER]}, "the prompt ends with an assistant's turn"),
        (TALK, {"messages": "Why?"}, "messages is text, not a list"),
        (TASK, TASK | {"output": ""}, "output is empty"),
        (TASK, TASK | {"history": ["x"]}, "history holds something other"),
        (TASK, TASK | {"instruction": ""}, "the prompt is empty"),
    ],
)
def test_refused(reason, good, bad, words):
    assert words in reason(good, bad)


def _plain(content):
    return (
        content
        if isinstance(content, str)
        else [f"{turn.role}: {turn.content}" for turn in content]
    )
