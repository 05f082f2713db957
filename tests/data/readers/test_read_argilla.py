"""Argilla's exports, of both versions: records and data sets."""

from __future__ import annotations

import pytest

from suffrage.data.read import read_groups

FIELDS = {"prompt": "Name a tree.", "response_1": "Oak.", "response_2": "Tree."}


def record(*responses: object, **fields: object) -> dict[str, object]:
    return {
        "id": "r7",
        "fields": FIELDS | fields,
        "metadata": {"source": "web"},
        "responses": list(responses),
        "suggestions": [{"question_name": "rating", "value": 3, "agent": "m"}],
        "external_id": None,
    }


def response(user: str | None, status: str = "submitted", **values: object) -> dict[str, object]:
    given = {question: {"value": value} for question, value in values.items()}
    return {"user_id": user, "status": status, "values": given}


def ranks(**ranked: int | None) -> list[dict[str, object]]:
    return [{"rank": rank, "value": name} for name, rank in ranked.items()]


def said(group):
    return [(j.rater, j.kind, j.value, j.completions, j.criterion) for j in group.judgments]


BEST_FIRST = ranks(response_2=1, response_1=2)


def test_rankings_keep_ties(one_group):
    group = one_group(
        record(
            response("u1", ranking=BEST_FIRST),
            response("u2", ranking=ranks(response_1=1, response_2=1)),
        )
    )
    assert said(group) == [
        ("u1", "ranking", (("r7-1",), ("r7-0",)), ("r7-1", "r7-0"), "overall"),
        ("u2", "ranking", (("r7-0", "r7-1"),), ("r7-0", "r7-1"), "overall"),
    ]
    assert [one.text for one in group.completions] == ["Oak.", "Tree."]


def test_a_completion_without_a_rank_is_not_ranked(one_group):
    ranked = [*ranks(response_1=2, response_2=None), {"rank": 1, "value": "response_3"}]
    (judgment,) = one_group(record(response("u1", rank=ranked), response_3="Ash.")).judgments
    assert judgment.value == (("r7-2",), ("r7-0",))


def test_ratings_labels_and_texts(one_group):
    group = one_group(
        record(
            response(
                "u1",
                helpfulness_response_2=6,
                preference="response_1",
                thumb_1="bad",
                comment="Too short.",
                corrected="An oak.",
            )
        )
    )
    assert said(group) == [
        ("u1", "rating", 6, ("r7-1",), "helpfulness"),
        ("u1", "pair", "a", ("r7-0", "r7-1"), "overall"),
        ("u1", "thumb", "down", ("r7-0",), "overall"),
        ("u1", "demonstration", "An oak.", (), "overall"),
    ]
    assert {one.reason for one in group.judgments} == {"Too short."}


def test_only_submitted_responses_count(jsonl):
    row = record(
        response("u1", ranking=BEST_FIRST),
        response("u2", "discarded"),
        response("u3", "discarded"),
        response("u4", "draft", ranking=BEST_FIRST),
        {"user_id": "u5", "status": "submitted", "values": {"ranking": {"value": {"a": 1}}}},
    )
    groups, report = read_groups(jsonl(row))
    assert [one.rater for one in groups[0].judgments] == ["u1"]
    assert report.format == "Argilla records"
    assert set(report.notes[1:]) == {
        "2 left out: responses that are discarded, not submitted",
        "1 left out: responses that are draft, not submitted",
        "1 left out: 'ranking' is no ranking, rating, label or text",
    }


def test_records_of_version_two(one_group):
    row = record() | {
        "responses": {
            "ranking": [
                {"value": ["response_2", "response_1"], "user_id": "u1", "status": "submitted"},
                {"value": ["response_1", "response_2"], "user_id": "u2", "status": "discarded"},
            ],
            "rating_1": [{"value": 2, "user_id": "u2"}],  # no status: it was submitted
        },
        "suggestions": {},
        "_server_id": "a1b2",
    }
    assert [one[:3] for one in said(one_group(row))] == [
        ("u1", "ranking", (("r7-1",), ("r7-0",))),
        ("u2", "rating", 2),
    ]


