"""The one-coin model: one round of EM by hand, recovery of the truth, and what it is used for."""

from __future__ import annotations

from math import log

import numpy as np
import pytest

from suffrage.core.records import Judgment
from suffrage.stats.consensus import agreement_with_others, one_coin, rater_weights
from suffrage.stats.votes import pair_votes


def vote(rater: str, prompt: str, choice: str) -> Judgment:
    return Judgment(
        id=f"{rater} {prompt}",
        prompt_id=prompt,
        rater=rater,
        kind="pair",
        value=choice,
        completions=("x", "y"),
    )


def table(rows: dict[str, str]) -> list[Judgment]:
    """{"Ann": "ab-"}: Ann chose a on prompt 0, b on prompt 1, nothing on 2; t is a tie."""
    names = {"a": "a", "b": "b", "t": "tie"}
    return [
        vote(rater, f"p{prompt}", names[choice])
        for rater, choices in rows.items()
        for prompt, choice in enumerate(choices)
        if choice != "-"
    ]


def test_one_round_of_em_by_hand() -> None:
    # Majority: p0 is a with 2/3, p1 with 1. Ann and Bob are right 2/3 + 1 times of 2, Cat 1/3 + 1;
    # with one right and one wrong added: 2/3, 2/3 and 7/12, log odds ln 2, ln 2 and ln 7/5
    model = one_coin(pair_votes(table({"Ann": "aa", "Bob": "aa", "Cat": "ba"})), rounds=1)
    assert model.accuracy_R == pytest.approx([2 / 3, 2 / 3, 7 / 12])
    assert model.log_odds_I == pytest.approx([log(20 / 7), log(28 / 5)])


def test_ties_say_nothing() -> None:
    model = one_coin(pair_votes(table({"Ann": "at", "Bob": "at"})))
    assert model.log_odds_I[1] == 0
    without = one_coin(pair_votes(table({"Ann": "a", "Bob": "a"})))
    assert model.accuracy_R == pytest.approx(without.accuracy_R)


def test_a_vote_is_held_against_the_other_raters_only() -> None:
    votes = pair_votes(table({"Ann": "aaa", "Bob": "aat", "Cat": "ba-"}))
    agrees = agreement_with_others(votes, one_coin(votes))
    # On p0 Bob outweighs Cat, so Ann agrees with the rest; on p2 nobody else decided
    assert agrees[:2].tolist() == [1, 1]
    assert np.isnan(agrees[2])
    assert agrees[3:].tolist() == [1, 1, 0.5, 0, 1]


def simulated(accuracy: list[float], items: int, seed: int) -> tuple[list[Judgment], np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=items)
    right = rng.random((len(accuracy), items)) < np.array(accuracy)[:, None]
    chosen = np.where(right, truth, 1 - truth)
    rows = {f"r{rater:02}": "".join("ba"[one] for one in row) for rater, row in enumerate(chosen)}
    return table(rows), truth


def test_em_recovers_each_raters_accuracy() -> None:
    accuracy = [0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.5, 0.1]
    judgments, _ = simulated(accuracy, 1500, seed=4)
    model = one_coin(pair_votes(judgments))
    # standard error of an observed share: at most sqrt(.25 / 1500) = .013
    assert model.accuracy_R == pytest.approx(accuracy, abs=0.04)


def test_the_consensus_beats_the_majority_where_some_answer_backwards() -> None:
    judgments, truth = simulated([0.95, 0.9, 0.9, 0.1, 0.1], 800, seed=9)
    votes = pair_votes(judgments)
    by_model = one_coin(votes).log_odds_I > 0
    share = np.bincount(votes.item_V, votes.choice_V) / np.bincount(votes.item_V)
    assert np.mean(by_model == truth) > 0.97
    assert np.mean((share > 0.5) == truth) < 0.9


def test_weights_are_log_odds_with_mean_one_and_never_negative() -> None:
    judgments, _ = simulated([0.9, 0.9, 0.75, 0.1], 2000, seed=1)
    weights = rater_weights(judgments)
    assert sum(weights.values()) / 4 == pytest.approx(1)
    assert weights["r03"] == 0
    # ln 9 against ln 3
    assert weights["r00"] / weights["r02"] == pytest.approx(2, rel=0.15)


def test_raters_nobody_can_tell_apart_weigh_the_same() -> None:
    # Each says the opposite of the other: half of it is wrong, whoever is right
    assert rater_weights(table({"Ann": "ab", "Bob": "ba"})) == {"Ann": 1.0, "Bob": 1.0}
    assert rater_weights([]) == {}
