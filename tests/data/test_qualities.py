"""Good, middling or bad: from scales of known ends, labels, rankings and pairs."""

from __future__ import annotations

import pytest
import tiny

from suffrage.core.errors import DataError
from suffrage.core.records import Group, Judgment, Preference, SoftPair
from suffrage.data.preferences import consensus, scale_of
from suffrage.data.views import BAD, GOOD, MIDDLING, as_qualities

RATED, GRADED = (1, 7), (1, 4)


@pytest.mark.parametrize(
    ("scores", "scale", "qualities"),
    [
        ((5.0, 4.9, 4.0, 3.1, 3.0), RATED, (GOOD, MIDDLING, MIDDLING, MIDDLING, BAD)),
        ((6.0, 5.5, 7.0), RATED, (GOOD, GOOD, GOOD)),  # all good: no rival is needed
        ((4.0, 3.0, 2.5, 2.0, 1.0), GRADED, (GOOD, GOOD, MIDDLING, BAD, BAD)),
        ((5.0, 4.0, 3.0), None, (GOOD, MIDDLING, BAD)),  # against each other
        ((9.0, 9.0, 3.0, 1.0), None, (GOOD, GOOD, BAD, BAD)),  # beats 5/6, 5/6, 1/3, 0
    ],
)
def test_the_upper_third_of_a_scale_is_good_and_the_lower_third_bad(scores, scale, qualities):
    found = as_qualities(Preference(scores=scores), scale=scale)
    assert found == tuple(enumerate(qualities))


@pytest.mark.parametrize(
    ("ranks", "qualities"),
    [
        ((2, 1, 3), (MIDDLING, GOOD, BAD)),
        ((1, 2, 3, 4), (GOOD, GOOD, BAD, BAD)),  # beats 1, 2/3, 1/3, 0 of the others
        ((1, 2, 3, 4, 5), (GOOD, GOOD, MIDDLING, BAD, BAD)),
        ((1.5, 1.5, 3), (GOOD, GOOD, BAD)),
        ((2, 1), (BAD, GOOD)),
    ],
)
def test_a_ranking_is_cut_into_thirds(ranks, qualities):
    assert as_qualities(Preference(ranks=ranks)) == tuple(enumerate(qualities))


def test_labels_tell_good_from_bad_and_go_before_a_ranking():
    labelled = Preference(labels=(True, None, False), ranks=(3, 2, 1))
    assert as_qualities(labelled) == ((0, GOOD), (2, BAD))


def test_where_every_answer_ties_none_is_good_or_bad():
    assert as_qualities(Preference(ranks=(2, 2, 2))) == ()
    assert as_qualities(Preference(pairs=(SoftPair(first=0, second=1, probability=0.5),))) == ()


def test_winners_and_losers_of_pairs_are_good_and_bad():
    pairs = (SoftPair(first=2, second=0, probability=0.8),)
    assert as_qualities(Preference(pairs=pairs)) == ((0, BAD), (2, GOOD))


def test_without_any_of_these_that_is_said():
    with pytest.raises(DataError, match=r"conditional learns from labels, scores or comparisons"):
        as_qualities(Preference(demonstrations=(0,)), "conditional")


def judged(kind: str, *values: tuple[int, str | int]) -> Group:
    """Votes on the completions of these numbers, as a group with its consensus."""
    group = tiny.group("p", "why?", ("one", "two"), Preference())
    votes = tuple(
        Judgment(
            id=f"{kind}-{k}", prompt_id="p", rater=f"r{k}", kind=kind, value=value,
            completions=(group.completions[place].id,),
        )
        for k, (place, value) in enumerate(values)
    )  # fmt: skip
    return consensus(group.model_copy(update={"judgments": votes, "preference": None}))


def test_ratings_and_grades_have_scales_and_thumbs_have_none():
    rated = judged("rating", (0, 6), (0, 5), (1, 2))
    assert scale_of(rated) == RATED
    assert as_qualities(rated.preference, scale=scale_of(rated)) == ((0, GOOD), (1, BAD))
    graded = judged("grade", (0, "B"), (1, "A"), (1, "D"))
    assert scale_of(graded) == GRADED
    assert as_qualities(graded.preference, scale=scale_of(graded)) == ((0, GOOD), (1, MIDDLING))
    assert scale_of(judged("thumb", (0, "up"), (1, "down"))) is None


def test_the_scale_is_that_of_those_who_weigh_something():
    graded = judged("grade", (0, "A"), (1, "D"))
    rated = [
        vote.model_copy(update={"kind": "rating", "value": 2, "rater": "Bad", "id": vote.id + "!"})
        for vote in graded.judgments
    ]
    both = graded.model_copy(update={"judgments": (*graded.judgments, *rated)})
    assert scale_of(consensus(both, {})) == RATED
    quiet = consensus(both, {"Bad": 0})
    assert (scale_of(quiet), quiet.preference.scores) == (GRADED, (4, 1))


def test_a_scale_needs_a_rating_of_every_answer():
    assert scale_of(judged("rating", (0, 6))) is None
    assert scale_of(tiny.group("p", "why?", ("one", "two"), Preference(scores=(1, 2)))) is None
