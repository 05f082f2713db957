"""What simulated raters say: each behaviour, each kind of judgment."""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from statistics import mean

import pytest

from suffrage.core.records import Completion, Group, Prompt
from suffrage.label.answers import answer
from suffrage.label.behaviours import SimulatedRater

WORTH = {"bad": 0.0, "fair": 2.75, "fine": 5.5}


def worth(group: Group, completion: Completion, rater: SimulatedRater) -> float:
    return WORTH.get(completion.text, 0.0)


def group_of(*texts: str) -> Group:
    made = tuple(Completion(id=f"c{i}", prompt_id="p", text=t) for i, t in enumerate(texts))
    return Group(prompt=Prompt(id="p", content="which?"), completions=made)


def said(kind, texts, behaviour="good", noise=0.01, done=0, rounds=1):
    group = group_of(*texts)
    rater = SimulatedRater(name="r", behaviour=behaviour, noise=noise)
    rng = Random(f"{kind}/{behaviour}")
    found = [answer(kind, group, group.completions, rater, worth, rng, done) for _ in range(rounds)]
    return [a.value for a in found] if rounds > 1 else found[0].value


@pytest.mark.parametrize(
    ("kind", "bad", "fair", "fine"),
    [("rating", 1, 4, 7), ("grade", "D", "B", "A"), ("thumb", "down", "up", "up")],
)
def test_one_completion_is_judged_by_its_worth_in_equal_steps(kind, bad, fair, fine):
    values = [said(kind, [text], noise=1e-9) for text in ("bad", "fair", "fine")]
    assert values == [bad, fair, fine]


def test_a_reversed_rater_turns_the_scale_round():
    assert [said("rating", [t], "reversed", noise=1e-9) for t in ("bad", "fine")] == [7, 1]


def test_a_careless_rater_uses_the_whole_scale_whatever_is_shown():
    counts = Counter(said("rating", ["fine"], "careless", rounds=7000))
    assert sorted(counts) == [1, 2, 3, 4, 5, 6, 7]
    assert all(abs(count - 1000) < 150 for count in counts.values())  # 5 standard errors


def test_one_who_loves_the_first_gives_the_highest_marks():
    assert set(said("rating", ["bad"], "side", rounds=50)) == {7}


def test_one_who_loves_length_takes_the_longer_and_rates_by_letters():
    # twice the letters are worth 2: odds exp(2) to 1
    chosen = Counter(said("pair", ["x" * 99, "x" * 199], "length", rounds=4000))
    assert chosen["b"] / 4000 == pytest.approx(1 / (1 + math.exp(-2)), abs=0.03)
    short, long = (mean(said("rating", ["x" * n], "length", rounds=300)) for n in (19, 639))
    assert short < 1.5
    assert long > 6.5


def test_one_who_tires_reads_half_as_well_after_every_twenty_votes():
    # noise 1, worth 2.75 apart: odds exp(2.75) fresh, exp(2.75 / 4) after 40 votes
    for done, gap in ((0, 2.75), (40, 2.75 / 4)):
        chosen = Counter(said("pair", ["fine", "fair"], "drifting", 1.0, done, 4000))
        assert chosen["a"] / 4000 == pytest.approx(1 / (1 + math.exp(-gap)), abs=0.03)
    fresh, tired = (said("rating", ["fair"], "drifting", 0.4, n, 2000) for n in (0, 60))
    assert len(set(fresh)) < len(set(tired))


def test_a_ranking_ties_what_is_the_same_text():
    assert said("ranking", ["fine", "bad", "fine"]) == (("c0", "c2"), ("c1",))


def test_the_first_shown_is_a():
    assert [said("pair", texts) for texts in (["fine", "bad"], ["bad", "fine"])] == ["a", "b"]
    assert said("pair", ["bad", "bad"]) == "tie"
