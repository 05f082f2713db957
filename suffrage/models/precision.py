"""Less memory and more speed for large models: half precision, and activations computed again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal

import torch
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer

from suffrage.core.errors import ModelError, SettingsError

Precision = Literal["auto", "fp32", "bf16"]
ENABLE, FORMERLY = "activation_checkpointing_enable", "gradient_checkpointing_enable"


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """Matrix products in bfloat16 or in single precision; weights and sums stay as they are.

    auto: bfloat16 on a GPU whose hardware has it, single precision elsewhere.
    """
    half = precision_of(precision, device) == "bf16"
    if half and device.type == "mps":
        raise SettingsError("--precision bf16 is not for mps; leave it out.")
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def precision_of(precision: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """What a precision means on this device."""
    half = precision == "bf16" or (precision == "auto" and _has_bf16(device))
    return "bf16" if half else "fp32"


def _has_bf16(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def product_dtype(device: torch.device) -> torch.dtype | None:
    """What matrix products are computed in just now; None for the operands' own type."""
    enabled = torch.is_autocast_enabled(device.type)
    return torch.get_autocast_dtype(device.type) if enabled else None


def recompute_activations(model: nn.Module) -> None:
    """Keep only each layer's input for the backward pass and compute the rest again there.

    Raises `ModelError` where the architecture has no layers that can do so.
    """
    layers = [part for part in model.modules() if isinstance(part, GradientCheckpointingLayer)]
    if not layers:
        raise ModelError(
            f"{type(model).__name__} has no layers whose activations can be computed again; leave "
            "--gradient-checkpointing out."
        )
    base: Any = getattr(model, "text_model", model)
    getattr(base, ENABLE if hasattr(base, ENABLE) else FORMERLY)()
    for layer in layers:
        layer.training = True  # what a layer asks before it does so; dropout within stays off


def recomputes(model: nn.Module) -> bool:
    """Whether `recompute_activations` was called, by whomever."""
    return any(
        isinstance(part, GradientCheckpointingLayer) and part.gradient_checkpointing
        for part in model.modules()
    )
