"""The one training loop: it takes a step function and does everything that is not the method.

Logging, progress, evaluation, early stopping, checkpoints and resuming live here; a method's step
function draws its own batch and calls `Optimiser.update`. Of several processes the first writes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch

from suffrage.core.errors import NumericalError, SettingsError
from suffrage.core.machine import peak_memory_mib
from suffrage.core.progress import progress_bar
from suffrage.core.runs import RunDirectory
from suffrage.models.checkpoint import Checkpoints
from suffrage.train.optimiser import LoopSettings, Metrics, Optimiser

CHECKPOINT_SECONDS = 20.0


class Step(Protocol):
    """One step of a method: returns the figures to log."""

    def __call__(self, step: int) -> Metrics: ...


class Stateful(Protocol):
    """What a method keeps from step to step besides weights (a KL controller, say)."""

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


def train(
    run: RunDirectory,
    optimiser: Optimiser,
    step: Step,
    *,
    label: str,
    evaluate: Callable[[], Metrics] | None = None,
    keeper: Stateful | None = None,
    show: Sequence[str] = ("loss",),
    watchers: Sequence[Callable[[Metrics], None]] = (),
    stop: Callable[[Metrics], str] = lambda metrics: "",
) -> Metrics:
    """Run every step that is still to do, and return the last figures logged.

    show: the figures beside the progress bar; watchers: also get each row that is logged; stop:
    says why to stop after a row, or nothing.

    A killed run resumes from its newest checkpoint and logs what an uninterrupted one would.
    """
    return _Loop(run, optimiser, step, label, evaluate, keeper, show, watchers, stop).run_all()


@dataclass
class _Loop:
    run: RunDirectory
    optimiser: Optimiser
    step: Step
    label: str
    evaluate: Callable[[], Metrics] | None
    keeper: Stateful | None
    show: Sequence[str]
    watchers: Sequence[Callable[[Metrics], None]]
    stop: Callable[[Metrics], str]

    def __post_init__(self) -> None:
        self.settings, self.processes = self.optimiser.settings, self.optimiser.processes
        self.checkpoints = Checkpoints(self.run.checkpoints, self.processes)
        if self.settings.patience and self.processes.sharded:
            raise SettingsError("--patience needs the whole model in every process; leave it out.")

    def run_all(self) -> Metrics:
        begin = self._resume()
        with progress_bar(self.label, self.settings.steps, begin) as advance:
            saved_at = time.monotonic()
            for done in range(begin + 1, self.settings.steps + 1):
                note, ended = self._one(done)
                advance(note=note)
                if ended:
                    break
                if self.processes.of_first(_checkpoint_due(done, self.settings, saved_at)):
                    self._save(done)
                    saved_at = time.monotonic()
        if self.settings.patience:
            self.checkpoints.restore_best(self.optimiser.kept)
        return self.processes.first(self._kept_row)

    def _one(self, done: int) -> tuple[str, bool]:
        """One step with what follows it; what to show of it, and whether to stop here."""
        started = time.monotonic()
        rate = self.optimiser.set_rate(done - 1)
        metrics = {"step": done, "lr": rate, **self.step(done - 1)}
        # What training says is reason to stop is looked at on held-out prompts before it counts.
        due = _evaluation_due(done, self.settings) or bool(self.stop(metrics))
        evaluated = self.evaluate is not None and due
        if self.evaluate is not None and due:
            metrics.update(_evaluation(self.evaluate))
        timing = _timing(started)
        self._log(metrics, timing)
        stalled = bool(evaluated and self.settings.patience and self.processes.first(self._stalled))
        ended = stalled or bool(self.stop(metrics))
        return _note(self.show, metrics, timing["seconds"]), ended

    def _resume(self) -> int:
        """Steps that are done; before the first, evaluate the model as it was given."""
        self.processes.first(self.run.start)
        state = self.checkpoints.load(self.optimiser.kept, self.optimiser.adamw)
        begin = 0 if state is None else int(state["step"])
        self.processes.first(lambda: self.run.rewind(begin if begin else -1))
        if state is not None and self.keeper is not None:
            self.keeper.restore(state)
        if begin == 0 and self.evaluate is not None:
            self._log({"step": 0, **_evaluation(self.evaluate)}, {})
            if self.settings.patience:
                self.processes.first(lambda: self.checkpoints.keep_best(self.optimiser.kept))
        return begin

    def _save(self, done: int) -> None:
        """Write a checkpoint once the next step has found its weights sound: the last is good.

        At once where steps sample: what a kill may cost there is too dear to wait.
        """
        state = self.keeper.state() if self.keeper else {}
        kept, adamw = self.optimiser.kept, self.optimiser.adamw
        save = partial(self.checkpoints.save, done, kept, adamw, state)
        if self.keeper is None:
            self.optimiser.when_proven = save
        else:
            save()

    def _log(self, metrics: Metrics, timing: dict[str, Any]) -> None:
        if self.processes.main:
            self.run.log(metrics, timing)
            for watch in self.watchers:
                watch(metrics)

    def _stalled(self) -> bool:
        """Keep the weights of the best evaluation so far; whether it is `patience` old."""
        held_out = [bad for row in self.run.metrics if (bad := badness(row)) is not None]
        age = held_out[::-1].index(min(held_out))
        if age == 0:
            self.checkpoints.keep_best(self.optimiser.kept)
        return age >= self.settings.patience

    def _kept_row(self) -> Metrics:
        """The figures of the weights that are kept: the last, or the best evaluation's."""
        rows = self.run.metrics
        evaluated = [(bad, row) for row in rows if (bad := badness(row)) is not None]
        if not self.settings.patience or not evaluated:
            return dict(rows[-1]) if rows else {}
        return dict(min(reversed(evaluated), key=lambda each: each[0])[1])


def badness(row: Mapping[str, Any]) -> float | None:
    """The held-out figure that early stopping wants low; None in a row without an evaluation."""
    if "eval/reward" in row and "eval/loss" not in row:
        return -float(row["eval/reward"])
    return float(row["eval/loss"]) if "eval/loss" in row else None


def _note(show: Sequence[str], metrics: Metrics, seconds: float) -> str:
    note = ", ".join(f"{name} {metrics.get(name, math.nan):.3f}" for name in show)
    tokens = metrics.get("tokens")
    return f"{note}, {tokens / max(seconds, 1e-9):,.0f} tokens/s" if tokens else note


def _evaluation(evaluate: Callable[[], Metrics]) -> Metrics:
    with torch.no_grad():
        found = {f"eval/{name}": value for name, value in evaluate().items()}
    if not math.isfinite(found.get("eval/loss", 0.0)):
        raise NumericalError(f"the loss of the held-out data is {found['eval/loss']}; lower --lr")
    return found


def _evaluation_due(done: int, settings: LoopSettings) -> bool:
    every = settings.eval_every
    return done == settings.steps or (every > 0 and done % every == 0)


def _checkpoint_due(done: int, settings: LoopSettings, saved_at: float) -> bool:
    if settings.checkpoint_every:
        return done % settings.checkpoint_every == 0
    return time.monotonic() - saved_at > CHECKPOINT_SECONDS


def _timing(started: float) -> dict[str, Any]:
    """Seconds of the step and the process's peak memory in MiB."""
    seconds = round(time.monotonic() - started, 4)
    return {"seconds": seconds, "peak_memory_mib": peak_memory_mib()}
