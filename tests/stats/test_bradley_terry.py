"""Bradley-Terry against published fits, values by hand, and two other packages."""

from __future__ import annotations

from collections.abc import Mapping

import choix
import evalica
import numpy as np
import pytest
from scipy.special import expit

from suffrage.core.errors import DataError
from suffrage.stats.bradley_terry import bootstrap, bradley_terry, parts, sandwich
from suffrage.stats.comparisons import Comparisons, Match, from_matches
from suffrage.stats.pair_likelihood import Model
from suffrage.stats.resample import counts_of, reduced

TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
# A. Agresti, "Categorical Data Analysis" (2002), table 10.10: American League East 1987, wins of
# the home team (row) and of the visitors (column)
BASEBALL = {
    "Milwaukee": "4-3 4-2 4-3 6-1 4-2 6-0",
    "Detroit": "3-3 4-2 4-3 6-0 6-1 4-3",
    "Toronto": "2-5 4-3 2-4 4-3 4-2 6-0",
    "New York": "3-3 5-1 2-5 4-3 4-2 6-1",
    "Boston": "5-1 2-5 3-3 4-2 5-2 6-0",
    "Cleveland": "2-5 3-3 3-4 4-3 4-2 2-4",
    "Baltimore": "2-5 1-5 1-6 2-4 1-6 3-4",
}


def baseball() -> Comparisons:
    matches = []
    for home, row in BASEBALL.items():
        visitors = (team for team in TEAMS if team != home)
        for away, cell in zip(visitors, row.split(), strict=True):
            won, lost = map(int, cell.split("-"))
            matches += [Match(home, away, 1.0, side=1.0)] * won
            matches += [Match(home, away, 0.0, side=1.0)] * lost
    return from_matches(matches, TEAMS)


def counted(counts: Mapping[tuple[str, str], tuple[int, int, int]], side: float = 0) -> Comparisons:
    """Wins, ties and losses of the first."""
    matches = []
    for (first, second), (won, tied, lost) in counts.items():
        for times, result in ((won, 1.0), (tied, 0.5), (lost, 0.0)):
            matches += [Match(first, second, result, side)] * times
    return from_matches(matches)


def test_agrestis_baseball_scores() -> None:
    fit = bradley_terry(baseball(), Model(ridge=0))
    relative = fit.score_K - fit.score_K[-1]
    assert relative == pytest.approx([1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0], abs=5e-3)
    errors = [  # "all about 0.3"
        np.sqrt(fit.covariance_PP[i, i] + fit.covariance_PP[6, 6] - 2 * fit.covariance_PP[i, 6])
        for i in range(6)
    ]
    assert errors == pytest.approx([0.343, 0.340, 0.337, 0.336, 0.334, 0.332], abs=0.012)


def test_agrestis_baseball_with_the_advantage_of_playing_at_home() -> None:
    fit = bradley_terry(baseball(), Model(side=True, ridge=0))
    worth = np.exp(fit.score_K)
    published = [0.220, 0.190, 0.164, 0.157, 0.137, 0.088, 0.044]
    assert worth / worth.sum() == pytest.approx(published, abs=6e-4)
    assert fit.side == pytest.approx(0.302, abs=5e-4)


def test_stiglers_citations() -> None:
    # S. M. Stigler, "Citation patterns in the journals of statistics and probability" (1994), as
    # fitted by Turner and Firth (2012); a citation is a win for the journal that is cited
    names = ("Biometrika", "Comm Statist", "JASA", "JRSS-B")
    cited = [[0, 730, 498, 221], [33, 0, 68, 17], [320, 813, 0, 142], [284, 276, 325, 0]]
    matches = [
        Match(names[i], names[j], 1.0)
        for i in range(4)
        for j in range(4)
        for _ in range(cited[i][j])
    ]
    fit = bradley_terry(from_matches(matches, names), Model(ridge=0))
    relative = fit.score_K - fit.score_K[0]
    assert relative == pytest.approx([0, -2.94907, -0.47957, 0.26895], abs=1e-5)


def test_davidsons_ties_of_two_items_by_hand() -> None:
    # The three shares fit exactly: exp(d) = wins / losses, nu = ties / sqrt(wins losses)
    fit = bradley_terry(counted({("x", "y"): (8, 3, 2)}), Model(ties="davidson", ridge=0))
    assert fit.score_K == pytest.approx([np.log(4) / 2, -np.log(4) / 2], abs=1e-6)
    assert fit.nu == pytest.approx(3 / 4, abs=1e-6)
    shares = np.array([8, 3, 2])
    assert fit.log_likelihood == pytest.approx(float((shares * np.log(shares / 13)).sum()))


