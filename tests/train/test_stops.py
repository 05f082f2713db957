"""Why a run that samples ended, told from its figures."""

from __future__ import annotations

import pytest

from suffrage.train.rl.stops import why_ended
from suffrage.train.settings import TrainSettings

ROWS = [{"step": step, "eval/reward": 0.25} for step in (3, 4)]


def settings(**given: object) -> TrainSettings:
    return TrainSettings(method="rloo", model="m", data="d", **given)


@pytest.mark.parametrize(
    ("given", "steps", "wanted", "cause"),
    [
        ({"patience": 1}, 9, 9, "the held-out reward has not risen for an evaluation"),
        ({"patience": 2}, 9, 9, "the held-out reward has not risen for 2 evaluations"),
        ({"patience": 2}, 4, 4, "all 4 steps are done"),
        ({}, 4, 9, "the most steps, 4, are done; --max-steps allows more"),
        ({"patience": 1, "stop_reward": 0.2}, 9, 9,
         "the reward reached 0.25, and --stop-reward is 0.2"),
    ],
)  # fmt: skip
def test_the_cause_of_the_end_is_the_one_that_came_true(given, steps, wanted, cause):
    assert why_ended(ROWS, settings(**given), steps, wanted) == cause
