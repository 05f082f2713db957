"""`suffrage train sft | reward | dpo`: from settings to a finished run directory."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from suffrage.core.errors import SettingsError
from suffrage.core.files import write_json
from suffrage.core.runs import RunDirectory, open_run
from suffrage.data.conditioning import ASKED_AFTER, load_condition
from suffrage.models.folder import resolve
from suffrage.models.language_model import LanguageModel
from suffrage.models.precision import computing_in
from suffrage.models.processes import find_processes
from suffrage.models.scalar_head import ScalarModel
from suffrage.models.seed import set_seed
from suffrage.objectives.objective import Objective
from suffrage.objectives.table import objective
from suffrage.train.advice import LiveAdvice, advice, offline_checks, unbalanced
from suffrage.train.beside import RATE, Beside, Reliabilities, centre, make_beside
from suffrage.train.examples import Batches
from suffrage.train.heads import ONE, Heads
from suffrage.train.loop import train
from suffrage.train.material import Data, heads_of, read_data, take_reference
from suffrage.train.offline import (
    Method,
    OfflineStep,
    language_method,
    reward_method,
    shared_out,
)
from suffrage.train.optimiser import LoopSettings, Metrics, Optimiser
from suffrage.train.outcome import Finished, finish, recorded, resolved
from suffrage.train.personal import with_prior
from suffrage.train.settings import TrainSettings, check_patience, learning_rate
from suffrage.train.start import Models, models_of
from suffrage.train.terms import count_groups
from suffrage.train.trackers import tracking

CENTRED_ON = 256  # prompts, spread over the data; all of them for a model of several heads


def train_offline(settings: TrainSettings, out: Path) -> Finished:
    """Train by the settings and leave a run directory at `out`.

    The same settings again resume an unfinished run and return a finished one as it is.
    """
    row = objective(settings.method)
    options = row.check(settings.options)
    check_patience(settings)
    if settings.kl and row.learns == "reward":
        raise SettingsError(f"{row.name} trains a reward model, which has no --kl; leave it out.")
    if settings.heads != ONE and row.learns != "reward":
        raise SettingsError(
            f"{row.name} trains no reward model, so it has no --heads; leave it out."
        )
    run = open_run(out, recorded(settings, options))
    if run.done is not None:
        return Finished(out, run.done["metrics"], (), reused=True)
    set_seed(settings.seed)
    if find_processes().sharded and settings.adapter != "none":
        raise SettingsError(
            "an adapter is trained with the whole model in every process; launch it without FSDP "
            "and DeepSpeed, or leave --adapter out."
        )
    heads = heads_of(settings)
    models = models_of(settings, row, heads)
    data = read_data(settings, models.trained, row, heads)
    with computing_in(settings.precision, models.trained.device):
        metrics = train_models(settings, options, models, data, run, heads)
    found = (heads.note if heads else "", unbalanced(row, options, data.training))
    said = (*forgotten(settings), *advice(offline_checks(row), run.metrics))
    return Finished(out, metrics, (*data.notes, *filter(None, found), *said))


def forgotten(settings: TrainSettings) -> tuple[str, ...]:
    """What to say where the model to start from is asked after a phrase, and the new one is not."""
    condition = load_condition(resolve(settings.model))
    if condition is None or objective(settings.method).view in ASKED_AFTER:
        return ()
    return (
        f"{settings.model} answers after {condition.english!r}; {settings.method} read its prompts "
        "without it, and the new model is asked without it",
    )


def train_models(
    settings: TrainSettings,
    options: dict[str, Any],
    models: Models,
    data: Data,
    run: RunDirectory,
    heads: Heads | None = None,
) -> Metrics:
    """Build the method, run the loop and save; returns the last figures.

    Of what `train_offline` does, all but loading.
    """
    row = objective(settings.method)
    if row.reference:
        data = take_reference(models.given, data, settings.microbatch_tokens)
    batches = Batches(len(data.training), settings.batch_size, settings.seed)
    steps = steps_of(settings, batches)
    loop = loop_settings(settings, steps, models.given)
    beside = _beside(row, options, models, data)
    modules: dict[str, nn.Module] = {"model": models.trained.model}
    modules |= {} if beside is None else {"beside": beside}
    optimiser = Optimiser(modules, loop, find_processes(), {"beside": RATE})
    made = _method(row, options, models, settings.microbatch_tokens, beside)
    alike = heads is not None and heads.alike
    method = shared_out(_personal(made, models, data) if alike else made, optimiser)
    step = OfflineStep(data.training, batches, method, optimiser)
    judging = _watching(step, row, options, models) if models.watched else step
    evaluate = (lambda: judging.evaluate(data.held_out)) if data.held_out else None
    run = replace(run, resolved=resolved(settings, models.given, models.trained, optimiser))
    with tracking(settings.track, run, optimiser.processes.main) as watch:
        watchers = (watch, LiveAdvice(offline_checks(row)))
        metrics = train(
            run, optimiser, step, label=settings.method, evaluate=evaluate, watchers=watchers
        )
    if models.scalar is not None and row.view != "labels":  # a classifier's zero is its threshold
        _centre(models.scalar, step, beside)
    if optimiser.processes.main:
        _write_raters(run, beside, heads)
    finish(run, settings, models.trained, metrics, method.branches)
    return metrics


def _watching(
    step: OfflineStep, row: Objective, options: dict[str, Any], models: Models
) -> OfflineStep:
    """The step as it evaluates where the KL is shown too; shared weights are never whole for it."""
    if step.processes.sharded:
        return step
    tokens = step.method.packing.tokens
    return replace(
        step, method=language_method(row, options, models.trained, tokens, models.watched)
    )


def _centre(scalar: ScalarModel, step: OfflineStep, beside: Beside | None) -> None:
    """Let the training completions score 0, some of them where that says as much."""
    stride = 1 if scalar.heads else math.ceil(len(step.examples) / CENTRED_ON)
    some = step.examples[::stride]
    centre(scalar, some, step.figures(some), beside)


def _write_raters(run: RunDirectory, beside: Beside | None, heads: Heads | None) -> None:
    """Leave in the run what it found of raters: how reliable they are, what groups they form."""
    if isinstance(beside, Reliabilities):
        beside.save(run.path)
    if heads is not None and heads.members:
        write_json(run.path / "rater_groups.json", dict(heads.members))


def _beside(row: Objective, options: dict[str, Any], models: Models, data: Data) -> Beside | None:
    """What is learned beside the model, which has no shares to be spread over processes."""
    heads = 1 if models.scalar is None else len(models.scalar.offsets)
    found = make_beside(row, options, data.training, heads)
    if found is not None and find_processes().sharded:
        raise SettingsError(
            f"{row.name} learns figures beside the model, which stay whole in every process; "
            "launch it without FSDP and DeepSpeed."
        )
    return None if found is None else found.to(models.trained.device)


def _method(
    row: Objective,
    options: dict[str, Any],
    models: Models,
    tokens: int,
    beside: Beside | None,
) -> Method:
    if models.scalar is None:
        return language_method(row, options, models.trained, tokens, models.anchor)
    return reward_method(row, options, models.scalar, tokens, beside)


def _personal(method: Method, models: Models, data: Data) -> Method:
    """The method with the prior that keeps raters near each other."""
    if find_processes().sharded or models.scalar is None:
        raise SettingsError(
            "--heads raters compares the heads' weights, which stay whole in every process; launch "
            "it without FSDP and DeepSpeed."
        )
    size = count_groups(data.training)
    return replace(method, terms=with_prior(method.terms, models.scalar, size))


def steps_of(settings: TrainSettings, batches: Batches, most: int | None = None) -> int:
    """The steps of so many epochs, of at most `--max-steps`, or `most` where that is not given."""
    steps = max(1, math.ceil(settings.epochs * batches.per_epoch))
    return min(steps, settings.max_steps or most or steps)


def loop_settings(
    settings: TrainSettings, steps: int, policy: LanguageModel, adam_eps: float = 1e-8
) -> LoopSettings:
    """The loop's settings; a rate that was not given follows from the model's size."""
    adapted = settings.adapter != "none"
    return LoopSettings(
        steps=steps,
        learning_rate=settings.lr or learning_rate(settings.method, policy.parameters, adapted),
        schedule=settings.schedule,
        warmup=settings.warmup,
        weight_decay=settings.weight_decay,
        clip_norm=settings.clip_norm,
        adam_eps=adam_eps,
        eval_every=settings.eval_every,
        checkpoint_every=settings.checkpoint_every,
        patience=settings.patience,
    )
