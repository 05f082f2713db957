"""Odd raters after 30 judgments each: the chances by hand, and the docs' table on fewer panels."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.odd import ITEMS, KINDS, NOISES, ODD, bound, found, likelihood
from suffrage.stats.consensus import OneCoin, sureness_of_others
from suffrage.stats.readers import coin_tails, reader_tails
from suffrage.stats.scales import scale_shares
from suffrage.stats.votes import pair_votes

from .test_consensus import table


def test_a_coins_chance_by_hand() -> None:
    # 3 throws: none, one or two heads in 1, 4 and 7 of 8 cases
    assert coin_tails(np.array([0.0, 1, 2, 3]), np.full(4, 3.0)) == pytest.approx(
        [1 / 8, 4 / 8, 7 / 8, 1]
    )


def test_a_readers_chance_nears_the_binomial_where_many_others_show_readers_alike() -> None:
    # Others: 60 raters at 4,000 of 5,000. P(X <= 2) of 4 throws at .8 is 1 - .4096 - .4096
    agreed = np.array([2.0, *[4000] * 60])
    votes = np.array([4.0, *[5000] * 60])
    assert reader_tails(agreed, votes)[0] == pytest.approx(0.1808, abs=0.01)


def test_odd_raters_do_not_pull_the_readers_down() -> None:
    readers, odd = [26.0] * 8, [15.0, 15.0, 5.0]
    alone = reader_tails(np.array([19.0, *readers]), np.full(9, 30.0))[0]
    among = reader_tails(np.array([19.0, *readers, *odd]), np.full(12, 30.0))[0]
    assert among < 1.5 * alone
    assert alone < 0.05


def test_one_rater_in_five_may_be_a_coin_or_turned_round() -> None:
    # One other rater with one vote. Where readers agree in a share m (so far alike likely from .50
    # to .99), it agrees with .8 m + .1 (1 - m) + .1 / 2 and misses with .8 (1 - m) + .1 m + .1 / 2;
    # a reader's one vote misses with 1 - m
    mean = np.linspace(0.5, 0.99, 50)
    agrees, misses = 0.15 + 0.7 * mean, 0.85 - 0.7 * mean
    for other, chance in ((1.0, agrees), (0.0, misses)):
        found = reader_tails(np.array([0.0, other]), np.ones(2))[0]
        assert found == pytest.approx(1 - (mean * chance).sum() / chance.sum(), abs=3e-4)


def test_a_raters_own_votes_do_not_teach_what_readers_do() -> None:
    # with 12 of 30 among the readers their rates would spread, and the chance double to .00087
    assert reader_tails(np.array([12.0, 27, 27]), np.full(3, 30.0))[0] < 0.0006


def test_agreement_weighs_by_what_the_others_know_of_the_pair() -> None:
    # Log odds 2.5 of which Ann's own vote at accuracy .8 is log 4: the others hold p / (1 - p) =
    # e^2.5 / 4 = 3.0456, p = .75282, and (2p - 1)^2 = .25567
    votes = pair_votes(table({"Ann": "a", "Bob": "a"}))
    log_odds = np.array([2.5])
    weight = sureness_of_others(votes, OneCoin(np.array([0.8, 0.7]), log_odds))
    assert weight[0] == pytest.approx(0.25567, abs=1e-5)


def test_ratings_of_different_prompts_are_held_against_the_others_mean() -> None:
    # Ann orders 4 answers 1 2 3 4; Bob and Cat both 2 1 4 3: four of six pairs as Ann, tau 1/3
    units = [(f"p{i}", "overall", "x") for i in range(4)]
    given = {("Ann", unit): float(i) for i, unit in enumerate(units, start=1)}
    for rater in ("Bob", "Cat"):
        given |= {(rater, unit): v for unit, v in zip(units, (2.0, 1, 4, 3), strict=True)}
    ann = scale_shares(given)["Ann"]
    assert ann.value == pytest.approx(2 / 3)
    assert (ann.prompts, ann.worth) == (4, pytest.approx(9 * 4 * 3 / (2 * 13)))


def test_the_others_mean_is_of_those_who_rated_the_answer() -> None:
    # Bob and Cat give the first answer 5, Bob alone the others 6 7 8: in Ann's order
    units = [(f"p{i}", "overall", "x") for i in range(4)]
    given = {("Ann", unit): float(i) for i, unit in enumerate(units)}
    given |= {("Bob", unit): 5.0 + i for i, unit in enumerate(units)}
    given["Cat", units[0]] = 5.0
    assert scale_shares(given)["Ann"].value == pytest.approx(1)


def test_who_gives_one_rating_to_all_agrees_as_a_coin() -> None:
    units = [(f"p{i}", "overall", "x") for i in range(4)]
    given = {("Ann", unit): 7.0 for unit in units}
    given |= {("Bob", unit): float(i) for i, unit in enumerate(units)}
    assert scale_shares(given)["Ann"].value == 0.5


def test_whoever_rates_alone_is_unknown() -> None:
    given = {("Ann", (f"p{i}", "overall", "x")): float(i) for i in range(4)}
    assert scale_shares(given)["Ann"].prompts == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_thirty_judgments_each_are_enough(kind: str) -> None:
    tally = found(kind, panels=60)
    named = sum(tally.named[odd] for odd in ODD) / sum(tally.raters[odd] for odd in ODD)
    assert named >= 0.95
    assert tally.named["good"] <= 0.02 * tally.raters["good"]


@pytest.mark.slow
def test_good_raters_without_odd_ones_are_rarely_named() -> None:
    tally = found("pairs", panels=60, odd=())
    assert tally.named["good"] <= 0.03 * tally.raters["good"]  # of 660 about 12


def test_the_bound_knows_the_chance_of_every_choice() -> None:
    # 30 leads of 2, all seen rightly: a reader of noise s is right with chance 1 / (1 + e^(-2/s))
    worth = np.broadcast_to([3.0, 1.0], (1, ITEMS, 2))
    right = np.broadcast_to([0, 1], (1, ITEMS, 2))
    reads = np.mean([(1 / (1 + np.exp(-2 / noise))) ** 30 for noise in NOISES])
    assert likelihood("pairs", "good", (worth, right)) == pytest.approx(np.log(reads))
    assert likelihood("pairs", "careless", (worth, right)) == pytest.approx(30 * np.log(0.5))
    turned = np.broadcast_to([1, 0], (1, ITEMS, 2))
    assert likelihood("pairs", "reversed", (worth, turned)) == pytest.approx(np.log(reads))


def test_the_best_test_finds_every_careless_rater_but_a_few() -> None:
    # Counting right pairs of raters who are right on 80 to 95 %: at most 20 of 30 is said by 1.1 %
    # of them and by 97.9 % of coins; who knows the leads does better
    assert 0.979 < bound("pairs", "careless", raters=2000) < 1