def flat(**more: object) -> dict[str, object]:
    return {"id": "r7", "_server_id": "a1b2", "source": "web"} | FIELDS | more


FLAT = flat(
    **{
        "ranking.responses": [["response_2", "response_1"], ["response_1", "response_2"]],
        "ranking.responses.users": ["u1", "u2"],
        "ranking.responses.status": ["submitted", "draft"],
        "ranking.suggestion": ["response_1", "response_2"],
        "why.responses": None,
    }
)


def test_a_flat_list_of_version_two(jsonl):
    groups, report = read_groups(jsonl(FLAT))
    assert report.format == "Argilla data set"
    assert [one[:3] for one in said(groups[0])] == [("u1", "ranking", (("r7-1",), ("r7-0",)))]
    assert "1 left out: responses that are draft, not submitted" in report.notes


@pytest.mark.parametrize(
    "column",
    [
        [
            {"user_id": "u1", "value": BEST_FIRST, "status": "submitted"},
            {"user_id": None, "value": BEST_FIRST, "status": "submitted"},
            {"user_id": None, "value": BEST_FIRST, "status": "submitted"},
        ],
        {
            "user_id": ["u1", None, None],
            "value": [{"rank": [1, 2], "value": ["response_2", "response_1"]}] * 3,
            "status": ["submitted"] * 3,
        },
    ],
)
def test_a_data_set_of_version_one(one_group, column):
    row = FIELDS | {"ranking": column, "ranking-suggestion": None, "external_id": "r7"}
    first, second, third = one_group(row | {"metadata": "{}"}).judgments
    assert first.value == second.value == third.value == (("r7-1",), ("r7-0",))
    assert first.rater == "u1"
    assert len({first.rater, second.rater, third.rater}) == 3  # unknown people are not one


def test_a_data_set_in_parquet(tmp_path):
    import pyarrow
    import pyarrow.parquet

    column = [{"user_id": "u1", "value": 4, "status": "submitted"}]
    rows = [FIELDS | {"rating_2": column, "external_id": None}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "d.parquet")
    ((group,), _) = read_groups(tmp_path / "d.parquet")
    assert [one[1:3] for one in said(group)] == [("rating", 4)]


def test_a_chat_is_a_conversation(one_group):
    chat = [{"role": "user", "content": "你好"}]
    row = record(response("u1", ranking=BEST_FIRST))
    fields = {"messages": chat, "response_1": "好", "response_2": "嗯"}
    group = one_group(row | {"fields": fields})
    assert group.prompt.content[0].content == "你好"
    assert len(group.completions) == 2


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (record(), "holds no judgment (nobody annotated it)"),
        (record(response("u1", rating=3)), "'rating' does not say which answer it rates"),
        (record(response("u1", ranking=ranks(x=1, y=2))), "does not rank two answers or more"),
        (record(response("u1", topic="sport")), "says nothing known of an answer"),
        (record(response("u1", ranking=BEST_FIRST), prompt=""), "has no field for the prompt"),
        (record(3), "responses holds something other than objects"),
        (record({"values": [1]}), "values of a response are no object"),
        (record() | {"responses": {"q": [3]}}, "responses holds something other than objects"),
    ],
)
def test_records_that_are_refused(reason, bad, words):
    assert words in reason(record(response("u1", ranking=BEST_FIRST)), bad)


def test_columns_of_different_lengths_are_refused(reason):
    parts = {"user_id": ["u1"], "value": [], "status": ["submitted"]}
    good = [{"user_id": "u1", "value": 4, "status": "submitted"}]
    assert "different lengths" in reason(FIELDS | {"rating_1": good}, FIELDS | {"rating_1": parts})
