"""What a model's name stands for: a folder, the model of a run, an adapter on its base."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from suffrage.core.errors import ModelError
from suffrage.core.files import read_json

ADAPTER = "adapter_config.json"
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


def resolve(name: str | Path) -> str:
    """A run directory stands for the model in it."""
    path = Path(name)
    inner = path / "model"
    if _holds_model(inner):
        return str(inner)
    if (path / "settings.json").exists():
        raise ModelError(f"{path} holds a run that has not finished; run its command again first.")
    if not path.exists() and (not _HUB_NAME.fullmatch(str(name)) or _here(path)):
        raise ModelError(f"{path}: no such folder; check the path.")
    if path.exists() and not _holds_model(path):
        raise ModelError(
            f"{path} is no model folder (it has no config.json); name a folder written by "
            "save_pretrained or by `suffrage train`."
        )
    return str(name)


def _here(path: Path) -> bool:
    """Whether a name means something in this folder: a wrong runs/sft is no model of `runs`."""
    return len(path.parts) > 1 and path.parent.is_dir()


def _holds_model(path: Path) -> bool:
    return (path / "config.json").exists() or is_adapter(path)


def is_adapter(place: str | Path) -> bool:
    """Whether a folder holds an adapter in PEFT's form."""
    return (Path(place) / ADAPTER).exists()


def adapter_config(place: str | Path) -> dict[str, Any]:
    """What an adapter's folder says of it."""
    try:
        found = read_json(Path(place) / ADAPTER)
    except Exception as error:  # not JSON, not text
        raise ModelError(
            f"{place}/{ADAPTER} is damaged; copy or train the adapter again."
        ) from error
    if not isinstance(found, dict) or not found.get("base_model_name_or_path"):
        raise ModelError(
            f"{place}/{ADAPTER} names no base model; write its place there as "
            "base_model_name_or_path."
        )
    return found


def base_of(place: str | Path) -> str:
    """The model an adapter stands on; `ModelError` where that was a folder which is gone."""
    base = str(adapter_config(place)["base_model_name_or_path"])
    if Path(base).is_absolute() and not Path(base).exists():
        raise ModelError(
            f"{place} is an adapter on {base}, which is not there; put that model back, or write "
            f"where it is now as base_model_name_or_path into {ADAPTER}."
        )
    return base


def whole_name(name: str | Path) -> str:
    """The name by which an adapter finds its base from anywhere: an absolute path, or the hub's."""
    place = Path(resolve(name))
    return str(place.resolve()) if place.exists() else str(name)
