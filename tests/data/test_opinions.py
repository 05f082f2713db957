"""Every rater's own ratings and votes, and refusals where there are none."""

from __future__ import annotations

import pytest

from suffrage.core.records import Completion, Group, Judgment, Preference, Prompt, SoftPair
from suffrage.data.opinions import Ranking, Rating, as_rankings, as_ratings, as_votes
from suffrage.data.preferences import consensus
from suffrage.data.views import ViewError

COMPLETIONS = tuple(Completion(id=name, prompt_id="p", text=name) for name in ("x", "y", "z"))


def judged(*said: tuple[str, str, object, tuple[str, ...]], **changes: object) -> Group:
    judgments = [
        Judgment(
            id=f"j{number}", prompt_id="p", rater=rater, kind=kind, value=value, completions=names
        )
        for number, (rater, kind, value, names) in enumerate(said)
    ]
    return Group(
        prompt=Prompt(id="p", content="say"),
        completions=COMPLETIONS,
        judgments=judgments,
        **changes,
    )


def test_each_rating_stands_for_itself_and_grades_are_a_scale_of_their_own():
    group = judged(
        ("Ann", "rating", 6, ("y",)),
        ("Bob", "rating", 3, ("y",)),
        ("Bob", "grade", "A", ("x",)),
        ("Cid", "grade", "D", ("z",)),
        ("Cid", "thumb", "up", ("z",)),
    )
    assert as_ratings(group) == (
        Rating(1, "rating", 6),
        Rating(1, "rating", 3),
        Rating(0, "grade", 4),
        Rating(2, "grade", 1),
    )


def test_each_raters_own_ranking_counts_as_the_rater_does():
    names = ("x", "y", "z")
    said = [
        ("Ann", "ranking", (("x",), ("y", "z")), names),
        ("Bob", "ranking", (("x",), ("y", "z")), names),
        ("Cid", "ranking", (("z",), ("y",), ("x",)), names),
    ]
    group = consensus(judged(*said, preference=Preference(raters={"Bob": 0.2})))
    first, second = as_rankings(group)
    assert first == Ranking((1.0, 0.25, 0.25), pytest.approx(1.2 / 2.2))
    assert second == Ranking((0.0, 0.5, 1.0), pytest.approx(1 / 2.2))


def test_ratings_of_all_completions_rank_them_by_their_distances():
    rated = [(who, "rating", level, (name,)) for who, levels in (("Ann", (7, 2, 3)),
             ("Bob", (1, 5, 5))) for name, level in zip("xyz", levels, strict=True)]  # fmt: skip
    assert as_rankings(consensus(judged(*rated))) == (
        Ranking((7.0, 2.0, 3.0), 0.5),
        Ranking((1.0, 5.0, 5.0), 0.5),
    )
    mixed = [*rated, ("Cid", "ranking", (("y",), ("x",), ("z",)), ("x", "y", "z"))]
    worths = [one.worth for one in as_rankings(consensus(judged(*mixed)))]
    assert worths == [(1.0, 0.0, 0.5), (0.0, 0.75, 0.75), (0.5, 1.0, 0.0)]


def test_where_somebody_compared_only_some_there_is_the_consensus_alone():
    whole = ("Ann", "ranking", (("x",), ("y",), ("z",)), ("x", "y", "z"))
    group = consensus(judged(whole, ("Bob", "pair", "a", ("x", "y"))))
    assert as_rankings(group) == (Ranking((1.0, 0.5, 0.0)),)
    scores = Group(prompt=group.prompt, completions=COMPLETIONS,
                   preference=Preference(scores=(3, 1, 2)))  # fmt: skip
    assert as_rankings(scores) == (Ranking((3.0, 1.0, 2.0)),)


