"""Several answers with ranks, an order, scores or comparisons."""

from __future__ import annotations

import pytest

ROW = {"prompt": "q", "completions": ["a", "b", "c", "d"]}


def test_comparisons(one_group):
    given = [[0, 1, "tie"], [2, 0, "a"], [1, 3, "b"]]
    preference = one_group(ROW | {"comparisons": given}).preference
    found = [(pair.first, pair.second, pair.probability) for pair in preference.pairs]
    assert found == [(0, 1, 0.5), (2, 0, 1.0), (3, 1, 1.0)]
    assert preference.ranks is None
    assert preference.scores is None


@pytest.mark.parametrize(
    ("given", "ranks"),
    [
        ({"ranks": [2, 1, 3, 3]}, (2, 1, 3, 3)),
        ({"ranks": [0, 1, 1, 2]}, (1, 2, 2, 3)),  # counted from 0
        ({"ranks": [2.5, 1, 2.5, 4]}, (2.5, 1, 2.5, 4)),
        ({"ranking": [2, 0, 3, 1]}, (2, 4, 1, 3)),
        ({"ranking": [[3], [0, 2], 1]}, (2, 4, 2, 1)),
    ],
)
def test_ranks(one_group, given, ranks):
    preference = one_group(ROW | given).preference
    assert preference.ranks == ranks
    assert preference.pairs == ()


def test_scores_and_ranks_together(one_group):
    preference = one_group(ROW | {"scores": [0.1, -2, 3, 4], "ranks": [3, 4, 2, 1]}).preference
    assert preference.scores == (0.1, -2.0, 3.0, 4.0)
    assert preference.ranks == (3.0, 4.0, 2.0, 1.0)


def test_completions_as_messages(one_group):
    said = [[{"role": "assistant", "content": text}] for text in "ab"]
    asked = [{"role": "user", "content": "q"}]
    group = one_group({"prompt": asked, "completions": said, "ranks": [1, 2]})
    assert group.prompt.content[0].content == "q"
    assert [one.text for one in group.completions] == ["a", "b"]


GOOD = ROW | {"ranks": [1, 2, 3, 4]}
NAN = float("nan")


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (ROW, "has no ranks or ranking or scores or upvotes or comparisons"),
        (ROW | {"ranks": [1, 2]}, "2 ranks for 4 completions"),
        (ROW | {"ranks": [1, 2, 3, "4"]}, "ranks holds text where a number should be"),
        (ROW | {"ranks": [1, 2, 3, NAN]}, "not finite"),
        (ROW | {"ranks": [1, 2, 3, 10**400]}, "not finite"),
        (ROW | {"ranks": []}, "ranks is empty"),
        (ROW | {"scores": [1, 2, 3, None]}, "scores holds null where a number should be"),
        (ROW | {"ranking": [0, 1, 2]}, "ranking does not name each of the 4"),
        (ROW | {"ranking": [0, 1, 2, 3, 0]}, "ranking does not name each of the 4"),
        (ROW | {"ranking": [0, 1, 2, True]}, "ranking does not name each of the 4"),
        (ROW | {"comparisons": [[0, 4, "a"]]}, "names completion 4 of 4"),
        (ROW | {"comparisons": [[1, 1, "a"]]}, "compares a completion with itself"),
        (ROW | {"comparisons": [[-1, 1, "a"]]}, "greater than or equal to 0"),
        (ROW | {"comparisons": [[0, 1, "left"]]}, "comparisons holds something other than"),
        (ROW | {"comparisons": [[0, 1.5, "a"]]}, "by something other than its place"),
        (ROW | {"comparisons": []}, "comparisons is empty"),
        (ROW | {"completions": ["a"], "ranks": [1]}, "fewer than the two"),
        (GOOD | {"completions": ["a", "b", "c", ""]}, "completion 3 is empty"),
        (GOOD | {"completions": "abcd"}, "completions is text, not a list"),
    ],
)
def test_refused(reason, bad, words):
    assert words in reason(GOOD, bad)


def test_vote_shares_are_pairs_weighted_by_their_votes(one_group):
    given = {"ranks": [1, 2, 3, 4], "vote_shares": [[0, 1, 0.75, 4], [2, 3, 0.5, 2]]}
    preference = one_group(ROW | given).preference
    found = [(pair.first, pair.second, pair.probability, pair.weight) for pair in preference.pairs]
    assert found == [(0, 1, 0.75, 4 / 3), (2, 3, 0.5, 2 / 3)]


@pytest.mark.parametrize(
    "bad", [[[0, 1, 0.5]], [[0, 1, 1.5, 2]], [[0, 9, 0.5, 2]], [[0.5, 1, 1, 1]]]
)
def test_vote_shares_of_another_form_are_refused(reason, bad):
    assert reason(GOOD, ROW | {"ranks": [1, 2, 3, 4], "vote_shares": bad})
