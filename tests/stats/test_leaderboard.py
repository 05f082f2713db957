"""Leaderboards: values by hand, intervals, places, groups and choices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from suffrage.core.errors import DataError
from suffrage.core.results import Method, RankingResult
from suffrage.stats.comparisons import Entry, Match, from_matches
from suffrage.stats.groups import rank_entries
from suffrage.stats.leaderboard import rank
from suffrage.stats.rankings import METHODS, Setting

from .test_bradley_terry import counted, simulated


def test_win_rates_and_scores_by_hand() -> None:
    # x beat y 6 : 2, one tie; nobody met z but y, who won 3 : 1
    data = counted({("x", "y"): (6, 1, 2), ("y", "z"): (3, 0, 1)})
    board = rank(data, Setting(unit="comparisons", ridge=0, rounds=50)).ranking
    lines = {line.item: line for line in board.items}
    assert [line.item for line in board.items] == ["x", "y", "z"]
    assert lines["x"].win_rate.value == pytest.approx(6.5 / 9)
    assert lines["y"].win_rate.value == pytest.approx(5.5 / 13)
    gap = lines["x"].score.value - lines["y"].score.value  # type: ignore[operator]
    assert gap == pytest.approx(np.log(6.5 / 2.5), abs=1e-5)
    assert (board.comparisons, lines["y"].comparisons) == (13, 13)
    assert lines["x"].score.n == 13
    assert lines["x"].score.unit == "comparisons"


@pytest.mark.parametrize("method", METHODS)
def test_every_method_orders_a_clear_case(method: Method) -> None:
    data = simulated(1, comparisons=1500)
    named = zip(data.first_N, data.second_N, data.result_N, strict=True)
    rows = [(data.items[a], data.items[b], r) for a, b, r in named]
    orders = [
        ((a, b),) if r == 0.5 else ((a,), (b,)) if r == 1 else ((b,), (a,)) for a, b, r in rows
    ]
    prompts = [data.prompts[p] for p in data.prompt_N]
    setting = Setting(method=method, rounds=100)
    board = rank(data, setting, orders=orders, order_clusters=prompts).ranking
    assert [line.item for line in board.items] == [f"m{item}" for item in (6, 5, 4, 3, 2, 1, 0)]
    for line in board.items:
        assert line.score.low is not None
        assert line.score.high is not None
        assert line.score.value is not None
        assert line.score.low <= line.score.value <= line.score.high
        assert line.places[0] <= line.place <= line.places[1]
        assert line.score.n == 80


def test_sandwich_and_bootstrap_intervals_are_alike() -> None:
    data = simulated(2, comparisons=1500)
    by_name = [
        {line.item: line.score for line in rank(data, Setting(interval=kind)).ranking.items}
        for kind in ("bootstrap", "sandwich")
    ]
    for item in data.items:
        one, two = by_name[0][item], by_name[1][item]
        assert one.value == two.value
        assert one.low == pytest.approx(two.low, abs=0.05)  # type: ignore[arg-type]
        assert one.high == pytest.approx(two.high, abs=0.05)  # type: ignore[arg-type]


def test_side_and_ties_are_told_as_chances() -> None:
    # Equals: the first shown wins 12 : 6, and 9 of 27 are ties
    data = counted({("x", "y"): (6, 4, 3)}, side=1.0)
    more = counted({("y", "x"): (6, 5, 3)}, side=1.0)
    both = from_matches(
        [
            Match(d.items[a], d.items[b], r, s)
            for d in (data, more)
            for a, b, r, s in zip(d.first_N, d.second_N, d.result_N, d.side_N, strict=True)
        ]
    )
    setting = Setting(method="davidson", side=True, ridge=0, unit="comparisons", rounds=200)
    board = rank(both, setting).ranking
    assert board.first_shown is not None
    assert board.ties is not None
    assert board.first_shown.value == pytest.approx(12 / 18, abs=0.01)
    # at a side of log 2 ties are a little rarer than between equals shown alike
    assert board.ties.value == pytest.approx(0.346, abs=0.01)
    assert board.first_shown.low < 12 / 18 < board.first_shown.high  # type: ignore[operator]
    alone = rank(both, Setting(unit="comparisons", rounds=20)).ranking
    assert alone.first_shown is None
    assert alone.ties is None


def test_parts_that_nothing_joins_are_told() -> None:
    data = counted({("x", "y"): (2, 0, 1), ("u", "v"): (2, 0, 1)})
    assert "2 parts" in rank(data, Setting(unit="comparisons", rounds=5)).ranking.note


def test_one_prompt_gives_no_interval() -> None:
    board = rank(counted({("x", "y"): (2, 0, 1)}), Setting(unit="prompts", rounds=5)).ranking
    assert board.items[0].score.low is None
    assert "1 prompts" in board.items[0].score.note


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(DataError, match="no comparison of two different items"):
        rank(from_matches([]))
    twice = Entry((Match("x", "y", 1.0),), (("x",), ("y", "x")), {})
    with pytest.raises(DataError, match="Plackett-Luce ranks each item once"):
        rank_entries([twice], Setting(method="plackett-luce"))


def votes() -> list[Entry]:
    """Many love x and like y; few hate x, like z, and can bear y."""
    rng = np.random.default_rng(3)
    score = {"many": {"x": 2.0, "y": 0.5, "z": -2.0}, "few": {"x": -2.5, "y": 0.3, "z": 1.2}}
    entries = []
    for group, raters in (("many", 9), ("few", 3)):
        for prompt in range(60):
            first, second = rng.permutation(["x", "y", "z"])[:2]
            result = float(rng.random() < expit(score[group][first] - score[group][second]))
            rater = f"{group} {prompt % raters}"
            match = Match(str(first), str(second), result, 1.0, f"p{prompt}", rater)
            better, worse = (match[:2]) if result else (match[1], match[0])
            entries.append(Entry((match,), ((better,), (worse,)), {"camp": group}))
    return entries


@pytest.mark.parametrize("method", ["bradley-terry", "davidson", "plackett-luce"])
def test_groups_get_their_own_boards_and_one_choice_each_way(method: Method) -> None:
    result = rank_entries(votes(), Setting(method=method, rounds=200), "camp")
    assert [(board.group, board.raters) for board in result.rankings] == [("few", 3), ("many", 9)]
    assert [board.items[0].item for board in result.rankings] == ["z", "x"]
    mean, maxmin = result.choices
    assert (mean.rule, mean.item, maxmin.rule, maxmin.item) == ("mean", "x", "maxmin", "y")
    assert mean.share > 0.8
    assert maxmin.share > 0.8
    assert set(mean.worth) == {"few", "many"}
    assert min(mean.worth.values()) < min(maxmin.worth.values())
    assert sum(result.mixture.values()) == pytest.approx(1)
    assert result.mixture_worth is not None
    assert result.mixture_worth >= min(maxmin.worth.values())
    assert RankingResult.from_json(result.to_json()) == result


def test_rules_have_boards_and_no_choice() -> None:
    result = rank_entries(votes(), Setting(method="borda", rounds=20), "camp")
    assert len(result.rankings) == 2
    assert not result.choices


def test_a_null_is_no_group_of_its_own() -> None:
    rows = ({"team": None}, {}, {"team": ""}, {"team": "red"})
    entries = [Entry((Match("x", "y", 1.0, 0, "p", "A"),), (("x",), ("y",)), row) for row in rows]
    result = rank_entries(entries, Setting(rounds=20), "team")
    assert [(board.group, board.comparisons) for board in result.rankings] == [("", 3), ("red", 1)]


def test_every_board_has_every_item() -> None:
    lone = Entry((Match("v", "x", 1.0, 0, "p", "Eve"),), (("v",), ("x",)), {"camp": "third"})
    result = rank_entries([*votes(), lone], Setting(rounds=20), "camp")
    for board in result.rankings:
        assert {line.item for line in board.items} == {"v", "x", "y", "z"}
    few = {line.item: line for line in result.rankings[0].items}
    assert few["v"].win_rate.value is None
    assert few["v"].comparisons == 0
