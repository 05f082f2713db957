"""`suffrage train sft | reward | dpo`: from settings to a finished run directory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import set_seed

from suffrage.core.errors import ModelError, SettingsError
from suffrage.core.files import build_folder
from suffrage.core.keys import path_key
from suffrage.core.records import Group
from suffrage.core.runs import RunDirectory, Settings, open_run
from suffrage.data.conditioning import ASKED_AFTER, load_condition
from suffrage.data.read import read_groups
from suffrage.models.adapters import Adapted, AdapterSettings, add, merge
from suffrage.models.checkpoint import Checkpoints
from suffrage.models.folder import base_of, is_adapter, resolve
from suffrage.models.four_bit import check_four_bit, quantise
from suffrage.models.language_model import LanguageModel, load, pick_device
from suffrage.models.processes import find_processes
from suffrage.models.reward_name import reward_name
from suffrage.models.scalar_head import ScalarModel, from_language_model
from suffrage.objectives.table import Objective, objective
from suffrage.train.advice import advice
from suffrage.train.beside import RATE, Beside, Reliabilities, centre, make_beside
from suffrage.train.card import write_card
from suffrage.train.examples import Batches, Example, make_examples
from suffrage.train.heads import OF_JUDGMENT, ONE, Heads, find_heads
from suffrage.train.loop import train
from suffrage.train.offline import (
    Method,
    OfflineStep,
    language_method,
    reward_method,
    shared_out,
)
from suffrage.train.optimiser import LoopSettings, Metrics, Optimiser
from suffrage.train.reference import with_reference
from suffrage.train.regulariser import Anchor
from suffrage.train.settings import TrainSettings, learning_rate
from suffrage.train.trackers import tracking


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


@dataclass(frozen=True)
class _Models:
    """The model as given, which is the reference, and what is trained of it."""

    given: LanguageModel
    trained: LanguageModel
    scalar: ScalarModel | None
    anchor: Anchor | None


def train_offline(settings: TrainSettings, out: Path) -> Finished:
    """Train by the settings and leave a run directory at `out`.

    The same settings again resume an unfinished run and return a finished one as it is.
    """
    row = objective(settings.method)
    options = row.check(settings.options)
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
    heads = _heads(settings)
    models = _models(settings, row, heads)
    data = _read(settings, models.trained, row, heads)
    metrics = _train(settings, options, models, data, run)
    notes = (*data.notes, *forgotten(settings), *advice(row, run.metrics))
    return Finished(out, metrics, notes)


def forgotten(settings: TrainSettings) -> tuple[str, ...]:
    """What to say where the model to start from is asked after a phrase, and the new one is not."""
    condition = load_condition(resolve(settings.model))
    if condition is None or objective(settings.method).view in ASKED_AFTER:
        return ()
    return (
        f"{settings.model} answers after {condition.english!r}; {settings.method} read its prompts "
        "without it, and the new model is asked without it",
    )


def recorded(settings: TrainSettings, options: Mapping[str, Any], **more: Any) -> Settings:
    """What settings.json holds; the keys tell another file or model of the same name apart."""
    given = {**settings.model_dump(), **more, "options": dict(options)}
    files = {name: given[name] for name in ("data", "eval_data") if given[name]}
    if settings.heads not in (ONE, *OF_JUDGMENT):
        files["heads"] = settings.heads
    models = {"model": resolve(settings.model)}
    if "reward" in given:
        models["reward"] = resolve(reward_name(given["reward"]).model)
    keys = {f"{name}_key": _key(place) for name, place in (files | models).items()}
    return {"verb": "train", **given, **keys}


def _key(place: str) -> str | None:
    """The key of what lies here; None for a name on the hub. A model's card changes nothing."""
    path = Path(place)
    own = path_key(path, skip=("README.md",)) if path.exists() else None
    return f"{own} on {_key(resolve(base_of(place)))}" if is_adapter(place) else own


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


def load_given(settings: TrainSettings, adapter: AdapterSettings) -> LanguageModel:
    """The model to start from, on the CPU where its weights are still to be made small.

    What it was asked after is left behind: see `forgotten`.
    """
    device = device_of(settings.device)
    if adapter.kind == "qlora":
        check_four_bit(device)
        device = torch.device("cpu")
    return replace(load(settings.model, device), condition=None)


def _heads(settings: TrainSettings) -> Heads | None:
    """The heads asked for, as the data has them."""
    if settings.heads == ONE:
        return None
    groups, _ = read_groups(
        settings.data, data_size=settings.data_size, support_ratio=settings.support_ratio
    )
    return find_heads(settings.heads, groups)


