"""What cannot work where a model answers for itself, told before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from suffrage.core.errors import SettingsError
from suffrage.models.processes import check_whole
from suffrage.objectives.online import (
    GRPOOptions,
    OnlineDPOOptions,
    PolicyOptions,
    RAFTOptions,
    RLOOOptions,
    SamplingOptions,
)
from suffrage.objectives.table import objective
from suffrage.train.settings import TrainSettings, check_patience

COMPARED = (RLOOOptions, GRPOOptions, OnlineDPOOptions)  # answers to a prompt with each other
SHIFTING = ("lagrangian", "maxmin")  # the same answer scores otherwise in another round


def check(settings: TrainSettings, rewards: Sequence[str]) -> SamplingOptions:
    """The method's options; `SettingsError` for what has no meaning or teaches nothing."""
    method = settings.method
    if not rewards:
        raise SettingsError(
            f"{method} needs --reward, a reward model; train one with `suffrage train reward`, or "
            "name any classifier as hf:MODEL#LABEL, a judge as judge:MODEL, or any function as "
            "module:function."
        )
    check_whole(method)
    check_patience(settings)
    row = objective(method)
    options: SamplingOptions = row.function(**row.check(settings.options))
    for wrong in _wrong(settings, options):
        raise SettingsError(wrong)
    return options


def _wrong(settings: TrainSettings, options: SamplingOptions) -> Iterator[str]:
    method = settings.method
    if settings.kl:
        yield f"{method} is held near its start by --kl-coef; leave --kl out."
    if settings.gradient_checkpointing == "on":
        yield f"{method} samples while it learns: leave --gradient-checkpointing out."
    if isinstance(options, COMPARED) and options.samples < 2:
        yield f"{method} compares answers to one prompt; ask for --samples 2 or more."
    kept = isinstance(options, RAFTOptions) and options.winners == "kept"
    if kept and options.combine in SHIFTING:
        yield (
            f"--combine {options.combine} scores the same answer otherwise in another round, so no "
            "winner can stand; add --winners new."
        )
    if isinstance(options, PolicyOptions):
        yield from _wrong_anchor(options)


def _wrong_anchor(options: PolicyOptions) -> Iterator[str]:
    if options.kl_in == "loss" and options.kl_estimator == "k1":
        yield (
            "--kl-estimator k1 in the loss has a gradient of mean 0, so it holds nothing; choose "
            "k2 or k3, or --kl-in reward."
        )
    if options.kl_target and not options.kl_coef:
        yield "--kl-target scales --kl-coef, which is 0 and stays 0; start it above 0."
