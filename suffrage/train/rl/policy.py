"""The step of PPO, RLOO, GRPO and REINFORCE: a rollout, and clipped updates from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from suffrage.data.forest import Forest, pack, split
from suffrage.models.forward import hidden_states, token_entropies, token_logps
from suffrage.models.processes import Processes
from suffrage.objectives.online import PolicyOptions, PPOOptions
from suffrage.objectives.policy_gradient import adapted_kl_coef, kl_estimate, token_weights
from suffrage.objectives.ppo import policy_loss, value_loss
from suffrage.train.examples import Batches
from suffrage.train.figures import Sums, add_sums, add_up, averages
from suffrage.train.optimiser import Metrics, Optimiser
from suffrage.train.rl.advantages import Estimated, advantages_of
from suffrage.train.rl.average import Average
from suffrage.train.rl.combine import whitened
from suffrage.train.rl.pretraining import Pretraining
from suffrage.train.rl.rollout import Roller, Rollout, seed_of
from suffrage.train.rl.tasks import Task


class Tokens(NamedTuple):
    """What a rollout knows of a forest's N scored tokens."""

    logps_N: Tensor
    reference_N: Tensor
    value_N: Tensor
    advantage_N: Tensor
    return_N: Tensor
    weight_N: Tensor


@dataclass
class PolicyStep:
    """A rollout and the updates from it.

    kl_coef: the anchor's strength now, which `kl_target` lets change. average: an average of the
    weights, kept beside them. pretraining: text whose loss is mixed in.
    """

    roller: Roller
    tasks: Sequence[Task]
    batches: Batches
    optimiser: Optimiser
    options: PolicyOptions
    seed: int
    budget: int
    average: Average | None = None
    pretraining: Pretraining | None = None

    def __post_init__(self) -> None:
        self.kl_coef = self.options.kl_coef
        self.advantages = advantages_of(self.options)

    def __call__(self, step: int) -> Metrics:
        chosen = self.batches.at(step)
        rollout = self.roller([self.tasks[i] for i in chosen], seed_of(self.seed, step), chosen)
        metrics = rollout.metrics
        if self.options.combine == "safety":
            rollout = rollout.rescored(whitened)
        estimated = self.advantages(rollout, self.kl_coef)
        updated = self._updates(rollout, estimated, step)
        self._adapt(metrics, len(rollout.mask_BT))
        self.roller.sampler.rewards.learn(metrics)
        epoch = round((step + 1) / self.batches.per_epoch, 4)
        return {"epoch": epoch, **metrics, **estimated.metrics, **updated}

    @property
    def processes(self) -> Processes:
        return self.optimiser.processes

    def _updates(self, rollout: Rollout, estimated: Estimated, step: int) -> Metrics:
        updated: Metrics = {}
        first: Metrics = {}
        sums: Sums = {}

        def where() -> str:
            return f"in an update of step {step + 1}"

        for epoch in range(self.options.rollout_epochs):
            for part in self._minibatches(len(rollout.trees), step, epoch):
                found: Sums = {}
                weight_BT, count = self._weights(rollout, part)
                losses = self._losses(rollout, estimated, part, weight_BT, found)
                updated = self.optimiser.update(self._mixed(losses, count, found), count, where)
                found = add_up(self.processes.gather(found))
                first = first or averages(found)
                add_sums(sums, found)
                if self.average is not None:
                    self.average.follow(self.roller.policy.model)
        # Before any update the new policy is the old one: this ratio must be 1.
        controlled = {"kl_coef": self.kl_coef} if self.options.kl_target else {}
        return {**updated, **averages(sums), **controlled, "ratio": first["ratio"]}

    def _minibatches(self, size: int, step: int, epoch: int) -> Iterator[list[int]]:
        order = np.random.default_rng([self.seed, step, epoch]).permutation(size)
        for part in np.array_split(order, self.options.minibatches):
            if len(part):
                yield [int(i) for i in part]

    def _weights(self, rollout: Rollout, part: list[int]) -> tuple[Tensor, float]:
        """(B, T) weights of all tokens, and the divisor of this part's sum."""
        weight_BT, _ = token_weights(rollout.mask_BT, self.options.mean_over)
        _, count = token_weights(rollout.mask_BT[rollout.rows(part)], self.options.mean_over)
        return weight_BT, count

    def _losses(
        self,
        rollout: Rollout,
        estimated: Estimated,
        part: list[int],
        weight_BT: Tensor,
        sums: Sums,
    ) -> Iterator[Tensor]:
        """The sums of this process's micro-batches."""
        policy = self.roller.policy
        part = part[self.processes.rank :: self.processes.size]
        trees = [rollout.trees[i] for i in part]
        for indices in split(trees, self.budget):
            forest = pack([trees[i] for i in indices], policy.layout).to(policy.device)
            rows = rollout.rows([part[i] for i in indices])
            real = rollout.mask_BT[rows].bool()
            figures = (
                rollout.logps_BT,
                rollout.reference_BT,
                rollout.values_BT,
                estimated.advantages_BT,
                estimated.returns_BT,
                weight_BT,
            )
            tokens = Tokens(*(each[rows][real].to(policy.device) for each in figures))
            yield self._loss(forest, tokens, sums)

    def _loss(self, forest: Forest, tokens: Tokens, sums: Sums) -> Tensor:
        """The weighted sum over the forest's tokens."""
        options, model = self.options, self.roller.policy.model
        hidden = hidden_states(model, forest)
        logps_N = token_logps(model, forest, hidden, options.temperature)
        policy_N, clipped_N = policy_loss(
            logps_N, tokens.logps_N, tokens.advantage_N, clip=options.clip
        )
        loss_N = policy_N
        named = {"policy_loss": policy_N, "clip_fraction": clipped_N}
        if self.roller.critic is not None and isinstance(options, PPOOptions):
            value_N = self.roller.critic.values(forest, hidden)
            clip = options.value_clip
            named["value_loss"] = value_loss(value_N, tokens.value_N, tokens.return_N, clip=clip)
            loss_N = loss_N + options.value_coef * named["value_loss"]
        if options.kl_in == "loss" and self.kl_coef:
            named["kl_loss"] = kl_estimate(logps_N, tokens.reference_N, options.kl_estimator)
            loss_N = loss_N + self.kl_coef * named["kl_loss"]
        if options.entropy_coef:
            named["exact_entropy"] = token_entropies(model, forest, hidden, options.temperature)
            loss_N = loss_N - options.entropy_coef * named["exact_entropy"]
        named["ratio"] = torch.exp(logps_N.detach() - tokens.logps_N)
        add_sums(sums, {name: (float(v.detach().sum()), len(v)) for name, v in named.items()})
        return (loss_N * tokens.weight_N).sum()

    def _mixed(self, losses: Iterator[Tensor], count: float, sums: Sums) -> Iterator[Tensor]:
        """The losses, and after them that of some pretraining text, in the same sum."""
        yield from losses
        if self.pretraining is not None:
            yield from self.pretraining.losses(count, sums, self.processes)

    def _adapt(self, metrics: Metrics, completions: int) -> None:
        options = self.options
        if options.kl_target:
            self.kl_coef = adapted_kl_coef(
                self.kl_coef,
                metrics["kl"],
                completions,
                target=options.kl_target,
                horizon=options.kl_horizon,
            )

    def evaluate(self, tasks: Sequence[Task]) -> Metrics:
        return self.roller.evaluate(tasks, self.seed)

    def state(self) -> dict[str, Any]:
        """What the step keeps besides weights; a pretraining reader also knows its place."""
        place = {} if self.pretraining is None else {"pretraining": self.pretraining.place}
        rewards = self.roller.sampler.rewards.state()
        return {"kl_coef": self.kl_coef, "rewards": rewards, **place}

    def restore(self, state: dict[str, Any]) -> None:
        self.kl_coef = state["kl_coef"]
        self.roller.sampler.rewards.restore(state["rewards"])
        if self.pretraining is not None:
            self.pretraining.place = state["pretraining"]
