"""The demo's reward model is held against the truth for its order, new votes for its chances."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from suffrage.core.records import Completion, Group, Prompt
from suffrage.demo import measure
from suffrage.demo.setting import Demo
from suffrage.worlds.adaptation import load_world
from suffrage.worlds.adaptation.raters import panel


def groups_of_two(lang: str, count: int) -> list[Group]:
    """Questions with an opposing answer and then a supporting one, the panel's favourite."""
    made = []
    for row in load_world(lang).training_rows()[:count]:
        name = str(row["id"])
        completions = tuple(
            Completion(id=f"{name}-{side}", prompt_id=name, text=row[side])
            for side in ("oppose", "support")
        )
        made.append(Group(prompt=Prompt(id=name, content=row["prompt"]), completions=completions))
    return made


def test_the_truth_is_certain_where_answers_differ_in_worth() -> None:
    world = load_world("en")
    (group,) = groups_of_two("en", 1)
    assert measure.true_shares(world, group) == {(1, 0): 1.0}
    twice = group.model_copy(update={"completions": (group.completions[1],) * 2})
    assert measure.true_shares(world, twice) == {}


def test_every_rater_of_the_panel_votes_anew_on_every_group() -> None:
    world, groups = load_world("zh"), groups_of_two("zh", 4)
    names = {rater.name for rater in panel()}
    voted = measure.new_votes(world, groups, seed=5)
    for group in voted:
        assert {vote.rater for vote in group.judgments} == names
        assert {vote.prompt_id for vote in group.judgments} == {group.prompt.id}
    others = measure.new_votes(world, groups, seed=6)
    assert [g.judgments for g in others] != [g.judgments for g in voted]


def test_probabilities_are_held_against_votes_and_the_order_against_the_truth(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Eight raters see the worth, one turns it round, one tosses a coin, one takes the first shown:
    # the panel gives the better answer about (8 + 0 + 1/2 + 1/2) / 11 = .818 of its votes
    groups = groups_of_two("zh", 40)
    margin = math.log(9 / 2)
    scores = {group.prompt.id: [-0.25, margin - 0.25] for group in groups}
    monkeypatch.setattr(measure, "_scores", lambda demo, groups: scores)
    result = measure.judge_reward(Demo(tmp_path, "zh", 3), groups)
    assert result.accuracy.value == 1
    assert (result.against, result.calibrated_against) == (measure.TRUTH, measure.VOTES)
    observed = [one.observed.value or 0.0 for one in result.calibration]
    assert [one.predicted for one in result.calibration] == pytest.approx([9 / 11] * 8)
    assert sum(observed) / len(observed) == pytest.approx(9 / 11, abs=0.05)


def test_a_prompt_without_scores_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    groups = groups_of_two("en", 12)
    scores = {group.prompt.id: [0.5, -0.75] for group in groups[3:]}
    monkeypatch.setattr(measure, "_scores", lambda demo, groups: scores)
    result = measure.judge_reward(Demo(tmp_path, "en", 0), groups)
    assert (result.accuracy.value, result.accuracy.n) == (0, 9)
