"""Send the logged figures to a tracker too, where the user asks for one and has it installed."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from suffrage.core.errors import SettingsError
from suffrage.core.runs import RunDirectory
from suffrage.train.optimiser import Metrics

Tracker = Literal["none", "tensorboard", "trackio", "wandb"]
PROJECT = "suffrage"


@contextmanager
def tracking(
    kind: Tracker, run: RunDirectory, main: bool = True
) -> Iterator[Callable[[Metrics], None]]:
    """Yield what takes each row of metrics; `SettingsError` where the package is missing.

    TensorBoard's files go under the run's `tensorboard` folder; Trackio and Weights & Biases get a
    run of the folder's name in the project `suffrage`, set up as their own variables say. Of
    several processes only the main one sends, but all look for the package: they end together.
    """
    if kind == "none":
        yield lambda metrics: None
        return
    service = _module("torch.utils.tensorboard" if kind == "tensorboard" else kind, kind)
    if not main:
        yield lambda metrics: None
    elif kind == "tensorboard":
        yield from _tensorboard(service, run)
    else:
        yield from _service(service, run)


def _tensorboard(service: Any, run: RunDirectory) -> Iterator[Callable[[Metrics], None]]:
    writer = service.SummaryWriter(str(run.path / "tensorboard"))

    def log(metrics: Metrics) -> None:
        for name, value in metrics.items():
            writer.add_scalar(name, value, int(metrics["step"]))

    with writer:
        yield log


def _service(service: Any, run: RunDirectory) -> Iterator[Callable[[Metrics], None]]:
    """Trackio has the interface of Weights & Biases."""
    service.init(project=PROJECT, name=run.path.name, config=run.settings or {}, resume="allow")
    try:
        yield lambda metrics: service.log(dict(metrics), step=int(metrics["step"]))
    finally:
        service.finish()


def _module(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise SettingsError(
            f"--track {package} needs the {package} package; run `pip install {package}`, or leave "
            "it out: metrics.jsonl has all figures."
        ) from None