def test_half_ties_of_two_items_by_hand() -> None:
    fit = bradley_terry(counted({("x", "y"): (8, 3, 2)}), Model(ridge=0))
    assert fit.score_K[0] - fit.score_K[1] == pytest.approx(np.log(9.5 / 3.5), abs=1e-6)


def test_a_side_and_ties_together_by_hand() -> None:
    matches = [
        *[Match("x", "y", 1.0, 1.0)] * 8,
        *[Match("x", "y", 0.5, 1.0)] * 3,
        *[Match("x", "y", 0.0, 1.0)] * 2,
        *[Match("x", "y", 1.0, -1.0)] * 16,
        *[Match("y", "x", 0.5, 1.0)] * 6,
        *[Match("y", "x", 1.0, 1.0)] * 4,
    ]
    # both orders have the shares 8 : 3 : 2 for x, so the side does nothing
    fit = bradley_terry(from_matches(matches), Model(ties="davidson", side=True, ridge=0))
    assert fit.side == pytest.approx(0, abs=1e-6)
    assert fit.score_K[0] == pytest.approx(np.log(4) / 2, abs=1e-6)
    assert fit.nu == pytest.approx(3 / 4, abs=1e-6)
    # now x shown second wins and loses as often: d + side = log 4, d - side = 0
    turned = [*matches[:13], *[Match("y", "x", r, 1.0) for r in (1, 0, 1, 0, 0.5, 0.5)]]
    half = bradley_terry(from_matches(turned), Model(side=True, ridge=0))
    assert half.side == pytest.approx(np.log(9.5 / 3.5) / 2, abs=1e-6)
    assert half.score_K[0] - half.score_K[1] == pytest.approx(np.log(9.5 / 3.5) / 2, abs=1e-6)


def test_a_ridge_keeps_an_unbeaten_item_finite() -> None:
    # x beat y 5 times of 5: 5 P(y beats x) = ridge * s, at s = the score of x, -s that of y
    for ridge in (0.1, 0.7):
        fit = bradley_terry(counted({("x", "y"): (5, 0, 0)}), Model(ridge=ridge))
        score = fit.score_K[0]
        assert fit.score_K[1] == pytest.approx(-score)
        assert 5 * expit(-2 * score) == pytest.approx(ridge * score, abs=1e-5)


def test_without_a_ridge_an_unbeaten_item_is_refused() -> None:
    with pytest.raises(DataError, match=r"no finite score.*use a ridge"):
        bradley_terry(counted({("x", "y"): (5, 0, 0), ("y", "z"): (1, 0, 1)}), Model(ridge=0))
    with pytest.raises(DataError, match="both ties and wins"):
        bradley_terry(counted({("x", "y"): (5, 0, 3)}), Model("davidson", ridge=0))
    with pytest.raises(DataError, match="no comparison"):
        bradley_terry(from_matches([Match("x", "x", 1.0)]))


def simulated(seed: int, comparisons: int = 600, items: int = 7, ties: float = 0.2) -> Comparisons:
    """Random comparisons of items whose scores are 0, .3, .6, ..."""
    rng = np.random.default_rng(seed)
    matches = []
    for _ in range(comparisons):
        first, second = rng.choice(items, 2, replace=False)
        result = float(rng.random() < expit(0.3 * (first - second)))
        if rng.random() < ties:
            result = 0.5
        prompt = f"p{rng.integers(80)}"
        matches.append(Match(f"m{first}", f"m{second}", result, 1.0, prompt))
    return from_matches(matches, [f"m{item}" for item in range(items)])


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_choix_without_ties(seed: int) -> None:
    data = simulated(seed, ties=0)
    won = data.result_N == 1
    pairs = np.where(won, [data.first_N, data.second_N], [data.second_N, data.first_N]).T
    expected = choix.ilsr_pairwise(7, pairs.tolist(), alpha=0)
    assert bradley_terry(data, Model(ridge=0)).score_K == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_evalica_with_ties_by_half(seed: int) -> None:
    data = simulated(seed)
    winners = {1.0: evalica.Winner.X, 0.0: evalica.Winner.Y, 0.5: evalica.Winner.Draw}
    theirs = evalica.bradley_terry(
        [data.items[i] for i in data.first_N],
        [data.items[i] for i in data.second_N],
        [winners[r] for r in data.result_N],
        win_weight=1.0,
        tie_weight=0.5,
        tolerance=1e-12,
        limit=10_000,
    ).scores
    expected = np.log([theirs[name] for name in data.items])
    score = bradley_terry(data, Model(ridge=0)).score_K
    assert score == pytest.approx(expected - expected.mean(), abs=1e-5)


