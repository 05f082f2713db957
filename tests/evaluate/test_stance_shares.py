"""Stance shares by hand."""

from __future__ import annotations

import pytest

from suffrage.core.errors import DataError
from suffrage.evaluate.stance import stance_shares


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
