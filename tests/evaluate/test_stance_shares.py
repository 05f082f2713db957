"""Stance shares by hand."""

from __future__ import annotations

import numpy as np
import pytest

from suffrage.core.errors import DataError
from suffrage.evaluate.stance import SIDES, stance_shares


def test_shares_are_of_answers_and_intervals_of_prompts() -> None:
    result = stance_shares(
        "tuned",
        [["support", "support"], ["support", "oppose"], ["oppose", "oppose"]],
        [[True, True], [True, True], [True, True]],
    )
    assert result.shares["support"].value == result.shares["oppose"].value == 0.5
    assert result.shares["balanced"].value == 0  # reported though nobody took it
    assert result.shares["balanced"].high == pytest.approx(0.5615, abs=1e-4)  # Wilson, 0 of 3
    assert (result.prompts, result.samples) == (3, 2)
    assert result.shares["support"].n == 3
    assert result.well_formed is not None
    assert result.well_formed.value == 1
    assert "Wilson" in result.well_formed.note


def test_what_no_answer_says_is_bounded_by_what_the_commonest_side_leaves() -> None:
    # 38 of 40 answers support, two are balanced, none opposes; over 4 prompts alone Wilson's
    # interval of 0 would reach .49
    row = ["support"] * 10
    stances = [row, row, [*row[2:], "balanced", "balanced"], row]
    shares = stance_shares("tuned", stances).shares
    support, balanced, oppose = (shares[side] for side in ("support", "balanced", "oppose"))
    assert support.low is not None
    assert (oppose.value, oppose.low) == (0, 0)
    assert oppose.high == 1 - support.low
    assert balanced.high == pytest.approx(oppose.high)  # what is not support: no other was taken
    assert oppose.note == "no such answer: at most what “support” leaves"


def test_where_all_answers_agree_wilson_stays() -> None:
    shares = stance_shares("tuned", [["support"] * 7] * 3).shares
    assert shares["support"].low == pytest.approx(1 - 0.5615, abs=1e-4)
    assert shares["oppose"].high == pytest.approx(0.5615, abs=1e-4)
    assert "Wilson" in shares["support"].note


def test_no_interval_is_narrower_than_of_independent_answers() -> None:
    # 3 of 6 on each of two prompts but for one answer: resampling prompts gives 2/6 to 3/6 only
    share = stance_shares("m", [["a", "a", "a", "b", "b", "b"], ["a", "a", "b", "b", "b", "b"]])
    low, high = share.shares["a"].low, share.shares["a"].high
    # Wilson for 5 of 12: centre (5/12 + z^2/24) / (1 + z^2/12) = .4369, half width .2436
    assert low == pytest.approx(0.4369 - 0.2436, abs=2e-4)
    assert high == pytest.approx(0.4369 + 0.2436, abs=2e-4)


def test_the_interval_of_a_rare_side_covers_its_share() -> None:
    # Each prompt draws its own chances about .95, .03 and .02: answers of a prompt resemble
    rng = np.random.default_rng(12)
    studies, prompts, answers = 300, 10, 20
    covered = silent = 0
    for seed in range(studies):
        chances = rng.dirichlet(np.array([0.95, 0.03, 0.02]) * 4, size=prompts)
        stances = [[SIDES[side] for side in rng.choice(3, answers, p=row)] for row in chances]
        oppose = stance_shares("m", stances, seed=seed, rounds=300).shares["oppose"]
        assert oppose.low is not None
        assert oppose.high is not None
        covered += oppose.low <= 0.02 <= oppose.high
        silent += oppose.value == 0
    assert silent / studies > 0.1  # so that the bound is tried
    assert covered / studies >= 0.95


def test_answers_of_one_prompt_do_not_narrow_the_interval() -> None:
    prompts = [["support"], ["support"], ["support"], ["oppose"], ["oppose"]]
    once = stance_shares("m", prompts).shares["support"]
    often = stance_shares("m", [row * 20 for row in prompts]).shares["support"]
    assert (often.low, often.high) == (once.low, once.high)


def test_other_stances_are_reported_when_found() -> None:
    result = stance_shares("m", [["unclear", "支持"]], sides=("支持", "反對"))
    assert list(result.shares) == ["支持", "反對", "unclear"]
    assert result.well_formed is None


def test_prompts_may_have_different_numbers_of_answers() -> None:
    result = stance_shares("m", [["support"], ["support", "oppose", "oppose"]])
    assert result.shares["support"].value == 0.5
    assert result.samples == 3


@pytest.mark.parametrize("stances", [[], [[]]])
def test_no_answers_is_the_users_error(stances: list[list[str]]) -> None:
    with pytest.raises(DataError, match="base gave no answers"):
        stance_shares("base", stances)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="different shapes"):
        stance_shares("m", [["support", "oppose"]], [[True]])
