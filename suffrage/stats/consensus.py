"""What the raters hold together, each weighed by how often they are right.

The one-coin model of Dawid and Skene, "Maximum Likelihood Estimation of Observer Error-Rates Using
the EM Algorithm" (Applied Statistics 28, 1979): rater r names the better completion of a pair with
probability a_r, whatever the pair. A rater below one half is informative too: turned round.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from suffrage.core.records import Judgment
from suffrage.stats.intervals import Floats, Ints
from suffrage.stats.votes import Votes, pair_votes


@dataclass(frozen=True, eq=False)
class OneCoin:
    """The fitted model: raters R, items I."""

    accuracy_R: Floats
    log_odds_I: Floats  # that the item's first completion is the better one


def one_coin(votes: Votes, rounds: int = 100, tolerance: float = 1e-6) -> OneCoin:
    """EM from the majority vote, in logs, with one vote right and one wrong added to each rater.

    Ties say nothing of who is right and are left out. E: log odds of an item = sum of its votes'
    logit(a_r), signed by the choice. M: a_r = (1 + expected right votes) / (2 + votes).
    """
    rater, item, sign = _decisive(votes)
    cast = np.bincount(rater, minlength=len(votes.raters))
    first_better = _majority(item, sign, len(votes.items))
    accuracy = np.full(len(votes.raters), 0.5)
    log_odds = np.zeros(len(votes.items))
    for _ in range(rounds):
        right = np.where(sign > 0, first_better[item], 1 - first_better[item])
        before, accuracy = accuracy, (1 + _sum(right, rater, len(cast))) / (2 + cast)
        log_odds = _sum(_logit(accuracy)[rater] * sign, item, len(log_odds))
        first_better = 1 / (1 + np.exp(-log_odds))
        if np.abs(accuracy - before).max(initial=0.0) < tolerance:
            break
    return OneCoin(accuracy, log_odds)


def _decisive(votes: Votes) -> tuple[Ints, Ints, Floats]:
    """Rater, item and sign (+1: the first completion) of the votes that are no tie."""
    keep = votes.choice_V != 0.5
    return votes.rater_V[keep], votes.item_V[keep], 2 * votes.choice_V[keep] - 1


def _majority(item: Ints, sign: Floats, items: int) -> Floats:
    """Share of the votes for each item's first completion; one half where nobody decided."""
    votes = np.bincount(item, minlength=items)
    return 0.5 + 0.5 * _sum(sign, item, items) / np.maximum(votes, 1)


def _sum(values: Floats, places: Ints, size: int) -> Floats:
    """Sum of the values at each place: (size,)."""
    return np.bincount(places, values, size).astype(np.float64)


def _logit(share: Floats) -> Floats:
    return np.log(share) - np.log1p(-share)


def agreement_with_others(votes: Votes, model: OneCoin) -> Floats:
    """How each vote stands to the consensus of the other raters: (V,).

    1 when it orders the pair as they do, 0 when it does the opposite, one half for a tie, nan when
    the others have no opinion. The others' consensus is the model's log odds less this vote's part.
    """
    others = _log_odds_of_others(votes, model)
    agrees = 0.5 + 0.5 * (2 * votes.choice_V - 1) * np.sign(others)
    return np.where(np.abs(others) < 1e-9, np.nan, agrees)


def sureness_of_others(votes: Votes, model: OneCoin) -> Floats:
    """What agreement with the other raters weighs as evidence: (V,), 0 to 1.

    Where they are right with chance p, whoever is right with chance a agrees with chance
    1/2 + (2p - 1) (a - 1/2), whose information about a is about as (2p - 1)^2.
    """
    return np.asarray(np.tanh(_log_odds_of_others(votes, model) / 2) ** 2)


def _log_odds_of_others(votes: Votes, model: OneCoin) -> Floats:
    """That the first completion is the better one, without this vote's part: (V,)."""
    own = _logit(model.accuracy_R)[votes.rater_V] * (2 * votes.choice_V - 1)
    return np.asarray(model.log_odds_I[votes.item_V] - own)


def rater_weights(judgments: Iterable[Judgment]) -> dict[str, float]:
    """A weight a rater for the consensus: the log odds that they are right, 1 on average.

    These are the weights of the likeliest answer under the one-coin model. A rater worse than
    chance weighs nothing. Where nobody is better than chance, all weigh the same.
    """
    votes = pair_votes(judgments)
    weights = np.maximum(_logit(one_coin(votes).accuracy_R), 0.0)
    if not weights.any():
        return dict.fromkeys(votes.raters, 1.0)
    return dict(zip(votes.raters, (weights / weights.mean()).tolist(), strict=True))
