"""A leaderboard: items in order, each score and win rate with its interval and its likely places.

The bootstrap resamples whole prompts (or raters) once for everything on the board, so that a
place's interval and a score's come from the same rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse, stats
from scipy.special import expit

from suffrage.core.errors import DataError
from suffrage.core.results import Estimate, RankedItem, Ranking
from suffrage.stats.bradley_terry import bradley_terry, parameters, parts, refitter, sandwich
from suffrage.stats.comparisons import Comparisons, Order, clusters_of
from suffrage.stats.intervals import LEVEL, Floats, Ints, is_constant, percentile_interval
from suffrage.stats.plackett_luce import plackett_luce
from suffrage.stats.rankings import Setting
from suffrage.stats.resample import Cells, counts_of, reduced, resampled_counts
from suffrage.stats.rules import RULES, places, wins_of_counts


@dataclass(frozen=True, eq=False)
class Board:
    """A ranking with the rounds its intervals come from: items in the comparisons' order."""

    ranking: Ranking
    score_K: Floats
    draws_BK: Floats


def rank(
    comparisons: Comparisons,
    setting: Setting | None = None,
    *,
    group: str = "",
    orders: Sequence[Order] = (),
    order_clusters: Sequence[str] = (),
) -> Board:
    """The leaderboard of the items; `orders` are the rankings that Plackett-Luce reads.

    `order_clusters` names each order's prompt or rater. `DataError` where nothing was compared.
    """
    setting = Setting() if setting is None else setting
    if not len(comparisons):
        raise DataError("no comparison of two different items was found; collect some first.")
    cells, outcomes = reduced(comparisons, side=setting.side)
    counts, clusters = counts_of(cells, outcomes), clusters_of(comparisons, setting.unit)
    fitted = _fit(comparisons, setting, cells, counts, orders, order_clusters)
    samples = resampled_counts(cells, outcomes, clusters, setting.rounds, setting.seed)
    rate_BK, theta_BP = _draws(cells, samples, fitted, setting)
    basis = Basis(len(comparisons) if clusters is None else len(np.unique(clusters)), setting.unit)
    shown = _Shown(fitted, theta_BP, basis)
    rate_K, items = _rates(cells, counts[None])[0], len(comparisons.items)
    rate = [basis.estimate(rate_K[k], rate_BK[:, k]) for k in range(items)]
    ranking = Ranking(
        group=group,
        method=setting.method,
        comparisons=len(comparisons),
        prompts=len(np.unique(comparisons.prompt_N)),
        raters=len(np.unique(comparisons.rater_N)),
        items=_lines(comparisons, shown, rate, counts_of_items(cells, counts)),
        first_shown=shown.first_shown(items) if setting.side else None,
        ties=shown.ties() if setting.method == "davidson" else None,
        note=_note(cells, counts),
    )
    return Board(ranking, fitted.theta_P[:items], theta_BP[:, :items])


Refit = Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Parameters (scores first), and how they vary: refitted to samples, or a covariance."""

    theta_P: Floats
    refit: Refit | None = None
    covariance_PP: Floats | None = None


def _draws(
    cells: Cells, samples: Iterable[Floats], fitted: _Fitted, setting: Setting
) -> tuple[Floats, Floats]:
    """Each round's win rates (B, K) and parameters (B, P); the latter as the covariance has it."""
    rates, thetas = [], []
    for sample in samples:
        rates.append(_rates(cells, sample))
        thetas += [fitted.refit(sample)] if fitted.refit else []
    if fitted.covariance_PP is None:
        return np.concatenate(rates), np.concatenate(thetas)
    rng = np.random.default_rng(setting.seed)
    noise_BP = rng.standard_normal((setting.rounds, len(fitted.theta_P)))
    return np.concatenate(rates), fitted.theta_P + noise_BP @ _root(fitted.covariance_PP)


def _fit(
    comparisons: Comparisons,
    setting: Setting,
    cells: Cells,
    counts: Floats,
    orders: Sequence[Order],
    order_clusters: Sequence[str],
) -> _Fitted:
    if setting.method in RULES:
        rule = RULES[setting.method]
        wins = wins_of_counts(cells, counts[None])[0]
        return _Fitted(
            rule(wins), lambda sample: np.array([rule(w) for w in wins_of_counts(cells, sample)])
        )
    if setting.method == "plackett-luce":
        return _fit_orders(comparisons.items, setting, orders, order_clusters)
    fit = bradley_terry(comparisons, setting.model)
    if setting.interval == "sandwich":
        clusters = clusters_of(comparisons, setting.unit)
        return _Fitted(parameters(fit), covariance_PP=sandwich(comparisons, fit, clusters))
    return _Fitted(parameters(fit), refitter(cells, fit, counts))


