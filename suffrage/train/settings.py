"""The settings of a training run, one place for the command line, recipes and Python."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from suffrage.core.errors import SettingsError, nearest
from suffrage.data.encode import Overlong
from suffrage.models.adapters import AdapterSettings, Kind
from suffrage.models.precision import Precision
from suffrage.train.optimiser import Schedule
from suffrage.train.trackers import Tracker

# Learning rates that work at 1 M and at 7 B parameters; between them the size decides.
LEARNING_RATES = {
    "sft": (5e-4, 2e-5),
    "hindsight": (5e-4, 2e-5),
    "conditional": (5e-4, 2e-5),
    "reward": (1e-3, 1e-5),
    "reward-ranking": (1e-3, 1e-5),
    "reward-label": (1e-3, 1e-5),
    "reward-rating": (1e-3, 1e-5),
    "reward-raters": (1e-3, 1e-5),
    "ppo": (5e-4, 1e-6),
    "rloo": (5e-4, 1e-6),
    "grpo": (5e-4, 1e-6),
    "reinforce": (5e-4, 1e-6),
    "raft": (5e-4, 2e-5),
    "best-of-n": (5e-4, 2e-5),
    "orpo": (7.5e-4, 8e-6),
    "kto": (7.5e-4, 5e-7),
    "ipo": (1e-4, 5e-7),  # its gradient grows with the distance to its margin
    "rrhf": (5e-4, 2e-5),
    "pro": (5e-4, 5e-6),
}
OF_PAIRS = (9.5e-4, 5e-7)  # DPO and those like it


def learning_rates(method: str) -> tuple[float, float]:
    """The method's rates at 1 M and at 7 B parameters."""
    return LEARNING_RATES.get(method, OF_PAIRS)


