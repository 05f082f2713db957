"""Records: JSON both ways, and what has not a record's form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffrage.core.records import (
    Completion,
    Group,
    Judgment,
    Message,
    Preference,
    Prompt,
    Record,
    RecordError,
    SoftPair,
    short_id,
)

TEXT = st.text(max_size=8)
META = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT, max_size=2)
PROMPTS = st.builds(
    Prompt,
    id=TEXT,
    content=TEXT
    | st.lists(
        st.builds(
            Message, role=st.sampled_from(["system", "user", "assistant", "tool"]), content=TEXT
        ),
        max_size=3,
    ).map(tuple),
    meta=META,
)

VALID = [
    ("pair", "a", ("x", "y")),
    ("pair", "both_bad", ("x", "y")),
    ("ranking", (("x",), ("y", "z")), ("x", "y", "z")),
    ("ranking", (("x", "y"),), ("x", "y")),
    ("rating", 7, ("x",)),
    ("grade", "D", ("x",)),
    ("thumb", "down", ("x",)),
    ("demonstration", "寫得好", ()),
]
INVALID = [
    ("pair", "c", ("x", "y"), "a pair is one of ('a', 'b', 'tie', 'both_bad'), found 'c'"),
    ("pair", 1, ("x", "y"), "found 1"),
    ("pair", "a", ("x",), "a pair judges 2 different completions"),
    ("pair", "a", ("x", "x"), "a pair judges 2 different completions"),
    ("pair", "a", ("x", "x", "y"), "a pair judges 2 different completions"),
    ("ranking", "xy", ("x", "y"), "a ranking is a list of groups"),
    ("ranking", (("x",),), ("x",), "at least two"),
    ("ranking", (("x",), ("x",)), ("x",), "names each judged completion once"),
    ("ranking", (("x",), ("y",)), ("x", "y", "z"), "names each judged completion once"),
    ("ranking", (("x",), ("w",)), ("x", "y"), "names each judged completion once"),
    ("rating", 0, ("x",), "a rating is one of"),
    ("rating", 8, ("x",), "a rating is one of"),
    ("rating", "7", ("x",), "a rating is one of"),
    ("rating", True, ("x",), "found True, which no kind of judgment has"),
    ("grade", "E", ("x",), "a grade is one of"),
    ("grade", "A", ("x", "y"), "a grade judges 1 different completions"),
    ("thumb", "sideways", ("x",), "a thumb is one of"),
    ("demonstration", "  ", (), "a demonstration is a text that is not empty"),
    ("demonstration", 3, (), "a demonstration is a text that is not empty"),
]


def judgment(kind, value, completions, **changes) -> dict:
    fixed = {"id": "j", "prompt_id": "p", "rater": "r"}
    return {**fixed, "kind": kind, "value": value, "completions": completions, **changes}


def round_trip(record: Record) -> None:
    text = json.dumps(record.to_json(), ensure_ascii=False)
    assert type(record).from_json(json.loads(text)) == record


@pytest.mark.parametrize(("kind", "value", "completions"), VALID)
def test_every_kind_of_judgment_makes_the_round_trip(kind, value, completions):
    shown = tuple(reversed(completions))
    made = Judgment(
        **judgment(kind, value, completions, shown=shown, seconds=2.5, criterion="honest")
    )
    round_trip(made)
    assert made.value == value
    assert type(made.value) is type(value)


@pytest.mark.parametrize(("kind", "value", "completions", "reason"), INVALID)
def test_a_value_that_does_not_fit_its_kind_is_refused(kind, value, completions, reason):
    with pytest.raises(RecordError) as error:
        Judgment.from_json(judgment(kind, value, completions))
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"kind": "vote"}, "Judgment.kind: input should be 'pair'"),
        ({"strength": 0}, "Judgment.strength"),
        ({"strength": 5}, "Judgment.strength"),
        ({"seconds": -0.1}, "Judgment.seconds"),
        ({"seconds": float("nan")}, "Judgment.seconds"),
        ({"rater_kind": "dog"}, "Judgment.rater_kind"),
        ({"shown": ("x", "z")}, "shown holds other completions than were judged"),
        ({"shown": ("x",)}, "shown holds other completions than were judged"),
        ({"mood": "good"}, "Judgment.mood: extra inputs are not permitted"),
    ],
)
def test_a_judgment_with_a_wrong_field_is_refused(changes, reason):
    with pytest.raises(RecordError, match=r"^Judgment") as error:
        Judgment.from_json({**judgment("pair", "a", ("x", "y")), **changes})
    assert reason in str(error.value)


@given(PROMPTS, st.lists(TEXT, max_size=3, unique=True), st.data())
def test_any_group_makes_the_round_trip(prompt, names, data):
    completions = tuple(
        Completion(id=name, prompt_id=prompt.id, text=data.draw(TEXT), seed=3) for name in names
    )
    pairs = tuple(
        SoftPair(first=i, second=j, probability=data.draw(st.floats(0, 1)))
        for i in range(len(names))
        for j in range(i)
    )
    labels = tuple(data.draw(st.none() | st.booleans()) for _ in names)
    preference = Preference(pairs=pairs, labels=labels, ranks=tuple(map(float, range(len(names)))))
    round_trip(Group(prompt=prompt, completions=completions, preference=preference))


def test_what_holds_its_default_is_left_out():
    made = Judgment(**judgment("thumb", "up", ("x",)))
    assert made.to_json() == {
        "id": "j", "prompt_id": "p", "rater": "r", "kind": "thumb", "value": "up",
        "completions": ["x"],
    }  # fmt: skip


def test_records_cannot_be_changed():
    prompt = Prompt(id="p", content="x")
    with pytest.raises(ValueError, match="frozen"):
        prompt.id = "q"


def group(**changes) -> dict:
    completions = [{"id": name, "prompt_id": "p", "text": name} for name in ("x", "y")]
    return {"prompt": {"id": "p", "content": "?"}, "completions": completions, **changes}


OTHER = [{"id": "x", "prompt_id": "q", "text": ""}]
TWICE = [{"id": "x", "prompt_id": "p", "text": text} for text in ("1", "2")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"completions": OTHER}, "'x' belongs to another prompt, 'q'"),
        ({"completions": TWICE}, "two completions have the same id"),
        ({"judgments": [judgment("pair", "a", ("x", "z"))]}, "'j' names a completion not in the"),
        (
            {"judgments": [judgment("thumb", "up", ("x",), prompt_id="q")]},
            "'j' belongs to another prompt",
        ),
        ({"preference": {"pairs": [{"first": 0, "second": 2}]}}, "names completion 2 of 2"),
        ({"preference": {"pairs": [{"first": 1, "second": 1}]}}, "a completion with itself"),
        (
            {"preference": {"pairs": [{"first": 0, "second": 1, "probability": 1.01}]}},
            "probability",
        ),
        ({"preference": {"pairs": [{"first": 0, "second": 1, "weight": -1}]}}, "weight"),
        ({"preference": {"demonstrations": [2]}}, "names completion 2 of 2"),
        ({"preference": {"ranks": [1.0]}}, "1 ranks for 2 completions"),
        ({"preference": {"scores": [1.0, 2.0, 3.0]}}, "3 scores for 2 completions"),
        ({"preference": {"scores": [1.0, float("inf")]}}, "finite"),
        ({"preference": {"labels": []}}, "0 labels for 2 completions"),
        ({"prompt": {"content": "?"}}, "Group.prompt.id: field required"),
    ],
)
def test_a_group_whose_parts_do_not_belong_together_is_refused(changes, reason):
    with pytest.raises(RecordError, match=r"^Group") as error:
        Group.from_json(group(**changes))
    assert reason in str(error.value)


def test_the_text_of_a_prompt_is_for_people():
    said = (Message(role="user", content="Hi"), Message(role="assistant", content="你好"))
    assert Prompt(id="p", content="plain").text == "plain"
    assert Prompt(id="p", content=said[:1]).text == "Hi"
    assert Prompt(id="p", content=said).text == "user: Hi\n\nassistant: 你好"


def test_short_ids_tell_the_parts_apart():
    assert short_id("ab", "c") == short_id("ab", "c")
    assert (
        len({short_id("ab", "c"), short_id("a", "bc"), short_id("abc"), short_id("abc", "")}) == 4
    )
    assert len(short_id("中文")) == 12


def test_judgments_share_the_set_of_their_fields_and_copies_leave_it_alone() -> None:
    # a set of its own would be the largest part of each of a million
    given = {"prompt_id": "p", "rater": "Ann", "kind": "thumb", "value": "up", "completions": ["c"]}
    one, two = (Judgment.from_json({"id": name, **given}) for name in "ab")
    assert one.__pydantic_fields_set__ is two.__pydantic_fields_set__
    one.model_copy(update={"rater": "Bob"}).__pydantic_fields_set__.clear()
    assert two.__pydantic_fields_set__ == set(Judgment.model_fields)
