"""What every test stands on: no network, Hypothesis without surprises, and material of others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"  # a test that would download must fail, not wait
os.environ["OMP_NUM_THREADS"] = "1"  # tests run side by side: more threads than cores only wait

settings.register_profile("suite", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("suite")

REAL = Path(os.environ.get("SUFFRAGE_REAL", Path(__file__).parents[1] / ".." / "shared" / "real"))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the tests keep is not the user's, and goes with them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUFFRAGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def every_tree_is_long() -> Iterator[None]:
    """Trees however short make a row where a row is asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("suffrage.data.forest.LONG_TREE", 0)
        yield


@pytest.fixture
def real_path() -> Callable[[str], Path]:
    """A function from a name under the folder of real material to its path; skips without it."""

    def find(name: str) -> Path:
        path = REAL / name
        if not path.exists():
            pytest.skip(f"no real material at {path}; set SUFFRAGE_REAL to its folder")
        return path

    return find


@pytest.fixture
def serve() -> Iterator[Callable[..., Any]]:
    """Starts servers of chat completions that answer as they are told: see `chat_server`."""
    from chat_server import Server

    made: list[Server] = []

    def start(answer: Callable[..., Any]) -> Server:
        made.append(Server(answer))
        return made[-1]

    yield start
    for server in made:
        server.http.shutdown()
        server.http.server_close()


FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium; skips where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next((found for name in names if (found := shutil.which(name))), None)
    if chromium is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield opened
        opened.close()
