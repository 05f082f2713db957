"""Adapters: few weights that are trained while the model's own stay as they are, through PEFT.

LoRA (2106.09685) and DoRA (2402.09353) lie beside the linear layers and can be merged into them;
QLoRA (2305.14314) is LoRA on weights in four bits; prefix tuning (2101.00190) and prompt tuning
(2104.08691) put learned tokens before every text. The model that gets an adapter stays usable as it
was, on the same memory: it is the reference of DPO and PPO, which so costs nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from suffrage.core.errors import ModelError, SettingsError
from suffrage.data.conditioning import save_condition
from suffrage.models.folder import whole_name
from suffrage.models.language_model import LanguageModel
from suffrage.models.peft_package import peft_for, quietly
from suffrage.models.virtual_tokens import VirtualTokens, activations

Kind = Literal["none", "lora", "dora", "qlora", "prefix", "prompt"]
OF_TOKENS = {"prefix": "PREFIX_TUNING", "prompt": "PROMPT_TUNING"}


@dataclass(frozen=True)
class AdapterSettings:
    """What kind of adapter, and how large.

    alpha_ratio: LoRA's scale alpha / rank: the output is W x + (alpha / rank) B A x.
    target_modules: names of linear layers, whole or the last part; empty: all but the head.
    """

    kind: Kind = "none"
    rank: int = 16
    alpha_ratio: float = 2.0
    virtual_tokens: int = 16
    target_modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class Adapted(LanguageModel):
    """A model with an adapter; `save` writes the adapter alone, which names its base."""

    peft: Any = None

    def save(self, folder: Path, weights: Mapping[str, Tensor] | None = None) -> None:
        """Write the adapter in PEFT's form, the model's config and the tokenizer."""
        model = cast(PreTrainedModel, self.peft.get_base_model())
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(folder)
        self.peft.save_pretrained(str(folder), save_embedding_layers=False)
        self.tokenizer.save_pretrained(folder)
        save_condition(self.condition, folder)

    @property
    def trainable(self) -> int:
        """The adapter's parameters."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)


def add(bundle: LanguageModel, settings: AdapterSettings, seed: int) -> LanguageModel:
    """The model with a fresh adapter, whose parameters alone are trained.

    `bundle` stays the model without it, on the same weights, which are frozen. LoRA and DoRA start
    as the identity; of a reward model the head `score` is trained too. A model that already reads
    virtual tokens goes on with these. Raises `SettingsError` for what does not fit the model.
    """
    if isinstance(bundle.model, VirtualTokens):
        return _go_on(bundle, bundle.model, settings, seed)
    if settings.kind == "none":
        return bundle
    if settings.kind in OF_TOKENS:
        return _with_tokens(bundle, settings, seed)
    peft = peft_for(f"--adapter {settings.kind}")
    model = _same_weights(bundle.model)
    config = _lora_config(peft, model, settings)
    return _adapted(bundle, _wrap(peft, model, config, bundle.name, seed))


def _adapted(bundle: LanguageModel, wrapped: Any) -> Adapted:
    return Adapted(**{**_fields(bundle), "model": wrapped.get_base_model(), "peft": wrapped})


def _fields(bundle: LanguageModel) -> dict[str, Any]:
    return {field.name: getattr(bundle, field.name) for field in fields(LanguageModel)}


def _same_weights(model: PreTrainedModel) -> PreTrainedModel:
    """A second model on the same tensors: layers put into one do not show in the other."""
    shared = [*model.parameters(), *model.buffers()]
    return copy.deepcopy(model, {id(tensor): tensor for tensor in shared})


