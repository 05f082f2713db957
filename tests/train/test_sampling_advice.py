"""What the curves of a run that samples make the command line say."""

from __future__ import annotations

import pytest

from suffrage.train.advice import advice
from suffrage.train.rl.advice import CHECKS

STEPS = 20
WELL = {"kl": (0.0, 3.0), "reward": (0.1, 0.8), "length": (40, 44), "entropy": (2.0, 1.5)}


def curves(**figures: tuple[float, float]) -> list[dict[str, float]]:
    """Rows in which each figure goes straight from its first value to its last."""
    return [
        {"step": step + 1, "ratio": 1.0}
        | {
            name.replace("eval_", "eval/").replace("watched_", "watched/"): first
            + (last - first) * step / (STEPS - 1)
            for name, (first, last) in {**WELL, **figures}.items()
        }
        for step in range(STEPS)
    ]


def test_a_run_that_went_well_is_left_alone():
    assert advice(CHECKS, curves(eval_reward=(0.1, 0.7), unfinished=(0.4, 0.1))) == ()
    assert advice(CHECKS, []) == ()


@pytest.mark.parametrize(
    ("figures", "said", "remedy"),
    [
        ({"kl": (0.5, -0.6)}, "measured as -0.57 nats", "--batch-size"),
        ({"length": (40, 90)}, "went from 41 to 89 tokens", "--length-penalty"),
        ({"length": (40, 10)}, "went from 39 to 11 tokens", "samples.jsonl"),
        ({"entropy": (2.0, 0.05)}, "(entropy 1.95 -> 0.10 nats a token)", "--kl-coef"),
        ({"unfinished": (0.0, 1.0)}, "97% of the answers are cut", "--max-new-tokens"),
    ],
    ids=["negative KL", "longer", "shorter", "collapse", "cut"],
)
def test_what_goes_wrong_is_told_with_a_remedy(figures, said, remedy):
    (found,) = advice(CHECKS, curves(**figures))
    assert said in found
    assert remedy in found


def test_a_length_that_follows_no_reward_is_left_alone():
    assert advice(CHECKS, curves(length=(40, 90), reward=(0.8, 0.8))) == ()


def test_a_held_out_reward_that_turns_while_training_goes_on_rising_names_its_best_step():
    rows = curves()
    for row, held_out in zip(rows[4::5], (0.2, 0.6, 0.5, 0.45), strict=True):
        row["eval/reward"] = held_out
    (found,) = advice(CHECKS, rows)
    assert "fell from 0.600 at step 10 to 0.450" in found
    assert "--patience 1" in found
    rows[-1]["eval/reward"] = 0.57  # within a tenth of the rise
    assert advice(CHECKS, rows) == ()


def test_a_watched_reward_that_falls_while_the_other_rises_is_named():
    fell = curves(watched_judge=(7.0, 4.0))
    (found,) = advice(CHECKS, fell)
    assert "judge, which is only watched, fell from 6.921 to 4.079" in found
    assert advice(CHECKS, curves(watched_judge=(4.0, 7.0))) == ()
    assert advice(CHECKS, curves(watched_judge=(7.0, 4.0), reward=(0.8, 0.1))) == ()
    noisy = curves()
    for row, judged in zip(noisy, [5.0, 3.0, 4.5, 3.5] * 5, strict=True):
        row["watched/judge"] = judged  # first two 4, last two 4
    noisy[-1]["watched/judge"] = 2.5  # a fall of .5 that chance can make
    assert advice(CHECKS, noisy) == ()


def test_a_first_ratio_that_is_not_one_is_told_with_its_step():
    rows = curves()
    rows[2]["ratio"] = 1.2
    (found,) = advice(CHECKS, rows)
    assert "of step 3" in found
    assert "--precision fp32" in found
