"""The reward that a policy is trained against, whoever made it: a function of texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from suffrage.core.records import Completion, Group, Prompt
from suffrage.models.classifier import load_classifier
from suffrage.models.reward_name import reward_name
from suffrage.models.scalar_head import ScalarModel, load_reward, score_trees

# (B,) rewards on the CPU: those of the first prompt's texts first
RewardFunction = Callable[[Sequence[Prompt], Sequence[Sequence[str]]], Tensor]


@dataclass(frozen=True)
class Reward:
    """score: the reward of texts. model: what a critic can start from, if there is such a thing."""

    score: RewardFunction
    model: ScalarModel | None = None


def find_reward(name: str, device: torch.device) -> Reward:
    """A reward model of Suffrage by its run or folder, or `hf:MODEL#label`, any classifier."""
    parts = reward_name(name)
    if parts.foreign:
        return Reward(load_classifier(parts, device).scores)
    scalar = load_reward(name, device)
    return Reward(reward_model(scalar), scalar)


def reward_model(scalar: ScalarModel) -> RewardFunction:
    """A trained reward model as a function of texts; the policy's tokenizer may be another."""
    encoder = scalar.base.encoder(overlong="cut")

    def reward(prompts: Sequence[Prompt], texts: Sequence[Sequence[str]]) -> Tensor:
        groups = [as_group(prompt, own) for prompt, own in zip(prompts, texts, strict=True)]
        trees = [tree for group in groups if (tree := encoder.tree(group)) is not None]
        return score_trees(scalar, trees)

    return reward


def as_group(prompt: Prompt, texts: Sequence[str]) -> Group:
    """A prompt with bare texts as its completions."""
    completions = tuple(
        Completion(id=str(i), prompt_id=prompt.id, text=text) for i, text in enumerate(texts)
    )
    return Group(prompt=prompt, completions=completions)
