"""What a run's curves make the command line say."""

from __future__ import annotations

import pytest

from suffrage.objectives.table import objective
from suffrage.train.advice import advice


def chosen(*values: float, name: str = "chosen_logp") -> list[dict[str, float]]:
    return [{"step": step, "loss": 0.5, name: value} for step, value in enumerate(values, 1)]


def test_preferred_answers_that_lose_likelihood_are_told_with_remedies():
    (said,) = advice(objective("dpo"), chosen(-1.0, -1.1, -1.25))
    assert "(-1.00 -> -1.25 nats a token)" in said
    assert "--lr" in said
    assert "--nll 1" in said
    (said,) = advice(objective("ipo"), chosen(-1.0, -1.25))
    assert "--nll" not in said  # which ipo does not have


@pytest.mark.parametrize("rows", [chosen(-1.0, -1.05), chosen(-1.0, -0.2), chosen(-1.0), []])
def test_a_run_that_went_well_is_left_alone(rows):
    assert advice(objective("dpo"), rows) == ()


def test_tenths_of_a_long_run_are_compared_not_single_batches():
    noisy = [-1.0, -1.5] + [-1.25] * 16 + [-1.5, -1.0]
    assert advice(objective("dpo"), chosen(*noisy)) == ()


def test_held_out_answers_count_where_there_are_any():
    both = chosen(-1, -2), chosen(-1, -1, name="eval/chosen_logp")
    rows = [a | b for a, b in zip(*both, strict=True)]
    assert advice(objective("dpo"), rows) == ()


def test_a_held_out_loss_that_rises_again_names_its_lowest_step():
    rows = [{"step": step, "eval/loss": loss} for step, loss in ((0, 0.7), (4, 0.5), (8, 0.6))]
    (said,) = advice(objective("dpo"), rows)
    assert "lowest at step 4 (0.500) and ended at 0.600" in said
    assert "--patience" in said
    assert advice(objective("dpo"), rows[:2]) == ()
    assert advice(objective("dpo"), [*rows[:2], {"step": 8, "eval/loss": 0.52}]) == ()
