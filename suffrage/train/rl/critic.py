"""The critic: what the policy's answer will come to, token by token."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from suffrage.data.forest import Forest
from suffrage.models.adapters import AdapterSettings, add
from suffrage.models.language_model import LanguageModel
from suffrage.models.scalar_head import ScalarModel, from_language_model, values


class Critic(Protocol):
    """module: what is trained. values: (N,), of the state before each scored token."""

    @property
    def module(self) -> nn.Module: ...

    def values(self, forest: Forest, hidden: Tensor) -> Tensor:
        """`hidden`: the policy's states of the forest, for a critic that reads these."""
        ...


@dataclass(frozen=True)
class OwnCritic:
    """A critic with a backbone of its own."""

    scalar: ScalarModel

    @property
    def module(self) -> nn.Module:
        return self.scalar.model

    def values(self, forest: Forest, hidden: Tensor) -> Tensor:
        return values(self.scalar, forest)


@dataclass(frozen=True)
class TrunkCritic:
    """A linear head on the policy's own states: one forward, and one backward, for both."""

    head: nn.Linear

    @property
    def module(self) -> nn.Module:
        return self.head

    def values(self, forest: Forest, hidden: Tensor) -> Tensor:
        read: Tensor = self.head(hidden[forest.predictor_N].to(self.head.weight.dtype))
        return read.squeeze(1)


def trunk_critic(policy: LanguageModel, seed: int) -> TrunkCritic:
    """A new head, N(0, 1 / (D + 1)) (2009.01325, section 3)."""
    width: int = policy.model.get_output_embeddings().weight.shape[1]
    head = nn.Linear(width, 1)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        head.weight.copy_(torch.randn(head.weight.shape, generator=generator) / (width + 1) ** 0.5)
        head.bias.zero_()
    return TrunkCritic(head.to(policy.device))


def own_critic(
    policy: LanguageModel,
    reward: ScalarModel | None,
    seed: int,
    adapter: AdapterSettings = AdapterSettings(),  # noqa: B008  # frozen
) -> OwnCritic:
    """A copy of the reward model where there is one and it reads the policy's tokens, else a new
    head on the policy's backbone.

    With an adapter, whatever its kind, the critic is LoRA of the same rank on the weights that it
    starts from: no copy of these is made.
    """
    same = reward is not None and _same_tokens(policy, reward.base)
    start = reward if reward is not None and same else from_language_model(policy, seed)
    if adapter.kind != "none":
        lora = replace(adapter, kind="lora", target_modules=())
        return OwnCritic(ScalarModel(add(start.base, lora, seed)))
    critic = start.copy() if same else start
    critic.model.requires_grad_(True)
    return OwnCritic(critic)


def _same_tokens(policy: LanguageModel, reward: LanguageModel) -> bool:
    ours, theirs = policy.model.config, reward.model.config
    same = ours.model_type == theirs.model_type and ours.vocab_size == theirs.vocab_size
    return bool(same) and policy.tokenizer.get_vocab() == reward.tokenizer.get_vocab()
