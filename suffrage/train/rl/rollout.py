"""One rollout: scored completions with everything the updates need to know of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from suffrage.data.encode import Tree
from suffrage.data.forest import Forest, pack, split
from suffrage.models.forward import hidden_states, token_logps
from suffrage.models.language_model import LanguageModel
from suffrage.models.processes import pieces
from suffrage.stats.intervals import clustered_mean
from suffrage.train.optimiser import Metrics
from suffrage.train.rl.critic import Critic
from suffrage.train.rl.sampler import Sampler, Scored
from suffrage.train.rl.tasks import Task

APART = ("reward/", "watched/")  # figures of one reward among several


@dataclass(frozen=True)
class Rollout:
    """B completions of the sampled trees, padded to (B, T); mask_BT is 1 on real tokens.

    values_BT: what the critic foresaw; 0 without one.
    """

    scored: Scored
    mask_BT: Tensor
    logps_BT: Tensor
    reference_BT: Tensor
    values_BT: Tensor

    @property
    def trees(self) -> list[Tree]:
        return self.scored.trees

    @property
    def metrics(self) -> Metrics:
        """Reward and lengths, distance to the reference, and how sure the policy is."""
        apart_BT = (self.logps_BT - self.reference_BT) * self.mask_BT
        entropy = float(-(self.logps_BT * self.mask_BT).sum() / self.mask_BT.sum())
        return {**self.scored.metrics, "kl": float(apart_BT.sum(1).mean()), "entropy": entropy}

    def rescored(self, change: Callable[[Tensor], Tensor]) -> Rollout:
        """The same answers with their scores changed; the figures stay those of the scores."""
        return replace(self, scored=replace(self.scored, score_B=change(self.scored.score_B)))

    def rows(self, trees: Sequence[int]) -> Tensor:
        """The completions of these trees, in order."""
        starts = [0]
        for tree in self.trees:
            starts.append(starts[-1] + len(tree.branches))
        return torch.tensor([r for t in trees for r in range(starts[t], starts[t + 1])])


@dataclass(frozen=True)
class Roller:
    """Draws rollouts: policy and critic as they are now, the reference as it was.

    budget: tokens computed at once.
    """

    sampler: Sampler
    reference: LanguageModel
    critic: Critic | None
    budget: int

    @property
    def policy(self) -> LanguageModel:
        return self.sampler.policy

    def __call__(self, tasks: Sequence[Task], seed: int, keys: Sequence[int]) -> Rollout:
        scored = self.sampler(tasks, seed, keys)
        mask_BT = _mask(scored.lengths)
        logps_BT, values_BT = self._padded(scored.trees, mask_BT, self._policy_and_critic)
        (reference_BT,) = self._padded(scored.trees, mask_BT, self._reference)
        return Rollout(scored, mask_BT, logps_BT, reference_BT, values_BT)

    def evaluate(self, tasks: Sequence[Task], seed: int) -> Metrics:
        """Reward of the answers to held-out prompts, always with the same random numbers, with its
        95 % interval over prompts, and how far they are from the reference's."""
        rollout = replace(self, critic=None)(tasks, seed, list(range(len(tasks))))
        found, scored = rollout.metrics, rollout.scored
        mean = clustered_mean(scored.score_B.numpy(), scored.group_B.numpy())
        told = {name: found[name] for name in ("reward", "kl", "length", "unfinished")}
        told |= {name: value for name, value in found.items() if name.startswith(APART)}
        ends = {"reward_low": mean.low, "reward_high": mean.high}
        return told | {name: end for name, end in ends.items() if end is not None}

    def _policy_and_critic(self, forest: Forest) -> tuple[Tensor, Tensor]:
        model = self.policy.model
        hidden = hidden_states(model, forest)
        logps_N = token_logps(model, forest, hidden, self.sampler.options.temperature)
        critic = self.critic
        value_N = torch.zeros_like(logps_N) if critic is None else critic.values(forest, hidden)
        return logps_N, value_N

    def _reference(self, forest: Forest) -> tuple[Tensor]:
        temperature = self.sampler.options.temperature
        return (token_logps(self.reference.model, forest, temperature=temperature),)

    def _padded(
        self, trees: list[Tree], mask_BT: Tensor, function: Callable[[Forest], tuple[Tensor, ...]]
    ) -> list[Tensor]:
        """Each of the function's figures as (B, T) on the CPU: no gradients, 0 in the padding."""

        def compute(own: list[Tree]) -> list[tuple[Tensor, ...]]:
            made: list[tuple[Tensor, ...]] = []
            with torch.no_grad():
                for indices in split(own, self.budget):
                    part = [own[i] for i in indices]
                    found = function(pack(part, self.policy.layout).to(self.policy.device))
                    counts = [tree.scored for tree in part]
                    made.extend(zip(*(pieces(each.cpu(), counts) for each in found), strict=True))
            return made

        of_trees = self.sampler.processes.divide(trees, compute)
        zeros = torch.zeros_like(mask_BT)
        return [
            zeros.masked_scatter(mask_BT.bool(), torch.cat(figure))
            for figure in zip(*of_trees, strict=True)
        ]


def _mask(lengths: Sequence[int]) -> Tensor:
    length_B1 = torch.tensor(lengths)[:, None]
    return (torch.arange(max(lengths))[None] < length_B1).float()


def seed_of(seed: int, step: int) -> int:
    """The seed of one step's samples, from the run's."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])
