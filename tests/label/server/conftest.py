"""An empty project for each test, and what serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from project_fixture import QUICK, Clock, Project

from suffrage.label.server import Settings, create_app
from suffrage.label.store.database import Store, open_store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    opened = open_store(tmp_path / "project.db", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def make(store: Store, clock: Clock) -> Callable[[Settings], Project]:
    return lambda settings: Project(store, clock, create_app(store, settings))


@pytest.fixture
def project(make: Callable[[Settings], Project]) -> Project:
    return make(QUICK)
