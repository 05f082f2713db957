"""Sample sizes against textbook values and simulated studies."""

from __future__ import annotations

import numpy as np
import pytest

from suffrage.core.errors import SettingsError
from suffrage.stats.power import (
    design_effect,
    power_of_win_rate,
    prompts_for_width,
    prompts_for_win_rate,
)


def test_five_points_either_way_need_385_prompts() -> None:
    assert prompts_for_width(0.05) == 385  # 1.96^2 / 4 / .05^2 = 384.1
    assert prompts_for_width(0.03) == 1068
    assert prompts_for_width(0.05, 0.2) == 246


def test_judgments_of_one_prompt_count_as_fewer_than_they_are() -> None:
    assert design_effect(5, 0.25) == 2
    # 384.1 judgments * 2 / 5 a prompt
    assert prompts_for_width(0.05, repeats=5, likeness=0.25) == 154
    assert prompts_for_width(0.05, repeats=5) == 385  # all alike: more raters do not help
    assert prompts_for_width(0.05, repeats=5, likeness=0) == 77


def test_a_textbook_sample_size() -> None:
    # One proportion, .6 against .5, 80 % power: (1.96 * .5 + .8416 * sqrt(.24))^2 / .01 = 193.8
    assert prompts_for_win_rate(0.6) == 194
    # With 30 % ties: variances .175 and .165: (1.96 * .41833 + .8416 * .40620)^2 / .01 = 134.9
    assert prompts_for_win_rate(0.6, ties=0.3) == 135
    assert prompts_for_win_rate(0.4) == 194


@pytest.mark.parametrize(("win_rate", "ties", "prompts"), [(0.6, 0.0, 194), (0.57, 0.25, 150)])
def test_power_is_what_simulated_studies_see(win_rate: float, ties: float, prompts: int) -> None:
    rng = np.random.default_rng(1)
    win = win_rate - ties / 2
    drawn = rng.choice([1.0, 0.5, 0.0], p=[win, ties, 1 - win - ties], size=(20_000, prompts))
    error = np.sqrt((1 - ties) / 4 / prompts)
    seen = (np.abs(drawn.mean(axis=1) - 0.5) > 1.959964 * error).mean()
    assert power_of_win_rate(win_rate, prompts, ties=ties) == pytest.approx(seen, abs=0.02)


def test_power_and_size_are_inverse() -> None:
    for rate, share in ((0.55, 0.8), (0.62, 0.9)):
        size = prompts_for_win_rate(rate, power=share, repeats=3, likeness=0.4)
        found = [power_of_win_rate(rate, n, repeats=3, likeness=0.4) for n in (size - 1, size)]
        assert found[0] < share <= found[1] + 1e-6


def test_without_a_difference_power_is_the_rate_of_false_alarms() -> None:
    assert power_of_win_rate(0.5, 200) == pytest.approx(0.05)
    assert power_of_win_rate(0.5, 200, level=0.9) == pytest.approx(0.1)


def test_impossible_wishes_are_refused() -> None:
    for wish in (
        lambda: prompts_for_width(0),
        lambda: prompts_for_width(0.1, 1),
        lambda: prompts_for_win_rate(0.5),
        lambda: prompts_for_win_rate(0.9, ties=0.5),
        lambda: design_effect(0.5, 0.1),
        lambda: design_effect(2, 1.1),
    ):
        with pytest.raises(SettingsError, match="give"):
            wish()
