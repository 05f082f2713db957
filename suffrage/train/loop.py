"""The one training loop: it takes a step function and does everything that is not the method.

Learning rate, logging, progress, checkpoints, resuming and evaluation live here; a method's step
function draws its own batch and calls `Optimiser.update`. Losses come as sums over micro-batches
and are divided once by the count over the whole batch, so the numbers do not depend on the split.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from suffrage.core.errors import NumericalError
from suffrage.core.machine import peak_memory_mib
from suffrage.core.progress import progress_bar
from suffrage.core.runs import RunDirectory
from suffrage.models.checkpoint import Checkpoints

Schedule = Literal["linear", "cosine", "constant"]
Metrics = dict[str, float]
CHECKPOINT_SECONDS = 20.0


@dataclass(frozen=True)
class LoopSettings:
    """What the loop itself needs to know."""

    steps: int
    learning_rate: float
    schedule: Schedule = "linear"
    warmup: float = 0.1  # share of the steps
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    adam_eps: float = 1e-8
    eval_every: int = 0  # steps; 0: at the start and the end only
    checkpoint_every: int = 0  # steps; 0: every CHECKPOINT_SECONDS


class Step(Protocol):
    """One step of a method: returns the figures to log."""

    def __call__(self, step: int) -> Metrics: ...


class Stateful(Protocol):
    """What a method keeps from step to step besides weights (a KL controller, say)."""

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: dict[str, Any]) -> None: ...


@dataclass
class Optimiser:
    """AdamW over several modules, each clipped by its own gradient norm."""

    modules: Mapping[str, nn.Module]
    settings: LoopSettings
    adamw: torch.optim.AdamW = field(init=False)

    def __post_init__(self) -> None:
        groups = [{"params": _trainable(module)} for module in self.modules.values()]
        self.adamw = torch.optim.AdamW(
            groups,
            lr=self.settings.learning_rate,
            eps=self.settings.adam_eps,
            weight_decay=self.settings.weight_decay,
            fused=True,  # one pass over the weights instead of ten
        )

    def set_rate(self, step: int) -> float:
        rate = self.settings.learning_rate * schedule_factor(step, self.settings)
        for group in self.adamw.param_groups:
            group["lr"] = rate
        return rate

    def update(self, loss_sums: Iterable[Tensor], count: float, where: str = "") -> Metrics:
        """Descend along the gradient of (the sum of `loss_sums`) / count.

        Raises `NumericalError` that names `where` when the loss is not finite; the weights stay.
        """
        self.adamw.zero_grad(set_to_none=True)
        total = 0.0
        for loss_sum in loss_sums:
            (loss_sum / count).backward()
            total += float(loss_sum.detach())
        _check_finite("loss", total, where)
        norms = {
            f"grad_norm{'' if len(self.modules) == 1 else '/' + name}": float(
                nn.utils.clip_grad_norm_(_trainable(module), self.settings.clip_norm)
            )
            for name, module in self.modules.items()
        }
        for name, norm in norms.items():
            _check_finite(name, norm, where)
        self.adamw.step()
        return {"loss": total / count, **norms}


def _check_finite(name: str, value: float, where: str) -> None:
    if not math.isfinite(value):
        raise NumericalError(f"the {name} is {value} {where}; lower --lr or leave these rows out")


def _trainable(module: nn.Module) -> list[nn.Parameter]:
    return [p for p in module.parameters() if p.requires_grad]


def schedule_factor(step: int, settings: LoopSettings) -> float:
    """The share of the learning rate at `step` (from 0): warm up, then decay to 0 or stay."""
    warm = round(settings.warmup * settings.steps)
    if step < warm:
        return (step + 1) / warm
    if settings.schedule == "constant":
        return 1.0
    done = (step - warm) / max(1, settings.steps - warm)
    return 1 - done if settings.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))


def train(
    run: RunDirectory,
    optimiser: Optimiser,
    step: Step,
    *,
    label: str,
    evaluate: Callable[[], Metrics] | None = None,
    keeper: Stateful | None = None,
    show: str = "loss",
) -> Metrics:
    """Run every step that is still to do, and return the last figures logged.

    A killed run resumes from its newest checkpoint and logs what an uninterrupted one would.
    """
    settings = optimiser.settings
    run.start()
    checkpoints = Checkpoints(run.checkpoints)
    begin = _resume(run, checkpoints, optimiser, keeper)
    if begin == 0 and evaluate is not None:
        run.log({"step": 0, **_evaluation(evaluate)}, {})
    saved_at = time.monotonic()
    with progress_bar(label, settings.steps, begin) as advance:
        for index in range(begin, settings.steps):
            started = time.monotonic()
            rate = optimiser.set_rate(index)
            metrics = {"step": index + 1, "lr": rate, **step(index)}
            if evaluate is not None and _evaluation_due(index + 1, settings):
                metrics.update(_evaluation(evaluate))
            run.log(metrics, _timing(started))
            advance(note=f"{show} {metrics.get(show, math.nan):.3f}")
            if _checkpoint_due(index + 1, settings, saved_at):
                state = keeper.state() if keeper else {}
                checkpoints.save(index + 1, optimiser.modules, optimiser.adamw, state)
                saved_at = time.monotonic()
    return dict(run.metrics[-1]) if run.metrics else {}


def _resume(
    run: RunDirectory, checkpoints: Checkpoints, optimiser: Optimiser, keeper: Stateful | None
) -> int:
    state = checkpoints.load(optimiser.modules, optimiser.adamw)
    begin = 0 if state is None else int(state["step"])
    run.rewind(begin if begin else -1)
    if state is not None and keeper is not None:
        keeper.restore(state)
    return begin


def _evaluation(evaluate: Callable[[], Metrics]) -> Metrics:
    with torch.no_grad():
        return {f"eval/{name}": value for name, value in evaluate().items()}


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
