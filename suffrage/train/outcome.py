"""What a run leaves: the settings it is known by, what was made of them, and the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from suffrage.core.files import build_folder
from suffrage.core.keys import path_key
from suffrage.core.runs import RunDirectory, Settings
from suffrage.models.adapters import Adapted, merge
from suffrage.models.checkpoint import Checkpoints
from suffrage.models.folder import base_of, is_adapter, resolve
from suffrage.models.language_model import LanguageModel
from suffrage.models.precision import precision_of
from suffrage.models.processes import find_processes
from suffrage.train.card import write_card
from suffrage.train.heads import OF_JUDGMENT, ONE
from suffrage.train.optimiser import Metrics, Optimiser
from suffrage.train.rater_groups import PREFIX
from suffrage.train.settings import TrainSettings


@dataclass(frozen=True)
class Finished:
    """A finished run: where it lies, its last figures, and what the reader said of the data."""

    path: Path
    metrics: Metrics
    notes: tuple[str, ...]
    reused: bool = False


def recorded(
    settings: TrainSettings, options: Mapping[str, Any], rewards: Sequence[str] = (), **more: Any
) -> Settings:
    """What settings.json holds; the keys tell another file or model of the same name apart.

    rewards: the folders, files or hub names that the rewards come from.
    """
    given = {**settings.model_dump(), **more, "options": dict(options)}
    files = {name: given[name] for name in ("data", "eval_data", "pretraining") if given[name]}
    if settings.heads not in (ONE, *OF_JUDGMENT) and not settings.heads.startswith(PREFIX):
        files["heads"] = settings.heads
    models = {"model": resolve(settings.model)}
    models |= {f"reward_{number}": place for number, place in enumerate(rewards, 1)}
    keys = {f"{name}_key": _key(place) for name, place in (files | models).items()}
    return {"verb": "train", **given, **keys}


def _key(place: str) -> str | None:
    """The key of what lies here; None for a name on the hub. A model's card changes nothing."""
    path = Path(place)
    own = path_key(path, skip=("README.md",)) if path.exists() else None
    return f"{own} on {_key(resolve(base_of(place)))}" if is_adapter(place) else own


def resolved(
    settings: TrainSettings, given: LanguageModel, trained: LanguageModel, optimiser: Optimiser
) -> Settings:
    """What was made of the settings left open, as the run directory keeps it."""
    of_adapter = {"trainable": trained.trainable} if isinstance(trained, Adapted) else {}
    return {
        "lr": optimiser.settings.learning_rate,
        "device": str(trained.device),
        "precision": precision_of(settings.precision, trained.device),
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
    ended: str = "",
) -> None:
    """Save the model, then say that the run is done; only then forget how to resume it.

    forward: the module through which several processes share out the weights, if they do. ended:
    why the run stopped where it did.
    """
    processes = find_processes()
    whole = processes.whole_weights(forward) if forward and processes.sharded else None
    if processes.main:
        _save(run, settings, trained, metrics, whole, ended)
    processes.wait()


def _save(
    run: RunDirectory,
    settings: TrainSettings,
    trained: LanguageModel,
    metrics: Metrics,
    whole: Mapping[str, Tensor] | None,
    ended: str,
) -> None:
    kept = merge(trained) if settings.save == "merged" else trained

    def build(folder: Path) -> None:
        kept.save(folder, *([] if whole is None else [whole]))
        write_card(folder, settings, metrics)

    build_folder(run.model, build)
    why = {"ended": ended} if ended else {}
    run.finish({"metrics": metrics, "steps": metrics["step"], "seconds": run.seconds, **why})
    Checkpoints(run.checkpoints).clear()
