"""Weights in four bits (QLoRA, 2305.14314): what only carries an adapter need not be exact.

bitsandbytes computes them on CUDA. No machine with CUDA was at hand when this was written: what
stands here was run on bitsandbytes' slow path for the CPU only, and never on a GPU.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from suffrage.core.errors import ModelError


def check_four_bit(device: torch.device) -> None:
    """`ModelError` where four-bit weights cannot be computed; before a large model is read."""
    _bitsandbytes(device)


def _bitsandbytes(device: torch.device) -> Any:
    if device.type != "cuda":
        raise ModelError(
            f"--adapter qlora needs a CUDA device, and this run is on {device.type}; take "
            "--adapter lora here."
        )
    return _package()


def _package() -> Any:
    try:
        import bitsandbytes
    except ImportError:
        raise ModelError(
            "--adapter qlora needs the bitsandbytes package; run `pip install 'suffrage[qlora]'`."
        ) from None
    return bitsandbytes


def quantise(model: PreTrainedModel, device: torch.device) -> None:
    """Move the model to `device`, every linear layer but the head in 4-bit NormalFloat, in place.

    Double quantisation, products in bfloat16 (2305.14314, sections 2 and 3). Each layer becomes
    small as it moves, so the device never holds the whole model in single precision.
    """
    _convert(model, device, _bitsandbytes(device))


def _convert(model: PreTrainedModel, device: torch.device, bnb: Any) -> None:
    backbone = model.base_model
    linear = {n: m for n, m in backbone.named_modules() if type(m) is nn.Linear}
    if not linear:
        raise ModelError(
            f"{type(model).__name__} has no linear layers that bitsandbytes knows; take "
            "--adapter lora."
        )
    for name, layer in linear.items():
        backbone.set_submodule(name, _small(layer, bnb).to(device))
    model.to(device)  # type: ignore[arg-type]
    model.is_loaded_in_4bit = True  # type: ignore[assignment]  # how PEFT finds it out


def _small(layer: nn.Linear, bnb: Any) -> Any:
    """The layer with weights that turn into four bits when they are moved."""
    sizes = (layer.in_features, layer.out_features, layer.bias is not None)
    made = bnb.nn.Linear4bit(
        *sizes, compute_dtype=torch.bfloat16, compress_statistics=True, quant_type="nf4",
        device="meta",
    )  # fmt: skip
    made.weight = bnb.nn.Params4bit(
        layer.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4"
    )
    made.bias = layer.bias
    return made
