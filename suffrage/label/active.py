"""Which comparison teaches most about the order of the models, by what is known of their scores.

A comparison of i and j is worth q log(1 + p (1 - p) v): p is the chance that i wins by the current
Bradley-Terry fit, v the variance of s_i - s_j under its posterior, and q the chance that the two
stand in the other order than their scores say, which of a normal posterior is Phi(-|s_i - s_j| /
sqrt(v)). The logarithm is what one more comparison adds to the log determinant of the information
on all scores (D-optimal design: V. V. Fedorov, "Theory of Optimal Experiments", 1972; for paired
comparisons M. E. Glickman and S. T. Jensen, "Adaptive paired comparison designs", J. Stat. Planning
and Inference 127, 2005). By itself it spends votes on how far apart models stand whose order is
plain; the doubt about the order by itself spends them without end on models that are equal. The
product is our own; what it saves stands in docs/labelling.md (`python -m benchmarks.active`).

Shapes: K models, C pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from scipy.special import expit, ndtr
from sqlalchemy.engine import Connection

from suffrage.core.records import Json
from suffrage.label.store.schema import completions, judgments, tasks
from suffrage.label.store.settings import put_setting, setting_of
from suffrage.stats.bradley_terry import bradley_terry
from suffrage.stats.comparisons import Match, from_matches
from suffrage.stats.intervals import Floats, Ints
from suffrage.stats.pair_likelihood import RIDGE, Model

_KEY = "active"
_AT_ONCE = 2000  # votes read at a step: a project that turns to the active choice late catches up
_SMALLEST = 1e-12  # variance: rounding may leave less than nothing
_RESULTS = {"a": 1.0, "b": 0.0}  # anything else: neither won

Names = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Belief:
    """What is known of the scores: (K,) and their covariance (K, K); of others, nothing."""

    items: tuple[str, ...]
    score_K: Floats
    covariance_KK: Floats


def information(score_K: Floats, covariance_KK: Floats, first_C: Ints, second_C: Ints) -> Floats:
    """What comparing each pair is worth: q log(1 + p (1 - p) v), (C,); 0 where v is 0."""
    gap = score_K[first_C] - score_K[second_C]
    variance = covariance_KK[first_C, first_C] + covariance_KK[second_C, second_C]
    variance = np.maximum(variance - 2 * covariance_KK[first_C, second_C], _SMALLEST)
    doubt = ndtr(-np.abs(gap) / np.sqrt(variance))
    return np.asarray(doubt * np.log1p(expit(gap) * expit(-gap) * variance), dtype=np.float64)


def believe(counts: dict[Names, list[float]]) -> Belief:
    """The posterior after these counts: how often the first won, and the second (ties: half)."""
    matches = [Match(*names, result) for names in counts for result in (1.0, 0.0)]
    weight_N = np.array([count for pair in counts.values() for count in pair])
    comparisons = from_matches(matches)
    fit = bradley_terry(comparisons, Model(), weight_N)
    return Belief(comparisons.items, fit.score_K, fit.covariance_PP)


def worth(belief: Belief, pairs: Sequence[Names]) -> Floats:
    """What comparing each pair of names is worth; of a new name only the ridge is known."""
    items = tuple(dict.fromkeys([*belief.items, *(name for pair in pairs for name in pair)]))
    known, size = len(belief.items), len(items)
    score, covariance = np.zeros(size), np.eye(size) / RIDGE
    score[:known], covariance[:known, :known] = belief.score_K, belief.covariance_KK
    place = {name: index for index, name in enumerate(items)}
    found = np.array([[place[one], place[two]] for one, two in pairs], dtype=np.intp).reshape(-1, 2)
    value = information(score, covariance, found[:, 0], found[:, 1])
    return np.where(found[:, 0] == found[:, 1], 0.0, value)  # a model against itself


def most_informative(connection: Connection, task_ids: Sequence[int]) -> list[int]:
    """The pairs among these tasks, most informative first; equals in the order given.

    Empty where a model's name is missing or nothing was compared yet.
    """
    chosen = _pairs(connection, task_ids)
    counts = _counts(connection)
    if not chosen or not counts:
        return []
    value = worth(believe(counts), list(chosen.values()))
    order = np.argsort(-value, kind="stable")
    return [list(chosen)[place] for place in order]


def _pairs(connection: Connection, task_ids: Sequence[int]) -> dict[int, Names]:
    """The names of the two models each task compares."""
    about = sa.select(tasks.c.id, tasks.c.prompt_id, tasks.c.completions)
    pairs = about.where(tasks.c.id.in_(task_ids), tasks.c.kind == "pair")
    rows = {row.id: row for row in connection.execute(pairs)}
    sources = _sources(connection, {row.prompt_id for row in rows.values()})
    found = {}
    for task_id in task_ids:
        if task_id in rows:
            row = rows[task_id]
            one, two = (sources.get((row.prompt_id, name), "") for name in row.completions)
            if one and two:
                found[task_id] = (one, two)
    return found


def _sources(connection: Connection, prompt_ids: set[str]) -> dict[Names, str]:
    table = completions
    chosen = sa.select(table.c.prompt_id, table.c.id, table.c.source)
    rows = connection.execute(chosen.where(table.c.prompt_id.in_(prompt_ids)))
    return {(row.prompt_id, row.id): row.source for row in rows}


def _counts(connection: Connection) -> dict[Names, list[float]]:
    """Wins of every pair of models, kept with the last judgment they hold.

    For choosing only: corrected and withdrawn votes stay in it. Results come from the judgments.
    """
    kept: Json = setting_of(connection, _KEY) or {"last": 0, "counts": []}
    counts: dict[Names, list[float]] = {(one, two): [w, v] for one, two, w, v in kept["counts"]}
    table = judgments
    new = sa.select(table.c.number, table.c.prompt_id, table.c.completions, table.c.value)
    new = new.where(table.c.number > kept["last"], table.c.kind == "pair")
    rows = connection.execute(new.order_by(table.c.number).limit(_AT_ONCE)).all()
    sources = _sources(connection, {row.prompt_id for row in rows})
    for row in rows:
        one, two = (sources[row.prompt_id, name] for name in row.completions)
        if one and two and one != two:
            _add(counts, one, two, _RESULTS.get(row.value, 0.5))
    if rows:
        listed = [[one, two, w, v] for (one, two), (w, v) in counts.items()]
        put_setting(connection, _KEY, {"last": rows[-1].number, "counts": listed})
    return counts


def _add(counts: dict[Names, list[float]], one: str, two: str, result: float) -> None:
    if one > two:
        one, two, result = two, one, 1 - result
    pair = counts.setdefault((one, two), [0.0, 0.0])
    pair[0] += result
    pair[1] += 1 - result
