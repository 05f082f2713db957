"""Checkpoints to resume from: exact, atomic, and free of code that runs on loading."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model, save_model
from torch import nn

from suffrage.core.errors import RunError
from suffrage.core.files import build_folder, read_json, write_json


@dataclass(frozen=True)
class Checkpoints:
    """The newest state of a run under one folder; older ones go when a newer one is whole."""

    folder: Path

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

        def build(folder: Path) -> None:
            for name, module in modules.items():
                save_model(module, str(folder / f"{name}.safetensors"))
            torch.save(optimizer.state_dict(), folder / "optimizer.pt")
            write_json(folder / "state.json", {"step": step, **state})

        made = build_folder(self.folder / f"step-{step:08d}", build)
        for old in self.folder.glob("step-*"):
            if old != made:
                shutil.rmtree(old, ignore_errors=True)

    def load(
        self, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer
    ) -> dict[str, Any] | None:
        """Restore the newest checkpoint in place and return its state; None when there is none."""
        folder = self.newest()
        if folder is None:
            return None
        try:
            for name, module in modules.items():
                load_model(module, str(folder / f"{name}.safetensors"))
            # weights_only: a checkpoint from elsewhere cannot run code
            optimizer.load_state_dict(torch.load(folder / "optimizer.pt", weights_only=True))
            state: dict[str, Any] = read_json(folder / "state.json")
        except Exception as error:  # each library has its own kind for a damaged file
            raise RunError(
                f"{folder} is damaged ({type(error).__name__}); delete it to start this run again."
            ) from error
        return state

    def clear(self) -> None:
        """A finished run keeps its model, not the state to continue from."""
        shutil.rmtree(self.folder, ignore_errors=True)