def _fit_orders(
    items: Sequence[str], setting: Setting, orders: Sequence[Order], clusters: Sequence[str]
) -> _Fitted:
    number = {name: place for place, name in enumerate(items)}
    numbered = [[[number[name] for name in tied] for tied in order] for order in orders]
    for order, names in zip(numbered, orders, strict=True):
        if len({item for tied in order for item in tied}) < sum(map(len, order)):
            raise DataError(
                f"a ranking names {names[0][0]!r} or another item twice; Plackett-Luce ranks each "
                "item once, so use bradley-terry."
            )
    labels = None if setting.unit == "comparisons" else list(clusters)
    fit = plackett_luce(numbered, len(items), ridge=setting.ridge, clusters=labels)
    return _Fitted(fit.score_K, covariance_PP=fit.covariance_KK)


def _root(covariance: Floats) -> Floats:
    """A matrix whose transposed product with itself is the covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))).T)


def _item_sums(cells: Cells) -> tuple[sparse.csr_array[np.float64], sparse.csr_array[np.float64]]:
    """Matrices (3 C, K) that take counts of outcomes to each item's wins and its comparisons."""
    rows = np.arange(3 * len(cells.first_C))
    outcome = np.tile([1.0, 0.5, 0.0], len(cells.first_C))
    place = (np.tile(rows, 2), np.concatenate([cells.first_C.repeat(3), cells.second_C.repeat(3)]))
    shape = (len(rows), cells.items)
    won = sparse.csr_array((np.concatenate([outcome, 1 - outcome]), place), shape=shape)
    return won, sparse.csr_array((np.ones(2 * len(rows)), place), shape=shape)


def _rates(cells: Cells, counts_BC3: Floats) -> Floats:
    """Each item's share of comparisons won, ties half: (B, K); nan where it had none."""
    won, met = _item_sums(cells)
    flat = counts_BC3.reshape(len(counts_BC3), -1)
    total, share = np.asarray(flat @ met), np.asarray(flat @ won)
    return np.where(total > 0, share / np.where(total > 0, total, 1.0), np.nan)


def counts_of_items(cells: Cells, counts_C3: Floats) -> Ints:
    """In how many comparisons each item stands: (K,)."""
    return np.asarray(counts_C3.reshape(-1) @ _item_sums(cells)[1], dtype=np.intp)


@dataclass(frozen=True)
class Basis:
    """What the intervals of a board rest on: how many units of what."""

    clusters: int
    unit: str

    def estimate(self, value: float, draws_B: Floats, error: float | None = None) -> Estimate:
        """With the interval of the draws, or of Student's t where the standard error is given."""
        known = {"n": self.clusters, "unit": self.unit}
        if np.isnan(value):
            return Estimate(value=None, note="no comparison", **known)
        if self.clusters < 2 or (error is None and is_constant(draws_B)):
            note = f"{self.clusters} {self.unit} that all say the same: no interval"
            return Estimate(value=value, note=note, **known)
        if error is None:
            low, high = percentile_interval(draws_B, self.clusters)
        else:
            half = float(stats.t.ppf((1 + LEVEL) / 2, self.clusters - 1)) * error
            low, high = value - half, value + half
        return Estimate(value=value, low=low, high=high, **known)


@dataclass(frozen=True, eq=False)
class _Shown:
    """The fitted parameters as estimates."""

    fitted: _Fitted
    theta_BP: Floats
    basis: Basis

    def parameter(self, place: int) -> Estimate:
        covariance = self.fitted.covariance_PP
        error = None if covariance is None else float(np.sqrt(covariance[place, place]))
        return self.basis.estimate(
            float(self.fitted.theta_P[place]), self.theta_BP[:, place], error
        )

    def first_shown(self, items: int) -> Estimate:
        return _mapped(self.parameter(items), lambda side: float(expit(side)))

    def ties(self) -> Estimate:
        return _mapped(self.parameter(-1), lambda log_nu: float(expit(log_nu - np.log(2))))


def _mapped(estimate: Estimate, function: Callable[[float], float]) -> Estimate:
    """An estimate on another scale; the function rises."""
    names = ("value", "low", "high")
    values = {name: getattr(estimate, name) for name in names}
    return estimate.model_copy(
        update={name: None if value is None else function(value) for name, value in values.items()}
    )


def _lines(
    comparisons: Comparisons, shown: _Shown, rate: Sequence[Estimate], met_K: Ints
) -> tuple[RankedItem, ...]:
    items = len(comparisons.items)
    score_K = shown.fitted.theta_P[:items]
    place_K = places(score_K[None])[0]
    low, high = np.quantile(places(shown.theta_BP[:, :items]), [0.025, 0.975], axis=0)
    lines = [
        RankedItem(
            item=comparisons.items[k],
            place=int(place_K[k]),
            places=(int(np.floor(low[k])), int(np.ceil(high[k]))),
            score=shown.parameter(k),
            win_rate=rate[k],
            comparisons=int(met_K[k]),
        )
        for k in np.lexsort((np.arange(items), -score_K))
    ]
    return tuple(lines)


def _note(cells: Cells, counts: Floats) -> str:
    found, _ = parts(cells, counts)
    if found == 1:
        return ""
    return (
        f"the items fall into {found} parts that no comparison joins; scores of different parts "
        "cannot be compared"
    )
