"""Answers of the embedded world for people to judge, before there is any model."""

from __future__ import annotations

from random import Random

from suffrage.core.records import Completion, Group, short_id
from suffrage.worlds.adaptation.content import STANCES
from suffrage.worlds.adaptation.world import World

MOST = 20  # attempts at an answer that is not there yet


def groups_to_judge(world: World, prompts: int, answers: int, seed: int) -> list[Group]:
    """`prompts` questions, each with different answers of all stances, some better than others."""
    rng = Random(f"{world.lang}/to judge/{seed}")
    found = []
    for prompt in world.prompts(prompts, seed):
        question = world.questions.find(prompt.text)
        texts: dict[str, None] = {}
        for number in range(answers * MOST):
            stance = STANCES[number % len(STANCES)]
            aspects = [question.aspect] * (2 if stance == "balanced" else rng.choice((1, 2)))
            closing = rng.random() < 0.8
            texts[world.grammar.compose(rng, stance, question.work, aspects, closing)] = None
            if len(texts) == answers:
                break
        order = rng.sample(list(texts), len(texts))
        completions = tuple(
            Completion(id=short_id(prompt.id, text), prompt_id=prompt.id, text=text, source="world")
            for text in order
        )
        found.append(Group(prompt=prompt, completions=completions))
    return found
