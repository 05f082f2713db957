"""`suffrage train sft | reward | dpo`: from settings to a finished run directory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed

from suffrage.core.errors import ModelError, SettingsError
from suffrage.core.files import build_folder
from suffrage.core.keys import path_key
from suffrage.core.records import Group
from suffrage.core.runs import RunDirectory, Settings, open_run
from suffrage.data.read import read_groups
from suffrage.models.checkpoint import Checkpoints
from suffrage.models.language_model import LanguageModel, load, pick_device, resolve
from suffrage.models.scalar_head import OFFSET, ScalarModel, from_language_model, score_trees
from suffrage.objectives.table import Objective, objective
from suffrage.train.card import write_card
from suffrage.train.examples import Batches, Example, make_examples
from suffrage.train.loop import LoopSettings, Metrics, Optimiser, train
from suffrage.train.offline import (
    Method,
    OfflineStep,
    language_method,
    reward_method,
    with_reference,
)
from suffrage.train.settings import TrainSettings, learning_rate


@dataclass(frozen=True)
class Finished:
    """A finished run: where it lies, its last figures, and what the reader said of the data."""

    path: Path
    metrics: Metrics
    notes: tuple[str, ...]
    reused: bool = False


@dataclass(frozen=True)
class _Data:
    training: list[Example]
    held_out: list[Example]
    notes: tuple[str, ...]


def train_offline(settings: TrainSettings, out: Path) -> Finished:
    """Train by the settings and leave a run directory at `out`.

    The same settings again resume an unfinished run and return a finished one as it is.
    """
    row = objective(settings.method)
    options = row.check(settings.options)
    run = open_run(out, recorded(settings, options))
    if run.done is not None:
        return Finished(out, run.done["metrics"], (), reused=True)
    set_seed(settings.seed)
    policy = load(settings.model, device_of(settings.device))
    data = _read(settings, policy, row)
    metrics, trained = _train(settings, options, policy, data, run)
    finish(run, settings, trained, metrics)
    return Finished(out, metrics, data.notes)


def recorded(settings: TrainSettings, options: Mapping[str, Any], **more: Any) -> Settings:
    """What settings.json holds; the keys tell another file or model of the same name apart."""
    given = {**settings.model_dump(), **more, "options": dict(options)}
    files = {name: given[name] for name in ("data", "eval_data") if given[name]}
    models = {name: resolve(given[name]) for name in ("model", "reward") if name in given}
    keys = {f"{name}_key": _key(place) for name, place in (files | models).items()}
    return {"verb": "train", **given, **keys}


def _key(place: str) -> str | None:
    """The key of what lies here; None for a name on the hub. A model's card changes nothing."""
    path = Path(place)
    return path_key(path, skip=("README.md",)) if path.exists() else None


def device_of(name: str) -> torch.device:
    """The device asked for, or the best for "auto"; `ModelError` where this machine has none."""
    if name == "auto":
        return pick_device()
    available = {"cpu": True, "cuda": torch.cuda.is_available()}
    if not available.get(name, torch.backends.mps.is_available()):
        raise ModelError(
            f"this machine or its torch has no {name}; leave --device out to take what there is."
        )
    return torch.device(name)


def _read(settings: TrainSettings, policy: LanguageModel, row: Objective) -> _Data:
    groups, report = read_groups(
        settings.data, data_size=settings.data_size, support_ratio=settings.support_ratio
    )
    kept, held = split_groups(groups, settings.holdout, settings.seed)
    notes, held_report = [str(report)], report
    if settings.eval_data:
        held, held_report = read_groups(settings.eval_data)
        notes.append(str(held_report))
    encoder = policy.encoder(settings.overlong, settings.max_length)
    with report.located():
        training, note = make_examples(kept, encoder, row)
    option = "--eval-data" if settings.eval_data else "--holdout"
    with held_report.located():
        held_out, held_note = make_examples(held, encoder, row, option) if held else ([], "")
    notes += [f"training: {note}"] * bool(note) + [f"held out: {held_note}"] * bool(held_note)
    return _Data(training, held_out, tuple(notes))


