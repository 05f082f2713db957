"""`suffrage train sft | reward | dpo`: from settings to a finished run directory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    DPO,
    SFT,
    Count,
    Losses,
    OfflineStep,
    Reward,
    count_groups,
    count_pairs,
    count_tokens,
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
    policy = load(settings.model, device_of(settings))
    data = _read(settings, policy, row)
    metrics, trained = _train(settings, options, policy, data, run)
    finish(run, settings, trained, metrics)
    return Finished(out, metrics, data.notes)


def recorded(settings: TrainSettings, options: Mapping[str, Any], **more: Any) -> Settings:
    """What settings.json holds; the keys tell another file or model of the same name apart."""
    resolved = {**settings.model_dump(), **more, "options": dict(options)}
    files = {name: resolved[name] for name in ("data", "eval_data") if resolved[name]}
    models = {name: resolve(resolved[name]) for name in ("model", "reward") if name in resolved}
    keys = {f"{name}_key": _key(place) for name, place in (files | models).items()}
    return {"verb": "train", **resolved, **keys}


def _key(place: str) -> str | None:
    """The key of what lies here; None for a name on the hub. A model's card changes nothing."""
    path = Path(place)
    return path_key(path, skip=("README.md",)) if path.exists() else None


def device_of(settings: TrainSettings) -> torch.device:
    """The device asked for; `ModelError` where this machine has none such."""
    if settings.device == "auto":
        return pick_device()
    available = {"cpu": True, "cuda": torch.cuda.is_available()}
    if not available.get(settings.device, torch.backends.mps.is_available()):
        raise ModelError(
            f"this machine or its torch has no {settings.device}; leave --device out to take what "
            "there is."
        )
    return torch.device(settings.device)


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
        training, note = make_examples(kept, encoder, row.view, row.name)
    with held_report.located():
        held_out, held_note = make_examples(held, encoder, row.view, row.name) if held else ([], "")
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
    """Build the method's losses and run the loop; returns the last figures and the model."""
    trained, losses, count, data = _method(settings, options, policy, data)
    batches = Batches(len(data.training), settings.batch_size, settings.seed)
    steps = max(1, math.ceil(settings.epochs * batches.per_epoch))
    optimiser = Optimiser({"model": trained.model}, loop_settings(settings, steps, policy))
    step = OfflineStep(
        data.training,
        batches,
        losses,
        count,
        optimiser,
        policy.layout,
        policy.device,
        settings.microbatch_tokens,
    )
    evaluate = (lambda: step.evaluate(data.held_out)) if data.held_out else None
    metrics = train(run, optimiser, step, label=settings.method, evaluate=evaluate)
    if isinstance(losses, Reward):
        _centre(losses.scalar, data.training)
    return metrics, trained


def _method(
    settings: TrainSettings, options: dict[str, Any], policy: LanguageModel, data: _Data
) -> tuple[LanguageModel, Losses, Count, _Data]:
    if settings.method == "sft":
        return policy, SFT(policy), count_tokens, data
    if settings.method == "reward":
        scalar = from_language_model(policy, settings.seed)
        return scalar.base, Reward(scalar, options), count_groups, data
    budget = settings.microbatch_tokens
    training, held_out = (
        with_reference(policy, part, budget) for part in (data.training, data.held_out)
    )
    return policy, DPO(policy, options), count_pairs, _Data(training, held_out, data.notes)


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