def _wrap(peft: Any, model: PreTrainedModel, config: Any, name: str, seed: int) -> Any:
    with quietly(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        wrapped = peft.get_peft_model(model, config)
    config.base_model_name_or_path = whole_name(name)
    return wrapped


def _lora_config(peft: Any, model: PreTrainedModel, settings: AdapterSettings) -> Any:
    writes = model.get_output_embeddings() is not None
    targets = _targets(model, settings.target_modules)
    return peft.LoraConfig(
        task_type="CAUSAL_LM" if writes else "SEQ_CLS",
        modules_to_save=None if writes else ["score"],
        r=settings.rank,
        lora_alpha=settings.alpha_ratio * settings.rank,
        lora_dropout=0.0,  # see `switch_off_dropout`
        use_dora=settings.kind == "dora",
        target_modules=sorted(targets),
        fan_in_fan_out=any(isinstance(layer, Conv1D) for layer in targets.values()),
    )


def _targets(model: PreTrainedModel, wanted: tuple[str, ...]) -> dict[str, nn.Module]:
    """The backbone's linear layers by the last part of their names, or those that are wanted."""
    named = model.base_model.named_modules()
    linear = {name: layer for name, layer in named if isinstance(layer, (nn.Linear, Conv1D))}
    parts: dict[str, nn.Module] = {n.rpartition(".")[2]: m for n, m in linear.items()}
    if not wanted:
        return parts
    found = {w: [m for n, m in linear.items() if f".{n}".endswith(f".{w}")] for w in wanted}
    for name, layers in found.items():
        if not layers:
            raise SettingsError(
                f"--target-modules names {name!r}, which is no linear layer of the model's layers; "
                f"known: {', '.join(sorted(parts))}."
            )
    return {name: layers[0] for name, layers in found.items()}


def _with_tokens(bundle: LanguageModel, settings: AdapterSettings, seed: int) -> Adapted:
    """Virtual tokens that start as tokens of the vocabulary, or as what the model makes of them.

    Real activations serve better than noise (2101.00190, section 7.4; 2104.08691, section 3.2).
    """
    if bundle.model.get_output_embeddings() is None:
        raise SettingsError(
            f"--adapter {settings.kind} is for models that write text; a reward model takes lora, "
            "dora or qlora."
        )
    count = settings.virtual_tokens
    if count >= bundle.context - 1:
        raise SettingsError(
            f"--virtual-tokens {count} leaves no room in a context of {bundle.context}; ask for "
            "fewer."
        )
    peft = peft_for(f"--adapter {settings.kind}")
    kind = peft.PrefixTuningConfig if settings.kind == "prefix" else peft.PromptTuningConfig
    config = kind(task_type="CAUSAL_LM", num_virtual_tokens=count)
    reader = with_reader(bundle, _wrap(peft, _same_weights(bundle.model), config, bundle.name, 0))
    start = _start(bundle.model, settings, seed)
    weight = cast(VirtualTokens, reader.model).weight
    if start.shape != weight.shape:
        raise ModelError(
            f"{type(bundle.model).__name__} keeps keys and values in a form that PEFT's prefix "
            "tuning does not know; take --adapter prompt."
        )
    weight.data.copy_(start)
    return reader


def with_reader(bundle: LanguageModel, wrapped: Any) -> Adapted:
    """The model that reads virtual tokens; they take their share of the context."""
    reader = VirtualTokens(wrapped)
    changed = {"model": reader, "layout": "plain", "context": bundle.context - reader.count}
    return Adapted(**{**_fields(bundle), **changed, "peft": wrapped})


def _start(model: PreTrainedModel, settings: AdapterSettings, seed: int) -> torch.Tensor:
    vocabulary = cast(nn.Embedding, model.get_input_embeddings())
    generator = torch.Generator().manual_seed(seed)
    size = (1, settings.virtual_tokens)
    drawn = torch.randint(vocabulary.num_embeddings, size, generator=generator).to(model.device)
    if settings.kind == "prefix":
        return activations(model, drawn)
    return vocabulary.weight[drawn[0]].detach()


def _go_on(
    bundle: LanguageModel, reader: VirtualTokens, settings: AdapterSettings, seed: int
) -> LanguageModel:
    """A trainable copy of the virtual tokens that the model reads."""
    config = reader.peft.active_peft_config
    if OF_TOKENS.get(settings.kind) != config.peft_type.value:
        kind = next(kind for kind, name in OF_TOKENS.items() if name == config.peft_type.value)
        raise SettingsError(
            f"{bundle.name} reads virtual tokens of {kind} tuning; pass --adapter {kind} to train "
            f"these on, or name the model they stand on, {config.base_model_name_or_path}."
        )
    changed = {
        "name": str(config.base_model_name_or_path),
        "model": reader.text_model,
        "context": bundle.context + reader.count,
    }
    bare = LanguageModel(**{**_fields(bundle), **changed})
    made = _with_tokens(bare, replace(settings, virtual_tokens=reader.count), seed)
    cast(VirtualTokens, made.model).weight.data.copy_(reader.weight)
    return replace(made, name=bundle.name)


def merge(bundle: LanguageModel) -> LanguageModel:
    """The model with LoRA or DoRA merged into its weights, on memory of its own.

    A model without an adapter comes back as it is.
    """
    if not isinstance(bundle, Adapted):
        return bundle
    merged = copy.deepcopy(bundle.peft).merge_and_unload()
    return LanguageModel(**{**_fields(bundle), "model": merged})
