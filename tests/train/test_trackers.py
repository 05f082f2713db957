"""Figures sent on to a tracker: by its interface, once a logged row."""

from __future__ import annotations

import builtins
import sys
from types import SimpleNamespace

import pytest

from suffrage.core.errors import SettingsError
from suffrage.core.runs import RunDirectory
from suffrage.train.run import train_offline
from suffrage.train.trackers import tracking


@pytest.mark.parametrize("kind", ["trackio", "wandb"])
def test_a_service_gets_every_row_and_is_closed(monkeypatch, settings, tmp_path, kind):
    said: list[tuple] = []
    service = SimpleNamespace(
        init=lambda **given: said.append(("init", given["project"], given["name"])),
        log=lambda metrics, step: said.append((step, metrics)),
        finish=lambda: said.append(("finish",)),
    )
    monkeypatch.setitem(sys.modules, kind, service)
    train_offline(settings("sft", track=kind), tmp_path / "run")
    rows = RunDirectory(tmp_path / "run").metrics
    assert said[0] == ("init", "suffrage", "run")
    assert said[1:-1] == [(row["step"], row) for row in rows]
    assert said[-1] == ("finish",)


def test_tensorboard_gets_files_under_the_run(monkeypatch, settings, tmp_path):
    said: list[tuple] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            said.append(("open", folder))

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            said.append(("close",))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            said.append((name, value, step))

    board = SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    train_offline(settings("sft", track="tensorboard"), tmp_path / "run")
    rows = RunDirectory(tmp_path / "run").metrics
    sent = [(name, value, row["step"]) for row in rows for name, value in row.items()]
    assert said == [("open", str(tmp_path / "run" / "tensorboard")), *sent, ("close",)]


@pytest.mark.parametrize("kind", ["tensorboard", "trackio", "wandb"])
def test_of_several_processes_one_sends_and_the_others_only_look_for_the_package(
    monkeypatch, tmp_path, kind
):
    run = RunDirectory(tmp_path / "run")
    name = "torch.utils.tensorboard" if kind == "tensorboard" else kind
    monkeypatch.setitem(sys.modules, name, SimpleNamespace())  # nothing in it is to be called
    with tracking(kind, run, main=False) as watch:
        watch({"step": 1.0, "loss": 2.5})
    monkeypatch.setitem(sys.modules, name, None)  # not installed
    with pytest.raises(SettingsError, match="needs the"), tracking(kind, run, main=False):
        pass


@pytest.mark.parametrize("kind", ["tensorboard", "trackio", "wandb"])
def test_a_tracker_that_is_not_installed_is_one_sentence(monkeypatch, settings, tmp_path, kind):
    whole = builtins.__import__

    def missing(name, *rest):
        if name.split(".")[0] == kind or name == "torch.utils.tensorboard":
            raise ImportError(name)
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    monkeypatch.setattr("importlib.import_module", lambda name: missing(name))
    with pytest.raises(SettingsError, match=f"--track {kind} needs the {kind} package"):
        train_offline(settings("sft", track=kind), tmp_path / "run")
    assert not (tmp_path / "run").exists()