@pytest.mark.parametrize("model", [Model(), Model("davidson", side=True, ridge=0.5)])
def test_the_fit_is_a_maximum(model: Model) -> None:
    data = simulated(5)
    fit = bradley_terry(data, model)
    best = np.concatenate([fit.score_K, [fit.side, np.log(fit.nu)] if fit.nu and fit.side else []])
    best = best.astype(float)

    def height(theta: np.ndarray) -> float:
        score, more = theta[:7], theta[7:]
        gap = score[data.first_N] - score[data.second_N]
        if not len(more):
            right = data.result_N * np.log(expit(gap)) + (1 - data.result_N) * np.log(expit(-gap))
        else:
            gap = gap + more[0] * data.side_N
            total = np.exp(gap / 2) + np.exp(-gap / 2) + np.exp(more[1])
            right = (data.result_N - 0.5) * gap + (data.result_N == 0.5) * more[1] - np.log(total)
        return float(right.sum() - model.ridge / 2 * (theta**2).sum())

    for direction in np.eye(len(best)):
        for step in (1e-3, -1e-3):
            assert height(best + step * direction) < height(best)


@pytest.mark.parametrize("model", [Model(), Model("davidson", side=True)])
def test_each_round_of_the_bootstrap_is_a_fit_of_its_sample(model: Model) -> None:
    # Drawing the same whole prompts by hand and fitting them gives the same scores
    data = simulated(6)
    fit = bradley_terry(data, model)
    found, side, nu = fit.draws_as(bootstrap(data, fit, data.prompt_N, rounds=3, seed=4))
    rng, prompts = np.random.default_rng(4), len(data.prompts)
    for round_ in range(3):
        drawn = rng.integers(prompts, size=prompts)
        rows = np.concatenate([np.nonzero(data.prompt_N == prompt)[0] for prompt in drawn])
        again = bradley_terry(data.take(rows), model)
        assert found[round_] == pytest.approx(again.score_K, abs=1e-5)
        if nu is not None and side is not None:
            assert nu[round_] == pytest.approx(again.nu, abs=1e-4)
            assert side[round_] == pytest.approx(again.side, abs=1e-5)


def test_bootstrap_of_small_studies_survives_rounds_without_a_loss() -> None:
    data = counted({("x", "y"): (6, 0, 1), ("y", "z"): (4, 0, 1), ("x", "z"): (3, 1, 0)})
    few = counted({("x", "y"): (6, 1, 2), ("y", "z"): (3, 0, 1)})
    without = bradley_terry(few, Model(ridge=0))
    assert np.isfinite(bootstrap(few, without, None, rounds=100)).all()
    fit = bradley_terry(data)
    draws = bootstrap(data, fit, None, rounds=300, seed=2)
    assert np.isfinite(draws).all()
    assert draws.sum(axis=1) == pytest.approx(0, abs=1e-5)
    assert draws[:, 0].max() > fit.score_K[0] + 0.5


def test_sandwich_and_bootstrap_agree_and_see_clusters() -> None:
    # Each comparison five times over within its prompt: no more information
    data = simulated(7, comparisons=400)
    data = data.take(np.repeat(np.arange(len(data)), 5))
    for model in (Model(), Model("davidson", side=True)):
        fit = bradley_terry(data, model)
        draws = bootstrap(data, fit, data.prompt_N, rounds=600, seed=1)
        by_prompt = np.sqrt(np.diag(sandwich(data, fit, data.prompt_N)))
        alone = np.sqrt(np.diag(sandwich(data, fit, None)))
        assert draws.std(axis=0) == pytest.approx(by_prompt, rel=0.15)
        assert (by_prompt > 1.8 * alone).all()


def test_the_curvature_is_the_sandwich_where_the_model_is_true() -> None:
    fit = bradley_terry(data := simulated(8, comparisons=8000, ties=0))
    alone = np.sqrt(np.diag(sandwich(data, fit, None)))
    assert np.sqrt(np.diag(fit.covariance_PP)) == pytest.approx(alone, rel=0.03)


def test_weights_count_like_copies() -> None:
    data = simulated(9, comparisons=60)
    weight = np.arange(60) % 3
    copies = data.take(np.repeat(np.arange(60), weight))
    weighed = bradley_terry(data, weight_N=weight.astype(float))
    assert weighed.score_K == pytest.approx(bradley_terry(copies).score_K, abs=1e-6)


def test_items_that_nothing_joins_are_in_different_parts() -> None:
    data = counted({("x", "y"): (1, 0, 1), ("u", "v"): (0, 2, 0), ("v", "w"): (3, 0, 0)})
    cells, outcomes = reduced(data)
    found, part = parts(cells, counts_of(cells, outcomes))
    assert (found, part.tolist()) == (2, [0, 0, 1, 1, 1])
    assert parts(cells, counts_of(cells, outcomes), beaten=True)[0] == 3
