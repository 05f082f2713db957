"""Checkpoints to resume from: exact, atomic, and free of code that runs on loading."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from suffrage.core.errors import RunError
from suffrage.core.files import build_folder, read_json, write_json
from suffrage.models.processes import ALONE, Processes


@dataclass(frozen=True)
class Checkpoints:
    """The newest state of a run under one folder; older ones go when a newer one is whole."""

    folder: Path
    processes: Processes = ALONE

    def newest(self) -> Path | None:
        return max(self.folder.glob("step-*"), default=None)

    def save(
        self,
        step: int,
        modules: Mapping[str, nn.Module],
        optimizer: torch.optim.Optimizer,
        state: dict[str, Any],
    ) -> None:
        """Write weights, optimizer and what else the method keeps after `step` steps."""
        made, kept = self.folder / f"step-{step:08d}", {"step": step, **state}

        def build(folder: Path) -> None:
            _save_weights(modules, folder)
            torch.save(optimizer.state_dict(), folder / "optimizer.pt")
            write_json(folder / "state.json", kept)

        if self.processes.sharded:
            self._save_shares(made, kept)
        elif self.processes.main:
            build_folder(made, build)
        if self.processes.main:
            for old in self.folder.glob("step-*"):
                if old != made:
                    shutil.rmtree(old, ignore_errors=True)

    def _save_shares(self, made: Path, state: dict[str, Any]) -> None:
        """Every process writes its share; the first moves the whole into place."""
        growing = self.folder / f".{made.name}"
        self.processes.first(lambda: shutil.rmtree(growing, ignore_errors=True))
        self.processes.save_shares(growing)
        self.processes.wait()
        if self.processes.main:
            write_json(growing / "state.json", state)
            growing.rename(made)

    def load(
        self, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer
    ) -> dict[str, Any] | None:
        """Restore the newest checkpoint in place and return its state; None when there is none."""
        folder = self.processes.first(self.newest)
        if folder is None:
            return None
        try:
            if self.processes.sharded:
                self.processes.load_shares(folder)
            else:
                _load_whole(folder, modules, optimizer)
            state: dict[str, Any] = read_json(folder / "state.json")
        except Exception as error:  # each library has its own kind for a damaged file
            raise RunError(
                f"{folder} is damaged ({type(error).__name__}); delete it to start this run again."
            ) from error
        return state

    def keep_best(self, modules: Mapping[str, nn.Module]) -> None:
        """Write the weights alone, in the place of those kept before."""
        made = self.folder / "best.new"
        shutil.rmtree(made, ignore_errors=True)
        build_folder(made, lambda folder: _save_weights(modules, folder))
        shutil.rmtree(self.folder / "best", ignore_errors=True)
        made.rename(self.folder / "best")

    def restore_best(self, modules: Mapping[str, nn.Module]) -> None:
        """Put the weights of `keep_best` back, if any were kept."""
        kept = [self.folder / name for name in ("best", "best.new")]  # new: killed between the two
        for folder in [folder for folder in kept if folder.exists()][:1]:
            for name, module in modules.items():
                _restore(module, load_file(folder / f"{name}.safetensors"))

    def clear(self) -> None:
        """A finished run keeps its model, not the state to continue from."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _save_weights(modules: Mapping[str, nn.Module], folder: Path) -> None:
    for name, module in modules.items():
        whole = {key: t.contiguous() for key, t in _changing(module).items()}
        save_file(whole, folder / f"{name}.safetensors")


def _load_whole(
    folder: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer
) -> None:
    for name, module in modules.items():
        _restore(module, load_file(folder / f"{name}.safetensors"))
    # weights_only: a checkpoint from elsewhere cannot run code
    optimizer.load_state_dict(torch.load(folder / "optimizer.pt", weights_only=True))


def _changing(module: nn.Module) -> dict[str, torch.Tensor]:
    """What training can change, each tensor once: frozen weights are where they came from."""
    kept = module.state_dict()
    found = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    return found | {name: b for name, b in module.named_buffers() if name in kept}


def _restore(module: nn.Module, saved: dict[str, torch.Tensor]) -> None:
    wanted = _changing(module)
    if saved.keys() != wanted.keys():
        raise KeyError(sorted(saved.keys() ^ wanted.keys())[0])
    for name, tensor in wanted.items():
        if saved[name].shape != tensor.shape:  # copying would spread a single value
            raise ValueError(name)
        tensor.copy_(saved[name])
