"""Adapters on disk, in PEFT's form: a folder that names its base comes back as a whole model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedModel

from suffrage.core.errors import ModelError
from suffrage.models.adapters import OF_TOKENS, with_reader
from suffrage.models.folder import adapter_config, base_of, resolve
from suffrage.models.language_model import (
    LanguageModel,
    describe,
    load,
    load_tokenizer,
    unloadable,
)
from suffrage.models.peft_package import peft_for, quietly
from suffrage.models.virtual_tokens import VirtualTokens


def load_adapted(name: str | Path, device: str | torch.device | None) -> LanguageModel:
    """The base that an adapter's folder names, with LoRA merged into it or virtual tokens before.

    Weights in four bits come back in single precision.
    """
    place = resolve(name)
    base = load(base_of(place), device)
    has_own = (Path(place) / "tokenizer_config.json").exists()
    tokenizer = load_tokenizer(place, name) if has_own else base.tokenizer
    wrapped = _read(name, base.model)
    if str(adapter_config(place)["peft_type"]) in OF_TOKENS.values():
        return replace(with_reader(base, wrapped), name=str(name), tokenizer=tokenizer)
    model = wrapped.merge_and_unload()
    model.requires_grad_(True)
    return describe(str(name), model, tokenizer)


def merge_saved(name: str | Path, model: PreTrainedModel) -> PreTrainedModel:
    """`model` with the adapter saved at `name` merged into its weights."""
    return cast(PreTrainedModel, _read(name, model).merge_and_unload())


def _read(name: str | Path, model: PreTrainedModel) -> Any:
    place = resolve(name)
    kind = adapter_config(place).get("peft_type")
    if kind not in ("LORA", *OF_TOKENS.values()):
        raise ModelError(
            f"{name} holds an adapter of kind {kind}, which Suffrage does not know; merge it into "
            "its base and name the merged model."
        )
    if isinstance(model, VirtualTokens):
        raise ModelError(
            f"{name} stands on a model that reads virtual tokens, which takes no second adapter; "
            "train it on a model without them."
        )
    peft = peft_for(f"{name} holds an adapter, which")
    try:
        with quietly():
            return peft.PeftModel.from_pretrained(model, place, torch_device=str(model.device))
    except Exception as error:  # whatever a damaged file makes the libraries raise
        raise unloadable(name, "adapter", error) from error
