"""Leaderboards of several groups of raters, and one choice for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from suffrage.core.errors import SettingsError
from suffrage.core.results import Camp, Choice, Estimate, RankingResult
from suffrage.stats.camps import CampCount, camp_names, count_camps, find_camps
from suffrage.stats.choice import choice_shares, choose, worth
from suffrage.stats.comparisons import Entry, Match, from_matches
from suffrage.stats.intervals import Floats
from suffrage.stats.leaderboard import Board, rank
from suffrage.stats.rankings import Setting


@dataclass
class _Part:
    """What one group said."""

    matches: list[Match] = field(default_factory=list)
    orders: list[tuple[tuple[str, ...], ...]] = field(default_factory=list)
    clusters: list[str] = field(default_factory=list)


def rank_entries(entries: Sequence[Entry], setting: Setting, by: str = "") -> RankingResult:
    """A leaderboard of all entries, or of each value of the field `by`, and then choices.

    Every leaderboard has all items; one that a group never compared has the mean score and no win
    rate. Choices need scores of the Bradley-Terry family and two groups; a group counts in the mean
    by its number of raters. An entry without the field belongs to the group "".
    """
    parts = _parts(entries, setting, by)
    items = sorted({name for entry in entries for match in entry.matches for name in match[:2]})
    boards: dict[str, Board] = {}
    for name, part in sorted(parts.items()):
        comparisons = from_matches(part.matches, items)
        boards[name] = rank(
            comparisons, setting, group=name, orders=part.orders, order_clusters=part.clusters
        )
    result = RankingResult(by=by, rankings=tuple(board.ranking for board in boards.values()))
    if len(boards) < 2 or setting.method not in ("bradley-terry", "davidson", "plackett-luce"):
        return result
    return result.model_copy(update=_choices(items, boards))


def _parts(entries: Sequence[Entry], setting: Setting, by: str) -> dict[str, _Part]:
    parts: dict[str, _Part] = {}
    for entry in entries:
        value = entry.fields.get(by) if by else None
        part = parts.setdefault("" if value is None else str(value), _Part())
        part.matches += entry.matches
        part.orders.append(entry.order)
        first = entry.matches[0]
        part.clusters.append(first.rater if setting.unit == "raters" else first.prompt)
    return parts


def _choices(items: Sequence[str], boards: Mapping[str, Board]) -> dict[str, object]:
    worth_GK = np.concatenate([worth(board.score_K[None]) for board in boards.values()])
    raters = np.array([float(board.ranking.raters) for board in boards.values()])
    found = choose(worth_GK, raters)
    shares = choice_shares(np.array([board.draws_BK for board in boards.values()]), raters)
    chosen = [
        Choice(
            rule=rule,
            item=items[place],
            share=float(share[place]),
            worth=dict(zip(boards, worth_GK[:, place].tolist(), strict=True)),
        )
        for rule, place, share in (
            ("mean", found.mean_choice, shares[0]),
            ("maxmin", found.maxmin_choice, shares[1]),
        )
    ]
    return {
        "choices": tuple(chosen),
        "mixture": _named(items, found.mixture_K),
        "mixture_worth": found.mixture_value,
    }


def _named(items: Sequence[str], share_K: Floats) -> dict[str, float]:
    return {name: float(share) for name, share in zip(items, share_K, strict=True) if share > 1e-6}


def rank_camps(
    entries: Sequence[Entry], setting: Setting, camps: int | None = None, most: int = 4
) -> RankingResult:
    """As `rank_entries`, by the camps found among the raters.

    `camps` None chooses their number, up to `most`, by votes kept back. `SettingsError` where the
    comparisons name fewer raters than camps.
    """
    comparisons = from_matches(match for entry in entries for match in entry.matches)
    if len(comparisons.raters) < 2:
        raise SettingsError(
            "camps need comparisons by two or more raters, and one was found; name each row's "
            "rater, or leave the camps out."
        )
    gains = {}
    if camps is None:
        count = count_camps(comparisons, most, ridge=setting.ridge, seed=setting.seed)
        camps, gains = count.chosen, _gains(count, len(comparisons.raters))
    found = find_camps(comparisons, camps, ridge=setting.ridge, seed=setting.seed)
    camp = camp_names(found, comparisons.raters)
    named = [
        entry._replace(fields={**entry.fields, "camp": camp[entry.matches[0].rater]})
        for entry in entries
        if entry.matches[0].rater in camp  # the others compared an item with itself
    ]
    sure = dict(zip(comparisons.raters, found.member_RG.max(axis=1).tolist(), strict=True))
    members = [
        Camp(
            name=name, raters={rater: sure[rater] for rater in sorted(camp) if camp[rater] == name}
        )
        for name in sorted(set(camp.values()))
    ]
    result = rank_entries(named, setting, "camp")
    return result.model_copy(update={"camps": tuple(members), "camp_gains": gains})


def _gains(count: CampCount, raters: int) -> dict[int, Estimate]:
    """What each number of camps predicts better than one, a vote kept back, in nats."""
    return {
        camps: Estimate(
            value=gain,
            low=gain - 1.96 * count.error[camps],
            high=gain + 1.96 * count.error[camps],
            n=raters,
            unit="raters",
        )
        for camps, gain in count.gain.items()
        if camps > 1
    }
