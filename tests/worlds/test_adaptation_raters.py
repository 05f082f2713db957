"""The world's raters: who they are, and that their votes carry the truth but never reveal it."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

from suffrage.core.records import Completion, Group
from suffrage.label.simulate import simulate_rankings
from suffrage.worlds.adaptation import World, divided, load_world, panel, rater_utility


def labelled(world: World, n: int) -> list[Group]:
    """Prompts with four answers each: support, oppose, balanced, and one cut off."""
    groups = []
    for prompt in world.prompts(n, seed=0):
        asked, rng = world.questions.find(prompt.text), Random(prompt.id)
        texts = [
            world.grammar.compose(rng, stance, asked.work, [asked.aspect] * 2)
            for stance in ("support", "oppose", "balanced")
        ]
        texts.append(texts[0][:-3])
        answers = [
            Completion(id=f"{prompt.id}-{i}", prompt_id=prompt.id, text=text)
            for i, text in enumerate(texts)
        ]
        groups.append(Group(prompt=prompt, completions=tuple(answers)))
    return groups


def test_panel_and_camps() -> None:
    raters = panel()
    assert Counter(rater.behaviour for rater in raters) == {
        "good": 8,
        "careless": 1,
        "reversed": 1,
        "side": 1,
    }
    assert len({rater.name for rater in raters}) == 11
    camps = divided()
    assert Counter(rater.camp for rater in camps) == {"supporters": 7, "opponents": 4}
    assert {rater.behaviour for rater in camps} == {"good"}


def test_good_raters_follow_their_camp() -> None:
    world = load_world("zh")
    groups = labelled(world, 120)
    camp = {rater.name: rater.camp for rater in divided()}
    firsts: dict[str, Counter[str]] = {"supporters": Counter(), "opponents": Counter()}
    for vote in simulate_rankings(groups, divided(), rater_utility(world), 5, seed=0):
        assert isinstance(vote.value, tuple)
        firsts[camp[vote.rater]][vote.value[0][0].rsplit("-", 1)[1]] += 1
    # a lead of 2 at noise .6 wins a pair with probability 1 / (1 + exp(-2 / .6)) = .966
    assert firsts["supporters"]["0"] > 0.9 * firsts["supporters"].total()
    assert firsts["opponents"]["1"] > 0.9 * firsts["opponents"].total()


def test_votes_do_not_reveal_the_truth() -> None:
    world = load_world("en")
    votes = simulate_rankings(labelled(world, 30), panel(), rater_utility(world), 5, seed=0)
    text = json.dumps([{**vote.to_json(), "prompt_id": ""} for vote in votes])
    for secret in ("good", "careless", "reversed", "side", "camp", "supporters", "noise"):
        assert secret not in text
