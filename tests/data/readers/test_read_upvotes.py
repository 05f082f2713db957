"""Answers with upvotes: the score of a count, and the files that hold counts."""

from __future__ import annotations

import pytest

from suffrage.data.readers.upvotes import vote_score
from suffrage.data.views import as_pairs


@pytest.mark.parametrize(
    ("upvotes", "accepted", "score"),
    # log2 of 1, 2, 3, 6, 23, 101: 0, 1, 1.58, 2.58, 4.52, 6.66
    [(0, False, 0), (1, False, 1), (2, True, 3), (5, False, 3), (22, True, 6), (100, False, 7)],
)
def test_a_score_is_the_rounded_logarithm_and_one_more_if_accepted(upvotes, accepted, score):
    assert vote_score(upvotes, accepted) == score


def test_an_answer_voted_down_scores_minus_one_accepted_or_not():
    assert vote_score(-1) == vote_score(-40, accepted=True) == -1


def test_completions_with_upvotes(one_group):
    row = {"prompt": "q", "completions": ["a", "b", "c"], "upvotes": [4, 5, -2]}
    assert one_group(row).preference.scores == (2, 3, -1)
    assert one_group(row | {"accepted": 0}).preference.scores == (3, 3, -1)
    assert one_group(row | {"scores": [0.5, 0.25, 0]}).preference.scores == (0.5, 0.25, 0)


def test_answers_whose_scores_round_to_the_same_are_not_compared(one_group):
    row = {"prompt": "q", "completions": ["a", "b", "c"], "upvotes": [12, 14, 3]}
    found = as_pairs(one_group(row).preference)  # 4, 4, 2
    assert [(pair.first, pair.second) for pair in found] == [(0, 2), (1, 2)]


def test_a_question_of_stack_exchange(one_group):
    answers = [
        {"text": "a", "upvotes": 5, "selected": False},
        {"text": "b", "upvotes": 22, "selected": True},
        {"text": "c", "pm_score": 9},
    ]
    group = one_group({"qid": 3, "question": "why?", "answers": answers})
    assert group.prompt.content == "why?"
    assert [one.text for one in group.completions] == ["a", "b", "c"]
    assert group.preference.scores == (3, 6, 9)


def test_a_thread_of_the_stanford_human_preferences(one_group):
    row = {"history": "why?", "human_ref_A": "a", "human_ref_B": "b", "labels": 0}
    group = one_group(row | {"score_A": 3, "score_B": 40})
    assert group.prompt.content == "why?"
    assert group.preference.scores == (2, 5)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"upvotes": [1, "many"]}, "upvotes holds text where a number should be"),
        ({"upvotes": [1, 2, 3]}, "3 scores for 2 completions"),
        ({"upvotes": [1, 2], "accepted": 2}, r"accepted is no place of the 2 completions"),
        ({"upvotes": [1, 2], "accepted": True}, r"accepted is no place of the 2 completions"),
    ],
)
def test_upvotes_that_are_none_are_refused(reason, bad, words):
    good = {"prompt": "q", "completions": ["a", "b"], "upvotes": [1, 2]}
    assert words in reason(good, good | bad)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ([{"text": "a", "upvotes": 1}], "answers holds fewer than the two"),
        ([{"text": "a", "upvotes": 1}, {"text": "b"}], "answer 1, upvotes holds null where a num"),
        ([{"upvotes": 1}, {"text": "b", "upvotes": 1}], "answer 0, text is null, not text"),
    ],
)
def test_answers_that_cannot_be_compared_are_refused(reason, bad, words):
    good = {"question": "q", "answers": [{"text": t, "upvotes": 1} for t in "ab"]}
    assert words in reason(good, good | {"answers": bad})
