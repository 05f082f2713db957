"""`suffrage train ppo | rloo | grpo | ...`: from settings to a finished run directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from suffrage.core.errors import SettingsError
from suffrage.core.runs import RunDirectory, open_run
from suffrage.models.adapters import add
from suffrage.models.four_bit import quantise
from suffrage.models.language_model import LanguageModel
from suffrage.models.precision import computing_in
from suffrage.models.processes import ALONE, find_processes
from suffrage.models.seed import set_seed
from suffrage.objectives.online import OnlineDPOOptions, PolicyOptions, PPOOptions, SamplingOptions
from suffrage.objectives.table import objective
from suffrage.train.advice import LiveAdvice, advice
from suffrage.train.examples import Batches
from suffrage.train.loop import train
from suffrage.train.material import read_data
from suffrage.train.offline import language_method
from suffrage.train.optimiser import Metrics, Optimiser
from suffrage.train.outcome import Finished, finish, recorded, resolved
from suffrage.train.rl.advice import CHECKS
from suffrage.train.rl.average import Average
from suffrage.train.rl.check import check
from suffrage.train.rl.critic import Critic, own_critic, trunk_critic
from suffrage.train.rl.imitate import ImitationStep
from suffrage.train.rl.online_dpo import OnlineDPOStep
from suffrage.train.rl.policy import PolicyStep
from suffrage.train.rl.pretraining import Pretraining
from suffrage.train.rl.reward import Reward, find_reward, places_of, short_name
from suffrage.train.rl.rewards import Member, Rewards
from suffrage.train.rl.rollout import Roller
from suffrage.train.rl.sample_log import SampleLog
from suffrage.train.rl.sampler import Sampler
from suffrage.train.rl.stops import MOST_STEPS, Stops, why_ended
from suffrage.train.rl.tasks import Task, tasks_of
from suffrage.train.run import forgotten, loop_settings, steps_of
from suffrage.train.settings import TrainSettings
from suffrage.train.start import device_of, load_given
from suffrage.train.trackers import tracking

ADAM_EPS = 1e-5  # 2403.17031, detail 17: the usual 1e-8 takes larger steps early
SCALED_BY = 256  # prompts whose answers set the scale of the rewards


class OnlineStep(Protocol):
    """One step of a method that samples, what it keeps, and how it is evaluated."""

    optimiser: Optimiser
    roller: Roller
    batches: Batches

    def __call__(self, step: int) -> Metrics: ...
    def evaluate(self, tasks: Sequence[Task]) -> Metrics: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...


@dataclass(frozen=True)
class Prepared:
    """What a run needs before its first step. average: of the weights, where it is asked for."""

    step: OnlineStep
    trained: LanguageModel
    held_out: list[Task]
    note: str
    average: Average | None = None

    def saved(self) -> AbstractContextManager[None]:
        """Within, the policy has the weights that would be saved now."""
        return self.average.within(self.trained.model) if self.average else nullcontext()

    def evaluate(self) -> Metrics:
        with self.saved():
            return self.step.evaluate(self.held_out)


def train_online(settings: TrainSettings, rewards: str | Sequence[str], out: Path) -> Finished:
    """Train a policy against one reward or several and leave a run directory at `out`.

    rewards: each `NAME` or `WEIGHT*NAME`. The reference is a copy of the policy as it is passed in,
    or with an adapter the policy without it.
    """
    names = [rewards] if isinstance(rewards, str) else list(rewards)
    options = check(settings, names)
    places = [place for name in names for place in places_of(weight_and_name(name)[1])]
    run = open_run(out, recorded(settings, asdict(options), places, reward=names))
    if run.done is not None:
        return Finished(out, run.done["metrics"], (), reused=True)
    set_seed(settings.seed)
    prepared = prepare(settings, options, names, out / ratings_file(find_processes().rank))
    step, trained = prepared.step, prepared.trained
    made = resolved(settings, step.roller.reference, trained, step.optimiser)
    run = replace(run, resolved=made)
    metrics = _run(settings, run, prepared)
    if prepared.average is not None:
        prepared.average.write(trained.model)
    wanted = steps_of(settings.model_copy(update={"max_steps": None}), step.batches)
    ended = why_ended(run.metrics, settings, step.optimiser.settings.steps, wanted)
    finish(run, settings, trained, metrics, ended=ended)
    left_out = step.roller.sampler.rewards.note()
    told = (*left_out, *forgotten(settings), *advice(CHECKS, run.metrics))
    notes = (prepared.note, f"ended: {ended}", *told)
    return Finished(out, metrics, notes)


def ratings_file(rank: int) -> str:
    """In a run: what a judge on a server said to this one of several processes."""
    return f"ratings{f'-{rank}' if rank else ''}.jsonl"


def _run(settings: TrainSettings, run: RunDirectory, prepared: Prepared) -> Metrics:
    """Every step that is still to do; returns the last figures."""
    step, held_out = prepared.step, prepared.held_out
    device = device_of(settings.device)
    # The log is written by one process, which the others do not wait for.
    asked = replace(step.roller.sampler, policy=prepared.trained, processes=ALONE)
    log = SampleLog(run, asked, held_out, settings.seed, prepared.saved)
    tracker = tracking(settings.track, run, step.optimiser.processes.main)
    with computing_in(settings.precision, device), tracker as watch:
        return train(
            run,
            step.optimiser,
            step,
            label=settings.method,
            evaluate=prepared.evaluate if held_out else None,
            keeper=step,
            show=("reward", "kl"),
            watchers=(watch, LiveAdvice(CHECKS), log),
            stop=Stops(settings.stop_reward, settings.stop_kl),
        )


def prepare(
    settings: TrainSettings,
    options: SamplingOptions,
    names: Sequence[str],
    ratings: Path | None = None,
) -> Prepared:
    """The step function, the held-out prompts, and what the reader said of the data.

    ratings: the file in which what a judge on a server said is kept.
    """
    adapter, device = settings.adapter_settings(), device_of(settings.device)
    given = load_given(settings, adapter)
    members = members_of(names, lambda name: find_reward(name, device, ratings))
    critic = _critic(settings, options, given, members)
    if adapter.kind == "qlora":
        quantise(given.model, device)
    # The reference is copied before the first update and before a checkpoint is restored.
    reference = given.frozen_copy() if adapter.kind == "none" else given
    trained = add(given, adapter, settings.seed)
    encoder = trained.encoder(settings.overlong, settings.max_length)
    tasks, held_out, note = tasks_of(settings, encoder, options.max_new_tokens)
    asked = reference if settings.method == "best-of-n" else trained
    sampler = Sampler(asked, Rewards(members, options), encoder, options, find_processes())
    if options.reward_scale == "reference":
        sampler.take_scale(tasks[:SCALED_BY], settings.seed)
    roller = Roller(sampler, reference, critic, settings.microbatch_tokens)
    average = _average(options, trained)
    step = _step(settings, options, roller, trained, tasks, average)
    return Prepared(step, trained, held_out, note, average)


def members_of(names: Sequence[str], find: Callable[[str], Reward]) -> tuple[Member, ...]:
    """`NAME` or `WEIGHT*NAME` each, as `find` finds it; by its whole name if a short one is not
    enough to tell it from another."""
    parts = [weight_and_name(given) for given in names]
    short = [short_name(name) for _, name in parts]
    return tuple(
        Member(said if short.count(said) == 1 else name, weight, find(name))
        for said, (weight, name) in zip(short, parts, strict=True)
    )


def weight_and_name(given: str) -> tuple[float, str]:
    """The parts of `WEIGHT*NAME`; a folder of this very name is a name."""
    weight, star, name = given.partition("*")
    if not star or Path(given).exists():
        return 1.0, given
    try:
        return float(weight), name
    except ValueError:
        raise SettingsError(
            f"--reward {given}: {weight!r} is no number; write WEIGHT*NAME, as in 0.5*runs/a."
        ) from None


def _critic(
    settings: TrainSettings,
    options: SamplingOptions,
    given: LanguageModel,
    members: Sequence[Member],
) -> Critic | None:
    if not isinstance(options, PPOOptions):
        return None
    if options.critic == "trunk":
        return trunk_critic(given, settings.seed)
    start = next((m.reward.model for m in members if m.reward.model is not None), None)
    critic = own_critic(given, start, settings.seed, settings.adapter_settings())
    critic.module.to(device_of(settings.device))
    return critic


def _average(options: SamplingOptions, trained: LanguageModel) -> Average | None:
    if isinstance(options, PolicyOptions) and options.ema:
        return Average(trained.model, options.ema)
    return None


def _step(
    settings: TrainSettings,
    options: SamplingOptions,
    roller: Roller,
    trained: LanguageModel,
    tasks: Sequence[Task],
    average: Average | None,
) -> OnlineStep:
    batches = Batches(len(tasks), min(settings.batch_size, len(tasks)), settings.seed)
    steps = steps_of(settings, batches, MOST_STEPS)
    loop = loop_settings(settings, steps, roller.reference, adam_eps=ADAM_EPS)
    modules: dict[str, nn.Module] = {"policy": trained.model}
    modules |= {} if roller.critic is None else {"critic": roller.critic.module}
    carried = {} if average is None else {"average": average}
    optimiser = Optimiser(modules, loop, find_processes(), carried=carried)
    budget = settings.microbatch_tokens
    shared = (roller, tasks, batches, optimiser)
    if isinstance(options, PolicyOptions):
        text = _pretraining(settings, options, trained)
        return PolicyStep(*shared, options, settings.seed, budget, average, text)
    if isinstance(options, OnlineDPOOptions):
        of_dpo = {"beta": options.beta, "label_smoothing": 0.0, "nll": options.nll}
        method = language_method(objective("dpo"), of_dpo, trained, budget)
        return OnlineDPOStep(*shared, options, method, settings.seed, budget)
    method = language_method(objective("sft"), {}, trained, budget)
    return ImitationStep(*shared, options, method, trained, settings.seed)


def _pretraining(
    settings: TrainSettings, options: PolicyOptions, trained: LanguageModel
) -> Pretraining | None:
    if settings.pretraining is None or not isinstance(options, PPOOptions):
        return None
    row = objective("sft")
    read = settings.model_copy(
        update={"data": settings.pretraining, "eval_data": None, "holdout": 0, "data_size": None}
    )
    examples = read_data(read, trained, row, None).training
    method = language_method(row, {}, trained, settings.microbatch_tokens)
    size = min(settings.batch_size, len(examples))
    batches = Batches(len(examples), size, settings.seed)
    return Pretraining(examples, batches, method, options.pretraining_coef)
