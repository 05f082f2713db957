"""One optimiser step: the learning rate of the moment, clipped gradients, AdamW.

Losses come as sums over micro-batches and are divided once by the count over the whole batch, so
the numbers depend neither on the split nor on the number of processes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from suffrage.core.errors import NumericalError
from suffrage.models.processes import ALONE, Processes

Schedule = Literal["linear", "cosine", "constant"]
Metrics = dict[str, float]


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
    adam_betas: tuple[float, float] = (0.9, 0.999)
    eval_every: int = 0  # steps; 0: at the start and the end only
    checkpoint_every: int = 0  # steps; 0: every CHECKPOINT_SECONDS
    patience: int = 0  # evaluations without improvement after which to stop; 0: never


@dataclass
class Optimiser:
    """AdamW over several modules, each clipped by its own gradient norm.

    rates: the learning rate of modules that have one of their own. carried: modules that are not
    trained but change, so that checkpoints keep them.
    """

    modules: Mapping[str, nn.Module]
    settings: LoopSettings
    processes: Processes = ALONE
    rates: Mapping[str, float] = field(default_factory=dict)
    carried: Mapping[str, nn.Module] = field(default_factory=dict)
    when_proven: Callable[[], None] | None = None
    adamw: torch.optim.AdamW = field(init=False)

    def __post_init__(self) -> None:
        groups = [{"params": _trainable(module)} for module in self.modules.values()]
        self.adamw = torch.optim.AdamW(
            groups,
            lr=self.settings.learning_rate,
            betas=self.settings.adam_betas,
            eps=self.settings.adam_eps,
            weight_decay=self.settings.weight_decay,
            fused=True,  # one pass over the weights instead of ten
        )

    @property
    def kept(self) -> dict[str, nn.Module]:
        """The modules of a checkpoint."""
        return {**self.modules, **self.carried}

    def set_rate(self, step: int) -> float:
        """Set the rates of this step; returns that of the modules without a rate of their own."""
        factor, usual = schedule_factor(step, self.settings), self.settings.learning_rate
        for name, group in zip(self.modules, self.adamw.param_groups, strict=True):
            group["lr"] = self.rates.get(name, usual) * factor
        return usual * factor

    def update(
        self,
        loss_sums: Iterable[Tensor],
        count: float,
        where: Callable[[], str] = str,
        parts: int = 0,
    ) -> Metrics:
        """Descend along the gradient of (the sum of `loss_sums`) / count.

        parts: how many sums there are, where the weights are shared out.
        Raises `NumericalError` that says `where`, asked only then, when the loss or its gradient is
        not finite; the weights stay.
        """
        self.adamw.zero_grad(set_to_none=True)
        total = 0.0
        for number, loss_sum in enumerate(loss_sums, 1):
            self.processes.backward(loss_sum / count, last=number == parts)
            total += float(loss_sum.detach())
        total = sum(self.processes.gather(total))
        _check_finite("loss", total, where)
        norms = {
            f"grad_norm{'' if len(self.modules) == 1 else '/' + name}": self.processes.clip(
                _trainable(module), self.settings.clip_norm
            )
            for name, module in self.modules.items()
        }
        for name, norm in norms.items():
            _check_finite(name, norm, where)
        if self.when_proven is not None:
            self.when_proven()
            self.when_proven = None
        self.adamw.step()
        return {"loss": total / count, **norms}


def _check_finite(name: str, value: float, where: Callable[[], str]) -> None:
    if not math.isfinite(value):
        raise NumericalError(f"the {name} is {value} {where()}; lower --lr or leave these rows out")


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
