"""One result on the raters: how far they agree, how reliable each is, and who is odd.

Reliability of a rater is the share of their pairs ordered as the consensus of the *other* raters
orders them; a pair they call a tie counts half, a pair on which the others are split does not
count. The consensus weighs raters by the one-coin model, so a bad rater does not blur it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from suffrage.core.errors import DataError
from suffrage.core.records import Judgment
from suffrage.core.results import Estimate, RatersResult, RaterSummary
from suffrage.stats.agreement import (
    agreement_share,
    alpha_estimate,
    coincidences,
    count_values,
)
from suffrage.stats.consensus import agreement_with_others, one_coin, sureness_of_others
from suffrage.stats.intervals import (
    ROUNDS,
    Floats,
    Ints,
    clustered_error,
    clustered_mean,
    number,
)
from suffrage.stats.odd import Share, odd_raters
from suffrage.stats.scales import scale_shares
from suffrage.stats.votes import Opinion, Votes, latest, opinions, pair_votes

KindLevel = Literal["nominal", "ordinal", "interval"]
LEVELS: dict[str, KindLevel] = {  # of measurement, for each kind of judgment
    "pair": "nominal",
    "ranking": "ordinal",
    "rating": "interval",
    "grade": "ordinal",
    "thumb": "nominal",
}
SCALES = ("rating", "grade", "thumb")  # of one completion


def raters_result(
    judgments: Iterable[Judgment],
    seed: int = 0,
    rounds: int = ROUNDS,
    votes: Votes | None = None,
) -> RatersResult:
    """Agreement and raters from all judgments of a study; superseded ones do not count.

    Intervals are bootstrapped over prompts in `rounds` rounds. `DataError` when no judgment says
    anything of a completion. `votes`: `pair_votes` of the judgments, where it is known.
    """
    judgments = latest(judgments)
    votes = pair_votes(judgments) if votes is None else votes
    alpha, level = _alpha(judgments, seed, rounds, votes)
    return RatersResult(
        alpha=alpha,
        alpha_level=level,
        pair_agreement=_pair_agreement(votes, seed, rounds),
        prompts=len({judgment.prompt_id for judgment in judgments}),
        judgments=len(judgments),
        raters=tuple(_summaries(judgments, votes, seed, rounds)),
    )


def overall_alpha(judgments: Iterable[Judgment], seed: int = 0, rounds: int = ROUNDS) -> Estimate:
    """The `alpha` of `raters_result` without the rest, which takes most of its time."""
    return _alpha(latest(judgments), seed, rounds)[0]


def _alpha(
    judgments: Sequence[Judgment], seed: int, rounds: int, votes: Votes | None = None
) -> tuple[Estimate, KindLevel]:
    """Alpha over the commonest kind of judgment: other kinds have another scale.

    `votes`: of all judgments, where they are known.
    """
    kind, chosen, kinds = commonest(judgments)
    if kind == "pair":
        known = votes if votes is not None and kinds == 1 else pair_votes(chosen)
        estimate = _pair_alpha(known, seed, rounds)
    else:
        estimate = _completion_alpha(chosen, LEVELS[kind], seed, rounds)
    if kinds > 1:
        others = f"over the {len(chosen)} judgments by {kind} only"
        estimate = _with_note(estimate, others)
    return estimate, LEVELS[kind]


def commonest(judgments: Sequence[Judgment]) -> tuple[str, list[Judgment], int]:
    """The commonest kind of judgment, those of that kind, and how many kinds there are.

    `DataError` when no judgment says anything of a completion.
    """
    kinds = Counter(judgment.kind for judgment in judgments if judgment.kind in LEVELS)
    if not kinds:
        raise DataError(
            "no judgment of a completion was found; collect pairs, rankings, ratings, grades or "
            "thumbs first."
        )
    kind = kinds.most_common(1)[0][0]
    return kind, [judgment for judgment in judgments if judgment.kind == kind], len(kinds)


def _with_note(estimate: Estimate, note: str) -> Estimate:
    return estimate.model_copy(update={"note": "; ".join(filter(None, [estimate.note, note]))})


def _completion_alpha(
    judgments: Sequence[Judgment], level: KindLevel, seed: int, rounds: int
) -> Estimate:
    """Unit: a completion under a criterion; value: its rank in a ranking, or what it was given."""
    given = values_given(judgments)
    units, total = number([unit for _, unit in given])
    values, counts = count_values(units, np.array(list(given.values())), total)
    prompts = [unit[0] for unit in dict.fromkeys(unit for _, unit in given)]
    return alpha_estimate(coincidences(counts, prompts), values, level, seed=seed, rounds=rounds)


Unit = tuple[str, str, str]  # prompt, criterion, completion


def values_given(judgments: Sequence[Judgment]) -> dict[tuple[str, Unit], float]:
    """What each rater gave each completion, (rater, unit): value; their last word counts.

    All judgments are of one kind; a ranking gives ranks, 1 the best.
    """
    given: dict[tuple[str, Unit], float] = {}
    ranked = judgments[0].kind == "ranking"
    for opinion in opinions(judgments):
        for name, value in (_ranks(opinion) if ranked else opinion.scores).items():
            given[opinion.rater, (opinion.prompt, opinion.criterion, name)] = value
    return given


def _ranks(opinion: Opinion) -> dict[str, float]:
    """1 is best; completions that tie share the mean of their places."""
    scores = sorted(opinion.scores.values(), reverse=True)
    best = {score: scores.index(score) + 1 for score in scores}
    return {
        name: best[score] + (scores.count(score) - 1) / 2 for name, score in opinion.scores.items()
    }


def _pair_alpha(votes: Votes, seed: int, rounds: int) -> Estimate:
    """Unit: a pair of completions; value: which won. Each pair is read both ways round.

    Which of two completions comes first is an accident of their ids and must not matter, so the
    coincidences are averaged with those of the pairs turned round.
    """
    counts = choice_counts(votes)
    joint = coincidences(counts, votes.prompt_I)
    values = np.array([0.0, 0.5, 1.0])
    mirrored = (joint + joint[:, ::-1, ::-1]) / 2
    return alpha_estimate(mirrored, values, "nominal", seed=seed, rounds=rounds)


def choice_counts(votes: Votes) -> Floats:
    """How many votes each item got for its second completion, a tie, its first: (I, 3)."""
    place = votes.item_V * 3 + (2 * votes.choice_V).astype(np.intp)
    counts = np.bincount(place, minlength=3 * len(votes.items))
    return counts.reshape(-1, 3).astype(np.float64)


def _pair_agreement(votes: Votes, seed: int, rounds: int) -> Estimate:
    return agreement_share(choice_counts(votes), votes.prompt_I, seed=seed, rounds=rounds)


def _summaries(
    judgments: Sequence[Judgment], votes: Votes, seed: int, rounds: int
) -> list[RaterSummary]:
    """One summary a rater, by name; those who compared nothing are listed without figures."""
    given = Counter(judgment.rater for judgment in judgments)
    numbers = {name: index for index, name in enumerate(votes.raters)}
    own = [votes.rater_V == numbers.get(name, -1) for name in sorted(given)]
    model = one_coin(votes)
    right, first = agreement_with_others(votes, model), _won_by_first(votes)
    sure = sureness_of_others(votes, model)
    kind, chosen, _ = commonest(judgments)
    scales = scale_shares(values_given(chosen)) if kind in SCALES else {}
    odd = odd_raters(
        [
            scales.get(name) or _share(right[mine], votes.prompt_V[mine], sure[mine])
            for name, mine in zip(sorted(given), own, strict=True)
        ],
        [_share(first[mine], votes.prompt_V[mine]) for mine in own],
    )
    return [
        RaterSummary(
            rater=name,
            judgments=given[name],
            reliability=_estimate(right[mine], votes.prompt_V[mine], _ALONE, seed, rounds),
            first_shown=_estimate(first[mine], votes.prompt_V[mine], _NOT_SHOWN, seed, rounds),
            odd=kind,
            evidence=evidence,
        )
        for name, mine, (kind, evidence) in zip(sorted(given), own, odd, strict=True)
    ]


def _won_by_first(votes: Votes) -> Floats:
    """1 where the completion shown first won, 0 where it lost, .5 for a tie; nan if not known."""
    first = votes.first_shown_V
    return np.where(first == 1, votes.choice_V, 1 - votes.choice_V) + 0 * first


_ALONE = "no pair on which the other raters lean to a side"
_NOT_SHOWN = "the order shown was not recorded"


def _share(tally: Floats, prompts: Ints, sure: Floats | None = None) -> Share:
    known = ~np.isnan(tally)
    tally, weight = tally[known], np.ones(known.sum()) if sure is None else sure[known]
    error = clustered_error(tally, np.ones(len(tally)), prompts[known])
    total = max(float(weight.sum()), 1e-9)
    worth = total**2 / max(float((weight**2).sum()), 1e-9)
    return Share(*error, len(tally), sure=float((weight * tally).sum()) / total, worth=worth)


def _estimate(tally: Floats, prompts: Ints, if_none: str, seed: int, rounds: int) -> Estimate:
    known = ~np.isnan(tally)
    if not known.any():
        return Estimate(value=None, unit="prompts", note=if_none)
    return clustered_mean(tally[known], prompts[known], seed=seed, rounds=rounds)