def test_whoever_weighs_nothing_has_no_say_in_how_the_others_rank():
    names, quiet = ("x", "y", "z"), Preference(raters={"Bad": 0})
    order = ("Ann", "ranking", (("x",), ("y",), ("z",)), names)
    other = ("Bob", "ranking", (("z",), ("y",), ("x",)), names)
    some = ("Bad", "pair", "b", ("x", "y"))
    alone = as_rankings(consensus(judged(order, other)))
    assert alone == (Ranking((1.0, 0.5, 0.0), 0.5), Ranking((0.0, 0.5, 1.0), 0.5))
    assert as_rankings(consensus(judged(order, other, some, preference=quiet))) == alone
    rated = [
        ("Ann", "rating", level, (name,)) for level, name in zip((7, 2, 2), names, strict=True)
    ]
    mixed = consensus(judged(*rated, ("Bad", *other[1:]), preference=quiet))
    assert as_rankings(mixed) == (Ranking((7.0, 2.0, 2.0)),)


def test_a_raters_last_ranking_counts_once_and_weights_hold_for_ratings_too():
    names = ("x", "y", "z")
    orders = [(("x",), ("y",), ("z",)), (("z",), ("y",), ("x",))]
    twice = [("Tom", "ranking", orders[0], names), ("Tom", "ranking", orders[1], names)]
    group = consensus(judged(*twice, ("Mei", "ranking", orders[0], names)))
    assert [one.share for one in as_rankings(group)] == [0.5, 0.5]
    said = [(who, "rating", level, ("x",)) for who, level in (("Tom", 7), ("Mei", 1), ("Bo", 2))]
    rated = judged(*said, preference=Preference(raters={"Tom": 0, "Bo": 0.5}))
    assert as_ratings(rated) == (Rating(0, "rating", 1), Rating(0, "rating", 2, 0.5))


def test_a_raters_last_word_on_a_completion_counts():
    twice = judged(("Ann", "rating", 2, ("x",)), ("Ann", "rating", 5, ("x",)))
    assert as_ratings(twice) == (Rating(0, "rating", 5),)
    first, second = twice.judgments
    corrected = second.model_copy(update={"completions": ("y",), "supersedes": first.id})
    moved = twice.model_copy(update={"judgments": (first, corrected)})
    assert as_ratings(moved) == (Rating(1, "rating", 5),)


def test_scores_that_can_be_ratings_are_one_raters():
    whole = judged(preference=Preference(scores=(7, 1, 4)))
    assert as_ratings(whole) == tuple(Rating(i, "rating", s) for i, s in enumerate((7, 1, 4)))
    told = r"reward-rating learns from ratings \(whole numbers from 1 to 7, .*holds scores only"
    for scores in ((7, 1, 4.5), (0, 1, 2), (8, 1, 1)):
        with pytest.raises(ViewError, match=told):
            as_ratings(judged(preference=Preference(scores=scores)), "reward-rating")


def test_scores_are_no_ratings_where_whoever_rated_weighs_nothing():
    given = {"raters": {"Bad": 0}, "scores": (7, 1, 4)}
    group = judged(("Bad", "rating", 7, ("x",)), preference=Preference(**given))
    for one in (group, consensus(group)):
        with pytest.raises(ViewError, match="reward-rating learns from ratings"):
            as_ratings(one, "reward-rating")


def test_votes_keep_their_raters_and_the_preferred_comes_first():
    group = judged(
        ("Ann", "pair", "b", ("x", "y")),
        ("Bob", "pair", "tie", ("y", "x")),
        ("Cid", "ranking", (("z",), ("x",)), ("x", "z")),
    )
    assert as_votes(group) == (
        ("Ann", SoftPair(first=1, second=0)),
        ("Bob", SoftPair(first=0, second=1, probability=0.5)),
        ("Cid", SoftPair(first=2, second=0)),
    )


def test_pairs_without_raters_are_no_votes():
    pairs = judged(preference=Preference(pairs=(SoftPair(first=0, second=1),)))
    with pytest.raises(ViewError, match=r"learns from votes whose raters are known, .* pairs only"):
        as_votes(pairs)
