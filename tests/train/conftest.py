"""What the tests of training share: a tiny model, files of pairs and prompts, and settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from ten_groups import groups

from suffrage.data.read import write_groups
from suffrage.models.language_model import load
from suffrage.models.scalar_head import from_language_model
from suffrage.train.settings import TrainSettings, make_settings


@pytest.fixture
def pairs_file(tmp_path: Path) -> Path:
    """Ten groups, in Suffrage's own format."""
    write_groups(tmp_path / "pairs.jsonl", groups(10))
    return tmp_path / "pairs.jsonl"


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.saved(tmp_path_factory.mktemp("model") / "lm")


@pytest.fixture(scope="session")
def reward_folder(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reward") / "rm"
    from_language_model(load(model_folder, "cpu"), seed=9).base.save(folder)
    return folder


@pytest.fixture
def settings(model_folder: Path, pairs_file: Path) -> Callable[..., TrainSettings]:
    """Settings of a method on the tiny model and the ten groups, with changes."""

    def make(method: str, **changes: object) -> TrainSettings:
        fixed = {"model": str(model_folder), "data": str(pairs_file), "device": "cpu"}
        return make_settings(**{"method": method, "batch_size": 4, "lr": 1e-3, **fixed, **changes})

    return make
