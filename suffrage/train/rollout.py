"""One PPO rollout: sampled completions with everything the updates need to know of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from suffrage.core.errors import NumericalError
from suffrage.core.records import Prompt
from suffrage.data.encode import Branch, Encoder, Tree
from suffrage.data.forest import Layout, pack, split
from suffrage.models.forward import token_logps
from suffrage.models.language_model import LanguageModel
from suffrage.models.sample import Sample, Sampling, sample
from suffrage.models.scalar_head import ScalarModel, values
from suffrage.objectives.ppo import PPOOptions, gae, kl_rewards, whiten
from suffrage.train.optimiser import Metrics
from suffrage.train.reward import RewardFunction


@dataclass(frozen=True)
class Task:
    """A prompt to answer: the record and its tokens."""

    prompt: Prompt
    tokens: list[int]


@dataclass(frozen=True)
class Rollout:
    """B completions of the sampled trees, padded to (B, T); mask_BT is 1 on real tokens."""

    trees: list[Tree]
    mask_BT: Tensor
    logps_BT: Tensor
    values_BT: Tensor
    advantages_BT: Tensor
    returns_BT: Tensor
    metrics: Metrics

    def rows(self, trees: Sequence[int]) -> Tensor:
        """The completions of these trees, in order."""
        starts = [0]
        for tree in self.trees:
            starts.append(starts[-1] + len(tree.branches))
        return torch.tensor([r for t in trees for r in range(starts[t], starts[t + 1])])


@dataclass(frozen=True)
class Roller:
    """Draws rollouts: policy and critic as they are now, reference and reward as they were."""

    policy: LanguageModel
    critic: ScalarModel
    reference: LanguageModel
    reward: RewardFunction
    encoder: Encoder
    options: PPOOptions
    budget: int

    def __call__(self, tasks: Sequence[Task], seed: int, keys: Sequence[int]) -> Rollout:
        sampled = self.sample(tasks, seed, keys)
        score_B = self.score(tasks, sampled)
        trees = [
            Tree(task.tokens, tuple(Branch(s.tokens) for s in own))
            for task, own in zip(tasks, sampled, strict=True)
        ]
        flat = [s for own in sampled for s in own]
        mask_BT = _mask([len(s.tokens) for s in flat])
        logps_BT = self._per_token(trees, mask_BT, self._logps(self.policy))
        reference_BT = self._per_token(trees, mask_BT, self._logps(self.reference))
        values_BT = self._per_token(trees, mask_BT, self._values)
        rewards_BT = kl_rewards(
            logps_BT, reference_BT, score_B, mask_BT, kl_coef=self.options.kl_coef
        )
        advantages_BT, returns_BT = gae(
            rewards_BT, values_BT, mask_BT, gamma=self.options.gamma, lam=self.options.lam
        )
        metrics = {
            "reward": float(score_B.mean()),
            "kl": float(((logps_BT - reference_BT) * mask_BT).sum(1).mean()),
            "entropy": float(-(logps_BT * mask_BT).sum() / mask_BT.sum()),
            "explained_variance": _explained(values_BT, returns_BT, mask_BT),
            **_lengths(flat),
        }
        return Rollout(
            trees, mask_BT, logps_BT, values_BT, whiten(advantages_BT, mask_BT), returns_BT, metrics
        )

    def sample(self, tasks: Sequence[Task], seed: int, keys: Sequence[int]) -> list[list[Sample]]:
        sampling = Sampling(
            max_new_tokens=self.options.max_new_tokens,
            temperature=self.options.temperature,
            seed=seed,
            batch_size=256,
        )
        prompts = [task.tokens for task in tasks]
        return sample(self.policy, prompts, self.options.samples, sampling, keys)

    def score(self, tasks: Sequence[Task], sampled: Sequence[Sequence[Sample]]) -> Tensor:
        """(B,) rewards on the CPU, less the penalty where the end token is missing."""
        texts = [
            [self.encoder.text(task.prompt, task.tokens, s.tokens) for s in own]
            for task, own in zip(tasks, sampled, strict=True)
        ]
        score_B = self.reward([task.prompt for task in tasks], texts)
        if not bool(torch.isfinite(score_B).all()):
            raise NumericalError("the reward of a completion is not a finite number")
        unfinished_B = torch.tensor([not s.finished for own in sampled for s in own])
        return score_B - self.options.missing_end_penalty * unfinished_B.float()

    def _logps(self, bundle: LanguageModel) -> Callable[..., Tensor]:
        temperature = self.options.temperature
        return lambda forest: token_logps(bundle.model, forest, temperature=temperature)

    def _values(self, forest: object) -> Tensor:
        return values(self.critic, forest)  # type: ignore[arg-type]

    def _per_token(
        self, trees: list[Tree], mask_BT: Tensor, function: Callable[..., Tensor]
    ) -> Tensor:
        """(B, T) on the CPU: a figure a token, without gradients; 0 in the padding."""
        layout: Layout = self.policy.layout
        parts = []
        with torch.no_grad():
            for indices in split(trees, self.budget):
                forest = pack([trees[i] for i in indices], layout).to(self.policy.device)
                parts.append(function(forest).cpu())
        return torch.zeros_like(mask_BT).masked_scatter(mask_BT.bool(), torch.cat(parts))


def _mask(lengths: Sequence[int]) -> Tensor:
    length_B1 = torch.tensor(lengths)[:, None]
    return (torch.arange(max(lengths))[None] < length_B1).float()


def _explained(values_BT: Tensor, returns_BT: Tensor, mask_BT: Tensor) -> float:
    """1 - Var(R - V) / Var(R): 1 is a perfect critic, 0 no better than a constant."""
    real = mask_BT.bool()
    returns, errors = returns_BT[real], (returns_BT - values_BT)[real]
    variance = float(returns.var(correction=0))
    return 1 - float(errors.var(correction=0)) / variance if variance else 0.0


def _lengths(flat: Sequence[Sample]) -> Metrics:
    return {
        "length": sum(len(s.tokens) for s in flat) / len(flat),
        "unfinished": sum(not s.finished for s in flat) / len(flat),
    }
