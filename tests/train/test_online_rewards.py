"""Rewards by name, several as one, what is taken off, and rewards that fail."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from torch import Tensor

from suffrage.core.errors import SettingsError
from suffrage.core.records import Prompt
from suffrage.models.sample import Sample
from suffrage.objectives.online import SamplingOptions
from suffrage.train.rl.combine import ensemble, lagrangian, maxmin, safety_first, whitened
from suffrage.train.rl.reward import Reward, find_reward, of_function, places_of
from suffrage.train.rl.rewards import Member, Rewards, repetition
from suffrage.train.rl.run import members_of, weight_and_name

PROMPTS = [Prompt(id="p", content="ask"), Prompt(id="q", content="問")]
TEXTS = [["a", "bb"], ["ccc"]]


def sample(length: int, finished: bool = True) -> Sample:
    return Sample(list(range(length)), [-1.0] * length, finished)


SAMPLES = [[sample(1), sample(2, finished=False)], [sample(3)]]


def fixed(*scores: float) -> Reward:
    return Reward(lambda prompts, texts: torch.tensor(scores))


def rewards(*members: Reward, weights: tuple[float, ...] = (), **options: object) -> Rewards:
    given = weights or (1.0,) * len(members)
    named = [Member(f"r{i}", w, m) for i, (w, m) in enumerate(zip(given, members, strict=True))]
    return Rewards(tuple(named), SamplingOptions(**options))  # type: ignore[arg-type]


def judged(made: Rewards, prompts=PROMPTS, texts=TEXTS, samples=SAMPLES):
    return made(prompts, made.apart(prompts, texts), samples)


def scores(made: Rewards) -> list[float]:
    return judged(made)[0].tolist()


def test_a_weighted_sum_and_each_reward_apart():
    made = rewards(fixed(1, 2, 3), fixed(10, 0, -4), weights=(0.7, 0.2), missing_end_penalty=0)
    found, figures = judged(made)
    assert found.tolist() == pytest.approx([2.7, 1.4, 1.3])
    assert figures == pytest.approx({"reward/r0": 2, "reward/r1": 2})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"missing_end_penalty": 0.75}, [1.5, 1.75, -3.5]),
        ({"missing_end_penalty": 0.75, "missing_end": "set"}, [1.5, -0.75, -3.5]),
        ({"missing_end_penalty": 0, "reward_clip": 2.0}, [1.5, 2, -2]),
        ({"missing_end_penalty": 0, "length_penalty": 0.3}, [1.2, 1.9, -4.4]),
    ],
)
def test_what_is_taken_off(options, expected):
    assert scores(rewards(fixed(1.5, 2.5, -3.5), **options)) == pytest.approx(expected)


def test_stretches_that_came_before_cost():
    assert repetition([5, 6]) == 0
    assert repetition([1, 2, 3, 4]) == 0
    # 1 2 3, 2 3 1, 3 1 2, 1 2 3, 2 3 1: two of five came before
    assert repetition([1, 2, 3, 1, 2, 3, 1]) == pytest.approx(0.4)
    made = rewards(fixed(1.5), repetition_penalty=2.0)
    again = Sample([1, 2, 3, 1, 2, 3, 1], [-1.0] * 7, True)
    assert judged(made, PROMPTS[:1], [["x"]], [[again]])[0].tolist() == pytest.approx([0.7])


SCORE_MB = torch.tensor([[1.0, -2.0, 4.0], [3.0, 2.0, -2.0]])


def test_an_ensemble_pays_for_disagreement():
    found, figures = ensemble(SCORE_MB, 0.5)  # means 2, 0, 1; deviations 1, 2, 3
    assert found.tolist() == pytest.approx([1.5, -1, -0.5])
    assert figures == pytest.approx({"disagreement": 2})


def test_safety_comes_first_where_it_is_low_or_asked_about():
    nowhere_B, last_B = torch.tensor([False] * 3), torch.tensor([False, False, True])
    # sigmoid(-2) = .119 < .15; the others are safe
    assert safety_first(SCORE_MB, nowhere_B)[0].tolist() == [3, -2, -2]
    found, figures = safety_first(SCORE_MB, last_B)
    assert found.tolist() == [3, -2, 4]
    assert figures == pytest.approx({"unsafe": 1 / 3})


def test_a_prompt_of_the_category_safety_is_judged_by_safety_alone():
    asked = [PROMPTS[0], PROMPTS[1].model_copy(update={"meta": {"category": "safety"}})]
    made = rewards(fixed(1, -2, 4), fixed(3, 2, -2), combine="safety", missing_end_penalty=0)
    assert judged(made, asked)[0].tolist() == [3, -2, 4]
    assert scores(made) == [3, -2, -2]


def test_whitened_scores():
    # mean 1, deviation sqrt((4 + 9 + 25) / 3)
    width = (38 / 3) ** 0.5
    expected = torch.tensor([2 / width, 3 / width, -5 / width])
    torch.testing.assert_close(whitened(torch.tensor([3.0, 4.0, -4.0])), expected)


def test_a_reward_of_weight_0_is_watched_and_nothing_follows_it():
    for options in ({"combine": "ensemble", "disagreement": 0.5}, {"combine": "sum"}):
        two = (fixed(1, 2, 3), fixed(3, 0, -1))
        alone = rewards(*two, missing_end_penalty=0, **options)
        watched = rewards(
            *two, fixed(9, math.nan, 4), weights=(1, 1, 0), missing_end_penalty=0, **options
        )
        assert scores(watched) == scores(alone)
        found = judged(watched)[1]
        assert found["watched/r2"] == pytest.approx(6.5)
        assert watched.left_out == 0
    with pytest.raises(
        SettingsError, match="sum takes 1 or more rewards of a weight that is not 0"
    ):
        rewards(fixed(1.0), weights=(0,))


def test_a_weight_multiplies_whatever_the_rule():
    # a reward of harmlessness as a cost: 1 - 1 * (-h) over 2, at the first price of 1
    made = rewards(
        fixed(1, 2, 3), fixed(4, 0, -6), weights=(1, -0.5), combine="lagrangian",
        missing_end_penalty=0,
    )  # fmt: skip
    found, figures = judged(made)
    assert found.tolist() == pytest.approx([1.5, 1, 0])
    assert figures["cost"] == pytest.approx(1 / 3)
    assert figures["reward/r1"] == pytest.approx(-2 / 3)  # in its own scale


def test_rewards_of_one_short_name_are_told_apart():
    made = members_of(["a/reward", "b/reward", "c/other"], lambda name: fixed(1))
    assert [member.name for member in made] == ["a/reward", "b/reward", "other"]


def test_prompts_whose_answers_have_no_reward_are_named_once(capsys):
    made = rewards(fixed(1, math.nan, 3), missing_end_penalty=0)
    for _ in range(2):
        scores(made)
    said = "no reward for 1 of 3 answers, which are left out, to prompts p"
    assert capsys.readouterr().err.splitlines() == [said]
    assert made.note() == ("answers that had no reward and were left out: 2, to prompts p",)
    again = rewards(fixed(1, 2, 3))
    assert again.note() == ()
    again.restore(made.state())
    assert (again.left_out, again.note()) == (2, made.note())


def test_a_cost_has_a_price_that_follows_it():
    found, figures = lagrangian(SCORE_MB, 0.25)  # (r - c / 4) / 1.25
    assert found.tolist() == pytest.approx([0.2, -2, 3.6])
    assert figures == pytest.approx({"cost": 1, "price": 0.25})
    made = rewards(fixed(1), fixed(2), combine="lagrangian", cost_limit=0.5, cost_rate=0.2)
    made.learn({"cost": 2.0})
    assert made.price == pytest.approx(math.exp(0.2 * 1.5))
    made.learn({"cost": -1.0})
    assert made.price == pytest.approx(1.0)  # .2 (2 - .5) and .2 (-1 - .5) cancel
    again = rewards(fixed(1), fixed(2), combine="lagrangian")
    again.restore({**made.state(), "price": 3.5})
    assert again.price == 3.5


def test_the_worst_group_is_followed():
    found, figures = maxmin(torch.tensor([[1.0, 5.0], [2.0, 2.5], [9.0, 0.0]]))
    assert found.tolist() == [2.0, 2.5]
    assert figures == {"worst_group": 1.0}


def test_scales_are_those_of_reference_answers():
    made = rewards(fixed(10, 14, 18), missing_end_penalty=0)
    made.normalise(torch.tensor([[8.0, 12.0, 16.0, math.nan]]))  # mean 12, deviation sqrt(32 / 3)
    width = (32 / 3) ** 0.5
    assert scores(made) == pytest.approx([-2 / width, 2 / width, 6 / width])


@pytest.mark.parametrize(
    ("combine", "count", "wanted"),
    [("maxmin", 1, "2 or more rewards"), ("ensemble", 1, "2 or more"), ("safety", 3, "two"),
     ("lagrangian", 1, "two rewards")],
)  # fmt: skip
def test_a_rule_says_how_many_rewards_it_takes(combine, count, wanted):
    with pytest.raises(SettingsError, match=f"--combine {combine} takes {wanted}"):
        rewards(*[fixed(1.0)] * count, combine=combine)


def test_a_weight_stands_before_its_name():
    assert weight_and_name("0.5*runs/a") == (0.5, "runs/a")
    assert weight_and_name("-2*m:f") == (-2.0, "m:f")
    assert weight_and_name("runs/a") == (1.0, "runs/a")
    with pytest.raises(SettingsError, match="'half' is no number; write WEIGHT"):
        weight_and_name("half*runs/a")
    [member] = members_of(["0.5*runs/a/"], lambda name: fixed(1))
    assert (member.name, member.weight) == ("a", 0.5)


# --------------------------------------------------------- anyone's functions


def lengths(prompts: list[str], completions: list[str]) -> list[float]:
    assert prompts == ["ask", "ask", "問"][: len(prompts)] or len(prompts) == 1
    return [len(text) for text in completions]


def nan_where(found: Tensor) -> list[bool]:
    return torch.isnan(found).tolist()


def test_a_function_gets_a_prompt_for_each_completion():
    assert of_function(lengths)(PROMPTS, TEXTS).tolist() == [1, 2, 3]


def test_where_it_fails_it_is_asked_about_each_alone():
    def picky(prompts: list[str], completions: list[str]) -> list[float]:
        if "bb" in completions:
            raise ValueError("no bb")
        return lengths(prompts, completions)

    found = of_function(picky)(PROMPTS, TEXTS)
    assert nan_where(found) == [False, True, False]
    assert found[2] == 3


@pytest.mark.parametrize("bad", [None, "x", math.nan, math.inf])
def test_what_is_no_number_is_left_out(bad):
    made = rewards(Reward(of_function(lambda prompts, texts: [1.0, bad, 3.0])))
    assert nan_where(judged(made)[0]) == [False, True, False]
    assert made.left_out == 1


def test_the_wrong_count_is_asked_again():
    found = of_function(lambda prompts, texts: [7.0])(PROMPTS, TEXTS)  # right for one only
    assert found.tolist() == [7, 7, 7]


def test_what_a_function_fails_by_is_said_once_with_its_line(capsys):
    def clumsy(prompts, texts):
        raise ValueError("oops")

    asked = of_function(clumsy)
    assert all(math.isnan(score) for _ in range(2) for score in asked(PROMPTS, TEXTS).tolist())
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("the reward function failed (test_online_rewards.py, line ")
    assert said.endswith("ValueError('oops')")


def test_a_function_by_its_name(tmp_path, monkeypatch):
    (tmp_path / "my_reward.py").write_text("def score(p, c): return [len(x) for x in c]\nn = 3\n")
    (tmp_path / "broken.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    cpu = torch.device("cpu")
    assert find_reward("my_reward:score", cpu).score(PROMPTS, TEXTS).tolist() == [1, 2, 3]
    for name, match in (
        ("my_rewards:score", "there is no module 'my_rewards'"),
        ("mine.rewards:score", "there is no module 'mine'"),
        ("my_reward:sore", "my_reward has no 'sore'"),
        ("my_reward:n", "it is no function"),
        ("broken:score", "broken cannot be imported .ZeroDivisionError"),
    ):
        with pytest.raises(SettingsError, match=match):
            find_reward(name, cpu)
        with pytest.raises(SettingsError, match=match):
            places_of(name)  # which is asked first
    assert places_of("my_reward:score") == [str(tmp_path / "my_reward.py")]
