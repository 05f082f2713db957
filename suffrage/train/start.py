"""The models a run starts from: loaded, made small, given an adapter or a head."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from suffrage.core.errors import ModelError
from suffrage.data.conditioning import ASKED_AFTER
from suffrage.models.adapters import AdapterSettings, add
from suffrage.models.four_bit import check_four_bit, quantise
from suffrage.models.language_model import LanguageModel, load, pick_device
from suffrage.models.precision import recompute_activations
from suffrage.models.scalar_head import ScalarModel, from_language_model
from suffrage.objectives.objective import Objective
from suffrage.train.heads import Heads
from suffrage.train.regulariser import Anchor
from suffrage.train.settings import TrainSettings


@dataclass(frozen=True)
class Models:
    """The model as given, which is the reference, and what is trained of it."""

    given: LanguageModel
    trained: LanguageModel
    scalar: ScalarModel | None
    anchor: Anchor | None
    watched: Anchor | None  # the same, of no weight, where the distance is only to be seen


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


def models_of(settings: TrainSettings, row: Objective, heads: Heads | None) -> Models:
    adapter = settings.adapter_settings()
    given = load_given(settings, adapter)
    names, alike = ((), False) if heads is None else (heads.names, heads.alike)
    rewards = row.learns == "reward"
    scalar = from_language_model(given, settings.seed, names, alike) if rewards else None
    start = given if scalar is None else scalar.base
    if adapter.kind == "qlora":
        quantise(start.model, device_of(settings.device))
    trained = replace(add(start, adapter, settings.seed), condition=ASKED_AFTER.get(row.view))
    if settings.gradient_checkpointing == "on":
        trained = _computed_again(trained)
    anchor = _anchor(settings.kl, given, trained) if settings.kl else None
    watched = _anchor(0.0, given, trained) if _watches(settings, row, given, trained) else None
    reward = None if scalar is None else ScalarModel(trained)
    return Models(given, trained, reward, anchor, watched)


def _watches(
    settings: TrainSettings, row: Objective, given: LanguageModel, trained: LanguageModel
) -> bool:
    """Whether held-out rows are to show the KL, where the loss does not hold it already."""
    if row.learns == "reward" or settings.kl:
        return False
    free = trained.model is not given.model
    return settings.watch_kl == "on" or (settings.watch_kl == "auto" and free)


def _computed_again(trained: LanguageModel) -> LanguageModel:
    """Activations are not kept; a row's trees, known in the forward pass alone, get a mask."""
    recompute_activations(trained.model)
    return replace(trained, layout="forest") if trained.layout == "row" else trained


def _anchor(weight: float, given: LanguageModel, trained: LanguageModel) -> Anchor:
    """The model as given: its own weights where an adapter is trained, else a copy of them."""
    same = trained.model is given.model
    return Anchor(weight, given.frozen_copy() if same else given)