def _models(settings: TrainSettings, row: Objective, heads: Heads | None) -> _Models:
    adapter = settings.adapter_settings()
    given = load_given(settings, adapter)
    names = () if heads is None else heads.names
    scalar = from_language_model(given, settings.seed, names) if row.learns == "reward" else None
    start = given if scalar is None else scalar.base
    if adapter.kind == "qlora":
        quantise(start.model, device_of(settings.device))
    trained = replace(add(start, adapter, settings.seed), condition=ASKED_AFTER.get(row.view))
    anchor = _anchor(settings.kl, given, trained) if settings.kl else None
    return _Models(given, trained, None if scalar is None else ScalarModel(trained), anchor)


def _anchor(weight: float, given: LanguageModel, trained: LanguageModel) -> Anchor:
    """The model as given: its own weights where an adapter is trained, else a copy of them."""
    same = trained.model is given.model
    return Anchor(weight, given.frozen_copy() if same else given)


def _read(
    settings: TrainSettings, policy: LanguageModel, row: Objective, heads: Heads | None
) -> _Data:
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
        training, note = make_examples(kept, encoder, row, "", settings.seed, heads)
    option = "--eval-data" if settings.eval_data else "--holdout"
    with held_report.located():
        given = (held, encoder, row, option, settings.seed, heads)
        held_out, held_note = make_examples(*given) if held else ([], "")
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
    models: _Models,
    data: _Data,
    run: RunDirectory,
) -> Metrics:
    """Build the method and run the loop; returns the last figures."""
    row = objective(settings.method)
    if row.reference:
        data = _with_reference(models.given, data, settings.microbatch_tokens)
    batches = Batches(len(data.training), settings.batch_size, settings.seed)
    steps = max(1, math.ceil(settings.epochs * batches.per_epoch))
    loop = loop_settings(settings, steps, models.given)
    beside = _beside(row, options, models, data)
    modules: dict[str, nn.Module] = {"model": models.trained.model}
    modules |= {} if beside is None else {"beside": beside}
    optimiser = Optimiser(modules, loop, find_processes(), {"beside": RATE})
    made = _method(row, options, models, settings.microbatch_tokens, beside)
    method = shared_out(made, optimiser)
    step = OfflineStep(data.training, batches, method, optimiser)
    evaluate = (lambda: step.evaluate(data.held_out)) if data.held_out else None
    run = replace(run, resolved=resolved(models.given, models.trained, optimiser))
    with tracking(settings.track if optimiser.processes.main else "none", run) as watch:
        metrics = train(run, optimiser, step, label=settings.method, evaluate=evaluate, watch=watch)
    if models.scalar is not None and row.view != "labels":  # a classifier's zero is its threshold
        centre(models.scalar, data.training, step.figures(data.training), beside)
    if isinstance(beside, Reliabilities) and find_processes().main:
        beside.save(run.path)
    finish(run, settings, models.trained, metrics, method.branches)
    return metrics


def _beside(row: Objective, options: dict[str, Any], models: _Models, data: _Data) -> Beside | None:
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
    models: _Models,
    tokens: int,
    beside: Beside | None,
) -> Method:
    if models.scalar is None:
        return language_method(row, options, models.trained, tokens, models.anchor)
    return reward_method(row, options, models.scalar, tokens, beside)


def _with_reference(policy: LanguageModel, data: _Data, tokens: int) -> _Data:
    training, held_out = (
        with_reference(policy, part, tokens) for part in (data.training, data.held_out)
    )
    return _Data(training, held_out, data.notes)


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


def resolved(given: LanguageModel, trained: LanguageModel, optimiser: Optimiser) -> Settings:
    """What was made of the settings left open, as the run directory keeps it."""
    of_adapter = {"trainable": trained.trainable} if isinstance(trained, Adapted) else {}
    return {
        "lr": optimiser.settings.learning_rate,
        "device": str(trained.device),
        "layout": trained.layout,
        "parameters": given.parameters,
        **of_adapter,
    }


def finish(
    run: RunDirectory,
    settings: TrainSettings,
    trained: LanguageModel,
    metrics: Metrics,
    forward: nn.Module | None = None,
) -> None:
    """Save the model, then say that the run is done; only then forget how to resume it.

    forward: the module through which several processes share out the weights, if they do.
    """
    processes = find_processes()
    whole = processes.whole_weights(forward) if forward and processes.sharded else None
    if processes.main:
        _save(run, settings, trained, metrics, whole)
    processes.wait()


def _save(
    run: RunDirectory,
    settings: TrainSettings,
    trained: LanguageModel,
    metrics: Metrics,
    whole: Mapping[str, Tensor] | None,
) -> None:
    kept = merge(trained) if settings.save == "merged" else trained

    def build(folder: Path) -> None:
        kept.save(folder, *([] if whole is None else [whole]))
        write_card(folder, settings, metrics)

    build_folder(run.model, build)
    run.finish({"metrics": metrics, "steps": metrics["step"], "seconds": run.seconds})
    Checkpoints(run.checkpoints).clear()
