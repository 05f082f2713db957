"""Answers side by side, as a result and as the rows of a responses file."""

from __future__ import annotations

import pytest

from suffrage.core.errors import DataError
from suffrage.core.records import Message, Prompt
from suffrage.core.results import Answer
from suffrage.evaluate.side_by_side import response_rows, side_by_side

PROMPTS = [
    Prompt(id="7", content="真人版值得看嗎?", meta={"id": 7}),
    Prompt(id="b", content=(Message(role="user", content="Is it worth it?"),)),
]


def test_every_model_answers_every_prompt_in_order() -> None:
    result = side_by_side(
        PROMPTS,
        {"base": ["不一定。", "Maybe."], "tuned": ["值得!", "Yes."]},
        {"tuned": ["support", "support"]},
    )
    assert [row.prompt for row in result.rows] == ["真人版值得看嗎?", "Is it worth it?"]
    assert result.rows[0].answers == (
        Answer(model="base", text="不一定。"),
        Answer(model="tuned", text="值得!", stance="support"),
    )


def test_response_rows_have_the_files_own_ids() -> None:
    assert response_rows(PROMPTS, ["不一定。", "Maybe."], ["值得!", "Yes."]) == [
        {
            "id": 7,
            "prompt": "真人版值得看嗎?",
            "response_from_original_model": "不一定。",
            "response_from_trained_model": "值得!",
        },
        {
            "id": "b",
            "prompt": "Is it worth it?",
            "response_from_original_model": "Maybe.",
            "response_from_trained_model": "Yes.",
        },
    ]


def test_a_missing_answer_is_the_users_error() -> None:
    with pytest.raises(DataError, match="tuned has 1 answers to 2 prompts"):
        side_by_side(PROMPTS, {"base": ["a", "b"], "tuned": ["a"]})
    with pytest.raises(DataError, match="tuned has 1 answers"):
        side_by_side(PROMPTS, {"tuned": ["a", "b"]}, {"tuned": ["support"]})
    with pytest.raises(DataError, match="the trained model has 0 answers"):
        response_rows(PROMPTS, ["a", "b"], [])
