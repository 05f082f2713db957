"""`suffrage train ppo`: sample, score, improve, and stay near the model it started from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import set_seed

from suffrage.core.errors import DataError, SettingsError
from suffrage.core.records import Group
from suffrage.core.runs import open_run
from suffrage.data.encode import Encoder
from suffrage.data.forest import pack, split
from suffrage.data.read import read_prompts
from suffrage.models.forward import token_logps
from suffrage.models.language_model import LanguageModel, load
from suffrage.models.scalar_head import ScalarModel, from_language_model, load_reward, values
from suffrage.objectives.ppo import PPOOptions, policy_loss, value_loss
from suffrage.objectives.table import objective
from suffrage.train.examples import Batches
from suffrage.train.figures import Sums, add_sums, averages
from suffrage.train.loop import Metrics, Optimiser, train
from suffrage.train.rollout import Roller, Rollout, Task, reward_model
from suffrage.train.run import (
    Finished,
    device_of,
    finish,
    loop_settings,
    recorded,
    resolved,
    split_groups,
)
from suffrage.train.settings import TrainSettings

ADAM_EPS = 1e-5  # 2403.17031, detail 17: the usual 1e-8 takes larger steps early


@dataclass(frozen=True)
class PPOStep:
    """A rollout and the updates from it."""

    roller: Roller
    tasks: Sequence[Task]
    batches: Batches
    optimiser: Optimiser
    options: PPOOptions
    seed: int
    budget: int

    def __call__(self, step: int) -> Metrics:
        chosen = self.batches.at(step)
        rollout = self.roller([self.tasks[i] for i in chosen], self._seed(step), chosen)
        updated: Metrics = {}
        first: Metrics = {}
        sums: Sums = {}
        for epoch in range(self.options.ppo_epochs):
            for part in self._minibatches(len(chosen), step, epoch):
                found: Sums = {}
                count = float(rollout.mask_BT[rollout.rows(part)].sum())
                where = f"in the PPO update of step {step + 1}"
                updated = self.optimiser.update(self._losses(rollout, part, found), count, where)
                first = first or averages(found)
                add_sums(sums, found)
        # Before any update the new policy is the old one: this ratio must be 1.
        figures = {**averages(sums), "ratio": first["ratio"]}
        epoch_done = round((step + 1) / self.batches.per_epoch, 4)
        return {"epoch": epoch_done, **rollout.metrics, **updated, **figures}

    def _seed(self, step: int) -> int:
        return int(np.random.SeedSequence([self.seed, step]).generate_state(1)[0])

    def _minibatches(self, size: int, step: int, epoch: int) -> Iterator[list[int]]:
        order = np.random.default_rng([self.seed, step, epoch]).permutation(size)
        for part in np.array_split(order, self.options.minibatches):
            if len(part):
                yield [int(i) for i in part]

    def _losses(self, rollout: Rollout, part: list[int], sums: Sums) -> Iterator[Tensor]:
        trees = [rollout.trees[i] for i in part]
        policy, critic = self.roller.policy, self.roller.critic
        for indices in split(trees, self.budget):
            forest = pack([trees[i] for i in indices], policy.layout).to(policy.device)
            rows = rollout.rows([part[i] for i in indices])
            real = rollout.mask_BT[rows].bool()
            old_N, old_value_N, advantage_N, return_N = (
                values_BT[rows][real].to(policy.device)
                for values_BT in (
                    rollout.logps_BT,
                    rollout.values_BT,
                    rollout.advantages_BT,
                    rollout.returns_BT,
                )
            )
            logps_N = token_logps(policy.model, forest, temperature=self.options.temperature)
            policy_N, clipped_N = policy_loss(logps_N, old_N, advantage_N, clip=self.options.clip)
            value_N = value_loss(
                values(critic, forest), old_value_N, return_N, clip=self.options.value_clip
            )
            add_sums(sums, _figures(policy_N, value_N, clipped_N, logps_N, old_N))
            yield policy_N.sum() + self.options.value_coef * value_N.sum()

    def evaluate(self, tasks: Sequence[Task]) -> Metrics:
        """Mean reward of the answers to the held-out prompts, with the same random numbers."""
        keys = list(range(len(tasks)))
        score_B = self.roller.score(tasks, self.roller.sample(tasks, self.seed, keys))
        return {"reward": float(score_B.mean())}


def _figures(
    policy_N: Tensor, value_N: Tensor, clipped_N: Tensor, logps_N: Tensor, old_N: Tensor
) -> Sums:
    ratio_N = torch.exp(logps_N.detach() - old_N)
    named = {
        "policy_loss": policy_N,
        "value_loss": value_N,
        "clip_fraction": clipped_N,
        "ratio": ratio_N,
    }
    return {name: (float(v.detach().sum()), len(v)) for name, v in named.items()}


def train_ppo(settings: TrainSettings, reward: str, out: Path) -> Finished:
    """Train a policy against a reward model and leave a run directory at `out`.

    The reference is a copy of the policy as it is passed in; the critic starts from the reward
    model where both share an architecture, else from the policy.
    """
    given = objective("ppo").check(settings.options)
    options = PPOOptions(**given)
    run = open_run(out, recorded(settings, asdict(options), reward=reward))
    if run.done is not None:
        return Finished(out, run.done["metrics"], (), reused=True)
    set_seed(settings.seed)
    step, held_out, note = _prepare(settings, options, reward)
    evaluate = (lambda: step.evaluate(held_out)) if held_out else None
    run = replace(run, resolved=resolved(step.roller.policy, step.optimiser))
    metrics = train(run, step.optimiser, step, label="ppo", evaluate=evaluate, show="reward")
    finish(run, settings, step.roller.policy, metrics)
    return Finished(out, metrics, (note,))


def _prepare(
    settings: TrainSettings, options: PPOOptions, reward: str
) -> tuple[PPOStep, list[Task], str]:
    """The step function, the held-out prompts, and what the reader said of the data."""
    policy = load(settings.model, device_of(settings.device))
    scalar = load_reward(reward, policy.device)
    encoder = policy.encoder(settings.overlong, settings.max_length)
    tasks, held_out, note = _tasks(settings, encoder, options.max_new_tokens)
    critic = make_critic(policy, scalar, settings.seed)
    budget = settings.microbatch_tokens
    # The reference is copied before the first update and before a checkpoint is restored.
    reference = policy.frozen_copy()
    roller = Roller(policy, critic, reference, reward_model(scalar), encoder, options, budget)
    batches = Batches(len(tasks), min(settings.batch_size, len(tasks)), settings.seed)
    steps = max(1, math.ceil(settings.epochs * batches.per_epoch))
    loop = loop_settings(settings, steps, policy, adam_eps=ADAM_EPS)
    optimiser = Optimiser({"policy": policy.model, "critic": critic.model}, loop)
    step = PPOStep(roller, tasks, batches, optimiser, options, settings.seed, budget)
    return step, held_out, note


def _tasks(
    settings: TrainSettings, encoder: Encoder, new_tokens: int
) -> tuple[list[Task], list[Task], str]:
    """Prompts to train on and prompts to evaluate on, from two files or from one split by seed."""
    tasks, note = read_tasks(settings.data, encoder, new_tokens, settings.data_size)
    if settings.eval_data is not None:
        return tasks, read_tasks(settings.eval_data, encoder, new_tokens, None)[0], note
    groups = [Group(prompt=task.prompt) for task in tasks]
    _, held = split_groups(groups, settings.holdout, settings.seed)
    names = {group.prompt.id for group in held}
    kept = [task for task in tasks if task.prompt.id not in names]
    return kept, [task for task in tasks if task.prompt.id in names], note


def read_tasks(
    source: str, encoder: Encoder, new_tokens: int, data_size: int | None
) -> tuple[list[Task], str]:
    """The prompts of a file as tasks that leave room for the answer."""
    prompts, report = read_prompts(source, data_size=data_size)
    tasks = []
    with report.located():
        for prompt in prompts:
            tokens = encoder.fits(prompt, encoder.prompt(prompt), new_tokens)
            if tokens is not None:
                tasks.append(Task(prompt, tokens))
    if not tasks:
        raise DataError(
            f"no prompt leaves room for {new_tokens} new tokens; ask for fewer.", source
        )
    return tasks, str(report)


def make_critic(policy: LanguageModel, reward: ScalarModel, seed: int) -> ScalarModel:
    """A copy of the reward model where it reads the policy's tokens, else a new head."""
    ours, theirs = policy.model.config, reward.model.config
    same = ours.model_type == theirs.model_type and ours.vocab_size == theirs.vocab_size
    same = same and policy.tokenizer.get_vocab() == reward.base.tokenizer.get_vocab()
    if not same:
        return from_language_model(policy, seed)
    critic = reward.copy()
    critic.model.requires_grad_(True)
    return critic


def check_reward(reward: str | None) -> str:
    """PPO needs a reward; the sentence says where one comes from."""
    if reward is None:
        raise SettingsError(
            "ppo needs --reward, a reward model; train one with `suffrage train reward`."
        )
    return reward
