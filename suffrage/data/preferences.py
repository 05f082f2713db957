"""From what raters said to what training reads: named conversions, each saying what it loses.

`consensus` fills every view of a `Preference` that a group's judgments allow. Which rater counts
how much is the caller's: `weights` maps raters to weights (those it leaves out count 1), and the
preference keeps them. To derive one view from another, for data that came without judgments, see
`suffrage.data.views`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from suffrage.core.errors import SettingsError
from suffrage.core.records import (
    GRADES,
    RATINGS,
    Completion,
    Group,
    Judgment,
    Preference,
    SoftPair,
    short_id,
)
from suffrage.data.strength import with_strength
from suffrage.data.views import (
    as_demonstrations,
    as_labels,
    as_pairs,
    as_ranking,
    as_scores,
    best_versus_worst,
    preferred_first,
    ranks_from_pairs,
)
from suffrage.stats.votes import last_words, latest, pair_votes, scores_of

__all__ = [
    "as_demonstrations",
    "as_labels",
    "as_pairs",
    "as_ranking",
    "as_scores",
    "best_versus_worst",
    "consensus",
    "labels",
    "latest",
    "mean_ranks",
    "mean_scores",
    "scale_of",
    "vote_share",
    "with_demonstrations",
]

Weights = Mapping[str, float] | None

_LABELS: dict[str, Callable[[Judgment], int]] = {  # a vote for desirable, against, or neither
    "thumb": lambda judgment: 1 if judgment.value == "up" else -1,
    "grade": lambda judgment: 1 if judgment.value in ("A", "B") else -1,
    "rating": lambda judgment: (int(str(judgment.value)) > 4) - (int(str(judgment.value)) < 4),
    "pair": lambda judgment: -1 if judgment.value == "both_bad" else 0,
}


def consensus(group: Group, weights: Weights = None, criterion: str | None = None) -> Group:
    """The group with every view its judgments allow; without judgments, the group as it is.

    `criterion` keeps the judgments by one criterion; None pools them all. Without `weights`, raters
    count as in the preference the group had, and so does the group; what else it said is replaced.
    Loses who said what, but the judgments stay in the group. Demonstrations become completions that
    nobody has ranked: such a group has pairs, but neither ranks nor scores.
    """
    if not group.judgments:
        return group
    before = group.preference or Preference()
    weights = before.raters if weights is None else weights
    kept = [judgment for judgment in group.judgments if criterion in (None, judgment.criterion)]
    judged = group.model_copy(update={"judgments": tuple(latest(kept)), "preference": None})
    judged = with_demonstrations(judged)
    preference = Preference(
        pairs=vote_share(judged, weights),
        ranks=mean_ranks(judged, weights),
        scores=mean_scores(judged, weights),
        labels=labels(judged, weights),
        demonstrations=judged.preference.demonstrations if judged.preference else None,
        weight=before.weight,
        raters={j.rater: float(weights[j.rater]) for j in kept if j.rater in weights},
    )
    return judged.model_copy(update={"judgments": group.judgments, "preference": preference})


def silenced(group: Group) -> bool:
    """Whether there are judgments of the completions, all by raters who weigh nothing."""
    raters = group.preference.raters if group.preference else {}
    voices = {j.rater for j in group.judgments if j.kind != "demonstration"}
    return bool(voices) and all(raters.get(rater) == 0 for rater in voices)


def heard(group: Group) -> list[Judgment]:
    """The judgments that stand, but for those of raters who weigh nothing."""
    raters = group.preference.raters if group.preference else {}
    return [one for one in latest(group.judgments) if raters.get(one.rater) != 0]


def vote_share(group: Group, weights: Weights = None) -> tuple[SoftPair, ...]:
    """Soft pairs: the weighted share of the votes for `first`, a tie being half a vote.

    Judgments of every kind vote (`suffrage.stats.votes`). `first` is the preferred completion, the
    earlier one where the votes are split; a pair nobody compared is absent. A pair's weight is that
    of its votes over the mean of the group's pairs: within a prompt a pair with more votes counts
    more, but a prompt with more raters is no louder than another. For its strength see
    `with_strength`. Loses who and how many voted.
    """
    tally = _tally(group, weights)
    mean = sum(cast for _, cast in tally.values()) / max(len(tally), 1)
    pairs = tuple(
        preferred_first(low, high, for_low / cast, cast / mean)
        for (low, high), (for_low, cast) in sorted(tally.items())
    )
    return with_strength(group, pairs, partial(_weight, weights))


def _tally(group: Group, weights: Weights) -> dict[tuple[int, int], tuple[float, float]]:
    """For two completions, the earlier first: weight of the votes for it, and of all votes."""
    place = {completion.id: index for index, completion in enumerate(group.completions)}
    votes = pair_votes(group.judgments)
    own = [_weight(weights, rater) for rater in votes.raters]
    tally: dict[tuple[int, int], tuple[float, float]] = {}
    for rater, item, choice in zip(votes.rater_V, votes.item_V, votes.choice_V, strict=True):
        first, second = (place[name] for name in votes.items[item][2:])
        share = float(choice) if first < second else 1 - float(choice)
        key = (min(first, second), max(first, second))
        for_low, cast = tally.get(key, (0.0, 0.0))
        tally[key] = (for_low + own[rater] * share, cast + own[rater])
    return {key: counted for key, counted in tally.items() if counted[1] > 0}


def _weight(weights: Weights, rater: str) -> float:
    weight = 1.0 if weights is None else float(weights.get(rater, 1.0))
    if not 0 <= weight < float("inf"):
        raise SettingsError(
            f"rater {rater!r} has weight {weight}; give a finite number that is not negative."
        )
    return weight


def mean_ranks(group: Group, weights: Weights = None) -> tuple[float, ...] | None:
    """Places by Borda's count: 1 is best, equal means tied; None unless every pair was compared.

    Where every rater ranked all completions this is the order of the mean ranks, ties sharing the
    mean of their places (Borda 1781). Loses by how much one place is better than the next.
    """
    return ranks_from_pairs(vote_share(group, weights), len(group.completions))


def mean_scores(group: Group, weights: Weights = None) -> tuple[float, ...] | None:
    """The weighted mean rating of each completion, 1 to 7; with no ratings, grades as 4 to 1.

    None unless every completion has one. Loses that one rater's 5 may be another's 3.
    """
    return _mean_of("rating", group, weights) or _mean_of("grade", group, weights)


def scale_of(group: Group) -> tuple[float, float] | None:
    """The ends of the scale of the group's mean scores; None where no rater gave any.

    As in `mean_scores`: ratings where every completion has one, else grades.
    """
    names, said = {completion.id for completion in group.completions}, heard(group)
    for kind, scale in (("rating", (RATINGS[0], RATINGS[-1])), ("grade", (1, len(GRADES)))):
        rated = {name for one in said if one.kind == kind for name in one.completions}
        if names and names <= rated:
            return scale
    return None


def _mean_of(kind: str, group: Group, weights: Weights) -> tuple[float, ...] | None:
    total: dict[str, float] = defaultdict(float)
    cast: dict[str, float] = defaultdict(float)
    for judgment in last_words(group.judgments):
        if judgment.kind == kind:
            weight = _weight(weights, judgment.rater)
            for name, score in scores_of(judgment).items():
                total[name] += weight * score
                cast[name] += weight
    names = [completion.id for completion in group.completions]
    if not names or any(cast[name] == 0 for name in names):
        return None
    return tuple(total[name] / cast[name] for name in names)


def labels(group: Group, weights: Weights = None) -> tuple[float | None, ...] | None:
    """The weighted share of the votes that find a completion desirable; None where there are none.

    Thumbs; grades A and B against C and D; ratings above and below 4 (4 itself is no vote); "both
    bad" counts against both. Loses who and how many voted. Without a single label the view is None.
    """
    desirable: dict[str, float] = defaultdict(float)
    cast: dict[str, float] = defaultdict(float)
    for judgment in last_words(group.judgments):
        vote = _LABELS[judgment.kind](judgment) if judgment.kind in _LABELS else 0
        for name in judgment.completions if vote else ():
            weight = _weight(weights, judgment.rater)
            cast[name] += weight
            desirable[name] += weight * (vote > 0)
    names = [completion.id for completion in group.completions]
    found = tuple(desirable[name] / cast[name] if cast[name] else None for name in names)
    return found if any(label is not None for label in found) else None


def with_demonstrations(group: Group) -> Group:
    """The group with the raters' own answers as completions, named in its preference.

    Loses nothing: the completion's source is "person:" and the rater. Other views that need a
    figure for every completion are dropped from a preference the group had.
    """
    written = {answer.id: answer for answer in _written(group)}
    if not written:
        return group
    known = {completion.id for completion in group.completions}
    added = tuple(answer for answer in written.values() if answer.id not in known)
    completions = (*group.completions, *added)
    places = tuple(index for index, one in enumerate(completions) if one.id in written)
    before = group.preference or Preference()
    places = tuple(sorted({*places, *(before.demonstrations or ())}))
    update: dict[str, object] = {"demonstrations": places}
    if added:
        update |= {"ranks": None, "scores": None, "labels": _padded(before.labels, len(added))}
    preference = before.model_copy(update=update)
    return group.model_copy(update={"completions": completions, "preference": preference})


def _written(group: Group) -> Iterator[Completion]:
    for judgment in latest(group.judgments):
        if judgment.kind == "demonstration":
            text = str(judgment.value)
            name = short_id(group.prompt.id, "demonstration", judgment.rater, text)
            source = f"person:{judgment.rater}"
            yield Completion(id=name, prompt_id=group.prompt.id, text=text, source=source)


def _padded(found: tuple[float | None, ...] | None, more: int) -> tuple[float | None, ...] | None:
    return None if found is None else (*found, *[None] * more)
