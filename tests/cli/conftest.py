"""What the tests of the command line share: a folder a user might have, and a way to call it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import tiny

from suffrage.cli.main import main
from suffrage.models.language_model import load
from suffrage.models.scalar_head import from_language_model


class Said(NamedTuple):
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str


@pytest.fixture
def suffrage(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run a command line, given as one string or as words, in this process."""

    def run(*words: str) -> Said:
        line = words[0].split() if len(words) == 1 else list(words)
        capsys.readouterr()
        status = main(line)
        return Said(status, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a language model `m` and a reward model `rm`."""
    folder = tmp_path_factory.mktemp("models")
    tiny.saved(folder / "m")
    from_language_model(load(folder / "m", "cpu"), seed=9).base.save(folder / "rm")
    return folder


@pytest.fixture
def home(tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: both models, pairs, a stance file and prompts, as a user has them."""
    for name in ("m", "rm"):
        shutil.copytree(models / name, tmp_path / name)
    texts = [(f"question {i}? ", f"yes, it is good {i}", f"no, 不好看 {i}") for i in range(12)]
    pairs = [{"prompt": p, "chosen": a, "rejected": b} for p, a, b in texts]
    write_lines(tmp_path / "pairs.jsonl", pairs)
    stance = [
        {"id": i, "prompt": p, "support": a, "oppose": b} for i, (p, a, b) in enumerate(texts)
    ]
    write_json(tmp_path / "labelled.json", stance)
    # ids in no order, one of them a text: they must come back as they are
    ids = (7, "q-3", 5)
    rows = [{"id": name, "prompt": f"真人版 {name}? "} for name in ids]
    write_json(tmp_path / "prompts.json", rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def write_lines(path: Path, rows: list[dict[str, object]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """A function from a folder to its files' bytes: what a failing command must not change."""

    def read(folder: Path) -> dict[str, bytes]:
        found = (path for path in folder.rglob("*"))
        return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in found}

    return read
