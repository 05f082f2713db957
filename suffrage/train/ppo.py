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
from suffrage.models.adapters import AdapterSettings, add
from suffrage.models.forward import token_logps
from suffrage.models.four_bit import quantise
from suffrage.models.language_model import LanguageModel
from suffrage.models.precision import computing_in
from suffrage.models.processes import only_alone
from suffrage.models.scalar_head import ScalarModel, from_language_model, values
from suffrage.objectives.ppo import PPOOptions, policy_loss, value_loss
from suffrage.objectives.table import objective
from suffrage.train.examples import Batches
from suffrage.train.figures import Sums, add_sums, averages
from suffrage.train.loop import train
from suffrage.train.material import split_groups
from suffrage.train.optimiser import Metrics, Optimiser
from suffrage.train.reward import find_reward
from suffrage.train.rollout import Roller, Rollout, Task
from suffrage.train.run import (
    Finished,
    finish,
    forgotten,
    loop_settings,
    recorded,
    resolved,
)
from suffrage.train.settings import TrainSettings
from suffrage.train.start import device_of, load_given
from suffrage.train.trackers import tracking

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

    The reference is a copy of the policy as it is passed in, or with an adapter the policy without
    it; the critic starts from the reward model where both share an architecture, else from the
    policy.
    """
    if settings.kl:
        raise SettingsError("ppo is held near its start by --kl-coef; leave --kl out.")
    if settings.gradient_checkpointing == "on":
        raise SettingsError("ppo samples while it learns: leave --gradient-checkpointing out.")
    only_alone("ppo")
    given = objective("ppo").check(settings.options)
    options = PPOOptions(**given)
    run = open_run(out, recorded(settings, asdict(options), reward=reward))
    if run.done is not None:
        return Finished(out, run.done["metrics"], (), reused=True)
    set_seed(settings.seed)
    device = device_of(settings.device)
    step, held_out, note = _prepare(settings, options, reward)
    evaluate = (lambda: step.evaluate(held_out)) if held_out else None
    roller = step.roller
    told = resolved(settings, roller.reference, roller.policy, step.optimiser)
    run = replace(run, resolved=told)
    with computing_in(settings.precision, device), tracking(settings.track, run) as watch:
        metrics = train(
            run, step.optimiser, step, label="ppo", evaluate=evaluate, show="reward", watch=watch
        )
    finish(run, settings, step.roller.policy, metrics)
    return Finished(out, metrics, (note, *forgotten(settings)))


def _prepare(
    settings: TrainSettings, options: PPOOptions, reward: str
) -> tuple[PPOStep, list[Task], str]:
    """The step function, the held-out prompts, and what the reader said of the data."""
    adapter, device = settings.adapter_settings(), device_of(settings.device)
    given = load_given(settings, adapter)
    found = find_reward(reward, device)
    critic = make_critic(given, found.model, settings.seed, adapter)
    critic.model.to(device)  # type: ignore[arg-type]
    if adapter.kind == "qlora":
        quantise(given.model, device)
    # The reference is copied before the first update and before a checkpoint is restored.
    reference = given.frozen_copy() if adapter.kind == "none" else given
    policy = add(given, adapter, settings.seed)
    encoder = policy.encoder(settings.overlong, settings.max_length)
    tasks, held_out, note = _tasks(settings, encoder, options.max_new_tokens)
    budget = settings.microbatch_tokens
    roller = Roller(policy, critic, reference, found.score, encoder, options, budget)
    batches = Batches(len(tasks), min(settings.batch_size, len(tasks)), settings.seed)
    steps = max(1, math.ceil(settings.epochs * batches.per_epoch))
    loop = loop_settings(settings, steps, given, adam_eps=ADAM_EPS)
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


def make_critic(
    policy: LanguageModel,
    reward: ScalarModel | None,
    seed: int,
    adapter: AdapterSettings = AdapterSettings(),  # noqa: B008  # frozen
) -> ScalarModel:
    """A copy of the reward model where there is one and it reads the policy's tokens, else a new
    head on the policy's backbone.

    With an adapter, whatever its kind, the critic is LoRA of the same rank on the weights that it
    starts from: no copy of these is made.
    """
    same = reward is not None and _same_tokens(policy, reward.base)
    start = reward if reward is not None and same else from_language_model(policy, seed)
    if adapter.kind != "none":
        return ScalarModel(add(start.base, replace(adapter, kind="lora", target_modules=()), seed))
    critic = start.copy() if same else start
    critic.model.requires_grad_(True)
    return critic


def _same_tokens(policy: LanguageModel, reward: LanguageModel) -> bool:
    ours, theirs = policy.model.config, reward.model.config
    same = ours.model_type == theirs.model_type and ours.vocab_size == theirs.vocab_size
    return bool(same) and policy.tokenizer.get_vocab() == reward.tokenizer.get_vocab()


def check_reward(reward: str | None) -> str:
    """PPO needs a reward; the sentence says where one comes from."""
    if reward is None:
        raise SettingsError(
            "ppo needs --reward, a reward model; train one with `suffrage train reward`, or name "
            "any classifier as hf:MODEL#LABEL."
        )
    return reward