def split_groups(
    groups: Sequence[Group], holdout: float, seed: int
) -> tuple[list[Group], list[Group]]:
    """Training and held-out groups, split by prompt so that no prompt is in both."""
    prompts = list(dict.fromkeys(group.prompt.text for group in groups))
    count = round(holdout * len(prompts))
    if holdout and not 0 < count < len(prompts):
        raise SettingsError(
            f"--holdout {holdout} of {len(prompts)} prompts leaves one side empty; choose another."
        )
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(prompts), generator=generator).tolist()
    held = {prompts[i] for i in order[:count]}
    return (
        [group for group in groups if group.prompt.text not in held],
        [group for group in groups if group.prompt.text in held],
    )


def _train(
    settings: TrainSettings,
    options: dict[str, Any],
    policy: LanguageModel,
    data: _Data,
    run: RunDirectory,
) -> tuple[Metrics, LanguageModel]:
    """Build the method and run the loop; returns the last figures and the model."""
    row = objective(settings.method)
    scalar = from_language_model(policy, settings.seed) if row.learns == "reward" else None
    trained = policy if scalar is None else scalar.base
    if row.reference:
        data = _with_reference(policy, data, settings.microbatch_tokens)
    batches = Batches(len(data.training), settings.batch_size, settings.seed)
    steps = max(1, math.ceil(settings.epochs * batches.per_epoch))
    optimiser = Optimiser({"model": trained.model}, loop_settings(settings, steps, policy))
    method = _method(row, options, policy, scalar, settings.microbatch_tokens)
    step = OfflineStep(data.training, batches, method, optimiser)
    evaluate = (lambda: step.evaluate(data.held_out)) if data.held_out else None
    run = replace(run, resolved=resolved(policy, optimiser))
    metrics = train(run, optimiser, step, label=settings.method, evaluate=evaluate)
    if scalar is not None and row.view != "labels":  # a classifier's zero is its threshold
        _centre(scalar, data.training)
    return metrics, trained


def _method(
    row: Objective,
    options: dict[str, Any],
    policy: LanguageModel,
    scalar: ScalarModel | None,
    tokens: int,
) -> Method:
    if scalar is None:
        return language_method(row, options, policy, tokens)
    return reward_method(row, options, scalar, tokens)


def _with_reference(policy: LanguageModel, data: _Data, tokens: int) -> _Data:
    training, held_out = (
        with_reference(policy, part, tokens) for part in (data.training, data.held_out)
    )
    return _Data(training, held_out, data.notes)


def loop_settings(
    settings: TrainSettings, steps: int, policy: LanguageModel, adam_eps: float = 1e-8
) -> LoopSettings:
    """The loop's settings; a rate that was not given follows from the model's size."""
    return LoopSettings(
        steps=steps,
        learning_rate=settings.lr or learning_rate(settings.method, policy.parameters),
        schedule=settings.schedule,
        warmup=settings.warmup,
        weight_decay=settings.weight_decay,
        clip_norm=settings.clip_norm,
        adam_eps=adam_eps,
        eval_every=settings.eval_every,
        checkpoint_every=settings.checkpoint_every,
    )


def resolved(policy: LanguageModel, optimiser: Optimiser) -> Settings:
    """What was made of the settings left open, as the run directory keeps it."""
    return {
        "lr": optimiser.settings.learning_rate,
        "device": str(policy.device),
        "layout": policy.layout,
        "parameters": policy.parameters,
    }


def _centre(scalar: ScalarModel, examples: Sequence[Example]) -> None:
    """Let the training completions score 0 on average (1909.08593, section 2)."""
    mean = float(score_trees(scalar, [example.tree for example in examples]).mean())
    setattr(scalar.model.config, OFFSET, scalar.offset + mean)


def finish(
    run: RunDirectory, settings: TrainSettings, trained: LanguageModel, metrics: Metrics
) -> None:
    """Save the model, then say that the run is done; only then forget how to resume it."""

    def build(folder: Path) -> None:
        trained.save(folder)
        write_card(folder, settings, metrics)

    build_folder(run.model, build)
    run.finish({"metrics": metrics, "steps": metrics["step"], "seconds": run.seconds})
    Checkpoints(run.checkpoints).clear()
