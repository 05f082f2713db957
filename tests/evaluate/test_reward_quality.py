"""Accuracy and calibration of a reward model, by hand and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from suffrage.core.errors import DataError, NumericalError
from suffrage.evaluate.rewards import reward_quality


def test_accuracy_counts_ties_half_on_either_side() -> None:
    pairs = [
        ("p", 2.0, 1.0),  # right
        ("p", -0.3, 0.0),  # right
        ("p", -0.3, 0.8),  # wrong
        ("q", 0.0, 1.0),  # the model has no opinion
        ("q", 1.0, 0.5),  # nor have the raters
    ]
    result = reward_quality("RM", "votes", pairs)
    assert result.accuracy.value == pytest.approx(3 / 5)
    assert result.accuracy.n == 2
    assert (result.model, result.against) == ("RM", "votes")


def test_all_right_keeps_an_honest_interval() -> None:
    accuracy = reward_quality("RM", "truth", [(f"p{n}", 1.5, 1.0) for n in range(6)]).accuracy
    assert (accuracy.value, accuracy.high) == (1, 1)
    assert accuracy.low == pytest.approx(6 / (6 + 1.959964**2), abs=1e-6)
    assert accuracy.note


def test_one_bin_by_hand() -> None:
    # Turned to the model's side: differences ln 3, ln 3, 0 say .75, .75, .5; true 1, .2, .5
    pairs = [("p", math.log(3), 1.0), ("q", -math.log(3), 0.8), ("r", 0.0, 1.0)]
    (one,) = reward_quality("RM", "votes", pairs).calibration
    assert one.predicted == pytest.approx((0.75 + 0.75 + 0.5) / 3)
    assert one.observed.value == pytest.approx((1 + 0.2 + 0.5) / 3)


def test_calibration_against_votes_leaves_accuracy_to_the_truth() -> None:
    # The truth is sure of the order; of the votes three quarters and two thirds went that way
    truth = [("p", math.log(3), 1.0), ("q", -math.log(2), 0.0)]
    votes = [("p", math.log(3), 0.75), ("q", -math.log(2), 1 / 3)]
    result = reward_quality("RM", "truth", truth, votes=("new votes", votes))
    (one,) = result.calibration
    assert result.accuracy.value == 1
    assert one.predicted == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert one.observed.value == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert (result.against, result.calibrated_against) == ("truth", "new votes")
    plain = reward_quality("RM", "truth", truth)
    assert plain.calibration[0].observed.value == 1
    assert plain.calibrated_against == ""


def simulated(prompts: int, stretch: float) -> list[tuple[str, float, float]]:
    rng = np.random.default_rng(8)
    true = rng.normal(0, 1.5, prompts * 4)
    won = rng.random(len(true)) < 1 / (1 + np.exp(-true))
    return [
        (f"p{number // 4}", stretch * float(difference), float(outcome))
        for number, (difference, outcome) in enumerate(zip(true, won, strict=True))
    ]


def test_a_calibrated_model_lies_in_its_intervals() -> None:
    bins = reward_quality("RM", "truth", simulated(500, stretch=1)).calibration
    assert len(bins) == 8
    assert [one.predicted for one in bins] == sorted(one.predicted for one in bins)
    inside = 0
    for one in bins:
        assert one.observed.low is not None
        assert one.observed.high is not None
        inside += one.observed.low <= one.predicted <= one.observed.high
    assert inside >= 7


def test_an_overconfident_model_is_found_out() -> None:
    bins = reward_quality("RM", "truth", simulated(500, stretch=3)).calibration
    assert all(one.observed.value < one.predicted for one in bins[1:])  # type: ignore[operator]


def test_which_completion_is_written_first_does_not_matter() -> None:
    pairs = simulated(40, stretch=1)
    turned = [(name, -gap, 1 - outcome) for name, gap, outcome in pairs]
    winners_first = [turned[n] if one[2] == 0 else one for n, one in enumerate(pairs)]
    expected = reward_quality("RM", "truth", pairs)
    assert reward_quality("RM", "truth", turned) == expected
    assert reward_quality("RM", "truth", winners_first) == expected


def test_bad_input_is_refused() -> None:
    with pytest.raises(DataError, match="hold some judged prompts out"):
        reward_quality("RM", "votes", [])
    with pytest.raises(DataError, match="hold some judged prompts out"):
        reward_quality("RM", "truth", [("p", 1.0, 1.0)], votes=("votes", []))
    with pytest.raises(NumericalError, match="RM gave a score"):
        reward_quality("RM", "votes", [("p", math.nan, 1.0)])
    with pytest.raises(ValueError, match="probability"):
        reward_quality("RM", "votes", [("p", 1.0, 1.5)])
