"""Every agreement coefficient that suits a study's judgments, for those who must report one.

Alpha is the figure Suffrage leads with: it takes any number of raters, gaps and scales. The others
are what fields are used to: percent, Fleiss and Gwet for choices, Cohen (weighted on scales) where
there are just two raters, Kendall's tau and W for orders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from suffrage.core.records import Judgment
from suffrage.core.results import Estimate
from suffrage.stats.agreement import agreement_share, count_values
from suffrage.stats.intervals import Floats, cluster_sums, clustered_statistic, number
from suffrage.stats.kappa import (
    Weights,
    cohen_kappa,
    cohen_of,
    fleiss_kappa,
    fleiss_of,
    gwet_ac1,
    gwet_of,
    unit_sums,
)
from suffrage.stats.rank_agreement import kendall_tau, kendall_w
from suffrage.stats.raters import Unit, choice_counts, commonest, values_given
from suffrage.stats.votes import Votes, latest, pair_votes

Coefficients = dict[str, Estimate]


def agreement_coefficients(
    judgments: Sequence[Judgment],
    seed: int = 0,
    rounds: int = 2000,
    votes: Votes | None = None,
) -> Coefficients:
    """Name -> estimate, over the commonest kind of judgment; intervals over prompts.

    `DataError` when no judgment says anything of a completion. `votes`: `pair_votes` of the
    judgments, where it is known.
    """
    kind, chosen, kinds = commonest(latest(judgments))
    if kind == "pair":
        known = votes if votes is not None and kinds == 1 else pair_votes(chosen)
        return _of_pairs(known, seed, rounds)
    given = values_given(chosen)
    if kind == "ranking":
        tables = _tables(given)
        return {
            "kendall_tau": kendall_tau(tables, seed=seed, rounds=rounds),
            "kendall_w": kendall_w(tables, seed=seed, rounds=rounds),
        }
    weights: Weights = "none" if kind == "thumb" else "quadratic"
    return _of_values(given, weights, seed, rounds)


def _of_values(
    given: dict[tuple[str, Unit], float], weights: Weights, seed: int, rounds: int
) -> Coefficients:
    units, total = number([unit for _, unit in given])
    _values, counts = count_values(units, np.array(list(given.values())), total)
    prompts = [unit[0] for unit in dict.fromkeys(unit for _, unit in given)]
    found = {
        "percent": agreement_share(counts, prompts, seed=seed, rounds=rounds),
        "fleiss": fleiss_kappa(counts, prompts, seed=seed, rounds=rounds, unit="prompts"),
        "gwet_ac1": gwet_ac1(counts, prompts, seed=seed, rounds=rounds, unit="prompts"),
    }
    if len({rater for rater, _ in given}) == 2:
        first, second = _table(given)
        found["cohen" if weights == "none" else f"cohen_{weights}"] = cohen_kappa(
            first, second, weights, clusters=prompts, seed=seed, rounds=rounds, unit="prompts"
        )
    return found


def _tables(given: dict[tuple[str, Unit], float]) -> list[Floats]:
    """One table a prompt and criterion: raters by completions, nan where nothing was given."""
    parts: dict[tuple[str, str], dict[tuple[str, Unit], float]] = {}
    for (rater, unit), value in given.items():
        parts.setdefault(unit[:2], {})[rater, unit] = value
    return [_table(part) for part in parts.values()]


def _table(given: dict[tuple[str, Unit], float]) -> Floats:
    row, raters = number([rater for rater, _ in given])
    column, units = number([unit for _, unit in given])
    table = np.full((raters, units), np.nan)
    table[row, column] = list(given.values())
    return table


_SIDES = np.array([0.0, 0.5, 1.0])


def _of_pairs(votes: Votes, seed: int, rounds: int) -> Coefficients:
    """Which of two completions comes first is an accident: sums are averaged with their mirror."""
    counts = choice_counts(votes)
    found = {"percent": agreement_share(counts, votes.prompt_I, seed=seed, rounds=rounds)}
    used = [0, 2] if not counts[:, 1].any() else [0, 1, 2]  # V counts no tie where none was given
    sums = (unit_sums(counts[:, used]) + unit_sums(counts[:, used[::-1]])) / 2
    sums = cluster_sums(sums, votes.prompt_I)
    for name, statistic in (("fleiss", fleiss_of), ("gwet_ac1", gwet_of)):
        found[name] = _over_prompts(statistic, sums[sums[:, 1] > 0], seed, rounds)
    if len(votes.raters) == 2:
        tables = _vote_tables(votes)
        tables = tables[tables.sum(axis=1) > 0]
        found["cohen"] = _over_prompts(
            lambda flat: cohen_of(flat.reshape(-1, 3, 3), _SIDES), tables, seed, rounds
        )
    return found


def _vote_tables(votes: Votes) -> Floats:
    """Each prompt's table of what two raters chose of the same pairs, both ways round: (G, 9)."""
    choices = np.full((2, len(votes.items)), np.nan)
    choices[votes.rater_V, votes.item_V] = 2 * votes.choice_V
    both = ~np.isnan(choices).any(axis=0)
    row, column = choices[:, both].astype(np.intp)
    one_hot = np.eye(9)[3 * row + column] + np.eye(9)[3 * (2 - row) + 2 - column]
    return cluster_sums(one_hot / 2, votes.prompt_I[both])


def _over_prompts(
    statistic: Callable[[Floats], Floats], sums: Floats, seed: int, rounds: int
) -> Estimate:
    if not len(sums):
        return Estimate(value=None, unit="prompts", note="no two raters judged the same")
    return clustered_statistic(
        statistic, sums, undefined="only one value was ever given", seed=seed, rounds=rounds
    )