class TrainSettings(BaseModel):
    """What every method takes; a method's own options are in `options`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    method: str
    model: str
    data: str
    seed: int = Field(0, ge=0, lt=1 << 32, description="decides every random choice")
    epochs: float = Field(1, gt=0, description="passes over the data")
    batch_size: int = Field(8, ge=1, description="prompts in an optimiser step")
    lr: float | None = Field(
        None,
        gt=0,
        description="learning rate; unset: from the model's size (10 times that for an adapter)",
    )
    schedule: Schedule = Field("linear", description="how the rate decays after warm-up")
    warmup: float = Field(0.1, ge=0, le=1, description="share of the steps that warm up")
    weight_decay: float = Field(0.0, ge=0, description="AdamW's weight decay")
    clip_norm: float = Field(1.0, gt=0, description="largest norm of the gradient")
    heads: str = Field(
        "one",
        description="a reward model's heads: one, or one for each criterion or rater-kind, one for "
        "each of the raters (kept near each other), or for each group of a JSON file of "
        "{rater: group}, or for each of groups:2 (or more, or "
        "groups:auto) groups of raters found by what they vote for",
    )
    kl: float = Field(
        0.0,
        ge=0,
        description="weight of the KL divergence per token from the model as given, in the loss",
    )
    watch_kl: Literal["auto", "on", "off"] = Field(
        "auto",
        description="log that divergence on held-out rows; auto: where it takes no copy of the "
        "weights, with an adapter",
    )
    data_size: int | None = Field(None, ge=1, description="use the first n rows")
    support_ratio: float | None = Field(
        None,
        ge=0,
        le=1,
        description="stance files: share of rows that prefer the supporting answer",
    )
    holdout: float = Field(0.0, ge=0, lt=1, description="share of the prompts kept for evaluation")
    eval_data: str | None = Field(None, description="a file to evaluate on")
    eval_every: int = Field(0, ge=0, description="steps between evaluations; 0: start and end")
    patience: int = Field(
        0,
        ge=0,
        description="held-out evaluations without improvement before it stops and takes the "
        "best; 0: never",
    )
    max_steps: int | None = Field(
        None,
        ge=1,
        description="most optimiser steps; unset: as the epochs say, at most 20,000 "
        "where answers are sampled",
    )
    stop_reward: float | None = Field(
        None, description="stop when the (held-out) reward has reached it"
    )
    stop_kl: float | None = Field(
        None, gt=0, description="stop when the KL to the reference is past it, in nats"
    )
    pretraining: str | None = Field(
        None, description="a file of demonstrations whose likelihood is kept (PPO-ptx)"
    )
    max_length: int | None = Field(
        None, ge=2, description="most tokens; unset: the model's context"
    )
    overlong: Overlong = Field(
        "refuse", description="longer rows: refuse, skip, or cut (keep a prompt's end)"
    )
    checkpoint_every: int = Field(0, ge=0, description="steps; 0: every 20 seconds")
    microbatch_tokens: int = Field(8192, ge=1, description="tokens computed at once")
    precision: Precision = Field(
        "auto", description="of matrix products; auto: bf16 on a GPU that has it, else fp32"
    )
    gradient_checkpointing: Literal["off", "on"] = Field(
        "off", description="compute activations again in the backward pass, to save memory"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where to compute")
    adapter: Kind = Field("none", description="train few weights beside the model's own")
    rank: int = Field(16, ge=1, description="lora, dora, qlora: rank of what is added to a layer")
    alpha_ratio: float = Field(2.0, gt=0, description="lora, dora, qlora: its scale, alpha / rank")
    target_modules: str | None = Field(
        None, description="lora, dora, qlora: layers, by comma; unset: all linear but the head"
    )
    virtual_tokens: int = Field(16, ge=1, description="prefix, prompt: tokens before every text")
    save: Literal["adapter", "merged"] = Field(
        "adapter", description="of an adapter: itself, which needs its base, or a whole model"
    )
    track: Tracker = Field("none", description="where to send the figures too, if installed")
    options: dict[str, Any] = Field(default_factory=dict)

    def adapter_settings(self) -> AdapterSettings:
        """The adapter asked for; `SettingsError` where it cannot be saved as asked."""
        if self.save == "merged" and self.adapter in ("prefix", "prompt", "qlora"):
            raise SettingsError(f"--save merged: {_UNMERGED[self.adapter]}; leave it out.")
        names = (self.target_modules or "").split(",")
        return AdapterSettings(
            kind=self.adapter,
            rank=self.rank,
            alpha_ratio=self.alpha_ratio,
            virtual_tokens=self.virtual_tokens,
            target_modules=tuple(name.strip() for name in names if name.strip()),
        )


_TOKENS = "virtual tokens cannot become weights of the model"
_UNMERGED = {
    "prefix": _TOKENS,
    "prompt": _TOKENS,
    "qlora": "weights in four bits cannot take up an adapter without loss",
}


def make_settings(**values: Any) -> TrainSettings:
    """Settings from names and values; `SettingsError` names the one that does not fit."""
    unknown = sorted(set(values) - set(TrainSettings.model_fields))
    if unknown:
        known = nearest(unknown[0], TrainSettings.model_fields)
        raise SettingsError(f"there is no setting {unknown[0]!r}; {known}")
    try:
        return TrainSettings(**values)
    except ValidationError as error:
        raise SettingsError(_sentence(error.errors(include_url=False)[0])) from error


_LIMITS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "finite_number": "a finite number",
    "literal_error": "one of {expected}",
}


def _sentence(problem: Any) -> str:
    """What pydantic found, as one sentence about the option."""
    name = "--" + "-".join(str(part) for part in problem["loc"]).replace("_", "-")
    if problem["type"] == "missing":
        return f"{name} is missing; give it."
    limit = _LIMITS.get(problem["type"])
    if limit is None:
        return f"{name} is {problem['input']!r}: {problem['msg'].lower()}."
    return f"{name} is {problem['input']!r}; it must be {limit.format(**problem.get('ctx', {}))}."


def check_patience(settings: TrainSettings) -> None:
    """`SettingsError` where nothing would tell when to lose patience."""
    if not settings.patience:
        return
    if not settings.holdout and settings.eval_data is None:
        raise SettingsError(
            f"--patience {settings.patience} waits for a better evaluation, and nothing is held "
            "out; give --holdout or --eval-data too."
        )
    if not settings.eval_every:
        raise SettingsError(
            f"--patience {settings.patience} counts evaluations, and there are two, at the start "
            "and the end; give --eval-every too."
        )


def learning_rate(method: str, parameters: int, adapter: bool = False) -> float:
    """Interpolated in the logarithm of the size between 1 M and 7 B parameters.

    Small models need, and stand, far larger steps: one rate cannot serve both. Adapters learn best
    at about ten times the rate of all weights, whatever the size (Thinking Machines, "LoRA Without
    Regret", 2025).
    """
    small, large = learning_rates(method)
    share = (math.log(max(parameters, 1)) - math.log(1e6)) / (math.log(7e9) - math.log(1e6))
    share = min(max(share, 0.0), 1.0)
    rate = math.exp((1 - share) * math.log(small) + share * math.log(large))
    return float(f"{rate * (10 if adapter else 1):.2g}")
