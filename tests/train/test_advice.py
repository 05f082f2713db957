"""What a run's curves make the command line say."""

from __future__ import annotations

import pytest

from suffrage.data.encode import Branch, Tree
from suffrage.objectives.table import objective
from suffrage.train.advice import LiveAdvice, advice, offline_checks, unbalanced
from suffrage.train.examples import Example

DPO = offline_checks(objective("dpo"))


def chosen(*values: float, name: str = "chosen_logp") -> list[dict[str, float]]:
    return [{"step": step, "loss": 0.5, name: value} for step, value in enumerate(values, 1)]


def test_preferred_answers_that_lose_likelihood_are_told_with_remedies():
    (said,) = advice(DPO, chosen(-1.0, -1.1, -1.25))
    assert "(-1.00 -> -1.25 nats a token)" in said
    assert "--lr" in said
    assert "--nll 1" in said
    (said,) = advice(offline_checks(objective("ipo")), chosen(-1.0, -1.25))
    assert "--nll" not in said  # which ipo does not have


@pytest.mark.parametrize("rows", [chosen(-1.0, -1.05), chosen(-1.0, -0.2), chosen(-1.0), []])
def test_a_run_that_went_well_is_left_alone(rows):
    assert advice(DPO, rows) == ()


def test_tenths_of_a_long_run_are_compared_not_single_batches():
    noisy = [-1.0, -1.5] + [-1.25] * 16 + [-1.5, -1.0]
    assert advice(DPO, chosen(*noisy)) == ()


def test_held_out_answers_count_where_there_are_any():
    both = chosen(-1, -2), chosen(-1, -1, name="eval/chosen_logp")
    rows = [a | b for a, b in zip(*both, strict=True)]
    assert advice(DPO, rows) == ()


def test_a_held_out_loss_that_rises_again_names_its_lowest_step():
    rows = [{"step": step, "eval/loss": loss} for step, loss in ((0, 0.7), (4, 0.5), (8, 0.6))]
    (said,) = advice(DPO, rows)
    assert "lowest at step 4 (0.500) and ended at 0.600" in said
    assert "--patience" in said
    assert advice(DPO, rows[:2]) == ()
    assert advice(DPO, [*rows[:2], {"step": 8, "eval/loss": 0.52}]) == ()


def test_a_held_out_loss_may_fall_below_nothing():
    losses = ((0, 0.7), (4, -0.2), (8, -1.0))
    rows = [{"step": step, "eval/loss": loss} for step, loss in losses]
    assert advice(DPO, rows) == ()
    assert advice(DPO, [*rows, {"step": 12, "eval/loss": -0.96}]) == ()
    (said,) = advice(DPO, [*rows, {"step": 12, "eval/loss": -0.9}])
    assert "lowest at step 8 (-1.000) and ended at -0.900" in said


def labelled(*shares: float, weight: float = 1.0) -> Example:
    tree = Tree([1], tuple(Branch([2]) for _ in shares))
    return Example("p", tree, labels=shares, weight=weight)


def test_kto_is_told_where_one_kind_of_label_outweighs_the_other():
    row = objective("kto")
    rare = [labelled(1.0, 1.0, 0.75), labelled(0.25, weight=2.0)]
    said = unbalanced(row, row.check({}), rare)  # 3.25 : 1.75 is more than 4 : 3
    assert said.startswith("3.25 labels say desirable and 1.75 undesirable")
    assert said.endswith("--undesirable-weight 1.39 evens them out")
    assert "--desirable-weight 3 " in unbalanced(row, row.check({}), [labelled(1, 0, 0, 0)])
    assert not unbalanced(row, row.check({}), [labelled(1, 0)])
    nearly = [labelled(*[1] * 19, *[0] * 20)]  # 19 : 20 is less than 1, but hardly
    assert not unbalanced(row, row.check({}), nearly)
    assert not unbalanced(row, row.check({"undesirable_weight": 2.0}), rare)
    assert not unbalanced(objective("bco"), objective("bco").check({}), rare)


def test_while_a_run_goes_on_each_thing_is_said_once_and_not_too_soon(capsys):
    live = LiveAdvice(DPO)
    rows = chosen(*[-1.0 - 0.05 * step for step in range(40)])
    for row in rows[:9]:
        live(row)
    assert capsys.readouterr().err == ""
    for row in rows[9:]:
        live(row)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("at step 10: the preferred answers themselves became less likely")


def test_a_step_that_a_resumed_run_logs_again_counts_once(capsys):
    live = LiveAdvice(DPO)
    for row in chosen(*[-1.0] * 9) + chosen(-1.0, -5.0):
        live(row)
    assert len(live.rows) == 9
    assert capsys.readouterr().err == ""
