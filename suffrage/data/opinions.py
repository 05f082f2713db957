"""What each rater said, one by one, for methods that do not learn from the consensus."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from suffrage.core.records import GRADES, RATINGS, Group, Preference, SoftPair
from suffrage.data.preferences import heard
from suffrage.data.views import as_scores, places, preferred_first, refuse, shares_beaten
from suffrage.stats.votes import last_words, opinions, pair_votes, scores_of

Scale = Literal["rating", "grade"]
LEVELS: dict[Scale, int] = {"rating": len(RATINGS), "grade": len(GRADES)}  # of each scale


@dataclass(frozen=True)
class Rating:
    """A completion (its place) and how good one rater found it: 1 is the worst of the scale."""

    completion: int
    scale: Scale
    level: int
    weight: float = 1.0  # of the rater


@dataclass(frozen=True)
class Ranking:
    """What a share of the raters make of the completions of a prompt; higher is better."""

    worth: tuple[float, ...]
    share: float = 1.0


def as_rankings(group: Group, method: str = "this method") -> tuple[Ranking, ...]:
    """Each rater's own ranking, where all of them compared all completions; else the consensus.

    The group's preference is its consensus, and says how much each rater counts; whoever weighs
    nothing is not asked. Ratings or grades are worth what they are where everybody gave such; else
    a completion is worth the share of the others that it beats. Loses who said what. Errors as of
    `as_scores`.
    """
    preference = group.preference or Preference()
    worth = as_scores(preference, method)
    names = [completion.id for completion in group.completions[: len(worth)]]
    judgments = heard(group)
    said = [one for one in opinions(judgments) if one.scores]
    if not said or any(set(one.scores) != set(names) for one in said):
        return (Ranking(worth),)
    kinds = {judgment.kind for judgment in judgments} - {"demonstration"}
    rated = len(kinds) == 1 and kinds <= set(LEVELS)
    cast: dict[tuple[float, ...], float] = defaultdict(float)
    for one in {(one.rater, one.criterion): one for one in said}.values():  # the last word counts
        scores = tuple(one.scores[name] for name in names)
        own = scores if rated else shares_beaten(places(scores))
        cast[own] += preference.raters.get(one.rater, 1.0)
    whole = sum(cast.values())
    return tuple(Ranking(own, weight / whole) for own, weight in cast.items())


def as_ratings(group: Group, method: str = "this method") -> tuple[Rating, ...]:
    """Every rater's ratings (1 to 7) and grades (D is 1, A is 4); else scores that are ratings.

    A mean would hide that raters differ, and most means are no whole number, so each rating stands
    for itself. Scores of data without judgments are taken for one rater's ratings where all are
    whole numbers from 1 to 7. `ViewError` where there is none of these.
    """
    place = {completion.id: index for index, completion in enumerate(group.completions)}
    weights = group.preference.raters if group.preference else {}
    found = tuple(
        Rating(place[name], judgment.kind, int(level), weights.get(judgment.rater, 1.0))
        for judgment in last_words(heard(group))
        if judgment.kind in LEVELS
        for name, level in scores_of(judgment).items()
    )
    return found or _scores_as_ratings(group, method)


def _scores_as_ratings(group: Group, method: str) -> tuple[Rating, ...]:
    preference = group.preference or Preference()
    scores = () if group.judgments else preference.scores or ()
    if not scores or not all(score in RATINGS for score in scores):
        refuse(preference, "ratings (whole numbers from 1 to 7, or grades from A to D)", method)
    return tuple(Rating(place, "rating", int(score)) for place, score in enumerate(scores))


def as_votes(group: Group, method: str = "this method") -> tuple[tuple[str, SoftPair], ...]:
    """(rater, pair) for each rater's vote on two completions; 1/2 is a tie.

    Judgments of every kind vote (`suffrage.stats.votes`). What a rater weighs in the consensus is
    not read: who learns from votes learns how far to trust each. Pairs without raters are no votes:
    `ViewError` where there are no others.
    """
    place = {completion.id: index for index, completion in enumerate(group.completions)}
    votes = pair_votes(group.judgments)
    cast = zip(votes.rater_V, votes.item_V, votes.choice_V, strict=True)
    found = []
    for rater, item, choice in cast:
        first, second = (place[name] for name in votes.items[item][2:])
        found.append((votes.raters[rater], preferred_first(first, second, float(choice))))
    if not found:
        refuse(group.preference or Preference(), "votes whose raters are known", method)
    return tuple(found)
